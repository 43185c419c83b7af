"""A store with one tiny base DNN and one M-Package, and the means to change it behind the library's back."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mainstream.basednn import BaseDnn, BaseDnnConfig, Preprocessing, Segment
from mainstream.documents import sha256
from mainstream.events import EventProfile
from mainstream.packages.artifacts import read_mpackage, write_base_dnn, write_mpackage
from mainstream.packages.folder import StoreFolder
from mainstream.packages.layout import OciLayout
from mainstream.packages.mpackage import Candidate, MPackage, MPackageConfig

BASE = "base/mobilenet-0.25-32"
APPLE = "mpackage/default/apple"
ENDS = ("conv1", "conv_pw_1", "pooled")
PREPROCESSING = Preprocessing(mean=(127.5, 127.5, 127.5), divisor=127.5)

Change = Callable[[Any], Any]


def make_candidate(branchpoint: str, branch: bytes, *, p: Sequence[float], q: Sequence[float]) -> Candidate:
    """A candidate with those rates at the nine thresholds."""
    return Candidate(
        branchpoint=branchpoint,
        branch_digest=sha256(branch),
        branch_size=len(branch),
        true_positive_rate=tuple(p),
        false_positive_rate=tuple(q),
        event_frames=300,
        background_frames=2700,
        interval=0.02,
        correlation=0.25,
        confusion=((280, 20), (30, 2670)),
        history=({"loss": 0.5, "accuracy": 0.875},),
        trainable_parameters=1234,
    )


@dataclass(frozen=True)
class Sample:
    """The store and what is in it. ``put``, ``change_*`` write as a stranger would: past the library's checks."""

    folder: StoreFolder
    base: BaseDnn
    package: MPackage

    @property
    def root(self) -> Path:
        """The layout's folder."""
        return self.folder.root / "oci"

    @property
    def layout(self) -> OciLayout:
        """The layout, opened anew."""
        return self.folder.layout

    def file(self, digest: str) -> Path:
        """A blob's file."""
        return self.root / "blobs" / "sha256" / digest.removeprefix("sha256:")

    def branch(self) -> str:
        """The digest of the deepest candidate's branch."""
        return self.package.config.candidates[-1].branch_digest

    def put(self, data: bytes) -> dict[str, Any]:
        """Store bytes under their digest; what a descriptor says about them."""
        self.file(sha256(data)).write_bytes(data)
        return {"digest": sha256(data), "size": len(data)}

    def index(self) -> Any:
        """The index as plain values."""
        return json.loads((self.root / "index.json").read_bytes())

    def manifest(self) -> Any:
        """The M-Package's manifest as plain values."""
        return json.loads(self.file(self.package.digest).read_bytes())

    def change_index(self, change: Change) -> None:
        """Replace the index."""
        (self.root / "index.json").write_bytes(as_bytes(change(self.index())))

    def change_manifest(self, change: Change) -> str:
        """Replace the M-Package's manifest by a changed one, correctly digested; its digest."""
        placed = self.put(as_bytes(change(self.manifest())))
        index = self.index()
        for entry in index["manifests"]:
            if entry["annotations"]["org.opencontainers.image.ref.name"] == APPLE:
                entry.update(placed)
        (self.root / "index.json").write_bytes(as_bytes(index))
        return str(placed["digest"])

    def change_config(self, change: Change) -> str:
        """Replace the M-Package's config by a changed one, correctly digested; its digest."""
        placed = self.put(as_bytes(change(self.package.config.plain())))
        self.change_manifest(lambda manifest: {**manifest, "config": {**manifest["config"], **placed}})
        return str(placed["digest"])

    def use(self) -> bytes:
        """Read the M-Package and all of its blobs as a runner does."""
        package = read_mpackage(self.layout, APPLE)
        digests = [segment.digest for segment in package.config.segments]
        digests += [candidate.branch_digest for candidate in package.config.candidates]
        return b"".join(self.layout.read_blob(digest) for digest in digests)

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """``mainstream packages ...`` on this store, in a process of its own."""
        command = [sys.executable, "-c", "from mainstream.cli.main import main; main()", "packages", *arguments]
        return subprocess.run(
            [*command, "--store", str(self.folder.root)], capture_output=True, text=True, check=False, timeout=120
        )


def as_bytes(value: Any) -> bytes:
    """Bytes as they are, anything else as JSON (floats, too: strangers write what they like)."""
    return value if isinstance(value, bytes) else json.dumps(value).encode()


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    """A base DNN of three segments and an M-Package with two candidates, at ``conv_pw_1`` and ``input``."""
    folder = StoreFolder(tmp_path / "store")
    parts = {end: f"segment to {end}".encode() for end in ENDS}
    weights = b"weights of the whole network"
    config = BaseDnnConfig(
        architecture="MobileNet",
        alpha=0.25,
        input_shape=(32, 32, 3),
        preprocessing=PREPROCESSING,
        segments=tuple(
            Segment(end=end, output_shape=shape, digest=sha256(parts[end]), size=len(parts[end]))
            for end, shape in zip(ENDS, ((16, 16, 8), (16, 16, 16), (16,)), strict=True)
        ),
        weights_digest=sha256(weights),
        weights_name="imagenet",
        made_by={"keras": "3.0.0"},
    )
    blobs = {sha256(data): data for data in (*parts.values(), weights)}
    base = write_base_dnn(folder.layout, config, blobs, name=BASE)
    branches = (b"branch at input", b"branch at conv_pw_1")
    package = write_mpackage(
        folder.layout,
        MPackageConfig(
            base_dnn=base.digest,
            input_shape=config.input_shape,
            preprocessing=PREPROCESSING,
            segments=config.segments[:2],
            classes=("apple", "background"),
            events=("apple",),
            event_profile=EventProfile(
                length_seconds="2", gap_seconds="21.5", frequency=0.08, correlation=0.25, correlation_fps="30000/1001"
            ),
            event_profile_measured="held-out part of one video: 12 events",
            candidates=(
                make_candidate("input", branches[0], p=[0.99 - 0.02 * t for t in range(9)], q=[0.1] * 9),
                make_candidate("conv_pw_1", branches[1], p=[0.95 - 0.05 * t for t in range(9)], q=[0.2] * 9),
            ),
            dataset_digest=sha256(b"dataset"),
            training_hash=sha256(b"training"),
            seed=7,
            made_by={"keras": "3.0.0"},
        ),
        {sha256(branch): branch for branch in branches},
        name=APPLE,
    )
    return Sample(folder=folder, base=base, package=package)


@pytest.fixture(scope="session")
def candidate() -> Callable[..., Candidate]:
    """Makes candidates."""
    return make_candidate
