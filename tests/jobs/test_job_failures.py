"""What a Job says when it cannot do its task: the API's reason, what is wrong and what to do, an exit status that fits."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mainstream.errors import InputError, MainstreamError, OperationError
from mainstream.jobs import MESSAGE_LIMIT, ProfileTask

from .conftest import Pod, Registry
from .test_train_job import base_task, train_task

RunPod = Callable[..., tuple[int, Pod]]


@pytest.fixture
def base(registry: Registry, run_pod: RunPod) -> str:
    """The tiny base DNN in the registry."""
    status, pod = run_pod("mainstream_trainer", base_task(registry))
    assert status == 0, pod.logs
    return str(pod.result.reference)


def failed(pod: Pod, status: int, reason: str, *says: str) -> None:
    """It left that reason, and a message that says all of this; its log has it too, and no stack trace."""
    assert pod.process.returncode == status, pod.logs
    failure = pod.result.failure
    assert failure is not None
    assert failure.reason == reason, failure
    assert len(failure.message) <= MESSAGE_LIMIT
    for part in says:
        assert part in failure.message, failure.message
    assert "Traceback" not in json.dumps(pod.logs)
    assert pod.logs[-1]["level"] == "error"


def test_a_task_that_is_none(run_pod: RunPod) -> None:
    """Of another program's, of no kind, no JSON: for whoever wrote it."""
    other = ProfileTask(edge_node="gate", engine="LiteRT", threads=1, base_dnn="x").canonical().decode()
    for text, says in (
        (other, "kind: expected Train or BaseDnn, got 'Profile'"),
        ("{}", "kind: required field is missing"),
        ("{not json", "not readable as JSON"),
        ('{"kind": "Train", "app": 7}', "app"),
    ):
        _, pod = run_pod("mainstream_trainer", text)
        failed(pod, 2, "TrainingFailed", "MAINSTREAM_TASK", says)


def test_labels_and_branchpoints_that_there_are_none_of(
    registry: Registry, base: str, red_and_blue: Path, run_pod: RunPod
) -> None:
    """The message lists those that there are."""
    _, pod = run_pod("mainstream_trainer", train_task(registry, base, red_and_blue, events=("rde",)))
    failed(pod, 2, "DatasetInvalid", "MainstreamApp default/red", "never shows 'rde'", "Its labels are: blue, red")
    _, pod = run_pod("mainstream_trainer", train_task(registry, base, red_and_blue, branchpoints=("conv_99",)))
    failed(pod, 2, "TrainingFailed", "no branchpoint 'conv_99'", "conv_pw_13")
    _, pod = run_pod("mainstream_trainer", train_task(registry, base, red_and_blue, shares=2))
    failed(pod, 2, "TrainingFailed", "JOB_COMPLETION_INDEX", "from 0 to 1")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (InputError("no such thing", where="a.yaml"), "a.yaml: no such thing"),
        (
            OperationError("it cannot be reached: refused", remedy="Is it up?\n  Then try again."),
            "it cannot be reached: refused. Is it up? Then try again.",
        ),
        (InputError("what is that?", remedy="Name it."), "what is that? Name it."),
    ],
)
def test_what_is_wrong_and_what_to_do_are_sentences_of_one_line(error: MainstreamError, line: str) -> None:
    """Conditions and Jobs have one line only."""
    assert error.line == line
