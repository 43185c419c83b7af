"""From a scheduler's choices to the document that a runner is given (formats, Schedule). Pure; equal input gives equal bytes.

A stem carries only the segments that an admitted app needs, each at the highest rate among the apps that need it.
"""

from collections.abc import Callable
from fractions import Fraction

from mainstream.packages.profiles import Engine
from mainstream.resources.edgenode import EdgeNodeSpec, Source, View
from mainstream.schedule import Schedule, ScheduledApp, ScheduledStream, Stem, StemSegment
from mainstream.scheduling.assemble import Assembled, Member, group_name
from mainstream.scheduling.problem import Choice, Result, Sharing


def render(
    assembled: Assembled,
    result: Result,
    *,
    sharing: Sharing = "Mainstream",
    source: Callable[[Source], Source] = lambda source: source,
) -> Schedule:
    """The schedule of the admitted apps; ``source`` says how the runner finds what a stream's source names."""
    spec = assembled.edge_node.spec
    placed = [
        (place, member, choice)
        for place, (member, choice) in enumerate(zip(assembled.members, result.choices, strict=True))
        if choice is not None
    ]
    placed.sort(key=lambda entry: entry[1].app.key)
    stems: dict[str, list[tuple[int, Member, Choice]]] = {}
    for entry in placed:
        stems.setdefault(_stem_name(entry[1], sharing), []).append(entry)
    return Schedule(
        edge_node=assembled.edge_node.metadata.name,
        engine=engine(spec),
        threads=spec.threads,
        memory_bytes=spec.budget.memory,
        cost=result.cost,
        budget=assembled.problem.budget,
        streams=tuple(
            ScheduledStream(
                name=stream.name,
                source=source(stream.source),
                capture_fps=stream.capture_fps,
                views=_views([member for _, member, _ in placed if member.stream.name == stream.name]),
            )
            for stream in spec.streams
            if any(member.stream.name == stream.name for _, member, _ in placed)
        ),
        stems=tuple(_stem(assembled, name, entries) for name, entries in sorted(stems.items())),
        apps=tuple(_app(assembled, place, member, choice, sharing) for place, member, choice in placed),
    )


def engine(spec: EdgeNodeSpec) -> Engine:
    """The engine that ``runtime.engine`` stands for."""
    return "LiteRT" if spec.runtime.engine == "Auto" else spec.runtime.engine


def _stem_name(member: Member, sharing: Sharing) -> str:
    name = group_name(member)
    return f"{name}/{member.app.key}" if sharing == "NoSharing" else name


def _views(members: list[Member]) -> tuple[View, ...]:
    views = {}
    for member in members:
        view = member.stream.view(member.app.spec.view)
        if view is not None:
            views[view.name] = view
    return tuple(view for _, view in sorted(views.items()))


def _fps(assembled: Assembled, place: int, choice: Choice) -> Fraction:
    return assembled.problem.groups[assembled.problem.apps[place].group].rates[choice.rate]


def _stem(assembled: Assembled, name: str, entries: list[tuple[int, Member, Choice]]) -> Stem:
    member = entries[0][1]
    config = member.base_dnn.config
    needs = [
        (assembled.problem.apps[place].depths[choice.candidate], _fps(assembled, place, choice))
        for place, _, choice in entries
    ]
    seconds = assembled.costs[member.base_dnn.digest].segment_seconds
    return Stem(
        name=name,
        stream=member.stream.name,
        view=member.app.spec.view,
        base_dnn=member.base_dnn.digest,
        input_shape=config.input_shape,
        preprocessing=config.preprocessing,
        segments=tuple(
            StemSegment(
                end=segment.end,
                digest=segment.digest,
                fps=max(fps for depth, fps in needs if depth > place),
                planned_seconds=seconds[place],
            )
            for place, segment in enumerate(config.segments[: max(depth for depth, _ in needs)])
        ),
    )


def _app(assembled: Assembled, place: int, member: Member, choice: Choice, sharing: Sharing) -> ScheduledApp:
    spec, options = member.app.spec, assembled.problem.apps[place]
    candidate = member.candidates[choice.candidate]
    at = (choice.candidate, choice.rate)
    return ScheduledApp(
        app=member.app.key,
        stem=_stem_name(member, sharing),
        package=_reference(member),
        branchpoint=candidate.branchpoint,
        precision=candidate.precision,
        depth=options.depths[choice.candidate],
        branch_digest=candidate.branch_digest,
        planned_seconds=options.branch_seconds[choice.candidate],
        fps=_fps(assembled, place, choice),
        votes=int(options.votes[at]),
        threshold=int(options.threshold[at]),
        expected_f1=float(options.f1[at]),
        classes=member.package.config.classes,
        events=spec.events,
        end_after_seconds=spec.end_after_seconds,
        event_length_seconds=member.profile.length_seconds,
        sinks=spec.sinks,
        snapshots=spec.snapshots,
    )


def _reference(member: Member) -> str:
    """Where a runner pulls the package from: a registry's repository by digest, or the local store's digest."""
    package = member.app.spec.package
    repository, at, _ = package.reference.rpartition("@") if package else ("", "", "")
    return f"{repository}{at}{member.package.digest}"
