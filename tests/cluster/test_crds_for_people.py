"""What people see of the CRDs: kubectl explain, kubectl get, short names, the examples."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mainstream.resources.manifests import load

from .control_plane import ControlPlane
from .manifests import APP, NODE, sent
from .schemas import CRDS, crd, crd_schema, shapes

pytestmark = pytest.mark.cluster

ROOT = CRDS.parent
KINDS = pytest.mark.parametrize("plural", ["edgenodes", "mainstreamapps"])
SINCE = "2026-01-01T00:00:00Z"
DIGEST = "sha256:" + "0" * 64

MOST_BYTES = 100_000
"""Of a CRD; from 262,144 on kubectl apply without --server-side refuses it (its annotation holds a copy)."""


@KINDS
def test_the_server_finds_nothing_to_complain_about(apiserver: ControlPlane, plural: str) -> None:
    """Structural, names accepted, established; small enough for every way of applying it."""
    conditions = apiserver.got("crd", f"{plural}.mainstream.dev")["status"]["conditions"]
    states = {condition["type"]: condition["status"] for condition in conditions}
    assert states["NamesAccepted"] == states["Established"] == "True"
    assert "NonStructuralSchema" not in states
    assert len(json.dumps(crd(plural))) < MOST_BYTES


@KINDS
def test_every_list_and_text_has_a_longest(plural: str) -> None:
    """The cost of rules is estimated by it, and nobody can fill etcd."""
    for part in ("spec", "status"):
        for path, shape in shapes(crd_schema(plural, part)).items():
            bounded = {"array": "maxItems", "map": "maxProperties", "string": "maxLength"}.get(shape.kind)
            closed = shape.choices or shape.schema.get("format") == "date-time"
            assert bounded is None or closed or bounded in shape.schema, path


@KINDS
def test_every_list_says_how_it_is_merged(plural: str) -> None:
    """Lists are maps by their keys, sets or whole values, so that two managers know what they share."""
    for part in ("spec", "status"):
        for path, shape in shapes(crd_schema(plural, part)).items():
            assert shape.kind != "array" or "x-kubernetes-list-type" in shape.schema, path


@KINDS
def test_kubectl_explain_describes_every_field(apiserver: ControlPlane, plural: str) -> None:
    """With all fields below it; the texts are sentences."""
    for part in ("spec", "status"):
        for path, shape in shapes(crd_schema(plural, part)).items():
            assert re.fullmatch(r"[A-Z].*\.", shape.description), path
    for field in (
        "spec",
        "spec.streams.source.rtsp" if plural == "edgenodes" else "spec.training",
        "status.conditions",
    ):
        explained = apiserver.did("explain", f"{plural}.{field}")
        names = [line.split()[0] for line in explained.splitlines() if re.match(r"  [a-zA-Z0-9]+\t", line)]
        prefix, dot, rest = field.partition(".")
        inside = shapes(crd_schema(plural, prefix))
        depth = f"{rest}." if dot else ""
        expected = {_plain(path).removeprefix(depth) for path in inside if _plain(path).startswith(depth)}
        assert sorted(names) == sorted(name for name in expected if "." not in name)


def _plain(path: str) -> str:
    return path.replace("[]", "")


def test_kubectl_explain_says_what_a_field_is_for(apiserver: ControlPlane) -> None:
    """As a person reads it; kubectl has no better word for a number that may be text."""
    explained = apiserver.did("explain", "edgenode.spec.streams.captureFps")
    assert "FIELD: captureFps <Object>" in explained
    assert '("12.5", "30000/1001")' in " ".join(explained.split())


GOLDEN = {
    ("en", "gate-3", "default"): """
        NAME    NODE    APPS  MEAN F1  COST  BUDGET  READY  REASON              AGE
        gate-3  edge-1  3     0.874    0.71  0.81    False  RunnerNotReporting  AGE
    """,
    ("en", "gate-3", "wide"): """
        NAME    NODE    APPS  MEAN F1  MIN F1  COST  BUDGET  OBJECTIVE  READY  REASON              AGE
        gate-3  edge-1  3     0.874    0.801   0.71  0.81    MeanF1     False  RunnerNotReporting  AGE
    """,
    ("msa", "blue-car", "default"): """
        NAME      EDGENODES  BRANCHPOINT  FPS   VOTES  F1          READY  REASON   AGE
        blue-car  49/50      conv_pw_11   3..8  2      0.81..0.90  True   Running  AGE
    """,
    ("msa", "blue-car", "wide"): """
        NAME      EDGENODES  BRANCHPOINT  FPS   VOTES  F1          STREAM  PACKAGE               READY  REASON   AGE
        blue-car  49/50      conv_pw_11   3..8  2      0.81..0.90  north   registry.example/r@x  True   Running  AGE
    """,
}


@pytest.fixture(scope="module")
def with_status(apiserver: ControlPlane) -> ControlPlane:
    """An edge node and an app with what the operator will write."""
    node: dict[str, Any] = {
        "nodeName": "edge-1",
        "schedule": {"meanF1": "0.874", "minF1": "0.801", "cost": "0.71", "budget": "0.81", "appCount": 3},
        "conditions": [_condition("Profiled", "True", "Profiled"), _condition("Ready", "False", "RunnerNotReporting")],
    }
    app: dict[str, Any] = {
        "package": {"reference": "registry.example/r@x", "digest": DIGEST, "candidates": 9},
        "summary": {
            "edgeNodes": "49/50",
            "branchpoint": "conv_pw_11",
            "fps": "3..8",
            "votes": "2",
            "f1": "0.81..0.90",
        },
        "conditions": [_condition("Ready", "True", "Running")],
    }
    named_node = {**NODE, "metadata": {"name": "gate-3"}}
    named_app = {**APP, "metadata": {"name": "blue-car", "namespace": "default"}}
    for manifest, status in ((named_node, node), (named_app, app)):
        apiserver.did("apply", "--server-side", "-f", "-", stdin=json.dumps(manifest))
        apiserver.did(
            *("apply", "--server-side", "--subresource=status", "--field-manager=operator", "-f", "-"),
            stdin=json.dumps({key: manifest[key] for key in ("apiVersion", "kind", "metadata")} | {"status": status}),
        )
    return apiserver


def _condition(kind: str, status: str, reason: str) -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": "As it is.", "lastTransitionTime": SINCE}


@pytest.mark.parametrize(("short", "name", "output"), GOLDEN, ids=lambda part: part)
def test_kubectl_get_shows_what_the_formats_promise(
    with_status: ControlPlane, short: str, name: str, output: str
) -> None:
    """By short name; the columns, in order, and what stands in them."""
    wide = ("--output=wide",) if output == "wide" else ()
    rows = _cells(with_status.did("get", short, name, *wide))
    assert [[*row[:-1], "AGE"] for row in rows] == _cells(GOLDEN[short, name, output])


def _cells(table: str) -> list[list[str]]:
    return [re.split(r"\s{2,}", line.strip()) for line in table.strip().splitlines()]


def test_one_word_lists_everything(with_status: ControlPlane) -> None:
    """`kubectl get mainstream` prints both kinds."""
    listed = with_status.did("get", "mainstream", "--output=name").split()
    assert {"edgenode.mainstream.dev/gate-3", "mainstreamapp.mainstream.dev/blue-car"} <= set(listed)


def test_kubectl_wait_understands_the_conditions(with_status: ControlPlane) -> None:
    """`kubectl wait --for=condition=Ready` returns."""
    with_status.did("wait", "--for=condition=Ready", "--timeout=5s", "msa/blue-car")


@pytest.mark.parametrize("folder", sorted(path for path in (ROOT / "examples").iterdir() if path.is_dir()))
def test_the_examples_can_be_applied(apiserver: ControlPlane, folder: Path) -> None:
    """Every manifest, as kubectl applies it: unknown fields refused, nothing kept."""
    manifests = load(folder)
    for namespace in {app.metadata.namespace for app in manifests.apps} - {"default"}:
        apiserver.did("apply", "--filename", "-", stdin=_namespace(namespace))
    how = "--kustomize" if (folder / "kustomization.yaml").exists() else "--filename"
    applied = apiserver.did("apply", "--server-side", "--dry-run=server", how, folder)
    ours = [line for line in applied.splitlines() if ".mainstream.dev/" in line and "serverside-applied" in line]
    assert len(ours) == len(manifests.edge_nodes) + len(manifests.apps)


def _namespace(name: str) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})


def test_a_misspelt_field_is_refused_by_kubectl(apiserver: ControlPlane) -> None:
    """Without any option: kubectl asks the server to be strict."""
    misspelt = {**NODE, "spec": {"objectiv": "MeanF1"}}
    said = apiserver.kubectl("apply", "--filename", "-", stdin=json.dumps(misspelt))
    assert said.returncode != 0
    assert 'unknown field "spec.objectiv"' in said.stderr


def test_a_client_that_sends_no_spec_is_told(apiserver: ControlPlane) -> None:
    """An object without spec says nothing."""
    with apiserver.client() as client:
        answer = sent(client, {key: value for key, value in NODE.items() if key != "spec"})
    assert "spec: Required value" in answer.text
