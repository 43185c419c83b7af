"""Apps that are trained: a base DNN is imported, a Model Set trained, retrained without a gap, held back where it is worse."""

import json
import shutil
from typing import Any

import pytest

from mainstream.jobs import TASK_VARIABLE, BaseDnnTask, Failure, JobResult, TrainTask

from .operated import NAMESPACE, Operated
from .packages import Registry
from .stage import Stage, edge_node, packaged_app
from .waiting import eventually

pytestmark = pytest.mark.cluster

DATASET = {"uri": "pvc://datasets/red-car", "secretRef": {"name": "bucket"}}
BASE = {"architecture": "MobileNet", "alpha": "0.25", "inputSize": 32, "weights": "imagenet"}


def _trained_app(name: str = "red-car", **training: Any) -> dict[str, Any]:
    body = packaged_app(name, "traffic", "", "box-1")
    del body["spec"]["package"]
    body["spec"]["training"] = {"baseDnn": BASE, "dataset": DATASET, **training}
    return body


def _task(job: dict[str, Any]) -> str:
    [variable] = [
        one for one in job["spec"]["template"]["spec"]["containers"][0]["env"] if one["name"] == TASK_VARIABLE
    ]
    text: str = variable["value"]
    return text


def _job(stage: Stage, namespace: str, component: str, operated: Operated) -> dict[str, Any]:
    [job] = eventually(f"a {component} Job", lambda: stage.jobs(namespace, component), why=operated.tail)
    found: dict[str, Any] = job
    return found


def _trained(stage: Stage, reason: str, operated: Operated) -> tuple[str, str, str]:
    def look() -> bool:
        return stage.condition("mainstreamapps", "red-car", "Trained", "traffic")[1] == reason

    eventually(f"Trained says {reason}", look, why=operated.tail)
    return stage.condition("mainstreamapps", "red-car", "Trained", "traffic")


def _end_training(stage: Stage, operated: Operated, artifacts: Registry, *, quality: float = 0.9, seed: int = 0) -> str:
    job = _job(stage, "traffic", "trainer", operated)
    task = TrainTask.parse(_task(job), where="task")
    reference = artifacts.push_app(task.push.partition("/")[2], quality=quality, seed=seed)
    stage.end_job(job, JobResult(reference=reference, best_p_minus_q=quality - 0.01, candidates=2))
    return reference


def test_training_retraining_and_accepting(operated: Operated, stage: Stage, artifacts: Registry) -> None:
    """From architecture and data to a schedule; each result is kept in the status, so that no Job is run twice."""
    stage.host("box-1")
    stage.apply(edge_node("box-1"))
    stage.apply(_trained_app())
    operated.start()

    base_job = _job(stage, NAMESPACE, "base-dnn", operated)
    task = BaseDnnTask.parse(_task(base_job), where="task")
    assert task.base_dnn.plain() == BASE
    _trained(stage, "BaseDnnPending", operated)
    base = artifacts.push_base()
    stage.end_job(base_job, JobResult(reference=base))

    job = _job(stage, "traffic", "trainer", operated)
    train = TrainTask.parse(_task(job), where="task")
    assert (train.base_dnn, train.dataset) == (base, "/var/lib/mainstream/dataset/red-car")
    assert job["spec"]["template"]["spec"]["containers"][0]["envFrom"] == [{"secretRef": {"name": "bucket"}}]
    assert [one["kind"] for one in job["metadata"]["ownerReferences"]] == ["MainstreamApp"]
    first = _end_training(stage, operated, artifacts)
    _trained(stage, "Ready", operated)
    assert stage.status("mainstreamapps", "red-car", "traffic")["package"]["reference"] == first
    stage.bring_up("box-1")

    # Another seed: the old package runs on while it is trained, and where that fails.
    stage.apply(_trained_app(seed=1))
    _trained(stage, "Retraining", operated)
    stage.end_job(
        _job(stage, "traffic", "trainer", operated),
        JobResult(failure=Failure(reason="DatasetInvalid", message="events.csv, line 3: no such video")),
        code=2,
    )
    assert "events.csv, line 3" in _trained(stage, "RetrainingFailed", operated)[2]
    assert (stage.schedule("box-1") or {})["apps"][0]["package"] == first

    # A worse result waits until somebody takes it.
    stage.apply(_trained_app(seed=2))
    worse = _end_training(stage, operated, artifacts, quality=0.7, seed=2)
    message = _trained(stage, "RetrainedWorse", operated)[2]
    status = stage.status("mainstreamapps", "red-car", "traffic")
    assert (status["package"]["reference"], status["heldPackage"]["reference"]) == (first, worse)
    command = message.partition("kubectl annotate ")[2].split()
    stage.plane.did("annotate", "--namespace=traffic", command[0], "red-car", command[2])
    _trained(stage, "Ready", operated)
    eventually("it is in the schedule", lambda: (stage.schedule("box-1") or {})["apps"][0]["package"] == worse)
    status = stage.status("mainstreamapps", "red-car", "traffic")
    assert status["previousPackage"]["reference"] == first
    assert "heldPackage" not in status


