"""Values that the operator decides on, made without a cluster: only the field that matters is named."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest

from mainstream.basednn import BaseDnn, BaseDnnConfig, Preprocessing, Segment
from mainstream.cost import LayerCosts, StreamIngest
from mainstream.documents import sha256
from mainstream.events import EventProfile
from mainstream.packages.mpackage import Candidate, MPackage, MPackageConfig
from mainstream.resources.app import MainstreamApp
from mainstream.resources.edgenode import EdgeNode
from mainstream_operator.profiling import Profile
from mainstream_operator.settings import Settings
from mainstream_operator.values import AppState, Finding, Identity, PackageInUse

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SINCE = "2026-01-01T00:00:00Z"
CUTS = ("conv1", "conv_pw_1", "pooled")
PREPROCESSING = Preprocessing(mean=(127.5, 127.5, 127.5), divisor=127.5)
PROFILE = EventProfile(
    length_seconds=Fraction(2), gap_seconds=Fraction(20), frequency=0.1, correlation=0.2, correlation_fps=Fraction(10)
)

Make = Callable[..., Any]


class Clock:
    """Monotonic seconds and a wall clock that only tests move."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        """The wall clock."""
        return NOW + timedelta(seconds=self.seconds - 100.0)

    def forward(self, seconds: float) -> None:
        """Time goes by."""
        self.seconds += seconds


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


def base_dnn(name: str = "mobilenet") -> BaseDnn:
    """Three segments."""
    config = BaseDnnConfig(
        architecture="MobileNet",
        input_shape=(32, 32, 3),
        preprocessing=PREPROCESSING,
        segments=tuple(
            Segment(end=end, output_shape=(16,), digest=sha256(f"{name} {end}".encode()), size=100) for end in CUTS
        ),
        weights_digest=sha256(name.encode()),
        weights_name="imagenet",
        made_by={},
    )
    return BaseDnn(digest=sha256(f"base {name}".encode()), config=config)


def package(
    seed: str = "red-car",
    *,
    base: BaseDnn | None = None,
    quality: float = 0.9,
    events: tuple[str, ...] = ("red-car",),
    profile: EventProfile | None = PROFILE,
    training_hash: str | None = None,
) -> PackageInUse:
    """A package in a registry, with two candidates; the one at ``input`` is the better one."""
    base = base or base_dnn()
    candidates = tuple(
        Candidate(
            branchpoint=branchpoint,
            branch_digest=sha256(f"{seed} {branchpoint}".encode()),
            branch_size=50,
            true_positive_rate=(better,) * 9,
            false_positive_rate=(0.0,) * 9,
            event_frames=300,
            background_frames=2700,
            interval=0.02,
            correlation=0.25,
            confusion=((1,) * (len(events) + 1),) * (len(events) + 1),
            history=(),
            trainable_parameters=10,
        )
        for branchpoint, better in (("input", quality), ("conv_pw_1", quality - 0.1))
    )
    config = MPackageConfig(
        base_dnn=base.digest,
        input_shape=(32, 32, 3),
        preprocessing=PREPROCESSING,
        segments=base.config.segments[:2],
        classes=(*events, "background"),
        events=events,
        event_profile=profile,
        candidates=candidates,
        dataset_digest=sha256(b"dataset"),
        training_hash=sha256(seed.encode()),
        seed=0,
        made_by={},
    )
    digest = sha256(f"package {seed} {quality}".encode())
    return PackageInUse(
        reference=f"registry.test:5000/{seed}@{digest}",
        package=MPackage(digest=digest, config=config),
        base_dnn=base,
        training_hash=training_hash,
    )


def costs(base: BaseDnn | None = None, *, threads: int = 2, hardware: str = "box") -> LayerCosts:
    """55 ms for a whole network."""
    return LayerCosts(
        base_dnn=(base or base_dnn()).digest,
        engine="LiteRT",
        engine_version="2.3.0",
        threads=threads,
        hardware=hardware,
        segment_seconds=(0.011, 0.0165, 0.022),
        branch_seconds=(0.055, 0.044, 0.0275, 0.0055),
        whole_seconds=0.055,
        spread=0.02,
        runs=30,
    )


def edge_node(name: str = "gate-3", **spec: Any) -> EdgeNode:
    """One camera of ten frames per second, open to all namespaces."""
    stream = {"name": "north", "source": {"rtsp": {"url": "rtsp://10.0.0.7/s"}}, "captureFps": 10}
    plain = {
        "apiVersion": "mainstream.dev/v1alpha1",
        "kind": "EdgeNode",
        "metadata": {"name": name},
        "spec": {"streams": [stream], "allowedNamespaces": {}, **spec},
    }
    return EdgeNode.from_plain(plain, where=name)


def app(name: str = "red-car", namespace: str = "traffic", **spec: Any) -> MainstreamApp:
    """An app that brings its package, unless ``training`` is given."""
    source = {} if "training" in spec else {"package": {"reference": "registry.test:5000/x"}}
    plain = {
        "apiVersion": "mainstream.dev/v1alpha1",
        "kind": "MainstreamApp",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "edgeNodes": {"matchNames": ["gate-3"]}, "stream": "north", "events": ["red-car"], **source, **spec
        },
    }  # fmt: skip
    return MainstreamApp.from_plain(plain, where=name)


def identity(created: str = SINCE, uid: str = "1") -> Identity:
    """Of an object."""
    return Identity(uid=uid, generation=1, created=created, deleted=False)


def state(name: str = "red-car", *, used: PackageInUse | None = None, created: str = SINCE, **spec: Any) -> AppState:
    """An app whose package is there."""
    ready = Finding(good=True, reason="Ready", message="it is there")
    return AppState(app=app(name, **spec), identity=identity(created), trained=ready, package=used or package(name))


def profile(base: BaseDnn | None = None) -> Profile:
    """Everything is measured."""
    base = base or base_dnn()
    return Profile(
        hardware="box",
        costs={base.digest: costs(base)},
        ingest={"north": StreamIngest(stream="north", cores=0.1, spread=0.0)},
        estimated=(),
    )


def settings(**more: Any) -> Settings:
    """As the chart would write them."""
    plain = {
        "namespace": "mainstream-system",
        "images": {"runner": "runner:1", "trainer": "trainer:1"},
        "registry": {"prefix": "registry.test:5000/m", "plainHttp": ["registry.test:5000"]},
        **more,
    }
    return Settings.from_plain(plain, where="settings")
