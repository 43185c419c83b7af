"""A real registry, and M-Packages in it that say much and weigh little: for tests that plan and never run."""

import os
import random
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import yaml

from mainstream.basednn import BaseDnn, BaseDnnConfig, Preprocessing, Segment
from mainstream.cost import LayerCosts
from mainstream.documents import sha256
from mainstream.events import EventProfile
from mainstream.packages.artifacts import write_base_dnn, write_mpackage
from mainstream.packages.layout import OciLayout
from mainstream.packages.mpackage import Candidate, MPackageConfig
from mainstream.packages.registry.client import RegistryClient
from mainstream.packages.registry.push import Pusher
from mainstream.packages.registry.reference import parse_reference

from .binaries import program
from .control_plane import free_port
from .processes import Processes

PREPROCESSING = Preprocessing(mean=(127.5, 127.5, 127.5), divisor=127.5)
CUTS = ("conv1", "conv_pw_1", "pooled")
PROFILE = EventProfile(
    length_seconds=Fraction(2), gap_seconds=Fraction(20), frequency=0.1, correlation=0.2, correlation_fps=Fraction(10)
)
USER, PASSWORD = "gate", "correct horse"
HTPASSWD = f"{USER}:$2y$05$yb.kRzB8d.ZP4RIJqXTjwucRlrvoaX4DnkN2QjdFE3pit16m00mGC\n"  # bcrypt of the password


def noise(seed: object, size: int = 500) -> bytes:
    """Bytes that do not compress, the same each time."""
    return random.Random(str(seed)).randbytes(size)  # noqa: S311 - no secret


def costs_of(base_dnn: str, *, hardware: str = "a small box", threads: int = 2, whole: float = 0.055) -> LayerCosts:
    """What a profiler would say of a base DNN with ``CUTS``: seconds per frame."""
    parts = [whole * share for share in (0.2, 0.3, 0.4)]
    return LayerCosts(
        base_dnn=base_dnn,
        engine="LiteRT",
        engine_version="2.3.0",
        threads=threads,
        hardware=hardware,
        segment_seconds=tuple(parts),
        branch_seconds=(whole, whole * 0.8, whole * 0.5, whole * 0.1),
        whole_seconds=whole,
        spread=0.02,
        runs=30,
    )


@dataclass
class Registry:
    """A docker-registry that runs, plain HTTP on this machine, and a store whose artifacts are pushed to it."""

    folder: Path
    password: bool = False
    port: int = field(default_factory=free_port)
    processes: Processes = field(init=False)
    layout: OciLayout = field(init=False)
    _bases: dict[str, BaseDnn] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.layout = OciLayout(self.folder / "store")
        self.processes = Processes(self.folder / "logs")
        self.start()

    @property
    def address(self) -> str:
        """As references begin."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, with what it stored before."""
        (self.folder / "htpasswd").write_text(HTPASSWD)
        config: dict[str, object] = {
            "version": 0.1,
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {
                "filesystem": {"rootdirectory": str(self.folder / "data")},
                "cache": {"blobdescriptor": "inmemory"},
                "delete": {"enabled": True},
            },
            "http": {"addr": self.address, "secret": "x"},
        }
        if self.password:
            config["auth"] = {"htpasswd": {"realm": "test", "path": str(self.folder / "htpasswd")}}
        (self.folder / "config.yml").write_text(yaml.safe_dump(config))
        os.environ.setdefault("OTEL_TRACES_EXPORTER", "none")
        self.processes.start(
            "registry", program("docker-registry", "docker-registry"), "serve", self.folder / "config.yml"
        )
        self.processes.wait_until("registry", self._answers, seconds=60)

    def stop(self) -> None:
        """End it; what it stored stays."""
        self.processes.stop()

    def base(self, name: str = "mobilenet") -> BaseDnn:
        """A base DNN of three segments, in the store."""
        if name not in self._bases:
            parts = {end: noise(f"{name} {end}") for end in CUTS}
            weights = noise(f"{name} weights")
            config = BaseDnnConfig(
                architecture="MobileNet",
                alpha=0.25,
                input_shape=(32, 32, 3),
                preprocessing=PREPROCESSING,
                segments=tuple(
                    Segment(end=end, output_shape=(16,), digest=sha256(data), size=len(data))
                    for end, data in parts.items()
                ),
                weights_digest=sha256(weights),
                weights_name="imagenet",
                made_by={"keras": "3.0.0"},
            )
            blobs = {sha256(data): data for data in (*parts.values(), weights)}
            self._bases[name] = write_base_dnn(self.layout, config, blobs, name=f"base/{name}")
        return self._bases[name]

    def push_base(self, name: str = "mobilenet") -> str:
        """A base DNN in the registry: its reference by digest."""
        self.base(name)
        return self._pushed(f"base/{name}", f"base/{name}")

    def push_app(
        self,
        repository: str,
        *,
        seed: object = 0,
        base: str = "mobilenet",
        events: Sequence[str] = ("red-car",),
        quality: float = 0.9,
        profile: EventProfile | None = PROFILE,
        training_hash: str | None = None,
    ) -> str:
        """An M-Package with two candidates in the registry: its reference by digest. The early cut is the better one."""
        made = self.base(base)
        branches = [noise(f"{repository} {seed} {place}") for place in range(2)]
        candidates = tuple(
            Candidate(
                branchpoint=branchpoint,
                branch_digest=sha256(branch),
                branch_size=len(branch),
                true_positive_rate=(better,) * 9,
                false_positive_rate=(0.01,) * 9,
                event_frames=300,
                background_frames=2700,
                interval=0.02,
                correlation=0.25,
                confusion=tuple((1,) * (len(events) + 1) for _ in range(len(events) + 1)),
                history=({"loss": 0.5},),
                trainable_parameters=10,
            )
            for branchpoint, branch, better in zip(
                ("input", "conv_pw_1"), branches, (quality, quality - 0.1), strict=True
            )
        )
        config = MPackageConfig(
            base_dnn=made.digest,
            input_shape=(32, 32, 3),
            preprocessing=PREPROCESSING,
            segments=made.config.segments[:2],
            classes=(*events, "background"),
            events=tuple(events),
            event_profile=profile,
            candidates=candidates,
            dataset_digest=sha256(b"dataset"),
            training_hash=training_hash or sha256(f"{repository} {seed}".encode()),
            seed=7,
            made_by={"keras": "3.0.0"},
        )
        name = f"mpackage/{repository}"
        write_mpackage(self.layout, config, {sha256(one): one for one in branches}, name=name)
        return self._pushed(name, repository)

    def delete_manifest(self, reference: str) -> None:
        """Let the registry forget an artifact."""
        place = parse_reference(reference)
        digits = (place.digest or "").removeprefix("sha256:")
        revision = (
            self.folder / "data/docker/registry/v2/repositories" / place.repository / "_manifests/revisions/sha256"
        )
        (revision / digits / "link").unlink()

    def _pushed(self, name: str, repository: str) -> str:
        from mainstream.packages.registry.credentials import Credentials

        stop = threading.Event()
        credentials = Credentials(username=USER, password=PASSWORD) if self.password else None
        client = RegistryClient(self.address, credentials=credentials, pause=stop.wait)
        try:
            target = parse_reference(f"{self.address}/{repository}")
            pushed = Pusher(self.layout, client, start=lambda _what, _total: lambda _count: None).push(name, target)
        finally:
            client.close()
        return pushed[-1].reference

    def _answers(self) -> bool:
        done = subprocess.run(
            ["curl", "--silent", "--output", "/dev/null", f"http://{self.address}/v2/"], check=False, timeout=10
        )
        return done.returncode == 0
