"""Which package an app uses, and which Jobs that takes: first training, retraining, worse results, failures, shares."""

from typing import Any

import pytest

from mainstream.jobs import Failure, JobResult
from mainstream.resources.names import ACCEPT_ANNOTATION
from mainstream_operator import kinds
from mainstream_operator.client import ObjectKey
from mainstream_operator.job_views import JOB_NAME, job_view
from mainstream_operator.made import Made
from mainstream_operator.training import Result, Wait, base_outcome, choose, package_status, training
from mainstream_operator.values import JobView

from .conftest import package

REFERENCE = "registry.test:5000/traffic/red-car@sha256:" + "1" * 64


def _job(state: str, *, reference: str | None = None, failure: str | None = None, trouble: str = "") -> JobView:
    result = None
    if reference:
        result = JobResult(reference=reference, best_p_minus_q=0.9)
    elif failure:
        result = JobResult(failure=Failure(reason=failure, message="events.csv line 3: no such video"))  # type: ignore[arg-type]
    return JobView(name="red-car-train-1", state=state, result=result, trouble=trouble)  # type: ignore[arg-type]


def test_an_app_without_a_package_is_trained_once() -> None:
    """A Job is created; while it runs the app waits; its result counts also where the Job is gone."""
    first = training("h1", None, None, {}, 1)
    assert first.create == "train"
    assert isinstance(first.outcome, Wait)
    running = training("h1", None, None, {"train": _job("Active", trouble="ImagePullBackOff: no such image")}, 1)
    assert running.create is None
    assert isinstance(running.outcome, Wait)
    assert "ImagePullBackOff" in running.outcome.message
    done = training("h1", None, None, {"train": _job("Succeeded", reference=REFERENCE)}, 1)
    assert done.outcome == Result(reference=REFERENCE, training_hash="h1", best_p_minus_q=0.9)
    later = training("h1", {"reference": REFERENCE, "trainingHash": "h1"}, None, {}, 1)
    assert later.create is None
    assert isinstance(later.outcome, Result)


def test_another_hash_is_another_training() -> None:
    """What was trained for something else does not count."""
    assert training("h2", {"reference": REFERENCE, "trainingHash": "h1"}, None, {}, 1).create == "train"


def test_a_result_that_is_held_back_is_not_trained_again() -> None:
    """Its hash is remembered, too."""
    held = {"reference": REFERENCE, "trainingHash": "h2", "bestPMinusQ": "0.500"}
    answer = training("h2", {"reference": "old", "trainingHash": "h1"}, held, {}, 1)
    assert answer.create is None
    assert answer.outcome == Result(reference=REFERENCE, training_hash="h2", best_p_minus_q=0.5)


def test_shares_are_assembled_when_all_are_done() -> None:
    """With parallelism the first Job's end is half of it."""
    share = {"train": _job("Succeeded")}
    assert training("h1", None, None, {"train": _job("Active")}, 4).create is None
    assert training("h1", None, None, share, 4).create == "assemble"
    both = {**share, "assemble": _job("Succeeded", reference=REFERENCE)}
    assert isinstance(training("h1", None, None, both, 4).outcome, Result)  # type: ignore[arg-type]


@pytest.mark.parametrize("reason", ["DatasetInvalid", "TrainingFailed", "RegistryCredentialsMissing"])
def test_a_failure_says_its_reason(reason: str) -> None:
    """The trainer's words, not the Job's."""
    outcome = training("h1", None, None, {"train": _job("Failed", failure=reason)}, 1).outcome
    assert outcome == Wait(reason=reason, message="events.csv line 3: no such video", failed=True)


def test_a_job_that_failed_without_a_word_names_itself() -> None:
    """Killed, evicted, never started."""
    outcome = training("h1", None, None, {"train": _job("Failed", trouble="BackoffLimitExceeded")}, 1).outcome
    assert isinstance(outcome, Wait)
    assert outcome.reason == "TrainingFailed"
    assert "red-car-train-1" in outcome.message
    assert "BackoffLimitExceeded" in outcome.message


def test_while_it_is_retrained_the_old_package_stays_in_use() -> None:
    """The condition stays True and says so, also where retraining fails."""
    old = package(training_hash="h1")
    runs = choose(Wait(reason="TrainingPending", message="training runs"), old, {})
    assert (runs.package, runs.trained.good, runs.trained.reason) == (old, True, "Retraining")
    failed = choose(Wait(reason="DatasetInvalid", message="no", failed=True), old, {})
    assert (failed.package, failed.trained.good, failed.trained.reason) == (old, True, "RetrainingFailed")
    assert "no" in failed.trained.message


