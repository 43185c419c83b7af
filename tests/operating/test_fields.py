"""What a change of each field of both CRDs causes: nothing, another rendering, another solution, retraining, a restart.

One row for each field. The parts are held against what really decides: the fingerprint of the solver's input, the schedule's
bytes, the training's hash, the pod's template.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import pytest

from mainstream.documents import canonical_json
from mainstream.resources.app import MainstreamApp
from mainstream.resources.edgenode import EdgeNode
from mainstream.resources.selectors import selects
from mainstream.scheduling.exact.search import Limits
from mainstream_operator.jobs import training_hash
from mainstream_operator.known import host_name
from mainstream_operator.runners import runner_objects
from mainstream_operator.scheduling import schedule

from .conftest import app, edge_node, identity, package, profile, settings, state

NODE = {
    "nodeName": "box",
    "budget": {"cpu": "2", "utilization": 85, "memory": "1Gi"},
    "streams": [
        {
            "name": "north",
            "source": {
                "rtsp": {"url": "rtsp://10.0.0.7/s", "transport": "Tcp", "credentialsSecretRef": {"name": "cam"}}
            },
            "captureFps": 10,
            "views": [{"name": "gate", "crop": ["0", "0", "0.5", "0.5"]}],
        }
    ],
    "objective": "MeanF1",
    "runtime": {"engine": "Auto", "threads": 2},
    "allowedNamespaces": {},
}
APP = {
    "edgeNodes": {"matchNames": ["gate-3"]},
    "stream": "north",
    "view": "full",
    "events": ["red-car"],
    "sinks": [{"mqtt": {"url": "mqtt://broker", "topic": "t", "secretRef": {"name": "mqtt"}}}],
    "snapshots": {"enabled": False},
    "training": {
        "baseDnn": {"reference": "registry.test:5000/base@sha256:" + "1" * 64},
        "dataset": {"uri": "s3://datasets/red-car"},
        "branchpoints": "Auto",
        "epochs": 40,
        "seed": 0,
        "parallelism": 1,
        "resources": {"requests": {"cpu": "1"}},
    },
}


@dataclass(frozen=True)
class Seen:
    """What is there after a spec: each part is compared."""

    host: str
    selected: bool
    allowed: bool
    solution: Any
    rendering: bytes | None
    training: str
    template: bytes | None


def seen(node_spec: Mapping[str, Any], app_spec: Mapping[str, Any]) -> Seen:
    """All that follows from an EdgeNode and an app."""
    node: EdgeNode = edge_node(**node_spec)
    one: MainstreamApp = app(**app_spec)
    stream = next((stream for stream in node.spec.streams if stream.name == one.spec.stream), None)
    view = stream.view(one.spec.view) if stream else None
    crop = view.crop if view else (0.0, 0.0, 1.0, 1.0)
    base = (one.spec.training.base_dnn.reference or "imported") if one.spec.training else ""
    trained = replace(state("red-car", used=package(events=tuple(one.spec.events))), app=one)
    allowed = selects(node.spec.allowed_namespaces, {})
    decided = schedule(
        node,
        [trained],
        {"traffic": allowed},
        profile(),
        cost_scale=1.0,
        status={},
        settings=settings(),
        limits=Limits(),
    )
    plan = decided.plan
    template = None
    if plan is not None:
        objects = runner_objects(node, identity().uid, host_name(node), plan.schedule, {}, settings())
        template = canonical_json(objects[-1]["spec"]["template"])
    return Seen(
        host=host_name(node),
        selected=one.spec.edge_nodes.selects(node.metadata),
        allowed=allowed,
        solution=(decided.input_digest, sorted(decided.refused)),
        rendering=plan.schedule.to_json() if plan else None,
        training=training_hash(one, base, crop, "trainer:1") if one.spec.training else "",
        template=template,
    )


def changed(spec: Mapping[str, Any], path: str, value: object) -> dict[str, Any]:
    """A copy with that field set."""
    copy: Any = json.loads(json.dumps(spec))
    *way, last = path.split(".")
    at = copy
    for step in way:
        at = at[int(step)] if isinstance(at, list) else at.setdefault(step, {})
    if isinstance(at, list):
        at[int(last)] = value
    else:
        at[last] = value
    return dict(copy)


NOTHING, RENDERING, SOLUTION = set[str](), {"rendering"}, {"solution", "rendering"}
RETRAINING, RESTART, SELECTION = {"training"}, {"template"}, {"selected"}

NODE_ROWS: list[tuple[str, object, set[str]]] = [
    ("nodeName", "another", RESTART | {"host"}),
    ("budget.cpu", "1500m", SOLUTION | RESTART),
    ("budget.utilization", 50, SOLUTION),
    ("budget.memory", "2Gi", RENDERING | RESTART),
    ("streams.0.name", "south", SOLUTION | RESTART),
    ("streams.0.source.rtsp.url", "rtsp://10.0.0.8/s", RENDERING),
    ("streams.0.source.rtsp.transport", "Udp", RENDERING),
    ("streams.0.source.rtsp.credentialsSecretRef.name", "other", RENDERING),
    ("streams.0.source", {"http": {"url": "http://10.0.0.7/s"}}, RENDERING),
    ("streams.0.source", {"file": {"path": "/srv/a.mp4"}}, RENDERING | RESTART),
    ("streams.0.source", {"file": {"pvc": "claim/a.mp4", "loop": True, "realTime": True}}, RENDERING | RESTART),
    ("streams.0.source", {"device": {"path": "/dev/video0"}}, RENDERING | RESTART),
    ("streams.0.captureFps", 15, SOLUTION),
    ("streams.0.views.0.name", "other", NOTHING),
    ("streams.0.views.0.crop", ["0", "0", "1", "1"], NOTHING),
    ("objective", "MaxMinF1", {"solution"}),
    ("runtime.engine", "OpenVINO", RENDERING),
    ("runtime.threads", 1, SOLUTION),
    ("allowedNamespaces", {"matchLabels": {"tenant": "yes"}}, {"allowed", "solution", "rendering", "template"}),
    ("allowedNamespaces", {"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, NOTHING),
]

GIVEN_PROFILE = {
    "lengthSeconds": "3",
    "gapSeconds": "9",
    "frequency": "0.3",
    "correlation": "0.1",
    "correlationFps": "10",
}

APP_ROWS: list[tuple[str, object, set[str]]] = [
    ("edgeNodes", {"matchNames": ["gate-4"]}, SELECTION),
    ("edgeNodes", {"matchLabels": {"site": "a"}}, SELECTION),
    ("stream", "south", SOLUTION | RESTART),
    ("view", "gate", SOLUTION | RETRAINING),
    ("suspend", True, SOLUTION | RESTART),
    ("threshold", 3, SOLUTION),
    ("events", ["blue-car"], RENDERING | RETRAINING),
    ("training.baseDnn", {"architecture": "MobileNet", "weights": "imagenet"}, RETRAINING),
    ("training.dataset.uri", "s3://datasets/another", RETRAINING),
    ("training.dataset.secretRef", {"name": "bucket"}, RETRAINING),
    ("training.branchpoints", ["conv_pw_1"], RETRAINING),
    ("training.epochs", 3, RETRAINING),
    ("training.seed", 1, RETRAINING),
    ("training.parallelism", 4, NOTHING),
    ("training.resources", {"requests": {"cpu": "4"}}, NOTHING),
    ("training.nodeSelector", {"gpu": "yes"}, NOTHING),
    ("training.tolerations", [{"operator": "Exists"}], NOTHING),
    ("training.priorityClassName", "low", NOTHING),
    ("eventProfile", GIVEN_PROFILE, SOLUTION),
    ("votes", 3, SOLUTION),
    ("endAfterSeconds", "2", RENDERING),
    ("priority", 5, {"solution"}),
    ("weight", 2, {"solution"}),
    ("minF1", "0.1", {"solution"}),
    ("sinks.0.mqtt.topic", "another", RENDERING),
    ("sinks.0.mqtt.url", "mqtt://other", RENDERING),
    ("sinks.0.mqtt.secretRef.name", "other", RENDERING),
    ("sinks.0.mqtt.homeAssistant", True, RENDERING),
    ("sinks.0", {"webhook": {"url": "https://example.test"}}, RENDERING),
    ("snapshots.enabled", True, RENDERING),
    ("snapshots.maxBytes", 1000, RENDERING),
    ("snapshots.quality", 50, RENDERING),
]


def _differences(one: Seen, other: Seen) -> set[str]:
    return {field.name for field in fields(Seen) if getattr(one, field.name) != getattr(other, field.name)}


@pytest.mark.parametrize(("path", "value", "causes"), NODE_ROWS, ids=[f"{row[0]}={row[1]}"[:50] for row in NODE_ROWS])
def test_a_field_of_an_edge_node_causes(path: str, value: object, causes: set[str]) -> None:
    """Just that."""
    assert _differences(seen(NODE, APP), seen(changed(NODE, path, value), APP)) == causes


@pytest.mark.parametrize(("path", "value", "causes"), APP_ROWS, ids=[f"{row[0]}={row[1]}"[:50] for row in APP_ROWS])
def test_a_field_of_an_app_causes(path: str, value: object, causes: set[str]) -> None:
    """Just that."""
    assert _differences(seen(NODE, APP), seen(NODE, changed(APP, path, value))) == causes


def test_a_view_that_an_app_looks_at_is_trained_and_rendered_anew() -> None:
    """A crop is of the data, too."""
    looking = changed(APP, "view", "gate")
    moved = changed(NODE, "streams.0.views.0.crop", ["0.5", "0.5", "0.5", "0.5"])
    assert _differences(seen(NODE, looking), seen(moved, looking)) == {"rendering", "training"}


def test_every_field_has_a_row() -> None:
    """Of the Python types, which a test holds against the CRDs."""
    for model, rows in ((EdgeNode, NODE_ROWS), (MainstreamApp, APP_ROWS)):
        spec = model.model_fields["spec"].annotation
        assert spec is not None
        names = {field.alias or name for name, field in spec.model_fields.items()}
        lacking = names - {row[0].partition(".")[0] for row in rows} - {"package"}
        assert not lacking, lacking
