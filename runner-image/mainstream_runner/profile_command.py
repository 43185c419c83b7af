"""``mainstream profile``: what segments, branches and streams take on this machine, kept in the store for planning."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from mainstream.cli.main import require
from mainstream.cli.output import (
    DEFAULT_STORE,
    FilesOption,
    Format,
    Output,
    OutputOption,
    Steps,
    StoreOption,
)
from mainstream.errors import InputError
from mainstream_runner.options import SecretsOption

if TYPE_CHECKING:
    from rich.console import RenderableType

    from mainstream.basednn import BaseDnn
    from mainstream.cost import LayerCosts, StreamIngest
    from mainstream.packages.folder import StoreFolder
    from mainstream.resources.edgenode import EdgeNode
    from mainstream.resources.manifests import Manifests
    from mainstream_runner.engine import Engine
    from mainstream_runner.in_use import InUse
    from mainstream_runner.secrets import Secrets
    from mainstream_runner.sources.source import FrameSource

ATTEMPTS = 3
"""Connections to a camera that may fail before its profile is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeProfile:
    """What was measured for an edge node."""

    edge_node: "EdgeNode"
    layers: "Sequence[tuple[BaseDnn, LayerCosts]]"
    ingest: "Sequence[StreamIngest]"


def profile(app: typer.Typer) -> None:
    """Add the verb ``profile``."""

    @app.command("profile")
    def command(
        *,
        filename: FilesOption,
        store: StoreOption = DEFAULT_STORE,
        secrets: SecretsOption = None,
        output: OutputOption = Format.TABLE,
    ) -> None:
        """Measure segments, branches and streams on this machine, with the runner's engine and threads."""
        require("runner", "av", "ai_edge_litert")
        from mainstream.packages.folder import StoreFolder
        from mainstream.resources.manifests import load
        from mainstream_runner.secrets import Secrets

        out = Output(output)
        manifests = load(filename)
        if not manifests.edge_nodes:
            raise InputError("holds no EdgeNode", where=filename, remedy="Add one: it says which streams there are.")
        profiles = measure(out, manifests, StoreFolder(store), secrets=Secrets(secrets))
        out.result({"edgeNodes": [_plain(one) for one in profiles]}, lambda: _tables(profiles))


def measure(out: Output, manifests: "Manifests", store: "StoreFolder", *, secrets: "Secrets") -> list[NodeProfile]:
    """Measure everything that the manifests' edge nodes use, each with its engine, and keep it in the store."""
    from mainstream.packages.profiles import save_costs, save_ingest
    from mainstream.scheduling.render import engine
    from mainstream_runner.engine import check_precision
    from mainstream_runner.engines import engine_named
    from mainstream_runner.hardware import hardware
    from mainstream_runner.in_use import in_use

    uses = {node.metadata.name: in_use(manifests, store.layout, node) for node in manifests.edge_nodes}
    engines = {name: engine_named(name) for name in {engine(node.spec) for node in manifests.edge_nodes}}
    measured: dict[tuple[str, int, str], LayerCosts] = {}
    profiles = []
    with out.progress() as steps:
        for node in manifests.edge_nodes:
            chosen = engine(node.spec)
            use, threads = uses[node.metadata.name], node.spec.threads
            ingest = _ingest(manifests, node, use, secrets, steps)
            layers = []
            for base in use.base_dnns:
                check_precision(chosen, quantised=base.config.precision == "int8")
                key = (base.digest, threads, chosen)
                if key not in measured:
                    measured[key] = _layers(base, store, engines[chosen], threads, hardware(), steps)
                    save_costs(store, measured[key])
                layers.append((base, measured[key]))
            for one in ingest:
                save_ingest(store, one, edge_node=node.metadata.name)
            profiles.append(NodeProfile(edge_node=node, layers=layers, ingest=ingest))
    return profiles


def _layers(
    base: "BaseDnn", store: "StoreFolder", engine: "Engine", threads: int, name: str, steps: Steps
) -> "LayerCosts":
    from mainstream_runner.profiler import profile_layers

    def begin(batch: int) -> Callable[[], None]:
        title = f"{base.config.architecture} {base.config.precision} {base.digest[7:15]}, {threads} threads: batch {batch + 1}"
        return steps.start(title, len(base.config.branchpoints))

    return profile_layers(base, read=store.layout.read_blob, engine=engine, threads=threads, hardware=name, begin=begin)


