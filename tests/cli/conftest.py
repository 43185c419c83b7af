"""A small world to plan in: a store with a base DNN of four segments, M-Packages and profiles; manifests beside it.

The blobs are no networks: planning never opens them.
"""

import contextlib
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from mainstream.basednn import BaseDnn, BaseDnnConfig, Preprocessing, Segment
from mainstream.cli.main import main
from mainstream.cost import LayerCosts, StreamIngest
from mainstream.documents import sha256
from mainstream.events import EventProfile
from mainstream.packages.artifacts import write_base_dnn, write_mpackage
from mainstream.packages.folder import StoreFolder
from mainstream.packages.mpackage import Candidate, MPackage, MPackageConfig
from mainstream.packages.profiles import save_costs, save_ingest
from mainstream.resources.metadata import API_VERSION

ENDS = ("conv1", "conv_pw_6", "conv_pw_11", "pooled")
PREPROCESSING = Preprocessing(mean=(127.5, 127.5, 127.5), divisor=127.5)


def base_config(name: str = "base") -> tuple[BaseDnnConfig, dict[str, bytes]]:
    """A base DNN's config and blobs."""
    blobs = {sha256(data): data for data in (f"{name} {end}".encode() for end in (*ENDS, "weights"))}
    segments = [
        Segment(end=end, output_shape=(8, 8, 4), digest=sha256(f"{name} {end}".encode()), size=len(f"{name} {end}"))
        for end in ENDS
    ]
    config = BaseDnnConfig(
        architecture="MobileNet",
        input_shape=(32, 32, 3),
        preprocessing=PREPROCESSING,
        segments=tuple(segments),
        weights_digest=sha256(f"{name} weights".encode()),
        weights_name="imagenet",
        made_by={"mainstream": "0.1.0"},
    )
    return config, blobs


def costs_of(base: BaseDnn, *, spread: float = 0.02) -> LayerCosts:
    """4 ms for the first segment, then 6, 6 and 2; branches are the rest of the network and a little more."""
    return LayerCosts(
        base_dnn=base.digest,
        engine="LiteRT",
        engine_version="2.3.0",
        threads=2,
        hardware="a test's machine",
        segment_seconds=(0.004, 0.006, 0.006, 0.002),
        branch_seconds=(0.0181, 0.0142, 0.0083, 0.0024, 0.0004),
        whole_seconds=0.018,
        spread=spread,
        runs=20,
    )


PROFILE = EventProfile(length_seconds="2", gap_seconds="20", frequency=0.1, correlation=0.4, correlation_fps=10)


@dataclass(frozen=True, slots=True)
class Done:
    """How a verb ended and what it printed."""

    status: int
    out: str
    err: str


def mainstream(folder: Path, *arguments: str | Path) -> Done:
    """The command line with ``folder`` as working directory, in this process."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as left,
    ):
        main([str(argument) for argument in arguments])
    return Done(int(left.value.code or 0), out.getvalue(), err.getvalue())


@dataclass(frozen=True, slots=True)
class World:
    """The store, the manifests' folder, and how to run the command line there."""

    root: Path
    base: BaseDnn

    @property
    def store(self) -> StoreFolder:
        """The store."""
        return StoreFolder(self.root / "store")

    @property
    def manifests(self) -> Path:
        """The manifests' folder."""
        return self.root / "manifests"

    def write(self, name: str, *documents: Mapping[str, Any] | str) -> Path:
        """Write a manifest."""
        self.manifests.mkdir(exist_ok=True)
        path = self.manifests / name
        path.write_text("---\n".join(one if isinstance(one, str) else yaml.safe_dump(dict(one)) for one in documents))
        return path

    def package(self, app: str, *, quality: float = 0.9, name: str | None = None, **changes: Any) -> MPackage:
        """An M-Package of an app ``namespace/name`` whose event is its name; deeper candidates are a little worse.

        Its ``name`` in the store is the app's, unless another is given.
        """
        label = app.split("/")[1]
        config, _ = base_config()
        branches = {}
        candidates = []
        for depth, end in ((2, "conv_pw_6"), (3, "conv_pw_11"), (4, "pooled")):
            data = f"{app} {end}".encode()
            branches[sha256(data)] = data
            p = [max(0.0, quality - 0.03 * depth - 0.02 * abs(t - 4)) for t in range(9)]
            candidates.append(
                Candidate(
                    branchpoint=end,
                    branch_digest=sha256(data),
                    branch_size=len(data),
                    true_positive_rate=tuple(p),
                    false_positive_rate=tuple(0.05 - 0.005 * t for t in range(9)),
                    event_frames=400,
                    background_frames=4000,
                    interval=0.03,
                    correlation=0.4,
                    confusion=((10, 0), (0, 10)),
                    history=({"loss": 0.1},),
                    trainable_parameters=1000,
                )
            )
        fields: dict[str, Any] = {
            "base_dnn": self.base.digest,
            "input_shape": config.input_shape,
            "preprocessing": PREPROCESSING,
            "segments": config.segments,
            "classes": ("background", label),
            "events": (label,),
            "event_profile": PROFILE,
            "event_profile_measured": "given",
            "candidates": tuple(candidates),
            "dataset_digest": sha256(b"dataset"),
            "training_hash": sha256(b"training"),
            "seed": 0,
            "made_by": {},
        }
        package = MPackageConfig(**(fields | changes))
        return write_mpackage(self.store.layout, package, branches, name=f"mpackage/{name or app}")

    def run(self, *arguments: str | Path) -> Done:
        """The command line, in the world's root."""
        return mainstream(self.root, *arguments)

    def plan(self, *arguments: str) -> Any:
        """The JSON of ``mainstream plan``."""
        done = self.run("plan", "-f", "manifests", "--store", "store", "--output", "json", *arguments)
        assert done.status in (0, 1), done.err
        return json.loads(done.out)


