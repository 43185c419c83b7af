"""What a person should know before relying on a plan, and what to do for an app that was not admitted."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil, isinf, isnan

import numpy as np

from mainstream.memory import mebibytes
from mainstream.scheduling.baselines import restricted
from mainstream.scheduling.cheapest import cheapest
from mainstream.scheduling.decide import Plan

UNSURE_SPREAD = 0.1
"""Batches of a profile that differ by more are not to be relied on (formats, Profiler)."""

WIDE_INTERVAL = 0.15
"""Half width of the 95 % interval of p - q above which a candidate's accuracy is a guess: 15 frames of events at p = 0.9."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """An app without an assignment: the API's reason, a sentence, what to do. ``needed_cost`` is None where none helps."""

    app: str
    reason: str
    message: str
    remedy: str
    needed_cost: float | None


def rejected(plan: Plan) -> tuple[Rejected, ...]:
    """All apps without an assignment, by name."""
    found = [
        Rejected(app=one.app, reason=one.reason, message=one.message, remedy=one.remedy, needed_cost=None)
        for one in plan.assembled.unplannable
    ]
    for one in plan.result.rejected:
        unreachable = isinf(one.needed_cost) or isnan(one.needed_cost)
        found.append(
            Rejected(
                app=one.app,
                reason=one.reason,
                message=one.message,
                remedy="Lower its spec.minF1, or train it better (more labelled events, earlier branchpoints)."
                if unreachable
                else _room(plan, one.needed_cost),
                needed_cost=None if unreachable else one.needed_cost,
            )
        )
    return tuple(sorted(found, key=lambda one: one.app))


def needed_for_all(plan: Plan) -> float:
    """Cost of the cheapest schedule, under the plan's sharing, of all apps that can reach their minimum F1."""
    problem = restricted(plan.assembled.problem, plan.sharing)
    reachable = tuple(app for app in problem.apps if np.max(app.f1, initial=-np.inf) >= app.min_f1 - 1e-12)
    found = cheapest(replace(problem, apps=reachable))
    return 0.0 if found is None else found[1]


def needed_utilization(plan: Plan, cost: float) -> float | None:
    """Per cent of the engine's time that a schedule of that cost needs, rounded up to a tenth; None if 100 do not do."""
    per_cent = plan.assembled.problem.budget / plan.assembled.utilization
    if per_cent <= 0 or cost / per_cent > 100:
        return None
    return min(100.0, ceil(cost / per_cent * 10) / 10)


def _room(plan: Plan, needed: float) -> str:
    """How to make room for a schedule of that cost."""
    enough = needed_utilization(plan, needed)
    others = "lower minF1, or suspend or remove apps"
    if enough is not None:
        return f"Raise budget.utilization to {enough:g} or more (now {plan.assembled.utilization:g}), {others}."
    return f"100 % of this engine's time is not enough (budget.cpu, runtime.threads): {others}, or use a faster box."


def caveats(plan: Plan) -> Iterator[str]:
    """Warnings, most important first."""
    assembled = plan.assembled
    spec = assembled.edge_node.spec
    if assembled.members and assembled.problem.budget <= 0:
        yield (
            f"IngestTooExpensive: reading the streams takes {assembled.ingest_cores:.2f} of budget.cpu {spec.budget.cpu:g}; "
            "nothing is left for the engine. Use streams of a lower resolution or rate, or give the box more cores"
        )
    yield from _memory(plan)
    for costs in assembled.costs.values():
        if costs.spread > UNSURE_SPREAD:
            yield (
                f"the profile of base DNN {costs.base_dnn[7:19]} is unsure: its batches differ by {costs.spread:.0%}; the plan "
                "takes the slower. Measure again on a quiet machine: mainstream profile"
            )
    for ingest in assembled.ingest.values():
        if ingest.spread > 2 * UNSURE_SPREAD:
            yield f"what reading stream {ingest.stream} takes is unsure: its batches differ by {ingest.spread:.0%}"
    for member, choice in zip(assembled.members, plan.result.choices, strict=True):
        if choice is None:
            continue
        candidate = member.candidates[choice.candidate]
        crossed = member.package.config.measured_by == "CrossValidation"
        if crossed or candidate.interval > WIDE_INTERVAL:
            how = "by cross-validation, for it has few events" if crossed else "on few frames"
            yield (
                f"app {member.app.key}: its accuracy was measured {how} ({candidate.event_frames} frames of events): "
                f"p - q is known to ±{candidate.interval:.2f}, so its F1 may be off"
            )


def _memory(plan: Plan) -> Iterator[str]:
    memory = plan.assembled.edge_node.spec.budget.memory
    if plan.planned_bytes > memory:
        yield (
            f"OutOfMemory: the schedule takes about {mebibytes(plan.planned_bytes)}, budget.memory is {mebibytes(memory)}: the "
            "runner will refuse it. Raise budget.memory, or run fewer apps or streams on this box"
        )
    elif plan.fewer_levels is not None:
        fewer = plan.fewer_levels
        yield (
            f"budget.memory {mebibytes(memory)} does not hold {fewer.before} levels (rates of a stem): {fewer.after} are "
            f"planned, which costs {fewer.lost_f1:.4f} of the mean F1"
        )
