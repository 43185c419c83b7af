"""From an edge node, its apps, their M-Packages and the measured costs to a problem. Pure: everything is passed in.

Apps of one stream, view and base DNN form a stem group. The budget is what is left of the engine's time after ingest
(architecture, decision 9). Votes and threshold are maximised out here, so that schedulers choose candidate and rate only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mainstream.basednn import BaseDnn
from mainstream.cost import LayerCosts, StreamIngest
from mainstream.errors import InputError
from mainstream.events import EventProfile
from mainstream.packages.mpackage import Candidate, MPackage
from mainstream.quality import Model, best_f1
from mainstream.resources.app import MainstreamApp
from mainstream.resources.edgenode import EdgeNode, EdgeNodeSpec, Stream
from mainstream.sampling import rates_on_offer
from mainstream.scheduling.problem import AppOptions, Problem, StemGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagedApp:
    """An app of an edge node with the M-Package that it uses and the base DNN that this was trained on.

    ``where`` is the place of its manifest, for messages; ``age`` its place in the order of creation, where that is known.
    """

    app: MainstreamApp
    package: MPackage
    base_dnn: BaseDnn
    where: str = ""
    age: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """An app as the problem has it; ``candidates`` are in the order of its table (by depth)."""

    app: MainstreamApp
    package: MPackage
    base_dnn: BaseDnn
    stream: Stream
    profile: EventProfile
    candidates: tuple[Candidate, ...]
    age: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unplannable:
    """An app that cannot take part, whatever the budget: the API's reason, a sentence, what to do."""

    app: str
    reason: str
    message: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembled:
    """A problem and what its numbers stand for: ``members[i]`` is ``problem.apps[i]``."""

    edge_node: EdgeNode
    problem: Problem
    members: tuple[Member, ...]
    unplannable: tuple[Unplannable, ...]
    costs: Mapping[str, LayerCosts]
    """By base DNN."""
    ingest: Mapping[str, StreamIngest]
    """By stream, of the streams that the members use."""
    utilization: float

    @property
    def ingest_cores(self) -> float:
        """Cores that the streams in use take for decoding and conversion."""
        return sum(ingest.cores for ingest in self.ingest.values())


def budget(spec: EdgeNodeSpec, *, ingest_cores: float, utilization: float) -> float:
    """Wall seconds of the engine instance per second that may be planned (decision 9); ``utilization`` in per cent."""
    share = min(1.0, (spec.budget.cpu - ingest_cores) / spec.threads)
    return max(0.0, utilization / 100 * share)


def assemble(
    edge_node: EdgeNode,
    apps: Sequence[PackagedApp],
    *,
    costs: Mapping[str, LayerCosts],
    ingest: Mapping[str, StreamIngest],
    utilization: float | None = None,
    model: Model = "corrected",
) -> Assembled:
    """The problem of the apps (those that are not suspended); ``utilization`` replaces the edge node's.

    ``costs`` are by base DNN, ``ingest`` by stream. ``InputError`` where an M-Package does not fit its manifest or base DNN.
    """
    members, unplannable = [], []
    for packaged in apps:
        check_packaged(packaged)
        member = _member(edge_node, packaged)
        if isinstance(member, Unplannable):
            unplannable.append(member)
        else:
            members.append(member)
    groups: dict[str, StemGroup] = {}
    for member in members:
        groups.setdefault(group_name(member), _group(member, costs[member.base_dnn.digest]))
    places = {name: place for place, name in enumerate(groups)}
    used = {member.stream.name: ingest[member.stream.name] for member in members}
    percent = edge_node.spec.budget.utilization if utilization is None else utilization
    return Assembled(
        edge_node=edge_node,
        problem=Problem(
            groups=tuple(groups.values()),
            apps=tuple(
                _options(member, places[group_name(member)], costs[member.base_dnn.digest], model) for member in members
            ),
            budget=budget(edge_node.spec, ingest_cores=sum(one.cores for one in used.values()), utilization=percent),
        ),
        members=tuple(members),
        unplannable=tuple(unplannable),
        costs={member.base_dnn.digest: costs[member.base_dnn.digest] for member in members},
        ingest=used,
        utilization=percent,
    )


def group_name(member: Member) -> str:
    """``stream/view/<12 digits of the base DNN>``."""
    digits = member.base_dnn.digest.removeprefix("sha256:")[:12]
    return f"{member.stream.name}/{member.app.spec.view}/{digits}"


def check_packaged(packaged: PackagedApp) -> None:
    """That package, manifest and base DNN belong together (``InputError``)."""
    app, package, base = packaged.app, packaged.package.config, packaged.base_dnn
    named = f"M-Package {packaged.package.digest[:19]}... of app {app.key}"
    remedy = f"Train it again: mainstream train -f PATH --app {app.metadata.name}"
    if package.base_dnn != base.digest:
        raise InputError(
            f"{named} was trained on base DNN {package.base_dnn}, not on {base.digest}", where=packaged.where
        )
    if (
        package.segments != base.config.segments[: len(package.segments)]
        or package.input_shape != base.config.input_shape
    ):
        raise InputError(f"{named} does not hold the segments of base DNN {base.digest}", where=packaged.where)
    if set(app.spec.events) != set(package.events):
        raise InputError(
            f"spec.events: {', '.join(app.spec.events)}; but the {named} was measured for {', '.join(package.events)}",
            where=packaged.where,
            remedy=remedy
            if app.spec.training
            else f"Write events: [{', '.join(package.events)}], or use another package.",
        )


