"""What of an edge node's costs is known, and what must be measured next. Pure.

Costs of base DNNs are shared by boxes of the same hardware; a stream's ingest belongs to its box. A camera that is away holds
nobody up: its ingest is estimated, and measured when it is there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from mainstream.cost import LayerCosts, StreamIngest
from mainstream.documents import canonical_json, number_text, sha256
from mainstream.jobs import JobResult, MeasuredStream, ProfileTask, Registries, StreamTask, ViewInput
from mainstream.resources.edgenode import EdgeNode, Stream
from mainstream.scheduling.assemble import PackagedApp
from mainstream.scheduling.render import engine
from mainstream_operator.values import Plain

ESTIMATED_SECONDS = 0.020
"""Of one core for a frame whose reading was not measured: that of 1080p on a slow core."""
COSTS_FILE = "costs.json"
BASE_DNN_LABEL = "mainstream.dev/base-dnn"
MOST_STREAMS = 16
"""Of one Job: their results share a termination message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What is known of a box. ``hardware`` is None before the first measurement; ``costs`` are by base DNN."""

    hardware: str | None
    costs: Mapping[str, LayerCosts]
    ingest: Mapping[str, StreamIngest]
    estimated: tuple[str, ...]
    """Streams whose ingest is a guess."""
    borrowed: frozenset[str] = frozenset()
    """Base DNNs whose costs were measured on this hardware under other limits: good enough until they are measured."""


def source_digest(stream: Stream) -> str:
    """Of what a stream's ingest depends on: source, rate and views."""
    plain = stream.plain()
    return sha256(canonical_json([plain["source"], plain["captureFps"], plain.get("views", [])]))


def known(
    edge_node: EdgeNode,
    status: Plain,
    catalogue: Sequence[tuple[LayerCosts, float]],
    results: Sequence[tuple[JobResult, float]],
) -> Profile:
    """Put together status, the shared costs and fresh results, each with the CPU limit that it was measured under."""
    profile = status.get("profile") or {}
    hardware = profile.get("hardware")
    fresh = [(result.costs, cpu) for result, cpu in results if result.costs is not None]
    for measured, _ in fresh:
        hardware = measured.hardware
    spec = edge_node.spec
    here = [one for one in (*catalogue, *fresh) if (one[0].hardware, one[0].engine) == (hardware, engine(spec))]
    here.sort(key=lambda one: (abs(one[0].threads - spec.threads), abs(one[1] - spec.budget.cpu)), reverse=True)
    costs = {one.base_dnn: (one, cpu) for one, cpu in here}  # the nearest comes last
    new_ingest = {one.source_digest: one for result, _ in results for one in result.streams}
    before = {one["name"]: one for one in profile.get("streams") or ()}
    ingest, estimated = {}, []
    for stream in spec.streams:
        mark = source_digest(stream)
        found = _ingest(stream, mark, new_ingest.get(mark), before.get(stream.name))
        if found is None:
            guess = ESTIMATED_SECONDS * float(stream.capture_fps)
            found = StreamIngest(stream=stream.name, cores=guess, spread=1.0)
            estimated.append(stream.name)
        ingest[stream.name] = found
    return Profile(
        hardware=hardware,
        costs={digest: one for digest, (one, _) in costs.items()},
        ingest=ingest,
        estimated=tuple(estimated),
        borrowed=frozenset(
            digest for digest, (one, cpu) in costs.items() if (one.threads, cpu) != (spec.threads, spec.budget.cpu)
        ),
    )


def cores_text(cores: float) -> str:
    """As the status says it."""
    return f"{cores:.4f}"


def _ingest(
    stream: Stream, mark: str, new: MeasuredStream | None, before: Mapping[str, Any] | None
) -> StreamIngest | None:
    if new is not None and new.ingest is not None:
        # As the status will hold it: when the Job is gone, nothing may look different.
        cores = float(cores_text(new.ingest.cores))
        return StreamIngest(stream=stream.name, cores=cores, spread=0.0)
    if before is not None and before.get("sourceDigest") == mark and "ingestCores" in before:
        return StreamIngest(stream=stream.name, cores=float(before["ingestCores"]), spread=0.0)
    return None


def next_task(
    edge_node: EdgeNode,
    apps: Sequence[PackagedApp],
    references: Mapping[str, str],
    profile: Profile,
    plain_http: Sequence[str],
) -> ProfileTask | None:
    """What to measure now for those apps; None if all is known. ``references`` say where each base DNN is, by digest.

    One base DNN at a time, and streams beside it: the box has applications to run.
    """
    lacking = sorted({one.base_dnn.digest for one in apps} - (set(profile.costs) - profile.borrowed))
    inputs: dict[str, set[tuple[str, str]]] = {}
    for one in apps:
        inputs.setdefault(one.app.spec.stream, set()).add((one.app.spec.view, references[one.base_dnn.digest]))
    streams = [
        stream for stream in edge_node.spec.streams if stream.name in inputs and stream.name in profile.estimated
    ]
    if not lacking and not streams:
        return None
    return ProfileTask(
        edge_node=edge_node.metadata.name,
        engine=engine(edge_node.spec),
        threads=edge_node.spec.threads,
        base_dnn=references[lacking[0]] if lacking else None,
        streams=tuple(
            StreamTask(
                stream=stream,
                inputs=tuple(ViewInput(view=view, base_dnn=base) for view, base in sorted(inputs[stream.name])),
                source_digest=source_digest(stream),
            )
            for stream in streams[:MOST_STREAMS]
        ),
        registries=Registries(plain_http=tuple(plain_http)),
    )


def costs_name(costs: LayerCosts, cpu: float) -> str:
    """Of the ConfigMap that holds them."""
    mark = [costs.hardware, costs.base_dnn, costs.engine, costs.engine_version, costs.threads, number_text(cpu)]
    return f"mainstream-costs-{sha256(canonical_json(mark))[7:23]}"


def read_costs(config_map: Mapping[str, Any]) -> tuple[LayerCosts, float]:
    """What such a ConfigMap holds: the costs and the CPU limit (``InputError`` if somebody changed it)."""
    data = config_map.get("data") or {}
    where = f"ConfigMap {config_map['metadata']['name']}"
    return LayerCosts.parse(data.get(COSTS_FILE, ""), where=where), float(Fraction(data.get("cpu", "0")))


def profile_status(
    profile: Profile, in_use: Sequence[str], streams: Sequence[Stream], now: str, before: Plain
) -> Plain:
    """``status.profile``; times of measurements that were there before stay."""
    earlier = {one["digest"]: one.get("measuredAt", now) for one in before.get("baseDnns") or ()}
    bases = [
        {
            "digest": digest,
            "wholeMilliseconds": f"{profile.costs[digest].whole_seconds * 1e3:.3g}",
            "measuredAt": earlier.get(digest, now),
        }
        for digest in in_use
        if digest in profile.costs
    ]
    measured = [
        {
            "name": stream.name,
            "ingestCores": cores_text(profile.ingest[stream.name].cores),
            "sourceDigest": source_digest(stream),
        }
        for stream in streams
        if stream.name not in profile.estimated
    ]
    plain: Plain = {"baseDnns": bases, "streams": measured}
    return plain | ({"hardware": profile.hardware} if profile.hardware else {})
