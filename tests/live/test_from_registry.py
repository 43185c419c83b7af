"""A box that holds nothing: packages come from a real registry, and the box runs on when the registry is gone."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml

from mainstream.basednn import BaseDnn
from mainstream.documents import sha256
from mainstream.packages.artifacts import write_mpackage
from mainstream.packages.folder import StoreFolder
from mainstream.packages.mpackage import Candidate, MPackage, MPackageConfig
from mainstream.resources.edgenode import File, Source
from mainstream.schedule import Schedule, ScheduledStream
from mainstream_runner.standin import stand_in

CUT = 3
NAME = "mpackage/from-registry/app"
MAINSTREAM = Path(sys.executable).with_name("mainstream")


@pytest.fixture
def registry(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Its address, and the process."""
    program = shutil.which("docker-registry")
    assert program, "docker-registry is not installed: make tools"
    port = free_port()
    config = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(tmp_path / "registry")}},
        "http": {"addr": f"127.0.0.1:{port}", "secret": "x"},
    }
    (tmp_path / "registry.yml").write_text(yaml.safe_dump(config))
    environment = {"OTEL_TRACES_EXPORTER": "none", **os.environ}
    process = subprocess.Popen(
        [program, "serve", tmp_path / "registry.yml"], env=environment, stderr=subprocess.DEVNULL
    )
    for _ in range(600):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            break
        time.sleep(0.05)
    yield f"127.0.0.1:{port}", process
    process.kill()
    process.wait()


def package(store: StoreFolder, base: BaseDnn, branch: bytes) -> MPackage:
    """An M-Package with one candidate, as a trainer would leave it."""
    segments = base.config.segments[:CUT]
    nine = tuple([0.9] * 9)
    candidate = Candidate(
        branchpoint=segments[-1].end,
        branch_digest=sha256(branch),
        branch_size=len(branch),
        true_positive_rate=nine,
        false_positive_rate=tuple([0.1] * 9),
        event_frames=100,
        background_frames=100,
        interval=0.1,
        correlation=0.2,
        confusion=((90, 10), (10, 90)),
        history=({"loss": 0.1},),
        trainable_parameters=10,
    )
    config = MPackageConfig(
        base_dnn=base.digest,
        input_shape=base.config.input_shape,
        preprocessing=base.config.preprocessing,
        segments=segments,
        classes=("background", "event"),
        events=("event",),
        candidates=(candidate,),
        dataset_digest=sha256(b"dataset"),
        training_hash=sha256(branch),
        seed=0,
        made_by={},
    )
    return write_mpackage(store.layout, config, {candidate.branch_digest: branch}, name=NAME)


def test_a_box_fetches_what_it_runs_and_keeps_it(
    h264: Any,
    runner: Any,
    registry: tuple[str, "subprocess.Popen[bytes]"],
    tiny_store: StoreFolder,
    tiny_base: BaseDnn,
    tiny_segments: list[bytes],
    make_schedule: Any,
    tmp_path: Path,
) -> None:
    """Fetched once; then the registry is gone, and the runner starts from its cache. An empty cache is then refused."""
    address, process = registry
    branch = stand_in(tiny_segments[CUT:], tiny_base.config.segments[-1].output_shape)
    made = package(tiny_store, tiny_base, branch)
    push = ["packages", "push", NAME, "--to", f"{address}/box/app-0:v1", "--store", tiny_store.root]
    subprocess.run([MAINSTREAM, *push], check=True, stdout=subprocess.DEVNULL)

    schedule: Schedule = make_schedule([(CUT, Fraction(15), made.config.candidates[0].branch_digest)])
    stream = ScheduledStream(
        name="stream",
        source=Source(file=File(path=str(h264(seconds=4)), loop=True, real_time=True)),
        capture_fps=Fraction(15),
        views=(),
    )
    app = schedule.apps[0].model_copy(update={"package": f"{address}/box/app-0@{made.digest}", "threshold": 1})
    file = tmp_path / "schedule.json"
    file.write_bytes(schedule.model_copy(update={"streams": (stream,), "apps": (app,)}).to_json())

    nothing, cache = tmp_path / "nothing", tmp_path / "cache"
    with runner(file, "--store", str(nothing), "--cache", str(cache)) as run:
        run.event("event.started", app="default/app-0")
        assert run.stop() == 143
    kept = {path.name for path in (cache / "oci" / "blobs" / "sha256").iterdir()}
    assert made.config.candidates[0].branch_digest.removeprefix("sha256:") in kept
    assert {segment.digest.removeprefix("sha256:") for segment in made.config.segments} <= kept

    process.kill()
    process.wait()
    with runner(file, "--store", str(nothing), "--cache", str(cache)) as run:
        run.event("event.started", app="default/app-0")
        assert run.stop() == 143
    with runner(file, "--store", str(nothing), "--cache", str(tmp_path / "empty")) as run:
        assert run.finish() == 1
    assert "cannot be reached" in run.messages
