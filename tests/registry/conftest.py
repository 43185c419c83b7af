"""Real registries (docker-registry), a real line that breaks, and stores with artifacts to send over it."""

import contextlib
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest
import yaml

from mainstream.basednn import BaseDnn, BaseDnnConfig, Preprocessing, Segment
from mainstream.documents import sha256
from mainstream.packages.artifacts import write_base_dnn, write_mpackage
from mainstream.packages.folder import StoreFolder
from mainstream.packages.layout import OciLayout
from mainstream.packages.mpackage import Candidate, MPackage, MPackageConfig
from mainstream.schedule import Schedule, ScheduledApp, Stem, StemSegment

USER, PASSWORD = "gate", "correct horse"
HTPASSWD = f"{USER}:$2y$05$yb.kRzB8d.ZP4RIJqXTjwucRlrvoaX4DnkN2QjdFE3pit16m00mGC\n"  # bcrypt of the password
BASE = "base/mobilenet"
PREPROCESSING = Preprocessing(mean=(127.5, 127.5, 127.5), divisor=127.5)
MIB = 1 << 20


def program(name: str, package: str) -> str:
    """Where a program is that tests need."""
    found = shutil.which(name)
    assert found is not None, f"{name} is not installed: make tools (or apt-get install {package})"
    return found


def noise(seed: object, size: int) -> bytes:
    """Bytes that do not compress, the same each time."""
    return random.Random(str(seed)).randbytes(size)  # noqa: S311 - no secret


@dataclass(frozen=True)
class Store:
    """A store's folder with one base DNN of three segments (and weights)."""

    folder: StoreFolder
    base: BaseDnn

    @property
    def layout(self) -> OciLayout:
        """Its layout, opened anew."""
        return self.folder.layout

    def add(self, name: str, *, branch_bytes: int = 1000) -> MPackage:
        """An M-Package of two candidates, at ``input`` and after the second segment, with branches of that size."""
        branches = [noise(f"{name} {place}", branch_bytes) for place in range(2)]
        candidates = tuple(
            Candidate(
                branchpoint=branchpoint,
                branch_digest=sha256(branch),
                branch_size=len(branch),
                true_positive_rate=(0.75,) * 9,
                false_positive_rate=(0.25,) * 9,
                event_frames=300,
                background_frames=2700,
                interval=0.02,
                correlation=0.25,
                confusion=((280, 20), (30, 2670)),
                history=(),
                trainable_parameters=10,
            )
            for branchpoint, branch in zip(("input", "conv_pw_1"), branches, strict=True)
        )
        config = MPackageConfig(
            base_dnn=self.base.digest,
            input_shape=(32, 32, 3),
            preprocessing=PREPROCESSING,
            segments=self.base.config.segments[:2],
            classes=("apple", "background"),
            events=("apple",),
            candidates=candidates,
            dataset_digest=sha256(b"dataset"),
            training_hash=sha256(name.encode()),
            seed=7,
            made_by={"keras": "3.0.0"},
        )
        return write_mpackage(self.layout, config, {sha256(one): one for one in branches}, name=name)


@pytest.fixture
def make_store(tmp_path: Path) -> Callable[..., Store]:
    """Makes stores; segments and weights have ``size`` bytes each."""

    def make(name: str = "store", *, size: int = 2000) -> Store:
        folder = StoreFolder(tmp_path / name)
        parts = {end: noise(end, size) for end in ("conv1", "conv_pw_1", "pooled")}
        weights = noise("weights", size)
        config = BaseDnnConfig(
            architecture="MobileNet",
            alpha=0.25,
            input_shape=(32, 32, 3),
            preprocessing=PREPROCESSING,
            segments=tuple(
                Segment(end=end, output_shape=(16,), digest=sha256(data), size=len(data)) for end, data in parts.items()
            ),
            weights_digest=sha256(weights),
            weights_name="imagenet",
            made_by={"keras": "3.0.0"},
        )
        blobs = {sha256(data): data for data in (*parts.values(), weights)}
        return Store(folder, write_base_dnn(folder.layout, config, blobs, name=BASE))

    return make


