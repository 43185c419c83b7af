"""Manifests to begin with, and what becomes of them when one thing is changed."""

import copy
from collections.abc import Mapping
from typing import Any

import httpx

from mainstream.resources.app import MainstreamApp
from mainstream.resources.edgenode import EdgeNode
from mainstream.resources.faults import FaultyError, parse_resource
from mainstream.resources.located import Located

GONE = object()
"""Takes a field away."""

NODE: Mapping[str, Any] = {
    "apiVersion": "mainstream.dev/v1alpha1",
    "kind": "EdgeNode",
    "metadata": {"name": "box"},
    "spec": {
        "streams": [
            {
                "name": "north",
                "source": {"rtsp": {"url": "rtsp://10.0.0.7/stream1"}},
                "captureFps": 15,
                "views": [{"name": "gate", "crop": ["0.55", "0.2", "0.3", "0.45"]}],
            }
        ],
    },
}

APP: Mapping[str, Any] = {
    "apiVersion": "mainstream.dev/v1alpha1",
    "kind": "MainstreamApp",
    "metadata": {"name": "red-car", "namespace": "default"},
    "spec": {
        "edgeNodes": {"matchNames": ["box"]},
        "stream": "north",
        "events": ["red-car"],
        "training": {
            "baseDnn": {"architecture": "MobileNet", "inputSize": 224, "weights": "imagenet"},
            "dataset": {"uri": "s3://datasets/red-car"},
        },
    },
}

PROFILE = {
    "lengthSeconds": "2.0", "lengthQuantilesSeconds": ["1.0", "3.0"], "frequency": "0.08", "correlation": "0.11",
    "correlationFps": "10",
}  # fmt: skip

_PLACES = {"EdgeNode": "edgenodes", "MainstreamApp": "namespaces/default/mainstreamapps"}

_MORE = "some validation rules were not checked"
"""The server adds this to what is wrong with the fields."""


def changed(manifest: Mapping[str, Any], path: str, value: object) -> dict[str, Any]:
    """A copy with the field at ``spec.streams.0.name`` set to ``value``; what is on the way is made."""
    copied = copy.deepcopy(dict(manifest))
    *way, last = path.split(".")
    at: Any = copied
    for step in way:
        at = at[int(step)] if isinstance(at, list) else at.setdefault(step, {})
    if value is GONE:
        del at[int(last) if isinstance(at, list) else last]
    elif isinstance(at, list):
        at[int(last) :] = [value]
    else:
        at[last] = value
    return copied


def parsed(manifest: Mapping[str, Any]) -> EdgeNode | MainstreamApp:
    """The manifest as the Python type; ``FaultyError`` where it is wrong."""
    located = Located(value=manifest)
    if manifest["kind"] == "EdgeNode":
        return parse_resource(EdgeNode, located)
    return parse_resource(MainstreamApp, located)


def faults(manifest: Mapping[str, Any]) -> list[str]:
    """What the command line says is wrong: ``spec.stream: expected ...``."""
    try:
        parsed(manifest)
    except FaultyError as error:
        return [message for _, message in error.faults]
    return []


def sent(client: httpx.Client, manifest: Mapping[str, Any], *, dry_run: bool = True) -> httpx.Response:
    """Create the resource as ``kubectl apply`` does, unknown fields refused; nothing is kept of a dry run."""
    parameters = {"fieldValidation": "Strict", **({"dryRun": "All"} if dry_run else {})}
    return client.post(f"/apis/mainstream.dev/v1alpha1/{_PLACES[manifest['kind']]}", params=parameters, json=manifest)


def refusals(client: httpx.Client, manifest: Mapping[str, Any]) -> list[str]:
    """What the API server says is wrong, as kubectl prints it: ``spec.stream: Invalid value: ...``."""
    answer = sent(client, manifest)
    if answer.is_success:
        return []
    status = answer.json()
    causes = status.get("details", {}).get("causes", ())
    told = [f"{cause['field']}: {cause['message']}" for cause in causes if "field" in cause]
    return [message for message in told if _MORE not in message] or [status["message"]]
