"""Training in a cluster: a whole Model Set, or a share of its branchpoints; every finished candidate goes to the registry."""

from collections.abc import Callable, Sequence
from pathlib import Path

from mainstream.errors import InputError, OperationError
from mainstream.job_program import Surroundings, failing
from mainstream.jobs import JobResult, TrainTask
from mainstream.packages.artifacts import mpackage_name, split_key, write_mpackage
from mainstream.packages.modelset import model_set
from mainstream.packages.mpackage import Candidate
from mainstream_trainer.dataset import Dataset, read_dataset
from mainstream_trainer.examples import Fold
from mainstream_trainer.features import Frames
from mainstream_trainer.fetch import fetch, is_remote
from mainstream_trainer.patience import patiently
from mainstream_trainer.training import (
    Task,
    check,
    few_events,
    package_config,
    train_candidates,
)
from mainstream_trainer.workplace import Workplace, told, workplace

INDEX_VARIABLE = "JOB_COMPLETION_INDEX"
"""Kubernetes sets it in the pods of an Indexed Job."""

Finished = tuple[Candidate, bytes]


def train_job(job: TrainTask, surroundings: Surroundings) -> JobResult:
    """Train; the result is the M-Package's reference, or how many candidates this share has finished."""
    share = _share(job, surroundings)
    with workplace(job, surroundings) as place:
        with failing("DatasetInvalid"):
            dataset = _dataset(place)
        task = Task(
            name=mpackage_name(*split_key(job.app), place.base.config.precision),
            where=place.where,
            events=job.events,
            training=job.training,
            branchpoints=place.branchpoints,
            crop=job.crop,
            base=place.base,
            dataset=dataset,
        )
        with failing("DatasetInvalid"):
            frames, parts = check(task)
        for warning in (*dataset.warnings, *few_events(task, parts)):
            surroundings.warn(warning)
        if share is None and (done := place.repository.whole()) is not None and done.config.training_hash == task.hash:
            reference = place.repository.push_whole(done)
            surroundings.say("trained already", reference=reference)
            return told(done, reference)
        mine = task.branchpoints if share is None else task.branchpoints[share :: job.shares]
        finished = [one for cut in mine for one in _candidates(place, task, cut, mine, frames, parts)]
        if share is not None:
            return JobResult(candidates=len(finished))
        return _whole(place, task, finished, parts)


def _candidates(
    place: Workplace, task: Task, branchpoint: str, mine: Sequence[str], frames: Frames, parts: Sequence[Fold]
) -> Sequence[Finished]:
    """A cut's, one in each precision. From the registry, if it has been trained before; else trained now, and pushed."""
    repository, surroundings = place.repository, place.surroundings
    depth = place.base.config.depth(branchpoint)
    there = repository.part(depth)
    if there is not None and there.config.training_hash == task.hash:
        surroundings.say(f"{branchpoint}: finished before", branchpoint=branchpoint)
        layout = place.store.layout
        return [(one, layout.read_blob(one.branch_digest, size=one.branch_size)) for one in there.config.candidates]
    with failing(
        "TrainingFailed", wrong_input="DatasetInvalid"
    ):  # what was not read before are the pictures themselves
        finished = train_candidates(
            task, branchpoint, mine, frames, parts, place.store, lambda: place.network, start=surroundings.steps.start
        )
    config = package_config(task, [candidate for candidate, _ in finished], parts)
    best = max(
        p - q
        for candidate, _ in finished
        for p, q in zip(candidate.true_positive_rate, candidate.false_positive_rate, strict=True)
    )
    surroundings.say(f"{branchpoint}: finished", branchpoint=branchpoint, bestPMinusQ=round(best, 4))
    branches = {candidate.branch_digest: branch for candidate, branch in finished}
    _push(place, branchpoint, lambda: repository.push_part(config, branches, depth))
    return finished


def _push(place: Workplace, branchpoint: str, push: Callable[[], str]) -> None:
    """A candidate that cannot be pushed is only lost if this pod is; a share is nothing without its parts."""
    try:
        if place.task.shares > 1:
            patiently(push, place.surroundings)
        else:
            push()
    except OperationError as error:
        if place.task.shares > 1:
            raise
        place.surroundings.warn(f"{branchpoint}: not in the registry yet: {error}", branchpoint=branchpoint)
    else:
        place.surroundings.say(f"{branchpoint}: in the registry", branchpoint=branchpoint)


def _whole(place: Workplace, task: Task, finished: Sequence[Finished], parts: Sequence[Fold]) -> JobResult:
    branches = {candidate.branch_digest: branch for candidate, branch in finished}
    chosen = model_set([candidate for candidate, _ in finished], task.base.config.depth)
    package = write_mpackage(
        place.store.layout,
        package_config(task, chosen, parts),
        {candidate.branch_digest: branches[candidate.branch_digest] for candidate in chosen},
        name=task.name,
    )
    reference = patiently(lambda: place.repository.push_whole(package), place.surroundings)
    place.surroundings.say("trained", reference=reference, candidates=len(chosen))
    return told(package, reference)


def _share(job: TrainTask, surroundings: Surroundings) -> int | None:
    """Which share this pod trains; None: all."""
    if job.shares == 1:
        return None
    text = surroundings.environment.get(INDEX_VARIABLE, "")
    if not (text.isascii() and text.isdigit() and int(text) < job.shares):
        raise InputError(f"expected a share from 0 to {job.shares - 1}, got {text!r:.20}", where=INDEX_VARIABLE)
    return int(text)


def _dataset(place: Workplace) -> Dataset:
    uri, where = place.task.dataset, f"{place.where}.dataset.uri"
    if is_remote(uri):
        root = fetch(uri, place.surroundings.work / "datasets", where=where, start=place.surroundings.steps.start)
    else:
        root = Path(uri)
        if not root.exists():  # whoever fills the volume may have begun at the same time as we: another try may find it
            raise OperationError(
                f"there is no folder {root.name!r} on the volume",
                where=where,
                remedy="Check the path after pvc://CLAIM/, and whether the volume has been filled.",
            )
    return read_dataset(root)