@dataclass
class Registry:
    """A registry that runs. ``data`` is its storage."""

    port: int
    data: Path
    process: "subprocess.Popen[bytes]"

    @property
    def address(self) -> str:
        """As references begin."""
        return f"127.0.0.1:{self.port}"

    def file(self, digest: str) -> Path:
        """Where it keeps a blob."""
        digits = digest.removeprefix("sha256:")
        return self.data / "docker/registry/v2/blobs/sha256" / digits[:2] / digits / "data"

    def stop(self) -> None:
        """End it; what it stored stays."""
        self.process.terminate()
        self.process.wait(30)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def start_registry(tmp_path: Path) -> Iterator[Callable[..., Registry]]:
    """Starts registries: with TLS (``certificate`` and its ``key``), with a password or any other ``auth``."""
    running: list[Registry] = []

    def start(
        *, certificate: Path | None = None, key: Path | None = None, auth: object = None, port: int | None = None
    ) -> Registry:
        place = tmp_path / f"registry-{len(running)}"
        data = tmp_path / "registry-data"
        place.mkdir()
        (place / "htpasswd").write_text(HTPASSWD)
        chosen = port or free_port()
        http: dict[str, object] = {"addr": f"127.0.0.1:{chosen}", "secret": "x"}
        if certificate is not None:
            http["tls"] = {"certificate": str(certificate), "key": str(key)}
        config: dict[str, object] = {
            "version": 0.1,
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(data)}, "cache": {"blobdescriptor": "inmemory"}},
            "http": http,
        }
        if auth == "password":
            auth = {"htpasswd": {"realm": "test", "path": str(place / "htpasswd")}}
        if auth is not None:
            config["auth"] = auth
        (place / "config.yml").write_text(yaml.safe_dump(config))
        with (place / "log").open("wb") as log:
            process = subprocess.Popen(
                [program("docker-registry", "docker-registry"), "serve", str(place / "config.yml")],
                stdout=log,
                stderr=log,
                env={"OTEL_TRACES_EXPORTER": "none", **os.environ},
            )
        running.append(Registry(chosen, data, process))
        for _ in range(600):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", chosen), 1):
                return running[-1]
            assert process.poll() is None, (place / "log").read_text()
            time.sleep(0.05)
        raise AssertionError((place / "log").read_text())

    yield start
    for registry in running:
        registry.stop()


@pytest.fixture
def registry(start_registry: Callable[..., Registry]) -> Registry:
    """A registry for everybody, plain HTTP on this machine."""
    return start_registry()


class Line:
    """A TCP proxy to a registry.

    Each new connection takes the next of ``cuts``: after so many bytes from the server it is cut off. After ``stop_at`` bytes
    of all connections it goes silent: nothing more comes from the server, and connections stay, until it is None again.
    """

    def __init__(self, registry: Registry) -> None:
        self.cuts: list[int] = []
        self.stop_at: int | None = None
        self.from_client = 0
        self.from_server = 0
        self.connections = 0
        self._registry = registry
        self._server = socket.create_server(("127.0.0.1", 0))
        self._sockets = [self._server]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def address(self) -> str:
        """As references begin."""
        return f"127.0.0.1:{self._server.getsockname()[1]}"

    def close(self) -> None:
        """End all connections and threads."""
        self.stop_at = None
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(30)
        for one in self._sockets:
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                server = socket.create_connection(("127.0.0.1", self._registry.port))
                self._sockets += [client, server]
                self.connections += 1
                cut = self.cuts.pop(0) if self.cuts else None
                for thread in (
                    threading.Thread(target=self._up, args=(client, server)),
                    threading.Thread(target=self._down, args=(server, client, cut)),
                ):
                    thread.start()
                    self._threads.append(thread)

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(16 << 10):
                self.from_client += len(data)
                server.sendall(data)
        _hang_up(client, server)

    def _down(self, server: socket.socket, client: socket.socket, cut: int | None) -> None:
        left = cut
        with contextlib.suppress(OSError):
            while (left is None or left > 0) and (data := server.recv(16 << 10)):
                while self.stop_at is not None and self.from_server >= self.stop_at:
                    time.sleep(0.01)
                data = data[:left]
                left = None if left is None else left - len(data)
                self.from_server += len(data)
                client.sendall(data)
        _hang_up(client, server)