def _ingest(
    manifests: "Manifests", node: "EdgeNode", use: "InUse", secrets: "Secrets", steps: Steps
) -> "list[StreamIngest]":
    from random import random
    from threading import Event

    from mainstream.schedule import ScheduledStream
    from mainstream_runner.clock import SystemClock
    from mainstream_runner.convert import SwscaleConvert
    from mainstream_runner.ingest_profile import profile_ingest
    from mainstream_runner.sources.opening import opener

    open_stream = opener(
        until_end=False, secrets=secrets, clock=SystemClock(), stop=Event(), random=random, attempts=ATTEMPTS
    )
    advance = steps.start("streams", len(use.inputs))
    measured = []
    for stream in node.spec.streams:
        wanted = use.inputs.get(stream.name)
        if wanted is None:
            continue
        source = stream.source
        if source.file is not None and source.file.path is not None:
            path = str(manifests.resolve(node, source.file.path))
            source = source.model_copy(update={"file": source.file.model_copy(update={"path": path})})
        scheduled = ScheduledStream(name=stream.name, source=source, capture_fps=stream.capture_fps, views=stream.views)

        def opened(scheduled: ScheduledStream = scheduled) -> "FrameSource":
            return open_stream(scheduled)

        measured.append(profile_ingest(stream.name, opened, wanted, SwscaleConvert, capture_fps=stream.capture_fps))
        advance()
    return measured


def _plain(profile: NodeProfile) -> dict[str, Any]:
    from mainstream_runner.profiler import AGREEMENT

    return {
        "name": profile.edge_node.metadata.name,
        "baseDnns": [
            {"branchpoints": list(base.config.branchpoints), "sure": costs.spread <= AGREEMENT, **costs.plain()}
            for base, costs in profile.layers
        ],
        "streams": [one.plain() for one in profile.ingest],
    }


def _tables(profiles: Sequence[NodeProfile]) -> "RenderableType":
    from rich.console import Group

    parts: list[RenderableType] = []
    for profile in profiles:
        parts += [_layer_table(base, costs) for base, costs in profile.layers]
        parts.append(_ingest_table(profile))
    return Group(*parts)


def _layer_table(base: "BaseDnn", costs: "LayerCosts") -> "RenderableType":
    from itertools import accumulate

    from rich.console import Group
    from rich.table import Table

    whole = costs.whole_seconds
    plural = "thread" if costs.threads == 1 else "threads"
    table = Table()
    table.add_column("branchpoint")
    int8 = costs.int8_branch_seconds
    branches = ["branch after it, ms"] if int8 is None else ["branch after it in f32, ms", "in int8, ms"]
    for column in ("segment before it, ms", "share", "stem up to it", *branches):
        table.add_column(column, justify="right")
    stems = [0.0, *accumulate(costs.segment_seconds)]
    segments = [0.0, *costs.segment_seconds]
    seconds = [costs.branch_seconds] if int8 is None else [costs.branch_seconds, int8]
    for name, segment, stem, *after in zip(base.config.branchpoints, segments, stems, *seconds, strict=True):
        table.add_row(
            name,
            f"{segment * 1e3:.2f}",
            f"{segment / whole:.1%}",
            f"{stem / whole:.1%}",
            *(f"{branch * 1e3:.2f}" for branch in after),
        )
    network = f"{base.config.architecture} {base.digest[7:19]} ({base.config.precision})"
    title = f"{network} on {costs.engine} {costs.engine_version}, {costs.threads} {plural}"
    speed = f"whole network {whole * 1e3:.2f} ms a frame; {costs.hardware}"
    return Group(title, speed, table, _how_sure(costs.spread, f"{costs.runs} runs"), "")


def _ingest_table(profile: NodeProfile) -> "RenderableType":
    from rich.console import Group
    from rich.table import Table

    table = Table()
    table.add_column("stream")
    table.add_column("cores", justify="right")
    for one in profile.ingest:
        table.add_row(one.stream, f"{one.cores:.3f}")
    title = f"EdgeNode {profile.edge_node.metadata.name}: decoding, cropping, resizing and conversion"
    worst = max((one.spread for one in profile.ingest), default=0.0)
    return Group(title, table, _how_sure(worst, "up to ten seconds of each stream"), "")


def _how_sure(spread: float, what: str) -> str:
    from mainstream_runner.profiler import AGREEMENT

    if spread <= AGREEMENT:
        return f"two batches agree within {max(1, round(spread * 100))} % ({what})"
    return (
        f"unsure: two batches differ by up to {round(spread * 100)} % ({what}); the slower one counts. "
        "Measure again when the machine has nothing else to do."
    )