def test_a_training_that_nobody_wants_any_more_is_ended(operated: Operated, stage: Stage, artifacts: Registry) -> None:
    """When the spec changes while it runs: its Job goes, another one comes; deleting the app takes that along."""
    stage.host("box-1")
    stage.apply(edge_node("box-1"))
    base = artifacts.push_base()
    stage.apply(_trained_app(baseDnn={"reference": base}, parallelism=2))
    operated.start()
    first = _job(stage, "traffic", "trainer", operated)
    assert (first["spec"]["completionMode"], first["spec"]["completions"]) == ("Indexed", 2)
    stage.apply(_trained_app(baseDnn={"reference": base}, parallelism=2, epochs=3))
    eventually(
        "another Job instead",
        lambda: (
            [job["metadata"]["name"] for job in stage.jobs("traffic", "trainer")]
            not in ([], [first["metadata"]["name"]])
            and len(stage.jobs("traffic", "trainer")) == 1
        ),
        why=operated.tail,
    )
    stage.end_job(_job(stage, "traffic", "trainer", operated), JobResult(candidates=1))
    assembling = eventually(
        "the shares are assembled",
        lambda: [job for job in stage.jobs("traffic", "trainer") if "assemble" in job["metadata"]["name"]],
        why=lambda: operated.tail() + json.dumps(stage.items("/apis/batch/v1/namespaces/traffic/jobs"))[-3000:],
    )[0]
    assert TrainTask.parse(_task(assembling), where="task").assemble
    stage.delete(_trained_app())
    eventually("its Jobs are gone", lambda: not stage.items("/apis/batch/v1/namespaces/traffic/jobs"))


def test_a_registry_that_is_away_at_a_start_costs_nothing(
    operated: Operated, stage: Stage, artifacts: Registry
) -> None:
    """The schedule stays as it is, nothing is forgotten and nothing trained again; when it is back, changes are planned."""
    stage.host("box-1")
    stage.apply(edge_node("box-1"))
    app = _trained_app(baseDnn={"reference": artifacts.push_base()})
    stage.apply(app)
    operated.settings["resyncSeconds"] = 1
    operated.start()
    reference = _end_training(stage, operated, artifacts)
    stage.bring_up("box-1")
    schedule = stage.schedule("box-1")
    stage.plane.did("delete", "jobs", "--all", "--namespace=traffic")
    operated.kill()
    shutil.rmtree(operated.folder / "work")  # another pod has nothing of what this one kept
    artifacts.stop()
    operated.start()
    operated.wait_ready()
    eventually("it has looked again and again", lambda: operated.looks() > 12, why=operated.tail)
    assert stage.status("mainstreamapps", "red-car", "traffic")["package"]["reference"] == reference
    assert stage.schedule("box-1") == schedule
    artifacts.start()
    app["spec"]["votes"] = 1
    stage.apply(app)
    eventually("a change is planned", lambda: stage.schedule("box-1") != schedule, why=operated.tail)
    assert stage.status("mainstreamapps", "red-car", "traffic")["package"]["reference"] == reference
    assert not stage.jobs("traffic", "trainer")