def _hang_up(*ends: socket.socket) -> None:
    for one in ends:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def line(registry: Registry) -> Iterator[Line]:
    """A line to ``registry``."""
    made = Line(registry)
    yield made
    made.close()


@dataclass(frozen=True)
class Authority:
    """A CA of one's own, and a server's certificate by it for this machine."""

    ca: Path
    certificate: Path
    key: Path


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Made with openssl."""
    folder = tmp_path_factory.mktemp("ca")
    made = Authority(folder / "ca.crt", folder / "tls.crt", folder / "tls.key")
    openssl = program("openssl", "openssl")
    new = ["req", "-newkey", "rsa:2048", "-nodes", "-days", "2"]

    def run(*arguments: object) -> None:
        subprocess.run([openssl, *map(str, arguments)], check=True, capture_output=True, cwd=folder)

    run(*new, "-x509", "-subj", "/CN=Test CA", "-keyout", "ca.key", "-out", made.ca)
    run(*new, "-subj", "/CN=registry", "-keyout", made.key, "-out", "tls.csr")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    signing = ["x509", "-req", "-in", "tls.csr", "-CA", made.ca, "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"]
    run(*signing, "-extfile", "names", "-out", made.certificate)
    return made


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """``mainstream packages ...`` in a process of its own that finds no login of this user."""

    def run_(*arguments: object) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-c", "from mainstream.cli.main import main; main()", "packages"]
        return subprocess.run(
            [*command, *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env={**os.environ, "HOME": str(tmp_path), "DOCKER_CONFIG": ""},
        )

    return run_


def schedule_of(base: BaseDnn, apps: dict[str, tuple[str, MPackage, int]]) -> Schedule:
    """A schedule of apps (``namespace/name``), each with its package's reference and the number of its candidate."""
    depths = {"input": 0, "conv_pw_1": 2}
    stem = Stem(
        name="north/full/base",
        stream="north",
        view="full",
        base_dnn=base.digest,
        input_shape=base.config.input_shape,
        preprocessing=PREPROCESSING,
        segments=tuple(
            StemSegment(end=segment.end, digest=segment.digest, fps=Fraction(5), planned_seconds=0.0)
            for segment in base.config.segments[:2]
        ),
    )
    scheduled = []
    for app, (reference, package, place) in apps.items():
        candidate = package.config.candidates[place]
        scheduled.append(
            ScheduledApp(
                app=app,
                stem=stem.name,
                package=reference,
                branchpoint=candidate.branchpoint,
                depth=depths[candidate.branchpoint],
                branch_digest=candidate.branch_digest,
                planned_seconds=0.0,
                fps=Fraction(5),
                votes=1,
                threshold=5,
                expected_f1=0.5,
                classes=package.config.classes,
                events=package.config.events,
            )
        )
    return Schedule(
        edge_node="gate",
        engine="LiteRT",
        threads=1,
        memory_bytes=1 << 30,
        cost=0.0,
        budget=1.0,
        streams=(),
        stems=(stem,),
        apps=tuple(scheduled),
    )


@pytest.fixture(scope="session")
def make_cache_schedule() -> Callable[..., Schedule]:
    """Makes schedules, see ``schedule_of``."""
    return schedule_of
