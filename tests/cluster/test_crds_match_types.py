"""The CRDs and the Python types describe the same resources."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from mainstream.resources.app import AppSpec
from mainstream.resources.edgenode import EdgeNodeSpec

from .control_plane import ControlPlane
from .manifests import APP, NODE, PROFILE, changed, faults, parsed, refusals, sent
from .schemas import Shape, crd_schema, shapes, type_schema

pytestmark = pytest.mark.cluster

PAIRS = pytest.mark.parametrize(
    ("plural", "model"), [("edgenodes", EdgeNodeSpec), ("mainstreamapps", AppSpec)], ids=["EdgeNode", "MainstreamApp"]
)

OPEN = ("allowedNamespaces", "training.resources", "training.tolerations")
"""Handed on to Kubernetes: the Python types take anything, the CRDs say what Kubernetes takes."""

OTHER_KIND = {"budget.memory": ("integer", "number or text")}
"""Quantities are read into numbers of bytes."""


def _both(plural: str, model: type[BaseModel]) -> tuple[dict[str, Shape], dict[str, Shape]]:
    served = shapes(crd_schema(plural, "spec"))
    return shapes(type_schema(model)), {path: shape for path, shape in served.items() if not _inside_open(path)}


def _inside_open(path: str) -> bool:
    return any(path.startswith((f"{place}.", f"{place}[]")) for place in OPEN)


@PAIRS
def test_every_field_of_one_is_in_the_other(plural: str, model: type[BaseModel]) -> None:
    """No field can be written that is then not read, nor read that cannot be written."""
    read, served = _both(plural, model)
    assert sorted(read) == sorted(served)


@PAIRS
def test_fields_are_of_the_same_kind(plural: str, model: type[BaseModel]) -> None:
    """Integer, text, number as text, list and so on; the same fields must be there; the same words may stand in them."""
    read, served = _both(plural, model)
    for path in read:
        if path not in OPEN:
            assert (read[path].kind, served[path].kind) == OTHER_KIND.get(path, (read[path].kind,) * 2), path
        assert read[path].required == served[path].required, path
        assert read[path].choices == served[path].choices, path


@PAIRS
def test_limits_are_the_same(plural: str, model: type[BaseModel]) -> None:
    """Where a Python type has a smallest, largest or longest value, the CRD has that; it has some where Python has none."""
    read, served = _both(plural, model)
    for path, shape in read.items():
        for limit, value in shape.limits.items():
            assert served[path].limits.get(limit) == value, f"{path}: {limit}"


@PAIRS
def test_defaults_are_the_same(plural: str, model: type[BaseModel]) -> None:
    """What is left out means the same; of objects the members are compared."""
    read, served = _both(plural, model)
    for path, shape in read.items():
        if shape.kind == "object":
            assert served[path].default in (None, {}), path
            assert (served[path].default is None) == (shape.default is None), path
        else:
            assert _meant(served[path]) == _meant(shape), path


def _meant(shape: Shape) -> object:
    units = {"Gi": 1 << 30}
    if shape.kind in ("integer", "number or text") and shape.default not in (None, "Auto"):
        text = str(shape.default)
        return Fraction(text[:-2]) * units[text[-2:]] if text[-2:] in units else Fraction(text)
    return shape.default


MINIMAL = {
    "node": {**NODE, "spec": {}},
    "stream": NODE,
    "file": changed(NODE, "spec.streams.0.source", {"file": {"path": "north.mp4"}}),
    "app": APP,
    "sinks": changed(APP, "spec.sinks", [{"mqtt": {"url": "mqtt://broker", "topic": "cars"}}]),
    "profile": changed(APP, "spec.eventProfile", PROFILE),
}


@pytest.mark.parametrize("manifest", MINIMAL.values(), ids=MINIMAL)
def test_what_the_server_stores_reads_as_what_was_written(apiserver: ControlPlane, manifest: Mapping[str, Any]) -> None:
    """The server's defaults and the types' give the same resource."""
    with apiserver.client() as client:
        answer = sent(client, manifest)
    assert answer.is_success, answer.text
    stored = {key: value for key, value in answer.json().items() if key != "metadata"}
    assert parsed({**stored, "metadata": manifest["metadata"]}).spec == parsed(manifest).spec


NUMBERS: dict[str, tuple[Mapping[str, Any], Sequence[object], Sequence[object]]] = {
    "spec.budget.cpu": (NODE, ["1m", "500m", "0.5", 2, "1024"], ["0", 0, "0m", "1025", "-1", "lots", "2Gi", ""]),
    "spec.budget.utilization": (NODE, [85, "62.5", "0.1", 100], [0, "0", "100.1", 101, "-5", "85%", ""]),
    "spec.budget.memory": (NODE, ["1Gi", "512Mi", 1, "1.5G"], [0, "0Gi", "-1Gi", "1 GB", "much"]),
    "spec.streams.0.captureFps": (
        NODE,
        [1, 1000, "12.5", "30000/1001", "0.2", "1000", "1000.0", "1/3"],
        [0, "0", "0.0", 1001, "1001", "-5", "0/5", "5/0", "fast", "", "5/"],
    ),
    "spec.streams.0.views.0.crop.3": (NODE, ["0.1", "0.800", "0.8"], ["0", 0, "-0.1", "0.9", "1.1", 2, "half"]),
    "spec.threshold": (APP, ["Auto", 1, 9], [0, 10, "auto", "5.5", "high"]),
    "spec.votes": (APP, ["Auto", 1, 100], [0, 101, "auto", "many"]),
    "spec.endAfterSeconds": (APP, [1, "0.3", "1/3"], [0, "0", "0.0", "0/5", "5/0", -1, "soon"]),
    "spec.weight": (APP, [1, "0.001", 1_000_000], [0, "0", "0.0", 1_000_001, "-1", "heavy"]),
    "spec.minF1": (APP, [0, 1, "0", "1", "0.5", "1.0"], ["1.01", 2, -1, "-0.1", "high"]),
    "spec.training.baseDnn.alpha": (APP, ["0.25", 1, "4"], [0, "0", "4.1", 5, "wide"]),
    "spec.eventProfile.lengthSeconds": (APP, [2, "2.5", "5/2"], [0, "0", "-1", "0/1", "long"]),
    "spec.eventProfile.lengthQuantilesSeconds.0": (APP, [2, "2.5", "5/2"], [0, "0", "-1", "0/1", "long"]),
    "spec.eventProfile.gapSeconds": (APP, [23, "0.001"], [0, "0.000", "x"]),
    "spec.eventProfile.frequency": (APP, ["0.08", 1, "1.0"], [0, "0", "1.1", "often"]),
    "spec.eventProfile.correlation": (APP, ["0", "0.99", 0], [1, "1", "1.0", "-0.1", "much"]),
    "spec.eventProfile.correlationFps": (APP, [10, "12.5", "30000/1001"], [0, "0", "x"]),
}
"""Numbers that schemas cannot limit because they may be text: at the limits and just beyond."""


@pytest.mark.parametrize("path", NUMBERS)
def test_numbers_have_the_same_limits(apiserver: ControlPlane, path: str) -> None:
    """Both take what is within the limits; both refuse what is not, and name the field."""
    manifest, good, bad = NUMBERS[path]
    if "eventProfile" in path:
        manifest = changed(manifest, "spec.eventProfile", PROFILE)
    field = _as_kubernetes(path)
    with apiserver.client() as client:
        for value in good:
            one = changed(manifest, path, value)
            assert (faults(one), refusals(client, one)) == ([], []), value
        for value in bad:
            one = changed(manifest, path, value)
            _assert_named(faults(one), field, value)
            _assert_named(refusals(client, one), field, value)


def _assert_named(said: list[str], field: str, value: object) -> None:
    """Something is said about the field, or about what holds it (a crop that reaches past the picture)."""
    fields = [message.split(": ")[0] for message in said]
    assert any(field.startswith(one) and one.startswith("spec.") for one in fields), (value, said)


def _as_kubernetes(path: str) -> str:
    return "".join(f"[{step}]" if step.isdigit() else f".{step}" for step in path.split(".")).removeprefix(".")


def test_numbers_that_are_tested_are_all_there_are(apiserver: ControlPlane) -> None:
    """A new number that may be text needs a row above."""
    del apiserver
    tested = {_as_kubernetes(path).replace("[0]", "[]").removeprefix("spec.") for path in NUMBERS}
    for plural in ("edgenodes", "mainstreamapps"):
        for path, shape in shapes(crd_schema(plural, "spec")).items():
            if shape.kind == "number or text" and not _inside_open(path):
                assert path in tested


def test_the_client_of_these_tests_verifies_the_server(apiserver: ControlPlane) -> None:
    """What answers is the API server that was started, not another one on this machine."""
    with httpx.Client(base_url=apiserver.authority.server) as stranger, pytest.raises(httpx.ConnectError):
        stranger.get("/version")
