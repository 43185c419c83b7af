"""Which package an app uses, and which Jobs that takes. Pure: from what the app asks for and what was observed.

A trained package is remembered in the app's status under the hash of what it was trained for, so a Job that is gone is not run
again. While an app is retrained, and where that fails or gives something worse, its old package stays in use.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mainstream.errors import InputError
from mainstream.jobs import JobResult
from mainstream.resources.names import ACCEPT_ANNOTATION
from mainstream_operator.values import Finding, JobView, PackageInUse, Plain

WORSE = 0.02
"""Of the best p - q: a retrained package that loses more is held back (formats, Trainer Jobs)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """There is no new package yet, or there will be none; ``reason`` is the API's."""

    reason: str
    message: str
    failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A reference by digest that a training left."""

    reference: str
    training_hash: str
    best_p_minus_q: float | None = None


Outcome = Result | Wait
Share = Literal["train", "assemble"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What is to be done: the Job that is missing, and what there is so far."""

    create: Share | None
    outcome: Outcome


def base_outcome(job: JobView | None, known: str | None) -> str | Wait:
    """The base DNN's reference, or why there is none yet. ``known`` was remembered from an earlier import."""
    if known is not None:
        return known
    if job is None or job.state == "Active":
        return Wait(reason="BaseDnnPending", message=_pending(job, "the base DNN is imported"))
    if job.result is not None and job.result.reference is not None:
        return job.result.reference
    return Wait(reason="BaseDnnFailed", message=_failure(job, "the import failed"), failed=True)


def training(
    mark: str,
    kept: Mapping[str, str] | None,
    held: Mapping[str, str] | None,
    jobs: Mapping[Share, JobView],
    shares: int,
) -> Training:
    """What the training of that hash has come to; ``kept`` and ``held`` are the status's package and held-back result."""
    for known in (kept, held):
        if known and known.get("trainingHash") == mark and known.get("reference"):
            best = known.get("bestPMinusQ", "").rpartition("..")[2]
            result = Result(
                reference=known["reference"], training_hash=mark, best_p_minus_q=float(best) if best else None
            )
            return Training(create=None, outcome=result)
    train, assembling = jobs.get("train"), jobs.get("assemble")
    last = train if shares == 1 else assembling
    if last is not None and last.result is not None and last.result.reference is not None:
        return Training(create=None, outcome=_result(last.result, mark))
    for job in (train, assembling):
        if job is not None and job.state == "Failed":
            reason = job.result.failure.reason if job.result and job.result.failure else "TrainingFailed"
            wait = Wait(reason=reason, message=_failure(job, "training failed"), failed=True)
            return Training(create=None, outcome=wait)
    if train is None:
        create: Share | None = "train"
    else:
        create = "assemble" if shares > 1 and train.state == "Succeeded" and assembling is None else None
    running = assembling or train
    return Training(create=create, outcome=Wait(reason="TrainingPending", message=_pending(running, "training runs")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The package in use (None: none), what the condition Trained says, and a result that is held back."""

    package: PackageInUse | None
    trained: Finding
    held: Mapping[str, str] | None = None


def choose(
    new: PackageInUse | Wait, old: PackageInUse | None, annotations: Mapping[str, str], best: float | None = None
) -> Choice:
    """Between what training (or the manifest) gives and what is in use. ``best`` is the new one's best p - q."""
    if isinstance(new, Wait):
        if old is None:
            return Choice(package=None, trained=Finding(good=False, reason=new.reason, message=new.message))
        reason = "RetrainingFailed" if new.failed else "Retraining"
        message = f"{new.message}; the package {old.package.digest[:19]}... stays in use"
        return Choice(package=old, trained=Finding(good=True, reason=reason, message=message))
    ready = Finding(good=True, reason="Ready", message=f"package {new.package.digest[:19]}... is there and verified")
    if old is None or new.training_hash is None or old.training_hash in (None, new.training_hash):
        return Choice(package=new, trained=ready)
    before, after = best_p_minus_q(old), best if best is not None else best_p_minus_q(new)
    if after >= before - WORSE or annotations.get(ACCEPT_ANNOTATION) == new.package.digest:
        return Choice(package=new, trained=ready)
    held = {
        "reference": new.reference,
        "digest": new.package.digest,
        "trainingHash": new.training_hash,
        "bestPMinusQ": f"{after:.3f}",
    }
    message = (
        f"retraining gave a best p - q of {after:.3f}, {before:.3f} is in use; to take it all the same: kubectl annotate "
        f"mainstreamapp NAME {ACCEPT_ANNOTATION}={new.package.digest}"
    )
    return Choice(package=old, trained=Finding(good=True, reason="RetrainedWorse", message=message), held=held)


def best_p_minus_q(package: PackageInUse) -> float:
    """Of all candidates and thresholds."""
    return max(
        p - q
        for candidate in package.package.config.candidates
        for p, q in zip(candidate.true_positive_rate, candidate.false_positive_rate, strict=True)
    )


def package_status(package: PackageInUse) -> Plain:
    """``status.package``: a summary."""
    best = [
        max(p - q for p, q in zip(one.true_positive_rate, one.false_positive_rate, strict=True))
        for one in package.package.config.candidates
    ]
    plain: Plain = {
        "reference": package.reference,
        "digest": package.package.digest,
        "candidates": len(best),
        "bestPMinusQ": f"{min(best):.3f}..{max(best):.3f}",
    }
    return plain | ({"trainingHash": package.training_hash} if package.training_hash else {})


def package_failure(error: InputError, *, trained: bool) -> Wait:
    """Why a package cannot be used."""
    return Wait(reason="TrainingFailed" if trained else "PackageInvalid", message=error.line, failed=True)


def _result(result: JobResult, mark: str) -> Result:
    return Result(reference=result.reference or "", training_hash=mark, best_p_minus_q=result.best_p_minus_q)


def _pending(job: JobView | None, what: str) -> str:
    if job is None:
        return "a Job is being created"
    return f"{what} in Job {job.name}" + (f": {job.trouble}" if job.trouble else "")


def _failure(job: JobView, what: str) -> str:
    if job.result is not None and job.result.failure is not None:
        return job.result.failure.message
    return f"{what}: Job {job.name}" + (f": {job.trouble}" if job.trouble else "")