def engine_suits(spec: EdgeNodeSpec, base: BaseDnn) -> bool:
    """Whether the edge node's engine computes the base DNN with the numbers that accuracies were measured with."""
    return base.config.precision == "f32" or spec.runtime.engine != "OpenVINO"


def unsuitable(edge_node: EdgeNode) -> str:
    """What is said of an app whose base DNN the engine does not suit."""
    return (
        f"its base DNN is in int8, and OpenVINO, the engine of edge node {edge_node.metadata.name!r}, computes "
        "other numbers with int8 graphs than those that its accuracy was measured with"
    )


def _member(edge_node: EdgeNode, packaged: PackagedApp) -> Member | Unplannable:
    spec, config = packaged.app.spec, packaged.package.config
    stream = next((stream for stream in edge_node.spec.streams if stream.name == spec.stream), None)
    if stream is None or stream.view(spec.view) is None:
        return Unplannable(
            app=packaged.app.key,
            reason="StreamNotFound",
            message=f"edge node {edge_node.metadata.name!r} has no stream {spec.stream!r} with a view {spec.view!r}",
            remedy="Name one of its streams in spec.stream and one of that stream's views in spec.view.",
        )
    if not engine_suits(edge_node.spec, packaged.base_dnn):
        return Unplannable(
            app=packaged.app.key,
            reason="EngineUnsuitable",
            message=unsuitable(edge_node),
            remedy="Set the edge node's spec.runtime.engine to Auto or LiteRT, or train the app on the f32 base DNN.",
        )
    profile = spec.event_profile or config.event_profile
    if profile is None:
        return Unplannable(
            app=packaged.app.key,
            reason="EventProfileMissing",
            message="it was trained on pictures, which do not tell how long events are",
            remedy='Write spec.eventProfile, for example {lengthSeconds: "2", gapSeconds: "20", frequency: "0.1", '
            'correlation: "0.5", correlationFps: "10"}.',
        )
    return Member(
        app=packaged.app,
        package=packaged.package,
        base_dnn=packaged.base_dnn,
        stream=stream,
        profile=profile,
        candidates=tuple(
            sorted(config.candidates, key=lambda one: (packaged.base_dnn.config.depth(one.branchpoint), one.precision))
        ),
        age=packaged.age,
    )


def _group(member: Member, costs: LayerCosts) -> StemGroup:
    config = member.base_dnn.config
    segments = config.segments
    int8 = costs.int8_branch_seconds
    counts = {len(costs.branch_seconds), *([] if int8 is None else [len(int8)])}
    if len(costs.segment_seconds) != len(segments) or counts != {len(segments) + 1}:
        raise InputError(
            f"the profile of base DNN {costs.base_dnn} has {len(costs.segment_seconds)} segments and "
            f"{len(costs.branch_seconds)} branches; expected {len(segments)} and {len(segments) + 1}",
            remedy="Measure again: mainstream profile -f PATH",
        )
    if (config.precision == "int8") != (int8 is not None):
        raise InputError(
            f"the profile of base DNN {costs.base_dnn} has {'no' if int8 is None else 'costs of'} int8 branches, "
            f"but the base DNN is one in {config.precision}",
            remedy="Measure again: mainstream profile -f PATH",
        )
    return StemGroup(
        name=group_name(member),
        segment_seconds=costs.segment_seconds,
        rates=rates_on_offer(member.stream.capture_fps),
    )


_quality = lru_cache(maxsize=16_384)(best_f1)
"""A table takes 10 ms to compute and 1 kB to keep; an operator needs those of unchanged apps again and again."""


def _options(member: Member, group: int, costs: LayerCosts, model: Model) -> AppOptions:
    spec = member.app.spec
    rates = rates_on_offer(member.stream.capture_fps)
    tables = [
        _quality(
            candidate.true_positive_rate,
            candidate.false_positive_rate,
            member.profile,
            capture_fps=member.stream.capture_fps,
            rates=rates,
            # An event profile that a person gives replaces what was measured, correlation too.
            correlation=candidate.correlation if spec.event_profile is None else None,
            background_correlation=candidate.background_correlation if spec.event_profile is None else None,
            votes=spec.votes,
            threshold=spec.threshold,
            model=model,
        )
        for candidate in member.candidates
    ]
    depths = tuple(member.base_dnn.config.depth(candidate.branchpoint) for candidate in member.candidates)
    return AppOptions(
        name=member.app.key,
        group=group,
        depths=depths,
        branch_seconds=tuple(
            costs.branch(depth, candidate.precision) for depth, candidate in zip(depths, member.candidates, strict=True)
        ),
        f1=np.array([table.f1 for table in tables]),
        votes=np.array([table.votes for table in tables]),
        threshold=np.array([table.threshold for table in tables]),
        weight=spec.weight,
        min_f1=spec.min_f1,
        priority=spec.priority,
        age=member.age,
    )
