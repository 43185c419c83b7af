"""``plan``: what these manifests would do to everybody on the boxes, before they are applied.

The same code decides as in the operator: what is read from the cluster is what the operator reads (EdgeNodes, apps, measured
costs, M-Packages by digest), so the answer is what it would do, as long as nothing else changes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from mainstream.cost import LayerCosts, StreamIngest
from mainstream.documents import fraction_text
from mainstream.errors import InputError
from mainstream.kubectl.calls import Plain
from mainstream.kubectl.packages import ClusterPackages, Packaged
from mainstream.kubectl.situation import Situation
from mainstream.resources.app import MainstreamApp
from mainstream.resources.edgenode import EdgeNode
from mainstream.resources.selectors import selects
from mainstream.schedule import Assignment
from mainstream.scheduling.assemble import PackagedApp, assemble, check_packaged
from mainstream.scheduling.caveats import caveats, rejected
from mainstream.scheduling.decide import Plan, choices_of, decide_schedule
from mainstream.scheduling.exact.search import Limits
from mainstream.scheduling.render import engine

ESTIMATED_SECONDS = 0.020
"""Of one core for a frame of a stream that was not measured; as the operator guesses."""
BOXES = 200_000
"""The operator's default (``maxBoxes``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """For one box: the plan (None: no app runs), who runs how now, and who would not run and why."""

    edge_node: str
    before: Mapping[str, Plain]
    before_mean: float | None
    plan: Plan | None
    refused: Mapping[str, tuple[str, str]]
    notes: tuple[str, ...]


def ask(situation: Situation, name: str, packages: ClusterPackages, like: Mapping[str, str]) -> Answer:
    """What would be decided for a box. ``like`` names for an app without a package the app whose accuracy is assumed."""
    node, status = situation.boxes[name].edge_node, situation.boxes[name].status
    refused: dict[str, tuple[str, str]] = {}
    notes: list[str] = []
    ready: list[PackagedApp] = []
    mine = [app for app in situation.apps.values() if app.spec.edge_nodes.selects(node.metadata)]
    # Apps that are not there yet are the youngest.
    for age, app in enumerate(sorted(mine, key=lambda one: (situation.created.get(one.key, "~"), one.key))):
        fault = _fault(node, app, situation.namespaces)
        if fault is not None:
            refused[app.key] = fault
            continue
        try:
            packaged = _package(situation, app, packages, like, refused, notes)
            if packaged is None:
                continue
            one = PackagedApp(
                app=app, package=packaged.package, base_dnn=packaged.base_dnn, where=f"MainstreamApp {app.key}", age=age
            )
            check_packaged(one)
        except InputError as error:
            # Somebody else's mistake holds nobody up; one's own is what one asks about.
            if app.key in situation.changed:
                raise
            refused[app.key] = ("PackageInvalid", error.problem)
            continue
        ready.append(one)
    costs = _costs_of(node, status, situation.costs)
    for one in [one for one in ready if one.base_dnn.digest not in costs]:
        said = f"base DNN {one.base_dnn.digest[7:19]} has not been measured on this box; the operator would measure it first"
        refused[one.app.key] = ("ProfilePending", said)
    ready = [one for one in ready if one.base_dnn.digest in costs]
    decided = status.get("schedule") or {}
    before = {f"{one['namespace']}/{one['name']}": one for one in decided.get("apps") or ()}
    mean = float(decided["meanF1"]) if decided.get("meanF1") else None
    plan = _decide(node, status, ready, costs, before, notes) if ready else None
    if plan is not None:
        refused |= {one.app: (one.reason, f"{one.message}. {one.remedy}") for one in rejected(plan)}
        notes += caveats(plan)
    return Answer(
        edge_node=name, before=before, before_mean=mean, plan=plan, refused=refused, notes=tuple(dict.fromkeys(notes))
    )


def _decide(
    node: EdgeNode,
    status: Plain,
    ready: Sequence[PackagedApp],
    costs: Mapping[str, LayerCosts],
    before: Mapping[str, Plain],
    notes: list[str],
) -> Plan:
    measured = {one["name"]: one for one in (status.get("profile") or {}).get("streams") or ()}
    ingest = {}
    for stream in node.spec.streams:
        known = measured.get(stream.name, {}).get("ingestCores")
        cores = float(known) if known else ESTIMATED_SECONDS * float(stream.capture_fps)
        ingest[stream.name] = StreamIngest(stream=stream.name, cores=cores, spread=0.0)
        if known is None and any(one.app.spec.stream == stream.name for one in ready):
            notes.append(f"what reading stream {stream.name} takes is a guess: it has not been measured")
    assembled = assemble(node, ready, costs=costs, ingest=ingest)
    previous = {}
    for key, one in before.items():
        plain = {field: one.get(field) for field in ("branchpoint", "fps", "votes", "threshold", "expectedF1")}
        previous[key] = Assignment.from_plain({"app": key, **plain}, where=f"EdgeNode {node.metadata.name}")
    return decide_schedule(
        assembled, node.spec.objective, previous=choices_of(assembled, previous), limits=Limits(boxes=BOXES)
    )


