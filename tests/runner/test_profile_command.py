"""``mainstream profile`` as a person runs it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mainstream.basednn import BaseDnn
from mainstream.packages.folder import StoreFolder
from mainstream.packages.profiles import load_costs, load_ingest

MANIFESTS = """
apiVersion: mainstream.dev/v1alpha1
kind: EdgeNode
metadata: {{name: box}}
spec:
  budget: {{cpu: "1"}}
  runtime: {{engine: {engine}}}
  streams:
  - name: gate
    source: {{file: {{path: {video}, loop: true}}}}
    captureFps: 15
    views:
    - {{name: left, crop: ["0", "0", "0.5", "1"]}}
  - name: unused
    source: {{file: {{path: nowhere.mp4}}}}
    captureFps: 15
---
apiVersion: mainstream.dev/v1alpha1
kind: MainstreamApp
metadata: {{name: cats}}
spec:
  edgeNodes: {{matchNames: [box]}}
  stream: gate
  view: left
  suspend: {suspend}
  events: [cat]
  {model}
"""
TRAINING = """training:
    baseDnn: {{{base}}}
    dataset: {{uri: dataset}}"""


@pytest.fixture
def manifests(tmp_path: Path, make_video: Callable[..., Path]) -> Callable[..., Path]:
    make_video("gate.mp4", frames=45)

    def write(
        *,
        base: str = 'architecture: MobileNet, alpha: "0.25", inputSize: 64',
        engine: str = "Auto",
        video: str = "gate.mp4",
        suspend: str = "false",
        package: str | None = None,
    ) -> Path:
        path = tmp_path / "manifests.yaml"
        model = TRAINING.format(base=base) if package is None else f"package: {{reference: {package}}}"
        path.write_text(MANIFESTS.format(model=model, engine=engine, video=video, suspend=suspend))
        return path

    return write


def _profile(path: Path, store: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from mainstream.cli.main import main; main()", "profile", "-f", str(path)]
    return subprocess.run(
        [*command, "--store", str(store), *options],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "140"},
    )


def test_costs_and_ingest_are_measured_and_kept(
    manifests: Callable[..., Path], tiny_store: StoreFolder, tiny_base: BaseDnn
) -> None:
    """Before any app is trained: the base DNN is known, and so is the stream in use; the other stream is not opened."""
    ended = _profile(manifests(), tiny_store.root, "--output", "json")
    assert ended.returncode == 0, ended.stderr
    (node,) = json.loads(ended.stdout)["edgeNodes"]
    costs = load_costs(tiny_store, base_dnn=tiny_base.digest, engine="LiteRT", threads=1)
    assert costs is not None
    (found,) = node["baseDnns"]
    assert {key: found[key] for key in costs.plain()} == costs.plain()
    assert found["branchpoints"] == list(tiny_base.config.branchpoints)
    assert found["sure"] == (costs.spread <= 0.1)
    ingest = load_ingest(tiny_store, edge_node="box", stream="gate")
    assert ingest is not None
    assert node["streams"] == [ingest.plain()]
    assert 0 < ingest.cores < 1
    assert load_ingest(tiny_store, edge_node="box", stream="unused") is None
    assert "batch 2: 16/16" in ended.stderr
    assert "INFO" not in ended.stderr


def test_the_table_names_every_branchpoint(
    manifests: Callable[..., Path], tiny_store: StoreFolder, tiny_base: BaseDnn
) -> None:
    """A row for each cut, the whole network's time, and how sure it is; the engine is the EdgeNode's."""
    ended = _profile(manifests(engine="OpenVINO"), tiny_store.root)
    assert ended.returncode == 0, ended.stderr
    assert load_costs(tiny_store, base_dnn=tiny_base.digest, engine="OpenVINO", threads=1) is not None
    assert all(name in ended.stdout for name in tiny_base.config.branchpoints)
    assert "whole network" in ended.stdout
    assert "two batches" in ended.stdout


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"base": "architecture: ResNet50"}, ["no M-Package yet of default/cats", "mainstream train -f"]),
        ({"base": "reference: base/nothing"}, ["base/nothing", "manifests.yaml:28", "mainstream base import"]),
        ({"package": "mpackage/default/nothing"}, ["mpackage/default/nothing", "manifests.yaml:27", "packages list"]),
        ({"video": "missing.mp4"}, ["missing.mp4", "does not exist", "gate"]),
        ({"suspend": "true"}, ["no MainstreamApp selects it", "manifests.yaml:4"]),
    ],
    ids=["untrained", "unknown base DNN", "unknown package", "video", "suspended"],
)
def test_wrong_input_is_said(
    change: dict[str, str],
    words: list[str],
    manifests: Callable[..., Path],
    tiny_store: StoreFolder,
    tiny_base: BaseDnn,  # noqa: ARG001 - it is in the store
) -> None:
    """File, field, value and remedy; exit status 2; no stack trace."""
    ended = _profile(manifests(**change), tiny_store.root)
    assert ended.returncode == 2
    assert all(word in ended.stderr for word in words), ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""
