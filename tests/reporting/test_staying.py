"""A runner of a cluster stays, whatever is missing: the API server here always is."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import httpx
import pytest

from mainstream.basednn import BaseDnn
from mainstream.packages.folder import StoreFolder
from mainstream.packages.registry.client import RegistryClient
from mainstream.packages.registry.push import Pusher
from mainstream.packages.registry.reference import parse_reference
from mainstream.resources.edgenode import File, Source
from mainstream.schedule import Schedule, ScheduledStream
from mainstream_runner.standin import stand_in

from ..live.conftest import h264  # noqa: TID252 - the same videos
from ..live.test_from_registry import CUT, package  # noqa: TID252 - the same package
from ..registry.conftest import Authority, Registry, authority, start_registry  # noqa: TID252 - the same registry

__all__ = ["authority", "h264", "start_registry"]

MAINSTREAM = Path(sys.executable).with_name("mainstream")


class Staying:
    """The program with ``--report``, its log line by line."""

    def __init__(self, folder: Path, store: Path, ca: Path) -> None:
        self.file = folder / "schedule.json"
        (folder / "account").mkdir(exist_ok=True)
        (folder / "account" / "token").write_text("token")
        (folder / "account" / "ca.crt").write_bytes(ca.read_bytes())
        self.address = f"127.0.0.1:{_free_port()}"
        self.logs: list[dict[str, Any]] = []
        self.process = subprocess.Popen(
            [
                MAINSTREAM, "run", "--schedule", self.file, "--report", "test", "--service-account", folder / "account",
                "--cache", folder / "cache", "--store", store, "--no-events", "--logs", "json", "--probes", self.address,
            ],
            env={
                **os.environ,
                "KUBERNETES_SERVICE_HOST": "127.0.0.1",
                "KUBERNETES_SERVICE_PORT": "9",
                "POD_NAMESPACE": "mainstream",
            },
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip

    def publish(self, schedule: Schedule) -> None:
        """By a rename, as the kubelet does it."""
        new = self.file.with_suffix(".new")
        new.write_bytes(schedule.to_json())
        new.replace(self.file)

    def until(self, text: str) -> None:
        """Read the log up to a record with that text."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.logs.append(json.loads(line))
            if text in self.logs[-1]["event"]:
                return
        raise AssertionError(f"it ended without {text!r}: {self.logs}")

    def probe(self, path: str) -> httpx.Response:
        """As a kubelet asks."""
        return httpx.get(f"http://{self.address}{path}", trust_env=False)

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=60)
        return self.process.returncode


@pytest.fixture
def staying(tmp_path: Path, authority: Authority) -> Iterator[Callable[[Path], Staying]]:
    started: list[Staying] = []

    def start(store: Path) -> Staying:
        started.append(Staying(tmp_path, store, authority.ca))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.communicate()


@pytest.fixture
def schedule_of(
    tiny_store: StoreFolder, tiny_base: BaseDnn, tiny_segments: list[bytes], make_schedule: Any
) -> Callable[..., Schedule]:
    """A schedule of one app on a video; its package is in ``tiny_store``, or where ``place`` says."""

    def make(video: Path, *, place: str = "", loop: bool = True, **changes: Any) -> Schedule:
        branch = stand_in(tiny_segments[CUT:], tiny_base.config.segments[-1].output_shape)
        made = package(tiny_store, tiny_base, branch)
        schedule: Schedule = make_schedule([(CUT, Fraction(15), made.config.candidates[0].branch_digest)])
        stream = ScheduledStream(
            name="stream",
            source=Source(file=File(path=str(video), loop=loop)),
            capture_fps=Fraction(15),
            views=(),
        )
        reference = f"{place}@{made.digest}" if place else made.digest
        app = schedule.apps[0].model_copy(update={"package": reference})
        return schedule.model_copy(update={"streams": (stream,), "apps": (app,), **changes})

    return make


def test_a_registry_that_was_away_is_asked_again(
    tmp_path: Path,
    tiny_store: StoreFolder,
    h264: Callable[..., Path],
    start_registry: Callable[..., Registry],
    schedule_of: Callable[..., Schedule],
    staying: Callable[[Path], Staying],
) -> None:
    """Refused at the start, alive and not ready; when the registry is there it runs, and nobody touched the file."""
    registry = start_registry()
    place = f"{registry.address}/box/app-0"
    schedule = schedule_of(h264(seconds=2), place=place)
    client = RegistryClient(registry.address)
    Pusher(tiny_store.layout, client, start=lambda _what, _total: lambda _count: None).push(
        schedule.apps[0].package.partition("@")[2], parse_reference(f"{place}:v1")
    )
    client.close()
    registry.stop()

    (tmp_path / "schedule.json").write_bytes(schedule.to_json())
    run = staying(tmp_path / "nothing")
    run.until("the new schedule is refused")
    assert run.probe("/healthz").status_code == 200
    answer = run.probe("/readyz")
    assert (answer.status_code, answer.json()["reasons"]) == (503, ["no schedule is loaded"])
    assert "cannot be reached" in answer.json()["notes"][0]
    start_registry(port=registry.port)
    run.until(f"schedule {schedule.digest[7:19]} runs")
    assert run.stop() == 143


def test_it_stays_when_its_files_have_ended_and_takes_another_engine(
    tiny_store: StoreFolder,
    h264: Callable[..., Path],
    schedule_of: Callable[..., Schedule],
    staying: Callable[[Path], Staying],
) -> None:
    """A file that ended stays ended under the next schedule; another file, another engine and another loop run on."""
    run = staying(tiny_store.root)
    first = schedule_of(h264("first.mp4", seconds=1), loop=False)
    run.publish(first)
    run.until(f"schedule {first.digest[7:19]} runs")
    faster = first.model_copy(update={"budget": 0.5})
    run.publish(faster)
    run.until(f"schedule {faster.digest[7:19]} runs")
    other = schedule_of(h264("other.mp4", seconds=1), engine="OpenVINO")
    run.publish(other)
    run.until(f"schedule {other.digest[7:19]} runs")
    assert run.probe("/healthz").status_code == 200
    nothing = other.model_copy(update={"streams": (), "stems": (), "apps": ()})
    run.publish(nothing)
    run.until(f"schedule {nothing.digest[7:19]} runs")
    assert run.probe("/readyz").status_code == 200
    assert run.stop() == 143
    assert not [record for record in run.logs if "Traceback" in json.dumps(record)]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
