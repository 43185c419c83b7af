"""A base DNN is imported once and pushed; a Job that is run again finds it under its tag."""

from pathlib import Path

from mainstream.documents import sha256
from mainstream.errors import InputError
from mainstream.job_program import Surroundings, failing
from mainstream.jobs import BaseDnnTask, JobResult
from mainstream.packages.folder import StoreFolder
from mainstream.packages.registry.push import Pusher
from mainstream.packages.registry.reference import parse_reference
from mainstream.resources.app import BaseDnnRef
from mainstream_trainer.basednn import import_base_dnn
from mainstream_trainer.fetch import fetch_file, is_remote
from mainstream_trainer.patience import patiently
from mainstream_trainer.pretrained import IMAGENET, RANDOM

WHERE = "spec.training.baseDnn"
TAG = "imported"
"""The repository is named after what is imported and by which image, so one tag is enough."""


def base_job(task: BaseDnnTask, surroundings: Surroundings) -> JobResult:
    """Import and push; the result is the reference by digest (``InputError``, ``OperationError``)."""
    wanted = task.base_dnn
    if wanted.architecture is None:
        raise InputError("has a reference already, so there is nothing to import", where=WHERE)
    place = parse_reference(f"{task.push}:{TAG}", where="push")
    client = surroundings.access(task.registries).client(place, stop=surroundings.stop)
    try:
        if client.has(place.repository, "manifests", TAG):
            there = place.at(sha256(client.manifest(place.repository, TAG)))
            surroundings.say("the base DNN is there already", reference=str(there))
            return JobResult(reference=str(there))
        layout = StoreFolder(surroundings.work / "store").layout
        start = surroundings.steps.start
        base, _ = import_base_dnn(
            layout,
            name=wanted.architecture,
            alpha=wanted.alpha,
            input_size=wanted.input_size,
            weights=_weights(wanted, surroundings),
            precision=wanted.precision or "f32",
            where=WHERE,
            start=start,
            warn=surroundings.warn,
        )
        pusher = Pusher(layout, client, start=start)
        with failing("BaseDnnFailed"):
            pushed = patiently(lambda: pusher.push(base.digest, place), surroundings)
    finally:
        client.close()
    reference = pushed[-1].reference
    surroundings.say("the base DNN is imported", reference=reference)
    return JobResult(reference=reference)


def _weights(wanted: BaseDnnRef, surroundings: Surroundings) -> str | Path:
    """``imagenet``, ``random``, or a file: in the image, or fetched."""
    given = wanted.weights or IMAGENET
    if given in {IMAGENET, RANDOM}:
        return given
    if is_remote(given):
        start = surroundings.steps.start
        return fetch_file(given, surroundings.work / "weights", field="weights", where=WHERE, start=start)
    if not Path(given).is_file():
        raise InputError(
            f"weights: there is no file {given!r} in the trainer's image",
            where=WHERE,
            remedy="Give imagenet, a URI (https://, s3://), or a path in an image of your own (images.trainer).",
        )
    return Path(given)
