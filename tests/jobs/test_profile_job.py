"""Profiler Jobs: costs with the runner's engine, streams as they are, cameras that are away, results that fit."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from mainstream.basednn import BaseDnn
from mainstream.cost import LayerCosts, StreamIngest
from mainstream.documents import sha256
from mainstream.jobs import TERMINATION_LIMIT, MeasuredStream, ProfileTask, StreamTask, ViewInput
from mainstream.packages.folder import StoreFolder
from mainstream.packages.registry.client import RegistryClient
from mainstream.packages.registry.push import Pusher
from mainstream.packages.registry.reference import parse_reference
from mainstream.resources.edgenode import File, Rtsp, Source, Stream
from mainstream.resources.metadata import SecretRef
from mainstream_runner.job import fitting

from .conftest import Pod, Registry

RunPod = Callable[..., tuple[int, Pod]]


@pytest.fixture
def base(registry: Registry, tiny_store: StoreFolder, tiny_base: BaseDnn) -> str:
    """The tiny base DNN in the registry."""
    client = RegistryClient(registry.address)
    place = parse_reference(f"{registry.address}/base/tiny")
    pushed = Pusher(tiny_store.layout, client, start=lambda _what, _total: lambda _count: None).push(
        tiny_base.digest, place
    )
    client.close()
    return pushed[-1].reference


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """A second of a camera."""
    path = tmp_path / "camera.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=15)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for number in range(15):
            pixels = np.full((240, 320, 3), number * 9, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def stream_task(name: str, source: Source, base: str) -> StreamTask:
    """Its whole picture, for that base DNN."""
    stream = Stream(name=name, source=source, capture_fps=Fraction(15))
    inputs = (ViewInput(view="full", base_dnn=base),)
    return StreamTask(stream=stream, inputs=inputs, source_digest=sha256(name.encode()))


def task(base: str | None, *streams: StreamTask) -> ProfileTask:
    """With the engine and threads of a small box."""
    return ProfileTask(edge_node="gate", engine="LiteRT", threads=1, base_dnn=base, streams=streams)


@pytest.mark.slow
def test_a_base_dnn_and_streams_are_measured_and_cameras_that_are_away_named(
    base: str, video: Path, tiny_base: BaseDnn, run_pod: RunPod
) -> None:
    """One that is there, one at which nobody listens, a file that is missing, one whose password is nowhere."""
    rtsp = Rtsp(url="rtsp://127.0.0.1:9/stream")
    secret = SecretRef(name="stream.north-camera")
    asked = task(
        base,
        stream_task("file", Source(file=File(path=str(video))), base),
        stream_task("away", Source(rtsp=rtsp), base),
        stream_task("gone", Source(file=File(path="/nowhere/camera.mp4")), base),
        stream_task("closed", Source(rtsp=rtsp.model_copy(update={"credentials_secret_ref": secret})), base),
    )
    status, pod = run_pod("mainstream_runner", asked)
    assert status == 0, pod.logs
    costs = pod.result.costs
    assert costs is not None
    assert (costs.base_dnn, costs.engine, costs.threads) == (tiny_base.digest, "LiteRT", 1)
    assert len(costs.segment_seconds) == len(tiny_base.config.segments)
    assert sum(costs.segment_seconds) + costs.branch_seconds[-1] == pytest.approx(costs.whole_seconds, rel=1e-2)
    streams = {one.stream: one for one in pod.result.streams}
    assert streams["file"].ingest is not None
    assert streams["file"].ingest.cores > 0
    assert streams["file"].source_digest == sha256(b"file")
    for name, says in (("away", "Unreachable"), ("gone", "camera.mp4"), ("closed", "stream.north-camera")):
        failure = streams[name].failure
        assert streams[name].ingest is None
        assert failure is not None, name
        assert says in failure, (name, failure)


def test_a_base_dnn_that_is_not_there_fails_the_job(registry: Registry, run_pod: RunPod) -> None:
    """Trying again is of no use."""
    nowhere = f"{registry.address}/base/nothing@{sha256(b'nothing')}"
    status, pod = run_pod("mainstream_runner", task(nowhere))
    assert status == 2
    assert pod.result.failure is not None
    assert pod.result.failure.reason == "PackageNotFound"
    assert nowhere in pod.result.failure.message


def measured(name: str, **more: Any) -> MeasuredStream:
    """A stream's result."""
    return MeasuredStream(source_digest=sha256(name.encode()), stream=name, **more)


def costs_of(cuts: int) -> LayerCosts:
    """With as many digits as Python has."""
    seconds = [0.1 / (3 + cut) for cut in range(cuts + 1)]
    return LayerCosts(
        base_dnn=sha256(b"base"),
        engine="LiteRT",
        engine_version="2.3.0",
        threads=2,
        hardware="AMD EPYC 9R14 96-Core Processor with a long name, 2 processors",
        segment_seconds=tuple(seconds[:-1]),
        branch_seconds=tuple(seconds),
        whole_seconds=1 / 7,
        spread=1 / 13,
        runs=123,
    )


def test_the_largest_result_fits() -> None:
    """Twenty cuts and sixteen streams with the longest names: failures become shorter, then streams are left out."""
    names = [f"{number:02}" + "x" * 61 for number in range(16)]
    failing = [measured(name, failure="y" * 160) for name in names]
    result = fitting(costs_of(20), failing)
    assert len(result.termination_message()) <= TERMINATION_LIMIT
    assert 0 < len(result.streams) <= 16
    assert result.costs is not None
    assert result.costs.whole_seconds == 0.1429
    mixed = [*failing[:15], measured(names[15], ingest=StreamIngest(stream=names[15], cores=1 / 3, spread=1 / 7))]
    assert names[15] in {one.stream for one in fitting(costs_of(20), mixed).streams}, "what was measured stays"


def test_an_ordinary_result_loses_nothing() -> None:
    """Four streams of which two fail."""
    streams = [measured("a", failure="no route to host"), measured("b", failure="z" * 160)]
    streams += [measured(name, ingest=StreamIngest(stream=name, cores=0.123456, spread=0.01)) for name in "cd"]
    result = fitting(costs_of(16), streams)
    assert [one.failure for one in result.streams] == ["no route to host", "z" * 160, None, None]
    assert result.streams[2].ingest is not None
    assert result.streams[2].ingest.cores == 0.1235
