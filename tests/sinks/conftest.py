"""A real broker, a real receiver of webhooks, and the apps and records that the tests send to them."""

import contextlib
import getpass
import http.server
import json
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest

from mainstream.resources.app import Sink
from mainstream.schedule import ScheduledApp
from mainstream_runner.secrets import Secrets
from mainstream_runner.sinks.deliveries import Deliveries

STEPS = 1500
"""A test gives up after as many pauses of 20 ms: a machine that is busy is slow, never wrong."""


def until(true: Callable[[], object], what: str) -> None:
    """Return when something has become true."""
    pause = threading.Event()
    for _ in range(STEPS):
        if true():
            return
        pause.wait(0.02)
    pytest.fail(f"never happened: {what}")


def program(name: str) -> str:
    """The path of a program that the tests need."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.fail(f"the program {name!r} is missing: apt-get install mosquitto mosquitto-clients openssl")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _make_app(name: str, *sinks: dict[str, Any], namespace: str = "traffic") -> ScheduledApp:
    """An app as a schedule has it, with sinks as a manifest has them."""
    return ScheduledApp(
        app=f"{namespace}/{name}",
        stem="north/full/base",
        package="sha256:" + "0" * 64,
        branchpoint="input",
        depth=0,
        branch_digest="sha256:" + "0" * 64,
        planned_seconds=0.0,
        fps=Fraction(5),
        votes=1,
        threshold=5,
        expected_f1=0.5,
        classes=("background", "event"),
        events=("event",),
        sinks=tuple(Sink.from_plain(sink, where="test") for sink in sinks),
    )


def _make_record(number: int, *, app: str = "traffic/red-car", kind: str = "started", **data: object) -> dict[str, Any]:
    """An event's record as the runner makes it."""
    return {
        "specversion": "1.0",
        "id": f"{app.replace('/', '.')}-{number}-{kind}",
        "type": f"dev.mainstream.event.{kind}",
        "source": "/edgenodes/gate-3/streams/north",
        "subject": app,
        "time": "2026-11-03T10:00:00.000000Z",
        "datacontenttype": "application/json",
        "data": {"event": f"{app}-{number}", "number": number, "label": "event", **data},
    }


@pytest.fixture(name="until")
def until_fixture() -> Callable[..., None]:
    return until


@pytest.fixture
def make_app() -> Callable[..., ScheduledApp]:
    return _make_app


@pytest.fixture
def make_record() -> Callable[..., dict[str, Any]]:
    return _make_record


class StepClock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 0.0

    def seconds(self) -> float:
        return self.now

    def utc(self) -> datetime:
        return datetime(2026, 11, 3, 10, tzinfo=UTC) + timedelta(seconds=self.now)


@pytest.fixture
def clock() -> StepClock:
    return StepClock()


@dataclass
class Certificates:
    """A private CA and what it signed, PEM files."""

    ca: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path
    stranger: Path  # another CA


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    openssl = program("openssl")

    def make(*words: str) -> None:
        subprocess.run([openssl, *words], cwd=folder, check=True, capture_output=True)

    for ca in ("ca", "stranger"):
        make(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"),
            *("-subj", f"/CN={ca}", "-keyout", f"{ca}.key", "-out", f"{ca}.crt"),
            *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
        )
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    for name in ("server", "client"):
        make(
            *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr"),
        )
        make(
            *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"),
            *("-days", "2", "-extfile", "names", "-out", f"{name}.crt"),
        )
    files = ("ca.crt", "server.crt", "server.key", "client.crt", "client.key", "stranger.crt")
    return Certificates(*(folder / name for name in files))


class Broker:
    """mosquitto on a port of its own, that can go away and come back with its sessions."""

    def __init__(self, folder: Path, *lines: str, persistent: bool = True) -> None:
        folder.mkdir(parents=True)
        self.port = free_port()
        self._folder = folder
        keep = (
            "persistence true",
            f"persistence_location {folder}/",
            "autosave_on_changes true",
            "autosave_interval 1",
        )
        user = f"user {getpass.getuser()}"  # started by root, it would become one that may not read the test's folder
        self._lines = (user, f"listener {self.port} 127.0.0.1", *(keep if persistent else ()), *lines)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        config = self._folder / "mosquitto.conf"
        config.write_text("\n".join(self._lines) + "\n")
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen([program("mosquitto"), "-c", str(config)], stdout=log, stderr=log)
        until(lambda: self._answers() or self._process.poll() is not None, "mosquitto listens")
        assert self._process.poll() is None, (self._folder / "log").read_text()

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5):
            return True
        return False

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.send_signal(signal.SIGCONT)  # a test that failed may have left it frozen
            self._process.wait()
            self._process = None


