"""Trainer Jobs with real training and a real registry: import, train, be killed, share the work, be told wrong things."""

import signal
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from mainstream.jobs import BaseDnnTask, TrainTask
from mainstream.packages.artifacts import read_base_dnn, read_mpackage
from mainstream.packages.folder import StoreFolder
from mainstream.packages.layout import OciLayout
from mainstream.packages.mpackage import MPackage
from mainstream.packages.registry.client import RegistryClient
from mainstream.packages.registry.pull import Puller
from mainstream.packages.registry.reference import parse_reference
from mainstream.resources.app import BaseDnnRef, Dataset, Training

from .conftest import Pod, Registry, StartPod

TINY = {"architecture": "MobileNet", "alpha": 0.25, "inputSize": 32, "weights": "random"}
BRANCHPOINTS = ("conv_pw_11", "pooled")

RunPod = Callable[..., tuple[int, Pod]]


def base_task(registry: Registry, **changes: Any) -> BaseDnnTask:
    """Import the tiny network."""
    ref = BaseDnnRef.from_plain({**TINY, **changes}, where="test")
    return BaseDnnTask(base_dnn=ref, push=f"{registry.address}/base/mobilenet-1234")


def train_task(registry: Registry, base: str, dataset: Path | str, **changes: Any) -> TrainTask:
    """Train red on the dataset from the base DNN of that reference."""
    training = Training(
        base_dnn=BaseDnnRef(reference=base),
        dataset=Dataset(uri="pvc://datasets/red"),
        branchpoints=changes.pop("branchpoints", BRANCHPOINTS),
        epochs=2,
    )
    plain = {
        "app": "default/red",
        "events": ("red",),
        "training": training,
        "base_dnn": base,
        "dataset": str(dataset),
        "push": f"{registry.address}/default/red",
    }
    return TrainTask(**{**plain, **changes})


def pulled(registry: Registry, reference: str, folder: Path) -> OciLayout:
    """A store with the artifact of that reference, as the box or an operator pulls it."""
    layout = StoreFolder(folder).layout
    client = RegistryClient(registry.address)
    Puller(layout, client, start=lambda _what, _total: lambda _count: None, stop=Event()).pull(
        parse_reference(reference)
    )
    client.close()
    return layout


def package(registry: Registry, pod: Pod, folder: Path) -> MPackage:
    """The M-Package that a pod says it has left."""
    reference = pod.result.reference
    assert reference is not None
    return read_mpackage(pulled(registry, reference, folder), reference)


@pytest.fixture
def base(registry: Registry, run_pod: RunPod) -> str:
    """The tiny base DNN in the registry."""
    status, pod = run_pod("mainstream_trainer", base_task(registry))
    assert status == 0, pod.logs
    reference = pod.result.reference
    assert reference is not None
    return reference


def test_a_base_dnn_is_imported_once(registry: Registry, base: str, run_pod: RunPod, tmp_path: Path) -> None:
    """With all of its blobs; a second Job for the same finds it there, and makes nothing."""
    layout = pulled(registry, base, tmp_path / "store")
    config = read_base_dnn(layout, base).config
    assert (config.architecture, config.alpha, config.input_shape) == ("MobileNet", 0.25, (32, 32, 3))
    for digest in (config.weights_digest, *(segment.digest for segment in config.segments)):
        layout.blob_path(digest)
    status, again = run_pod("mainstream_trainer", base_task(registry))
    assert status == 0
    assert again.result.reference == base
    assert not any("segments" in record["event"] for record in again.logs)


