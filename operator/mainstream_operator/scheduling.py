"""From what was observed of an edge node to its schedule. Pure; what does not fit or is not ready is said, app by app.

The assignments that run are kept where the sticky rule allows (``mainstream.scheduling.sticky``); the schedule is rendered anew
from the specs each time, so a changed sink or camera always reaches the box.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mainstream.documents import canonical_json, number_text, sha256
from mainstream.errors import InputError
from mainstream.jobs import ProfileTask
from mainstream.resources.edgenode import EdgeNode
from mainstream.resources.selectors import selects
from mainstream.schedule import Assignment
from mainstream.scheduling.assemble import PackagedApp, assemble, check_packaged, engine_suits, unsuitable
from mainstream.scheduling.caveats import rejected
from mainstream.scheduling.decide import Plan, choices_of, decide_schedule
from mainstream.scheduling.exact.search import Limits
from mainstream.scheduling.sticky import input_digest
from mainstream_operator.credentials import delivered
from mainstream_operator.pods import inside
from mainstream_operator.profiling import Profile, next_task
from mainstream_operator.settings import Settings
from mainstream_operator.values import AppState, Finding, Plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """What was decided for an edge node. ``plan`` is None where no app can run; ``refused`` says why apps do not, by app."""

    plan: Plan | None
    refused: Mapping[str, Finding]
    task: ProfileTask | None
    bases: tuple[str, ...]
    """Base DNNs in use, by digest, sorted."""
    cost_scale: float
    input_digest: str = ""
    solve_seconds: float = 0.0
    references: Mapping[str, str] = field(default_factory=dict)
    """Of the packages of all apps that are ready, by app."""


def fingerprint(
    edge_node: EdgeNode, apps: Sequence[AppState], allowed: Mapping[str, bool], profile: Profile, cost_scale: float
) -> str:
    """The same as long as ``schedule`` would decide the same."""
    plain = [
        edge_node.spec.plain(),
        [
            (
                *(state.app.key, state.app.spec.plain(), state.identity.created, state.trained.reason),
                *(state.trained.message, state.package.package.digest if state.package else ""),
            )
            for state in apps
        ],
        sorted(allowed.items()),
        [costs.plain() for _, costs in sorted(profile.costs.items())],
        [one.plain() for _, one in sorted(profile.ingest.items())],
        number_text(cost_scale),
    ]
    return sha256(canonical_json(plain))


def schedule(
    edge_node: EdgeNode,
    apps: Sequence[AppState],
    allowed: Mapping[str, bool],
    profile: Profile,
    *,
    cost_scale: float,
    status: Plain,
    settings: Settings,
    limits: Limits,
) -> Scheduled:
    """Decide. ``allowed`` says of each namespace whether its apps may use the box; ``status`` what was decided before."""
    refused: dict[str, Finding] = {}
    ready: list[PackagedApp] = []
    references: dict[str, str] = {}
    places: dict[str, str] = {}
    ordered = sorted(apps, key=lambda state: (state.identity.created, state.app.key))
    for age, state in enumerate(ordered):
        fault = _unready(edge_node, state, allowed=allowed.get(state.app.metadata.namespace, False))
        if fault is not None or state.package is None:
            refused[state.app.key] = fault or state.trained
            continue
        package = state.package
        packaged = PackagedApp(
            app=delivered(state.app, package.reference),
            package=package.package,
            base_dnn=package.base_dnn,
            where=f"MainstreamApp {state.app.key}",
            age=age,
        )
        try:
            check_packaged(packaged)
        except InputError as error:
            refused[state.app.key] = Finding(good=False, reason="PackageInvalid", message=error.line)
            continue
        ready.append(packaged)
        references[state.app.key] = package.reference
        repository = package.reference.partition("@")[0]
        places.setdefault(package.base_dnn.digest, f"{repository}@{package.base_dnn.digest}")
    bases = tuple(sorted({one.base_dnn.digest for one in ready}))
    task = next_task(edge_node, ready, places, profile, settings.registry.plain_http)
    planned = [one for one in ready if one.base_dnn.digest in profile.costs]
    for one in ready:
        if one.base_dnn.digest not in profile.costs:
            message = (
                f"the costs of base DNN {one.base_dnn.digest[:19]}... are being measured on {edge_node.metadata.name}"
            )
            refused[one.app.key] = Finding(good=False, reason="ProfilePending", message=message)
    decided = Scheduled(
        plan=None, refused=refused, task=task, bases=bases, cost_scale=cost_scale, references=references
    )
    if not planned:
        return decided
    assembled = assemble(
        edge_node,
        planned,
        costs={digest: costs.scaled(cost_scale) for digest, costs in profile.costs.items()},
        ingest=profile.ingest,
    )
    digest = input_digest(assembled.problem, edge_node.spec.objective, "Mainstream")
    plan = decide_schedule(
        assembled,
        edge_node.spec.objective,
        source=inside,
        previous=choices_of(assembled, previous_assignments(status)),
        settled=_settled(status, digest),
        limits=limits,
    )
    for one_rejected in rejected(plan):
        message = f"{one_rejected.message}. {one_rejected.remedy}"
        refused[one_rejected.app] = Finding(good=False, reason=one_rejected.reason, message=message)
    admitted = {app.app for app in plan.schedule.apps}
    return replace(
        decided,
        plan=plan if admitted else None,
        input_digest=digest,
    )


def allowed_namespaces(edge_node: EdgeNode, namespaces: Mapping[str, Mapping[str, str]]) -> dict[str, bool]:
    """Of each namespace, by its labels, whether its apps may use the box."""
    return {name: selects(edge_node.spec.allowed_namespaces, labels) for name, labels in namespaces.items()}


def previous_assignments(status: Plain) -> dict[str, Assignment]:
    """The assignments that the status holds, by app; what cannot be read counts as not there."""
    found = {}
    for one in (status.get("schedule") or {}).get("apps") or ():
        app = f"{one.get('namespace')}/{one.get('name')}"
        plain = {name: one.get(name) for name in ("branchpoint", "fps", "votes", "threshold", "expectedF1")}
        plain["precision"] = one.get("precision", "f32")
        try:
            found[app] = Assignment.from_plain({"app": app, **plain}, where=app)
        except InputError:
            continue
    return found


def _settled(status: Plain, digest: str) -> bool | None:
    """Whether what the status holds was decided for this very input: then if it is proven to be optimal, else None."""
    before = status.get("schedule") or {}
    reasons = {one.get("reason") for one in status.get("conditions") or () if one.get("type") == "Scheduled"}
    return bool(before.get("optimal")) if before.get("inputDigest") == digest and reasons == {"Ready"} else None


def _unready(edge_node: EdgeNode, state: AppState, *, allowed: bool) -> Finding | None:
    spec, box = state.app.spec, edge_node.metadata.name
    if spec.suspend:
        return Finding(good=False, reason="Suspended", message="spec.suspend is true")
    if not allowed:
        message = (
            f"EdgeNode {box} does not allow apps of namespace {state.app.metadata.namespace}: "
            "its spec.allowedNamespaces must select the Namespace's labels"
        )
        return Finding(good=False, reason="NamespaceNotAllowed", message=message)
    streams = {stream.name: stream for stream in edge_node.spec.streams}
    stream = streams.get(spec.stream)
    if stream is None:
        there = ", ".join(sorted(streams)) or "none"
        message = f"EdgeNode {box} has no stream {spec.stream!r}; it has: {there}"
        return Finding(good=False, reason="StreamNotFound", message=message)
    if stream.view(spec.view) is None:
        views = ", ".join(sorted({"full", *(view.name for view in stream.views)}))
        message = f"stream {spec.stream!r} of EdgeNode {box} has no view {spec.view!r}; it has: {views}"
        return Finding(good=False, reason="StreamNotFound", message=message)
    if state.package is not None and not engine_suits(edge_node.spec, state.package.base_dnn):
        return Finding(good=False, reason="EngineUnsuitable", message=unsuitable(edge_node))  # nothing to measure
    return None
