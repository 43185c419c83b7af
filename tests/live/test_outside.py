"""The runner and what is around it: probes, a broker that goes away, a registry that holds its packages."""

import json
import queue
import shutil
import subprocess
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import CallbackAPIVersion, Client

from mainstream.resources.app import Mqtt, Sink, Snapshots
from mainstream.resources.edgenode import File, Source


def looped(video: Path) -> Source:
    return Source(file=File(path=str(video), loop=True, real_time=True))


def program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    assert found, f"{name} is not installed: make tools"
    return found


class Broker:
    """mosquitto on a port, with a subscriber of its own that keeps its session while the broker is away."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder, self.port = folder, port
        (folder / "mosquitto.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
        self.start()

    def start(self) -> None:
        command = [program("mosquitto"), "-c", str(self._folder / "mosquitto.conf")]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)

    @contextmanager
    def subscribed(self, topic: str) -> Iterator["queue.Queue[dict[str, Any]]"]:
        """What comes under a topic, from now on."""
        messages: queue.Queue[dict[str, Any]] = queue.Queue()
        ready = threading.Event()
        client = Client(CallbackAPIVersion.VERSION2)
        client.on_connect = lambda *_: client.subscribe(topic, qos=1)
        client.on_subscribe = lambda *_: ready.set()
        client.on_message = lambda _client, _data, message: messages.put(json.loads(message.payload))
        client.connect_async("127.0.0.1", self.port)
        client.loop_start()
        assert ready.wait(60)
        yield messages
        client.disconnect()
        client.loop_stop()


@pytest.fixture
def broker(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Broker]:
    one = Broker(tmp_path, free_port())
    yield one
    one.stop()


def test_probes_tell_the_truth(h264, live_schedule, runner, free_port) -> None:
    """Alive, ready once frames were analysed, metrics of the streams and apps that there are."""
    port = free_port()
    with runner(live_schedule(looped(h264(seconds=4))), "--probes", f"127.0.0.1:{port}") as run:
        run.event("event.started", app="default/app-0")

        def get(path: str) -> str:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
                assert answer.status == 200
                return answer.read().decode()

        assert get("/healthz")
        assert json.loads(get("/readyz"))
        metrics = get("/metrics")
        assert run.stop() == 143
    assert 'app="default/app-0"' in metrics
    assert 'stream="stream"' in metrics
    assert "mainstream_" in metrics


def test_events_wait_for_their_broker(h264, live_schedule, runner, broker) -> None:
    """The broker is away when the event starts, the runner is killed: the next one delivers it, with its picture."""
    sinks = (Sink(mqtt=Mqtt(url=f"mqtt://127.0.0.1:{broker.port}", topic="gate/{edgeNode}")),)
    source = looped(h264(seconds=4))
    file = live_schedule(source, [(3, 15)], sinks=sinks, snapshots=Snapshots(enabled=True, max_bytes=20_000))
    broker.stop()
    with runner(file) as run:
        first = run.event("event.started", app="default/app-0")
        run.process.kill()
        run.finish()
    broker.start()
    with broker.subscribed("gate/test") as messages, runner(file) as run:
        second = run.event("event.started", app="default/app-0")
        received = [messages.get(timeout=60), messages.get(timeout=60)]
        assert run.stop() == 143
    assert [record["id"] for record in received] == [first["id"], second["id"]]
    assert received[0]["data"]["snapshot"]["contentType"] == "image/jpeg"
    assert len(received[0]["data"]["snapshot"]["data"]) <= 4 * 20_000 / 3 + 4


def test_a_cache_needs_a_limit_that_can_be_read(h264, live_schedule, runner, tmp_path: Path) -> None:
    """Exit status 2 and what was expected."""
    file = live_schedule(looped(h264(seconds=4)), [(3, 15)])
    with runner(file, "--cache", str(tmp_path / "cache"), "--cache-limit", "lots") as run:
        assert run.finish() == 2
    assert "--cache-limit" in run.messages


def test_logs_as_records(h264, live_schedule, runner) -> None:
    """``--logs json``: every line is a record, from the first message to the summary."""
    with runner(live_schedule(looped(h264(seconds=4))), "--logs", "json") as run:
        run.event("event.started", app="default/app-0")
        assert run.stop() == 143
    records = [json.loads(line) for line in run.messages.splitlines()]
    summary = next(record for record in records if record["event"] == "summary")
    assert summary["apps"][0]["analysed"] > 0
    assert {record["level"] for record in records} == {"info"}


def test_the_page_shows_the_run(h264, live_schedule, runner, free_port) -> None:
    """Pictures of the stream, the apps' figures and an event as it happens; gone with the runner."""
    port = free_port()
    with runner(live_schedule(looped(h264(seconds=4))), "--web", f"127.0.0.1:{port}") as run:
        run.event("event.started", app="default/app-0")

        def get(path: str) -> bytes:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
                return answer.read()

        state = json.loads(get("/api/state"))
        events = json.loads(get("/api/events"))["events"]
        assert get("/api/streams/stream/picture?width=160").startswith(b"\xff\xd8")
        assert run.stop() == 143
    assert state["streams"][0]["phase"] == "Connected"
    apps = {app["app"]: app for app in state["stems"][0]["apps"]}
    assert apps["default/app-0"]["analysed"] > 0
    assert "default/app-0" in {event["app"] for event in events}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--web", "0.0.0.0:0"), "--web-token"),
        (("--web", "nowhere"), "HOST:PORT"),
        (("--web-token", "token"), "no page without --web"),
        (("--web", "127.0.0.1:0", "--web-tls-cert", "cert"), "belong together"),
        (("--web", "127.0.0.1:0", "--web-tls-cert", "cert", "--web-tls-key", "key"), "cannot be read"),
    ],
)
def test_a_page_for_everybody_is_refused(h264, live_schedule, runner, arguments, words) -> None:
    """Exit status 2, and what to add."""
    with runner(live_schedule(looped(h264(seconds=4))), *arguments) as run:
        assert run.finish() == 2
    assert words in " ".join(run.messages.split())
