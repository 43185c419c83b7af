"""A plan as plain values: what ``mainstream plan --output json`` prints. Numbers are JSON's, rates exact fractions as text."""

from typing import Any

from mainstream.documents import fraction_text
from mainstream.scheduling.caveats import caveats, needed_for_all, rejected
from mainstream.scheduling.decide import Plan


def plain_plan(plan: Plan) -> dict[str, Any]:
    """One edge node's plan under one way of sharing.

    ``meanF1`` and ``minF1`` are over all apps (one that is not admitted counts as 0), ``meanF1Admitted`` over the admitted.
    """
    result, schedule = plan.result, plan.schedule
    return {
        "sharing": plan.sharing,
        "objective": plan.objective,
        "solver": result.solver,
        "proven": result.proven,
        "bound": result.bound,
        "boxes": result.boxes,
        "valueOfBudget": result.price,
        "meanF1": plan.mean_f1,
        "minF1": plan.min_f1,
        "meanF1Admitted": result.mean_f1,
        "meanFps": plan.mean_fps,
        "cost": result.cost,
        "admitted": len(schedule.apps),
        "memoryBytes": plan.planned_bytes,
        "memoryBudgetBytes": schedule.memory_bytes,
        "levelsGivenUp": plan.fewer_levels.before - plan.fewer_levels.after if plan.fewer_levels else 0,
        "neededCostForAll": needed_for_all(plan),
        "scheduleDigest": schedule.digest,
        "apps": _apps(plan),
        "stems": [
            {
                "name": stem.name,
                "stream": stem.stream,
                "view": stem.view,
                "baseDnn": stem.base_dnn,
                "segments": [
                    {"end": one.end, "fps": fraction_text(one.fps), "seconds": one.planned_seconds}
                    for one in stem.segments
                ],
            }
            for stem in schedule.stems
        ],
        "rejected": [
            {
                "app": one.app,
                "reason": one.reason,
                "message": one.message,
                "remedy": one.remedy,
                "neededCost": one.needed_cost,
            }
            for one in rejected(plan)
        ],
        "warnings": list(caveats(plan)),
    }


def plain_box(plan: Plan) -> dict[str, Any]:
    """What holds for an edge node whatever is decided: budget, ingest, profiles."""
    assembled = plan.assembled
    spec = assembled.edge_node.spec
    return {
        "edgeNode": assembled.edge_node.metadata.name,
        "utilization": assembled.utilization,
        "budget": assembled.problem.budget,
        "cpu": spec.budget.cpu,
        "threads": spec.threads,
        "ingestCores": assembled.ingest_cores,
        "profile": {
            "baseDnns": [
                {
                    "digest": costs.base_dnn,
                    "hardware": costs.hardware,
                    "engine": costs.engine,
                    "engineVersion": costs.engine_version,
                    "threads": costs.threads,
                    "wholeSeconds": costs.whole_seconds,
                    "spread": costs.spread,
                }
                for costs in assembled.costs.values()
            ],
            "streams": [
                {"name": one.stream, "ingestCores": one.cores, "spread": one.spread}
                for one in assembled.ingest.values()
            ],
        },
    }


def _apps(plan: Plan) -> list[dict[str, Any]]:
    scheduled = {app.app: app for app in plan.schedule.apps}
    apps = []
    for member, choice in zip(plan.assembled.members, plan.result.choices, strict=True):
        if choice is None:
            continue
        app = scheduled[member.app.key]
        candidate = member.candidates[choice.candidate]
        apps.append(
            {
                "app": app.app,
                "namespace": member.app.metadata.namespace,
                "name": member.app.metadata.name,
                "stream": member.stream.name,
                "view": member.app.spec.view,
                "stem": app.stem,
                "branchpoint": app.branchpoint,
                "precision": app.precision,
                "depth": app.depth,
                "fps": fraction_text(app.fps),
                "votes": app.votes,
                "threshold": app.threshold,
                "expectedF1": app.expected_f1,
                "p": candidate.true_positive_rate[app.threshold - 1],
                "q": candidate.false_positive_rate[app.threshold - 1],
                "interval": candidate.interval,
                "measuredBy": member.package.config.measured_by,
                "branchSeconds": app.planned_seconds,
                "branchCost": app.planned_seconds * float(app.fps),
            }
        )
    return sorted(apps, key=lambda app: str(app["app"]))
