"""M-Packages for the fleet of ``control_plane.py``: real artifacts in a real registry, with random numbers for weights.

The operator reads configs only, so branches of a kilobyte do.
"""

import random
from fractions import Fraction
from pathlib import Path

from mainstream.basednn import BaseDnn, BaseDnnConfig, Preprocessing, Segment
from mainstream.documents import sha256
from mainstream.events import EventProfile
from mainstream.packages.artifacts import write_base_dnn, write_mpackage
from mainstream.packages.folder import StoreFolder
from mainstream.packages.mpackage import Candidate, MPackageConfig

ENDS = ("conv1", *(f"conv_pw_{number}" for number in range(1, 14)), "pooled")
PREPROCESSING = Preprocessing(mean=(127.5, 127.5, 127.5), divisor=127.5)
BASE_REPOSITORY = "base/mobilenet"


def write_packages(folder: Path, count: int) -> tuple[BaseDnn, list[str]]:
    """A store with a base DNN and ``count`` M-Packages on it, each for the event ``car``; the packages' names."""
    store = StoreFolder(folder)
    parts = {end: _noise(end) for end in ENDS}
    weights = _noise("weights")
    config = BaseDnnConfig(
        architecture="MobileNet",
        alpha=1.0,
        input_shape=(224, 224, 3),
        preprocessing=PREPROCESSING,
        segments=tuple(
            Segment(end=end, output_shape=(16,), digest=sha256(data), size=len(data)) for end, data in parts.items()
        ),
        weights_digest=sha256(weights),
        weights_name="random",
        made_by={"benchmark": "1"},
    )
    blobs = {sha256(data): data for data in (*parts.values(), weights)}
    base = write_base_dnn(store.layout, config, blobs, name=BASE_REPOSITORY)
    names = [f"app-{number}" for number in range(count)]
    for name in names:
        _write_package(store, base, name)
    return base, names


def _write_package(store: StoreFolder, base: BaseDnn, name: str) -> None:
    chance = random.Random(name)  # noqa: S311 - no secret
    branchpoints = ("conv_pw_6", "conv_pw_9", "conv_pw_11", "conv_pw_12", "conv_pw_13")
    branches = [_noise(f"{name} {branchpoint}") for branchpoint in branchpoints]
    level = chance.uniform(0.9, 0.98)
    candidates = []
    for place, (branchpoint, branch) in enumerate(zip(branchpoints, branches, strict=True)):
        worse = place * chance.uniform(0.005, 0.04)  # the deeper the branch begins, the less it was trained
        candidates.append(
            Candidate(
                branchpoint=branchpoint,
                branch_digest=sha256(branch),
                branch_size=len(branch),
                true_positive_rate=tuple(round(level - worse - 0.02 * step, 4) for step in range(9)),
                false_positive_rate=tuple(round((0.02 + worse) * 0.7**step, 5) for step in range(9)),
                event_frames=300,
                background_frames=2700,
                interval=0.02,
                correlation=0.25,
                confusion=((280, 20), (30, 2670)),
                history=(),
                trainable_parameters=1000,
            )
        )
    config = MPackageConfig(
        base_dnn=base.digest,
        input_shape=base.config.input_shape,
        preprocessing=PREPROCESSING,
        segments=base.config.segments[:14],
        classes=("background", "car"),
        events=("car",),
        event_profile=EventProfile(
            length_seconds=Fraction(chance.randint(10, 40), 10),
            gap_seconds=Fraction(chance.randint(100, 400), 10),
            frequency=0.08,
            correlation=0.25,
            correlation_fps=Fraction(10),
        ),
        event_profile_measured="given",
        candidates=tuple(candidates),
        dataset_digest=sha256(b"dataset"),
        training_hash=sha256(name.encode()),
        seed=7,
        made_by={"benchmark": "1"},
    )
    write_mpackage(store.layout, config, {sha256(one): one for one in branches}, name=name)


def _noise(seed: str) -> bytes:
    return random.Random(seed).randbytes(1000)  # noqa: S311 - no secret