def _package(
    situation: Situation,
    app: MainstreamApp,
    packages: ClusterPackages,
    like: Mapping[str, str],
    refused: dict[str, tuple[str, str]],
    notes: list[str],
) -> Packaged | None:
    reference = _reference(situation, app)
    model = like.get(app.key) or like.get(app.metadata.name)
    if reference is None and model is not None:
        other = _named(situation, model, app)
        assumed = _reference(situation, other)
        if assumed is None:
            raise InputError(f"--like {app.metadata.name}={model}: app {other.key} has no package either")
        notes.append(f"app {app.key} has no package yet: assumed to be as accurate as {other.key}")
        return packages.read(assumed, where=f"MainstreamApp {other.key}").for_events(app.spec.events)
    if reference is None:
        said = (
            "it has no package yet, so nobody knows how accurate it will be; to assume that of another app: "
            f"--like {app.metadata.name}=APP"
        )
        refused[app.key] = ("TrainingPending", said)
        return None
    return packages.read(reference, where=f"MainstreamApp {app.key}")


def _reference(situation: Situation, app: MainstreamApp) -> str | None:
    if app.spec.package is not None:
        return app.spec.package.reference
    known = (situation.statuses.get(app.key, {}).get("package") or {}).get("reference")
    return str(known) if known else None


def _named(situation: Situation, name: str, beside: MainstreamApp) -> MainstreamApp:
    key = name if "/" in name else f"{beside.metadata.namespace}/{name}"
    if key not in situation.apps:
        raise InputError(f"--like {beside.metadata.name}={name}: there is no app {key}")
    return situation.apps[key]


def _fault(node: EdgeNode, app: MainstreamApp, namespaces: Mapping[str, Mapping[str, str]]) -> tuple[str, str] | None:
    """Why an app cannot run there, whatever it costs."""
    spec, name = app.spec, node.metadata.name
    if spec.suspend:
        return "Suspended", "spec.suspend is true"
    if not selects(node.spec.allowed_namespaces, namespaces.get(app.metadata.namespace, {})):
        return "NamespaceNotAllowed", f"EdgeNode {name} does not allow apps of namespace {app.metadata.namespace}"
    stream = next((one for one in node.spec.streams if one.name == spec.stream), None)
    if stream is None:
        there = ", ".join(sorted(one.name for one in node.spec.streams)) or "none"
        return "StreamNotFound", f"EdgeNode {name} has no stream {spec.stream!r}; it has: {there}"
    if stream.view(spec.view) is None:
        return "StreamNotFound", f"stream {spec.stream!r} of EdgeNode {name} has no view {spec.view!r}"
    return None


def _costs_of(node: EdgeNode, status: Plain, catalogue: Sequence[tuple[LayerCosts, float]]) -> dict[str, LayerCosts]:
    """What is known for this box, scaled as the operator scales it."""
    spec = node.spec
    hardware = (status.get("profile") or {}).get("hardware")
    factor = float(Fraction((status.get("schedule") or {}).get("costScale") or "1"))
    wanted = (hardware, engine(spec), spec.threads, spec.budget.cpu)
    found = {}
    for costs, cpu in catalogue:
        if (costs.hardware, costs.engine, costs.threads, cpu) == wanted:
            found[costs.base_dnn] = costs.scaled(factor)
    return found


def plain_answer(answer: Answer) -> dict[str, Any]:
    """As JSON has it."""
    plan = answer.plan
    after = {one.app: one for one in plan.schedule.apps} if plan else {}
    rows = []
    for key in sorted({*answer.before, *after, *answer.refused}):
        old, new = answer.before.get(key), after.get(key)
        rows.append(
            {
                "app": key,
                "before": _short(old) if old else None,
                "after": {
                    "branchpoint": new.branchpoint,
                    "fps": fraction_text(new.fps),
                    "votes": new.votes,
                    "threshold": new.threshold,
                    "expectedF1": round(new.expected_f1, 3),
                }
                if new
                else None,
                "reason": answer.refused[key][0] if key in answer.refused and new is None else None,
                "message": answer.refused[key][1] if key in answer.refused and new is None else None,
            }
        )
    return {
        "edgeNode": answer.edge_node,
        "before": {"meanF1": answer.before_mean, "apps": len(answer.before)},
        "after": {
            "meanF1": round(plan.result.mean_f1, 3) if plan and after else None,
            "apps": len(after),
            "cost": round(plan.result.cost, 4) if plan else 0.0,
            "budget": round(plan.assembled.problem.budget, 4) if plan else None,
            "proven": plan.result.proven if plan else True,
        },
        "apps": rows,
        "notes": list(answer.notes),
    }


def _short(app: Plain) -> Plain:
    return {
        **{name: app.get(name) for name in ("branchpoint", "fps", "votes", "threshold")},
        "expectedF1": float(app.get("expectedF1") or 0),
    }