@pytest.mark.slow
def test_an_app_is_trained(registry: Registry, base: str, red_and_blue: Path, run_pod: RunPod, tmp_path: Path) -> None:
    """The M-Package is in the registry with its base DNN; the result says how good it is. Again, it is there already."""
    status, pod = run_pod("mainstream_trainer", train_task(registry, base, red_and_blue))
    assert status == 0, pod.logs
    layout = pulled(registry, pod.result.reference or "", tmp_path / "store")
    config = read_mpackage(layout, pod.result.reference or "").config
    assert read_base_dnn(layout, config.base_dnn).digest == base.partition("@")[2]
    assert pod.result.candidates == len(config.candidates)
    best = max(
        p - q for one in config.candidates for p, q in zip(one.true_positive_rate, one.false_positive_rate, strict=True)
    )
    assert pod.result.best_p_minus_q == pytest.approx(best, abs=1e-4)
    assert all({"timestamp", "level", "event"} <= set(record) for record in pod.logs)
    status, again = run_pod("mainstream_trainer", train_task(registry, base, red_and_blue))
    assert status == 0
    assert again.result == pod.result
    assert any("trained already" in record["event"] for record in again.logs)


@pytest.mark.slow
def test_killed_it_goes_on_in_another_pod(
    registry: Registry, base: str, red_and_blue: Path, start_pod: StartPod, run_pod: RunPod
) -> None:
    """The disk is gone with the pod; the candidate that was finished is in the registry and is not trained again."""
    killed = start_pod("mainstream_trainer", train_task(registry, base, red_and_blue))
    killed.until("pooled: in the registry")
    killed.process.send_signal(signal.SIGKILL)
    assert killed.finish() == -signal.SIGKILL
    status, pod = run_pod("mainstream_trainer", train_task(registry, base, red_and_blue))
    assert status == 0, pod.logs
    said = [record["event"] for record in pod.logs]
    assert "pooled: finished before" in said
    assert "conv_pw_11: finished" in said


@pytest.mark.slow
def test_shares_and_their_assembly_make_what_one_pod_makes(
    registry: Registry, base: str, red_and_blue: Path, run_pod: RunPod, tmp_path: Path
) -> None:
    """Three shares of two branchpoints, one of them idle; then one package, byte for byte that of a pod alone."""
    shares = train_task(registry, base, red_and_blue, shares=3)
    for index, candidates in enumerate((1, 1, 0)):
        status, pod = run_pod("mainstream_trainer", shares, environment={"JOB_COMPLETION_INDEX": str(index)})
        assert status == 0, pod.logs
        assert (pod.result.candidates, pod.result.reference) == (candidates, None)
    assembling = shares.model_copy(update={"assemble": True, "dataset": "/nowhere"})
    status, pod = run_pod("mainstream_trainer", assembling)
    assert status == 1, "the mark is of the dataset too, so nothing is there under it"
    status, pod = run_pod("mainstream_trainer", shares.model_copy(update={"assemble": True}))
    assert status == 0, pod.logs
    assembled = package(registry, pod, tmp_path / "store")
    whole = registry.address + "/default/red"
    assert pod.result.reference == f"{whole}@{assembled.digest}"
    status, alone = run_pod("mainstream_trainer", train_task(registry, base, red_and_blue))
    assert status == 0
    assert alone.result == pod.result


@pytest.mark.slow
def test_an_int8_base_dnn_is_imported_and_trained_on_by_shares(
    registry: Registry, red_and_blue: Path, run_pod: RunPod, tmp_path: Path
) -> None:
    """Quantised with the pictures that are in the image; each share leaves both precisions of its branchpoint."""
    status, pod = run_pod("mainstream_trainer", base_task(registry, precision="int8"))
    assert status == 0, pod.logs
    base = pod.result.reference or ""
    config = read_base_dnn(pulled(registry, base, tmp_path / "base"), base).config
    assert config.quantization is not None
    assert config.quantization.pictures == 48
    shares = train_task(registry, base, red_and_blue, shares=2)
    for index in range(2):
        status, pod = run_pod("mainstream_trainer", shares, environment={"JOB_COMPLETION_INDEX": str(index)})
        assert status == 0, pod.logs
        assert pod.result.candidates == 2
    status, pod = run_pod("mainstream_trainer", shares.model_copy(update={"assemble": True}))
    assert status == 0, pod.logs
    candidates = package(registry, pod, tmp_path / "store").config.candidates
    assert {one.precision for one in candidates} == {"f32", "int8"}
    assert {one.branchpoint for one in candidates if one.precision == "int8"} >= {"pooled"}