def edge_node(**spec: Any) -> dict[str, Any]:
    """The manifest of a box with the streams north (with a view gate) and south."""
    streams = [
        {
            "name": "north",
            "source": {"file": {"path": "north.mp4"}},
            "captureFps": 10,
            "views": [{"name": "gate", "crop": ["0.5", "0", "0.5", "1"]}],
        },
        {"name": "south", "source": {"file": {"path": "south.mp4"}}, "captureFps": 10},
    ]
    return {
        "apiVersion": API_VERSION,
        "kind": "EdgeNode",
        "metadata": {"name": "box"},
        "spec": {"budget": {"cpu": "2", "utilization": 40}, "streams": streams, **spec},
    }


def app(key: str, **spec: Any) -> dict[str, Any]:
    """The manifest of an app ``namespace/name`` whose event is its name, on north."""
    namespace, name = key.split("/")
    training = {"baseDnn": {"reference": "base/test"}, "dataset": {"uri": "data"}}
    fields = {"edgeNodes": {"matchNames": ["box"]}, "stream": "north", "events": [name], "training": training}
    if "package" in spec:
        del fields["training"]
    return {
        "apiVersion": API_VERSION,
        "kind": "MainstreamApp",
        "metadata": {"name": name, "namespace": namespace},
        "spec": fields | spec,
    }


@pytest.fixture
def empty_world(tmp_path: Path) -> World:
    """A store with a base DNN and its profile, and no manifests."""
    store = StoreFolder(tmp_path / "store")
    config, blobs = base_config()
    base = write_base_dnn(store.layout, config, blobs, name="base/test")
    save_costs(store, costs_of(base))
    for stream in ("north", "south"):
        save_ingest(store, StreamIngest(stream=stream, cores=0.05, spread=0.01), edge_node="box")
    return World(root=tmp_path, base=base)


@pytest.fixture
def world(empty_world: World) -> World:
    """Two apps on north, one on its view gate, one on south; all trained."""
    apps: Sequence[dict[str, Any]] = (
        app("default/car"),
        app("default/van", weight=2),
        app("default/bus", view="gate"),
        app("yard/car", stream="south", minF1="0.5"),
    )
    empty_world.write("box.yaml", edge_node())
    empty_world.write("apps.yaml", *apps)
    for number, one in enumerate(apps):
        key = f"{one['metadata']['namespace']}/{one['metadata']['name']}"
        empty_world.package(key, quality=0.95 - 0.05 * number)
    return empty_world


@pytest.fixture
def manifest_of() -> Callable[..., dict[str, Any]]:
    """``app``, for tests."""
    return app


@pytest.fixture
def edge_node_of() -> Callable[..., dict[str, Any]]:
    """``edge_node``, for tests."""
    return edge_node