@pytest.fixture
def make_broker(tmp_path: Path) -> Iterator[Callable[..., Broker]]:
    """Brokers with lines of a configuration of their own; they are stopped after the test."""
    for name in ("mosquitto", "mosquitto_passwd", "mosquitto_pub", "mosquitto_sub"):
        program(name)
    with contextlib.ExitStack() as stack:

        def make(*lines: str) -> Broker:
            broker = Broker(
                tmp_path / f"broker-{len(list(tmp_path.glob('broker-*')))}", *(lines or ("allow_anonymous true",))
            )
            stack.callback(broker.stop)
            broker.start()
            return broker

        yield make


@pytest.fixture
def broker(make_broker: Callable[..., Broker]) -> Broker:
    """A broker that lets everybody in."""
    return make_broker()


class Observer:
    """A subscriber of everything, whose session the broker keeps: it misses nothing that the broker acknowledged."""

    def __init__(
        self, broker: Broker, *, name: str = "observer", username: str | None = None, password: str | None = None
    ) -> None:
        self._changed = threading.Condition()
        self.messages: list[tuple[str, bytes, bool]] = []
        self._subscribed = threading.Event()
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, name, clean_session=False)
        self._client.reconnect_delay_set(1, 1)
        self._client.username_pw_set(username, password)
        self._client.on_connect = lambda client, *_: client.subscribe([("#", 1)])
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()
        assert self._subscribed.wait(30)

    def _on_message(self, _client: Any, _data: Any, message: Any) -> None:
        with self._changed:
            self.messages.append((message.topic, message.payload, message.retain))
            self._changed.notify_all()

    def payloads(self, topic: str) -> list[bytes]:
        with self._changed:
            return [payload for where, payload, _ in self.messages if where == topic]

    def records(self, topic: str) -> list[dict[str, Any]]:
        return [json.loads(payload) for payload in self.payloads(topic)]

    def numbers(self, topic: str) -> list[int]:
        return [record["data"]["number"] for record in self.records(topic)]

    def wait(self, true: Callable[[], object], what: str) -> None:
        with self._changed:
            assert self._changed.wait_for(true, 30), f"{what}: {self.messages}"

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def observe() -> Iterator[Callable[..., Observer]]:
    """Observers of brokers; they are closed after the test."""
    with contextlib.ExitStack() as stack:

        def make(broker: Broker, **credentials: str) -> Observer:
            found = Observer(broker, **credentials)
            stack.callback(found.close)
            return found

        yield make


@pytest.fixture
def observer(broker: Broker, observe: Callable[..., Observer]) -> Observer:
    return observe(broker)


@dataclass
class Receiver:
    """A receiver of webhooks. ``answers`` are given in turn (status and headers), then 204 for ever."""

    url: str = ""
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def numbers(self) -> list[int]:
        return [json.loads(body)["data"]["number"] for _, _, body in self.requests]


@contextlib.contextmanager
def receiving(*, tls: Any = None, port: int = 0) -> Iterator[Receiver]:
    """A real HTTP server; ``tls`` is a server's context."""
    receiver = Receiver()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.requests.append((self.path, dict(self.headers), body))
            status, headers = receiver.answers.pop(0) if receiver.answers else (204, {})
            self.send_response(status)
            for name, value in ({} if status == 204 else {"Content-Length": "0"} | headers).items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:  # a client that does not like the certificate
            pass

    with Server(("127.0.0.1", port), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        receiver.url = f"{'https' if tls else 'http'}://localhost:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(name="receiving")
def receiving_fixture() -> Callable[..., contextlib.AbstractContextManager[Receiver]]:
    return receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


class Said(list[str]):
    """Messages for the log."""

    def __call__(self, text: str) -> None:
        self.append(text)


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def secrets_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "secrets"
    folder.mkdir()
    return folder


@pytest.fixture
def write_secret(secrets_folder: Path) -> Callable[..., None]:
    """Write a Secret's files; ``ca_crt`` is the key ``ca.crt``."""

    def write(name: str, **values: str) -> None:
        (secrets_folder / name).mkdir(exist_ok=True)
        for key, value in values.items():
            (secrets_folder / name / key.replace("_", ".")).write_text(value)

    return write


@pytest.fixture
def deliver(tmp_path: Path, secrets_folder: Path, said: Said) -> Iterator[Callable[..., Deliveries]]:
    """Deliveries for some apps, with short pauses; they are closed after the test."""
    from mainstream_runner.clock import SystemClock

    def wait(event: threading.Event, seconds: float | None) -> bool:
        return event.wait(None if seconds is None else min(seconds, 0.05))

    with contextlib.ExitStack() as stack:

        def make(*apps: ScheduledApp, folder: str = "queue", **options: Any) -> Deliveries:
            made = Deliveries(
                apps,
                edge_node="gate-3",
                folder=tmp_path / folder,
                secrets=Secrets(secrets_folder),
                say=said,
                **{"wait": wait, "clock": SystemClock(), **options},
            )
            stack.callback(made.close, 0.0)
            return made

        yield make