def test_without_an_old_package_a_failure_is_the_apps() -> None:
    """With its own reason."""
    choice = choose(Wait(reason="DatasetInvalid", message="no", failed=True), None, {})
    assert (choice.package, choice.trained.good, choice.trained.reason) == (None, False, "DatasetInvalid")


def test_a_worse_result_is_held_back_until_somebody_accepts_it() -> None:
    """By its digest: the next one is not accepted with it."""
    old, new = package(quality=0.9, training_hash="h1"), package(quality=0.8, training_hash="h2")
    held = choose(new, old, {})
    assert (held.package, held.trained.reason) == (old, "RetrainedWorse")
    assert held.held is not None
    assert held.held["trainingHash"] == "h2"
    assert f"{ACCEPT_ANNOTATION}={new.package.digest}" in held.trained.message
    accepted = choose(new, old, {ACCEPT_ANNOTATION: new.package.digest})
    assert (accepted.package, accepted.held) == (new, None)
    assert choose(new, old, {ACCEPT_ANNOTATION: "sha256:another"}).package is old


def test_a_result_that_is_a_little_worse_is_taken() -> None:
    """Training is noisy."""
    old, new = package(quality=0.9, training_hash="h1"), package(quality=0.885, training_hash="h2")
    assert choose(new, old, {}).package is new


def test_a_package_that_a_person_gives_is_taken_however_good_it_is() -> None:
    """That is what giving it means."""
    new = package(quality=0.5)
    assert choose(new, package(quality=0.9, training_hash="h1"), {}).package is new


def test_a_base_dnn_is_imported_once() -> None:
    """Its reference is remembered beyond the Job."""
    assert isinstance(base_outcome(None, None), Wait)
    assert base_outcome(_job("Succeeded", reference=REFERENCE), None) == REFERENCE
    assert base_outcome(None, REFERENCE) == REFERENCE
    failed = base_outcome(_job("Failed", failure="BaseDnnFailed"), None)
    assert isinstance(failed, Wait)
    assert (failed.reason, failed.failed) == ("BaseDnnFailed", True)


def test_the_status_sums_the_package_up() -> None:
    """Lowest and highest of its candidates' best."""
    status = package_status(package(quality=0.9, training_hash="h1"))
    assert (status["candidates"], status["bestPMinusQ"], status["trainingHash"]) == (2, "0.800..0.900", "h1")


FAILED, DONE = (
    JobResult(failure=Failure(reason="DatasetInvalid", message="no such folder")),
    JobResult(reference=REFERENCE),
)


def _made(kind: kinds.Kind, name: str, body: dict[str, Any], **labels: str) -> Made:
    metadata = {"name": name, **body.get("metadata", {})}
    key = ObjectKey(kind, "traffic", name)
    return Made(
        key=key, uid=name, version="1", generation=1, created="", labels=labels, applied=None, ending=False,
        body={**body, "metadata": metadata},
    )  # fmt: skip


def _viewed(condition: str | None, *results: JobResult) -> JobView:
    """A Job in that condition whose pods left those results, one after the other."""
    conditions = [{"type": condition, "status": "True"}] if condition else []
    pods = [
        _made(
            kinds.POD, f"pod-{number}",
            {
                "metadata": {"creationTimestamp": f"2026-01-01T00:0{number}:00Z"},
                "status": {
                    "containerStatuses": [{"state": {"terminated": {"message": result.termination_message().decode()}}}]
                },
            },
            **{JOB_NAME: "job"},
        )
        for number, result in enumerate(results)
    ]  # fmt: skip
    return job_view(_made(kinds.JOB, "job", {"status": {"conditions": conditions}}), reversed(pods))


def test_a_pod_that_was_tried_again_with_success_is_no_failure() -> None:
    """The dataset's volume was not filled yet; the Job's next pod found it. Its result counts, whatever came before."""
    assert _viewed(None, FAILED).result is None
    assert _viewed("SuccessCriteriaMet", FAILED, DONE).result == DONE
    assert _viewed("Complete", FAILED, FAILED, DONE).result == DONE
    assert isinstance(training("h1", None, None, {"train": _viewed("Complete", FAILED, DONE)}, 1).outcome, Result)


def test_in_a_job_that_failed_a_failure_counts_whichever_share_it_is_of() -> None:
    """Another share's pod may have ended well after it."""
    share = JobResult(candidates=1)
    assert _viewed("Failed", FAILED, share).result == FAILED
    assert _viewed("Failed", share).result == share
