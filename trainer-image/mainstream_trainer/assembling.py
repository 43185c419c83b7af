"""One M-Package of the parts that the shares of a training have left in the registry; the Pareto rule is applied over all.

It is the package that one pod would have made alone: the dataset is not needed for it.
"""

from collections.abc import Sequence

from mainstream.errors import InputError, OperationError
from mainstream.job_program import Surroundings
from mainstream.jobs import JobResult, TrainTask
from mainstream.packages.artifacts import mpackage_name, split_key, write_mpackage
from mainstream.packages.modelset import model_set
from mainstream.packages.mpackage import MPackage
from mainstream_trainer.patience import patiently
from mainstream_trainer.workplace import Workplace, told, workplace


def assemble(job: TrainTask, surroundings: Surroundings) -> JobResult:
    """Pull all parts, choose, push (``OperationError`` if one is missing, ``InputError`` if they are of different data)."""
    with workplace(job, surroundings) as place:
        parts = _parts(place)
        depth = place.base.config.depth
        chosen = model_set([candidate for part in parts for candidate in part.config.candidates], depth)
        deepest = max(chosen, key=lambda candidate: depth(candidate.branchpoint))
        # The event profile of a package has the correlation of its deepest candidate, and so has that one's part.
        (model,) = (part.config for part in parts if deepest in part.config.candidates)
        layout = place.store.layout
        package = write_mpackage(
            layout,
            model.model_copy(update={"candidates": chosen}),
            {one.branch_digest: layout.read_blob(one.branch_digest, size=one.branch_size) for one in chosen},
            name=mpackage_name(*split_key(job.app), place.base.config.precision),
        )
        reference = patiently(lambda: place.repository.push_whole(package), surroundings)
        surroundings.say("assembled", reference=reference, candidates=len(chosen))
        return told(package, reference)


def _parts(place: Workplace) -> Sequence[MPackage]:
    parts = []
    for branchpoint in place.branchpoints:
        part = patiently(
            lambda branchpoint=branchpoint: place.repository.part(place.base.config.depth(branchpoint)),  # type: ignore[misc]
            place.surroundings,
        )
        if part is None:
            raise OperationError(
                f"there is no candidate for branchpoint {branchpoint!r} in {place.repository.place}",
                where=place.where,
                remedy="The registry has lost it: delete the app's Jobs, and it is trained again.",
            )
        parts.append(part)
    if len({part.config.training_hash for part in parts}) > 1:
        raise InputError(
            "the shares have trained on different data: the dataset was changed meanwhile",
            where=f"{place.where}.dataset",
            remedy="Leave it alone until training is done; to train again, change spec.training.seed.",
        )
    return parts
