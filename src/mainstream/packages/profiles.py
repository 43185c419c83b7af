"""What the profiler measured, kept in a store as readable JSON (formats, "Profiler" and "Who holds what").

``profiles/costs/`` holds a file for each hardware, base DNN, engine with its version and number of threads;
``profiles/ingest/<edge node>/`` one for each stream. Files appear whole or not at all; measuring again replaces them.
"""

import json
import re
from pathlib import Path
from typing import Literal, TypeVar

from mainstream.cost import LayerCosts, StreamIngest
from mainstream.documents import Document, sha256
from mainstream.errors import InputError
from mainstream.packages.files import write_whole
from mainstream.packages.folder import StoreFolder

Engine = Literal["LiteRT", "OpenVINO"]

Measured = TypeVar("Measured", bound=Document)


def save_costs(folder: StoreFolder, costs: LayerCosts) -> Path:
    """Keep the costs; the file's path (``OperationError`` if the disk refuses)."""
    key = f"{costs.hardware}\n{costs.engine_version}"
    stem = _costs_stem(costs.base_dnn, costs.engine, costs.threads)
    path = folder.profiles / "costs" / f"{stem}-{sha256(key.encode())[7:15]}.json"
    write_whole(path, _readable(costs))
    return path


def load_costs(folder: StoreFolder, *, base_dnn: str, engine: Engine, threads: int) -> LayerCosts | None:
    """The costs of that base DNN, engine and number of threads, of several (hardware, versions) the latest; None if absent.

    ``InputError`` if the file is not what ``save_costs`` wrote.
    """
    stem = _costs_stem(base_dnn, engine, threads)
    files = [path for path in (folder.profiles / "costs").glob(f"{stem}-*.json") if path.is_file()]
    if not files:
        return None
    latest = max(files, key=lambda path: (path.stat().st_mtime_ns, path.name))
    costs = _read(LayerCosts, latest)
    if (costs.base_dnn, costs.engine, costs.threads) != (base_dnn, engine, threads):
        raise InputError("holds the costs of something else than its name says", where=latest, remedy=_AGAIN)
    return costs


def require_costs(folder: StoreFolder, *, base_dnn: str, engine: Engine, threads: int, manifests: object) -> LayerCosts:
    """As ``load_costs``; ``InputError`` that says what to run if there are none."""
    costs = load_costs(folder, base_dnn=base_dnn, engine=engine, threads=threads)
    if costs is None:
        plural = "thread" if threads == 1 else "threads"
        raise InputError(
            f"no profile of base DNN {base_dnn[:19]}... for {engine} with {threads} {plural}",
            where=folder.profiles,
            remedy=f"Measure it on this machine: mainstream profile -f {manifests} --store {folder.root}",
        )
    return costs


def save_ingest(folder: StoreFolder, ingest: StreamIngest, *, edge_node: str) -> Path:
    """Keep what a stream of that edge node takes; the file's path (``OperationError`` if the disk refuses)."""
    path = _ingest_path(folder, edge_node, ingest.stream)
    write_whole(path, _readable(ingest))
    return path


def load_ingest(folder: StoreFolder, *, edge_node: str, stream: str) -> StreamIngest | None:
    """What was measured for the stream, None if nothing was (``InputError`` if the file is broken)."""
    path = _ingest_path(folder, edge_node, stream)
    return _read(StreamIngest, path) if path.is_file() else None


def require_ingest(folder: StoreFolder, *, edge_node: str, stream: str, manifests: object) -> StreamIngest:
    """As ``load_ingest``; ``InputError`` that says what to run if there is nothing."""
    ingest = load_ingest(folder, edge_node=edge_node, stream=stream)
    if ingest is None:
        raise InputError(
            f"no profile of what reading stream {stream!r} of EdgeNode {edge_node!r} takes",
            where=folder.profiles,
            remedy=f"Measure it on this machine: mainstream profile -f {manifests} --store {folder.root}",
        )
    return ingest


_AGAIN = "Remove the file and measure again: mainstream profile -f PATH"


def _costs_stem(base_dnn: str, engine: Engine, threads: int) -> str:
    return f"{base_dnn.removeprefix('sha256:')[:16]}-{engine}-{threads}threads"


def _ingest_path(folder: StoreFolder, edge_node: str, stream: str) -> Path:
    for name in (edge_node, stream):
        if not re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", name):
            raise ValueError(f"Expected the name of an edge node or stream, got {name!r}")
    return folder.profiles / "ingest" / edge_node / f"{stream}.json"


def _readable(document: Document) -> bytes:
    return json.dumps(document.plain(), indent=1).encode() + b"\n"


def _read(kind: type[Measured], path: Path) -> Measured:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=path) from None
    try:
        return kind.parse(data, where=path)
    except InputError as error:
        raise InputError(error.problem, where=path, remedy=_AGAIN) from None
