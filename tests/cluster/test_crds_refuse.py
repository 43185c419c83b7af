"""What is said about wrong resources: by the API server, and by the command line for the same mistake.

Both name the same field, but for the few mistakes where a row gives two.
"""

from collections.abc import Mapping
from typing import Any

import pytest

from .control_plane import ControlPlane
from .manifests import APP, GONE, NODE, PROFILE, changed, faults, refusals

pytestmark = pytest.mark.cluster

STREAM = "spec.streams.0"
IN_THE_URL = "the URL holds a user name or password: put them into a Secret and name that in a secretRef"
REFERENCE = "a reference says everything: leave alpha, inputSize, weights and precision out"
OUTSIDE = "the crop reaches past the picture: left + width and top + height must be at most 1"
ONE_SOURCE = "give exactly one of rtsp, http, file and device"

# The manifest, the field that is changed and its value; the field that is named and what both say about it.
SAME: dict[str, tuple[Mapping[str, Any], str, object, str, str]] = {
    "neither training nor package": (
        APP, "spec.training", GONE, "spec", "give exactly one of training and package",
    ),
    "both training and package": (
        APP, "spec.package", {"reference": "registry.example/red-car"}, "spec", "give exactly one of training and package",
    ),
    "edge nodes by name and by label": (
        APP, "spec.edgeNodes.matchLabels", {}, "spec.edgeNodes", "give exactly one of matchNames and matchLabels",
    ),
    "a reference and an architecture": (
        APP, "spec.training.baseDnn", {"reference": "base/mobilenet", "architecture": "MobileNet"},
        "spec.training.baseDnn", "give exactly one of reference and architecture",
    ),
    "a reference with details": (
        APP, "spec.training.baseDnn", {"reference": "base/mobilenet", "alpha": "0.5"},
        "spec.training.baseDnn", REFERENCE,
    ),
    "a sink of two kinds": (
        APP, "spec.sinks", [{"mqtt": {"url": "mqtt://b", "topic": "t"}, "webhook": {"url": "https://h"}}],
        "spec.sinks[0]", "give exactly one of mqtt and webhook",
    ),
    "a password in a sink's URL": (
        APP, "spec.sinks", [{"mqtt": {"url": "mqtt://me:secret@broker", "topic": "t"}}],
        "spec.sinks[0].mqtt.url", IN_THE_URL,
    ),
    "a password in a camera's URL": (
        NODE, f"{STREAM}.source.rtsp.url", "rtsp://admin:secret@10.0.0.7/stream1",
        "spec.streams[0].source.rtsp.url", IN_THE_URL,
    ),
    "no source": (NODE, f"{STREAM}.source", {}, "spec.streams[0].source", ONE_SOURCE),
    "two sources": (NODE, f"{STREAM}.source.device", {"path": "/dev/video0"}, "spec.streams[0].source", ONE_SOURCE),
    "a file twice": (
        NODE, f"{STREAM}.source", {"file": {"path": "a.mp4", "pvc": "claim/a.mp4"}},
        "spec.streams[0].source.file", "give exactly one of path and pvc",
    ),
    "a crop past the picture": (
        NODE, f"{STREAM}.views.0.crop", ["0.8", "0", "0.3", "1"], "spec.streams[0].views[0]", OUTSIDE,
    ),
    "a crop of nothing": (
        NODE, f"{STREAM}.views.0.crop", ["0.8", "0", "0", "1"],
        "spec.streams[0].views[0]", "the crop's width and height must be positive",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", SAME)
def test_server_and_command_line_say_the_same(apiserver: ControlPlane, mistake: str) -> None:
    """The same field and the same sentence."""
    manifest, path, value, field, sentence = SAME[mistake]
    wrong = changed(manifest, path, value)
    with apiserver.client() as client:
        (said,) = refusals(client, wrong)
    assert "secret@" not in said
    kind, _, rest = said.removeprefix(f"{field}: ").partition(": ")
    assert kind == "Invalid value"
    assert rest.endswith(sentence)
    assert [message.partition(", got ")[0] for message in faults(wrong)] == [f"{field}: {sentence}"]


# The manifest, the field that is changed and its value; what the server says and what the command line says.
MISTAKES: dict[str, tuple[Mapping[str, Any], str, object, str, str]] = {
    "an unknown field": (
        APP, "spec.evnts", ["x"],
        'unknown field "spec.evnts"', 'spec.evnts: unknown field; did you mean "events"?',
    ),
    "a field is missing": (
        APP, "spec.stream", GONE, "spec.stream: Required value", "spec.stream: required field is missing",
    ),
    "no edge node": (
        APP, "spec.edgeNodes.matchNames", [],
        "spec.edgeNodes.matchNames in body should have at least 1 items",
        "spec.edgeNodes.matchNames: expected an entry or more",
    ),
    "an unknown architecture": (
        APP, "spec.training.baseDnn.architecture", "VGG",
        'Unsupported value: "VGG": supported values: "MobileNet", "ResNet50", "InceptionV3"',
        "spec.training.baseDnn.architecture: expected 'MobileNet', 'ResNet50' or 'InceptionV3', got 'VGG'",
    ),
    "an integer that is text": (
        APP, "spec.training.epochs", "many",
        "spec.training.epochs in body must be of type integer", "spec.training.epochs: expected an integer, got 'many'",
    ),
    "too few epochs": (
        APP, "spec.training.epochs", 0,
        "spec.training.epochs in body should be greater than or equal to 1",
        "spec.training.epochs: expected greater than or equal to 1, got 0",
    ),
    "an event twice": (
        APP, "spec.events", ["car", "car"],
        'spec.events[1]: Duplicate value: "car"', "spec: the event 'car' is named twice in events",
    ),
    "background as an event": (
        APP, "spec.events", ["background"],
        '"background" is the label of everything that is no event; it cannot be an event',
        "spec: 'background' is the label of everything that is no event; it cannot be an event",
    ),
    "a sink with another protocol": (
        APP, "spec.sinks", [{"webhook": {"url": "ftp://h"}}],
        "expected a URL that begins with http:// or https://", "spec.sinks[0].webhook.url: expected it to match pattern",
    ),
    "a profile without its rate": (
        APP, "spec.eventProfile", {key: value for key, value in PROFILE.items() if key != "correlationFps"},
        "spec.eventProfile.correlationFps: Required value",
        "spec.eventProfile.correlationFps: required field is missing",
    ),
    "a threshold that is no tenth": (
        APP, "spec.threshold", 10,
        "expected Auto or an integer from 1 to 9", "spec.threshold: expected 'Auto' or less than or equal to 9, got 10",
    ),
    "a stream's name that is no DNS label": (
        NODE, f"{STREAM}.name", "North",
        "spec.streams[0].name in body should match",
        "spec.streams[0].name: expected a name of lower-case letters, digits and '-', not at its ends",
    ),
    "two streams of one name": (
        NODE, "spec.streams", NODE["spec"]["streams"] * 2,
        "spec.streams[1]: Duplicate value: ", "spec: two streams have the same name, 'north'",
    ),
    "a camera with another protocol": (
        NODE, f"{STREAM}.source.rtsp.url", "http://10.0.0.7",
        "expected a URL that begins with rtsp:// or rtsps://",
        "spec.streams[0].source.rtsp.url: expected it to match pattern",
    ),
    "a float": (
        NODE, f"{STREAM}.captureFps", 12.5,
        'spec.streams[0].captureFps in body must be of type integer,string: "number"',
        'spec.streams[0].captureFps: expected an exact number: write it in quotes, "12.5"',
    ),
    "an unknown objective": (
        NODE, "spec.objective", "Best",
        'Unsupported value: "Best": supported values: "MeanF1", "MaxMinF1", "MaxMinThenMeanF1"',
        "spec.objective: expected 'MeanF1', 'MaxMinF1' or 'MaxMinThenMeanF1', got 'Best'",
    ),
    "cores that are none": (
        NODE, "spec.budget.cpu", "lots",
        'expected cores such as "2" or "500m", more than 0 and at most 1024',
        'spec.budget.cpu: expected a quantity such as "2", "500m" or "1Gi", got \'lots\'',
    ),
    **{
        f"branchpoints that are {value!r}": (
            APP, "spec.training.branchpoints", value,
            f"spec.training.branchpoints{where}{by_server}", f"spec.training.branchpoints{where}: expected {wanted}",
        )
        for value, where, by_server, wanted in (
            ("all", "", " in body should match '^Auto$'", "'Auto' or a list, got 'all'"),
            (7, "", " in body should be less than", "'Auto' or a list, got 7"),
            (0.5, "", " in body should be greater than", "'Auto' or a list, got 0.5"),
            (True, "", '" must not validate the schema', "'Auto' or a list, got True"),
            ({"pooled": 1}, "", ": Too many", "'Auto' or a list, got a mapping"),
            ({}, "", " in body should have at least 1 properties", "'Auto' or a list, got a mapping"),
            ([], "", " in body should have at least 1 items", "'Auto' or an entry or more"),
            ([7], "[0]", " in body must be of type string", "a string, got 7"),
            ([["pooled"]], "[0]", " in body must be of type string", "a string, got a list"),
            ([True], "[0]", " in body must be of type string", "a string, got True"),
        )
    },
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_with_its_field(apiserver: ControlPlane, mistake: str) -> None:
    """Each in its own words; fields are the same, or one holds the other."""
    manifest, path, value, by_server, by_command_line = MISTAKES[mistake]
    wrong = changed(manifest, path, value)
    with apiserver.client() as client:
        said = next((message for message in refusals(client, wrong) if by_server in message), None)
    told = next((message for message in faults(wrong) if message.startswith(by_command_line)), None)
    assert said is not None, "the server says something else"
    assert told is not None, "the command line says something else"
    field, named = told.split(": ")[0], said.split(": ")[0]
    assert field in said or field.startswith(named) or named.startswith(field)


CLUSTER_ONLY: dict[str, tuple[Mapping[str, Any], str, object, str]] = {
    "a digest that is none": (
        APP, "spec.training.baseDnn", {"reference": "registry.example/base/mobilenet@sha256:12"},
        "expected sha256: and 64 hexadecimal digits after '@'",
    ),
    "a package's digest that is none": (
        changed(APP, "spec.training", GONE), "spec.package", {"reference": "registry.example/red-car@latest"},
        "expected sha256: and 64 hexadecimal digits after '@'",
    ),
    "a toleration that Kubernetes does not have": (
        APP, "spec.training.tolerations", [{"operator": "Perhaps"}],
        'spec.training.tolerations[0].operator: Unsupported value: "Perhaps": supported values: "Exists", "Equal"',
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", CLUSTER_ONLY)
def test_a_mistake_that_only_the_server_sees_so_early(apiserver: ControlPlane, mistake: str) -> None:
    """The command line finds these when it uses the field."""
    manifest, path, value, by_server = CLUSTER_ONLY[mistake]
    with apiserver.client() as client:
        (said,) = refusals(client, changed(manifest, path, value))
    assert by_server in said
