"""An app's Model Set: candidates trained, measured, and assembled into an M-Package (paper section 5).

On an int8 base DNN each trained branch is two candidates: in f32, and in int8, calibrated with the app's own training frames.
Each finished candidate is kept on disk under the training's hash; a run that was killed goes on with the next one.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from shutil import rmtree
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainstream.basednn import BaseDnn, Precision
from mainstream.documents import canonical_json, sha256
from mainstream.errors import PackageError
from mainstream.events import EventProfile, measured_profile
from mainstream.packages.artifacts import read_mpackage, write_mpackage
from mainstream.packages.folder import StoreFolder
from mainstream.packages.modelset import model_set
from mainstream.packages.mpackage import Candidate, MPackage, MPackageConfig
from mainstream.resources.app import BACKGROUND, Training
from mainstream_trainer.basednn import Start
from mainstream_trainer.dataset import Dataset
from mainstream_trainer.examples import Fold, folds, merged
from mainstream_trainer.features import FeatureCache, Features, Frames, select_frames
from mainstream_trainer.finetune import Trained, branch_model, finetune
from mainstream_trainer.finished import candidate_name, keep, kept
from mainstream_trainer.measure import Accuracy, Scored, measure, score
from mainstream_trainer.quantise import float_branch, quantised_branch
from mainstream_trainer.tflite import export_tflite
from mainstream_trainer.video import Crop

_VERSION = 3
"""Of the training itself: raise it when the same input would train something else."""

CALIBRATION_FRAMES = 100
"""Training frames that an int8 branch is calibrated with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What to train: an app's events on a dataset, from a base DNN. ``where`` names the app in messages."""

    name: str  # of the M-Package in the store
    where: str
    events: tuple[str, ...]
    training: Training
    branchpoints: tuple[str, ...]
    crop: Crop
    base: BaseDnn
    dataset: Dataset

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """Of the branches that are made at each cut."""
        return ("f32", "int8") if self.base.config.precision == "int8" else ("f32",)

    @property
    def hash(self) -> str:
        """Of everything that the result depends on."""
        return sha256(
            canonical_json(
                {
                    "version": _VERSION,
                    "baseDnn": self.base.digest,
                    "dataset": self.dataset.digest,
                    "events": self.events,
                    "crop": [format(edge, ".9g") for edge in self.crop],
                    "branchpoints": self.branchpoints,
                    "epochs": self.training.epochs,
                    "seed": self.training.seed,
                }
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The M-Package, and which of its candidates were trained now, found finished from a run before, or beaten."""

    package: MPackage
    trained: tuple[str, ...]
    resumed: tuple[str, ...]
    beaten: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def existing(task: Task, store: StoreFolder) -> MPackage | None:
    """The M-Package, if this very training has been done before; a damaged one counts as not there and is made again."""
    if task.name not in store.layout.names():
        return None
    try:
        package = read_mpackage(store.layout, task.name)
        for candidate in package.config.candidates:
            store.layout.blob_path(candidate.branch_digest, size=candidate.branch_size)
    except PackageError:
        return None
    return package if package.config.training_hash == task.hash else None


def check(task: Task) -> tuple[Frames, tuple[Fold, ...]]:
    """The frames to use and how they are split (``InputError`` for labels that never occur, too few events)."""
    task.dataset.check_labels(task.events, where=task.where)
    frames = select_frames(task.dataset)
    return frames, folds(task.dataset, frames, task.events, seed=task.training.seed, where=task.where)


def train(task: Task, store: StoreFolder, network: Callable[[], Any], *, start: Start) -> Outcome:
    """Train what is not finished and write the M-Package; ``network`` gives the base DNN's Keras network when needed."""
    frames, parts = check(task)
    working = working_folder(task, store)
    candidates: list[Candidate] = []
    branches: dict[str, bytes] = {}
    resumed = []
    for branchpoint in task.branchpoints:
        finished = kept(working, branchpoint, task.precisions)
        if finished is not None:
            resumed.append(branchpoint)
        else:
            finished = train_candidates(
                task, branchpoint, task.branchpoints, frames, parts, store, network, start=start
            )
            keep(working, finished)
        candidates += [candidate for candidate, _ in finished]
        branches |= {candidate.branch_digest: branch for candidate, branch in finished}
    chosen = model_set(candidates, task.base.config.depth)
    package = write_mpackage(
        store.layout,
        package_config(task, chosen, parts),
        {c.branch_digest: branches[c.branch_digest] for c in chosen},
        name=task.name,
    )
    rmtree(working, ignore_errors=True)
    return Outcome(
        package=package,
        trained=tuple(name for name in task.branchpoints if name not in resumed),
        resumed=tuple(resumed),
        beaten=tuple(candidate_name(one.branchpoint, one.precision) for one in candidates if one not in chosen),
        warnings=few_events(task, parts),
    )


def train_candidates(
    task: Task,
    branchpoint: str,
    cuts: Sequence[str],
    frames: Frames,
    parts: Sequence[Fold],
    store: StoreFolder,
    network: Callable[[], Any],
    *,
    start: Start,
) -> list[tuple[Candidate, bytes]]:
    """A cut's candidates and their branches; ``frames`` and ``parts`` as ``check`` gives them.

    ``cuts`` are all branchpoints whose turn will come here: their features are computed in one pass.
    """
    cache = FeatureCache(store.features, store.layout)
    features = cache.features(task.base, task.dataset, frames, task.crop, cuts, start=start)
    return _candidates(task, network(), features[branchpoint], branchpoint, parts, start=start)


def package_config(task: Task, chosen: Sequence[Candidate], parts: Sequence[Fold]) -> MPackageConfig:
    """The config of an M-Package with those candidates, by depth ascending."""
    deepest = max(task.base.config.depth(candidate.branchpoint) for candidate in chosen)
    return MPackageConfig(
        base_dnn=task.base.digest,
        input_shape=task.base.config.input_shape,
        preprocessing=task.base.config.preprocessing,
        segments=task.base.config.segments[:deepest],
        classes=(*task.events, BACKGROUND),
        events=task.events,
        event_profile=_profile(task, chosen),
        event_profile_measured=_measured_on(task),
        candidates=tuple(chosen),
        measured_by="HeldOut" if len(parts) == 1 else "CrossValidation",
        dataset_digest=task.dataset.digest,
        training_hash=task.hash,
        seed=task.training.seed,
        made_by={package: version(package) for package in ("keras", "mainstream-edge")},
    )


def working_folder(task: Task, store: StoreFolder) -> Path:
    """Where finished candidates of this very training are kept until all are."""
    return store.training / task.hash.removeprefix("sha256:")


def _candidates(
    task: Task, network: Any, features: Features, branchpoint: str, parts: Sequence[Fold], *, start: Start
) -> list[tuple[Candidate, bytes]]:
    """A cut's candidates, one in each precision, and their branches.

    With several folds each is measured on, and the kept model is trained on all events.
    """
    rounds = (*parts, merged(parts)) if len(parts) > 1 else parts
    epochs, seed = task.training.epochs, task.training.seed
    advance = start(f"{task.name.removeprefix('mpackage/')} {branchpoint}", epochs * len(rounds))
    scored: dict[Precision, list[Scored]] = {precision: [] for precision in task.precisions}
    for number, part in enumerate(rounds):
        model = branch_model(network, task.base, branchpoint, len(task.events) + 1)
        trained = finetune(
            model, features, part.training, part.stopping, epochs=epochs, seed=seed + number, advance=advance
        )
        branches = _branches(task, trained.model, features, part.training.rows)
        if number < len(parts):
            for precision, branch in branches.items():
                scored[precision].append(
                    Scored(
                        probabilities=score(branch, features, part.measuring.rows),
                        classes=part.measuring.classes,
                        source=part.measured_source,
                        number=part.measured_number,
                    )
                )
    fps = Fraction(task.dataset.videos[0].facts.fps) if task.dataset.videos else None
    measured = {precision: measure(scored[precision], len(task.events), fps=fps) for precision in branches}
    return [
        (_candidate(branchpoint, precision, branch, measured[precision], trained), branch)
        for precision, branch in branches.items()
    ]


def _branches(task: Task, model: Any, features: Features, rows: NDArray[np.int64]) -> dict[Precision, bytes]:
    """The trained branch's graph in each precision; ``rows`` are the frames that it was trained on."""
    exported = export_tflite(model)
    if task.base.config.precision == "f32":
        return {"f32": exported}
    chosen = rows[np.unique(np.linspace(0, len(rows) - 1, CALIBRATION_FRAMES).astype(int))]

    def samples() -> Iterator[NDArray[np.float32]]:
        return (features(0, chosen[place : place + 1]) for place in range(len(chosen)))

    border = features.border
    return {
        "f32": exported if border is None else float_branch(exported, border),
        "int8": quantised_branch(model, border, samples),
    }


def _candidate(
    branchpoint: str, precision: Precision, branch: bytes, accuracy: Accuracy, trained: Trained
) -> Candidate:
    return Candidate(
        branchpoint=branchpoint,
        precision=precision,
        branch_digest=sha256(branch),
        branch_size=len(branch),
        true_positive_rate=accuracy.true_positive_rate,
        false_positive_rate=accuracy.false_positive_rate,
        event_frames=accuracy.event_frames,
        background_frames=accuracy.background_frames,
        interval=accuracy.interval,
        correlation=accuracy.correlation,
        background_correlation=accuracy.background_correlation,
        confusion=accuracy.confusion,
        history=trained.history,
        trainable_parameters=trained.trainable_parameters,
    )


def _profile(task: Task, candidates: Sequence[Candidate]) -> EventProfile | None:
    """Measured on all videos; its correlation is that of the deepest candidate's verdicts. Pictures have none."""
    videos = [(v.facts.frames, Fraction(v.facts.fps), v.spans(task.events)) for v in task.dataset.videos]
    return measured_profile(videos, correlation=candidates[-1].correlation) if videos else None


def _measured_on(task: Task) -> str:
    count = sum(len(video.spans(task.events)) for video in task.dataset.videos)
    return f"{count} events of {len(task.dataset.videos)} videos" if task.dataset.videos else ""


def few_events(task: Task, parts: Sequence[Fold]) -> tuple[str, ...]:
    """A warning where p and q come from cross-validation."""
    if len(parts) == 1:
        return ()
    warning = (
        f"{task.where}: there are too few events to hold a part of them back, so p and q come from cross-validation "
        f"over {len(parts)} folds of events; take the plan's F1 with care"
    )
    return (warning,)
