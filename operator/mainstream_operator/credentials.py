"""What the box needs to log in anywhere, gathered into the one Secret of its runner. Pure."""

import base64
import binascii
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mainstream.errors import InputError
from mainstream.packages.registry.reference import parse_reference
from mainstream.resources.app import MainstreamApp, Package
from mainstream.resources.edgenode import EdgeNode, Stream
from mainstream.resources.metadata import SecretRef
from mainstream.resources.names import REGISTRY_SECRET, app_secret, stream_secret

DOCKER_CONFIG = ".dockerconfigjson"

Values = Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class SecretKey:
    """A Secret by namespace and name; it sorts."""

    namespace: str
    name: str

    def __str__(self) -> str:
        """As messages name it."""
        return f"{self.namespace}/{self.name}"


Secrets = Mapping[SecretKey, Values | None]
"""What was observed: None for a Secret that is not there."""


def stream_secrets(streams: Iterable[Stream], namespace: str) -> dict[str, SecretKey]:
    """The Secrets that streams name, by the name that the runner knows them by; they are in the operator's namespace."""
    found = {}
    for stream in streams:
        for kind in (stream.source.rtsp, stream.source.http):
            if kind is not None and kind.credentials_secret_ref is not None:
                name = kind.credentials_secret_ref.name
                found[stream_secret(name)] = SecretKey(namespace, name)
    return found


def sink_secrets(app: MainstreamApp) -> dict[str, SecretKey]:
    """The Secrets that an app's sinks name, by the name that the runner knows them by."""
    found = {}
    for ref in _sink_refs(app):
        found[app_secret(app.metadata.namespace, ref.name)] = SecretKey(app.metadata.namespace, ref.name)
    return found


def pull_secret(app: MainstreamApp) -> SecretKey:
    """The Secret with the credentials for an app's package; it need not be there."""
    ref = app.spec.package.pull_secret_ref if app.spec.package else None
    return SecretKey(app.metadata.namespace, ref.name if ref else REGISTRY_SECRET)


def needed(edge_node: EdgeNode, apps: Iterable[MainstreamApp], namespace: str) -> frozenset[SecretKey]:
    """All Secrets that an edge node's runner may need."""
    keys = set(stream_secrets(edge_node.spec.streams, namespace).values())
    for app in apps:
        keys |= {*sink_secrets(app).values(), pull_secret(app)}
    return frozenset(keys)


def missing(edge_node: EdgeNode, namespace: str, secrets: Secrets) -> list[SecretKey]:
    """Secrets that streams name and that are not there."""
    return [key for key in stream_secrets(edge_node.spec.streams, namespace).values() if secrets.get(key) is None]


def gathered(
    edge_node: EdgeNode, packages: Mapping[str, tuple[MainstreamApp, str]], namespace: str, secrets: Secrets
) -> dict[str, bytes]:
    """The keys and values of the runner's Secret; ``packages`` are the apps and their packages' references, by app."""
    named = stream_secrets(edge_node.spec.streams, namespace)
    for app, _ in packages.values():
        named |= sink_secrets(app)
    found = {
        f"{name}.{key}": value
        for name, where in sorted(named.items())
        for key, value in (secrets.get(where) or {}).items()
    }
    auths: dict[str, Any] = {}
    for app, reference in packages.values():
        values = secrets.get(pull_secret(app))
        entry = docker_entry(values, reference) if values else None
        if entry is not None:
            place = parse_reference(reference)
            auths[f"{place.registry}/{place.repository}"] = entry
    found[DOCKER_CONFIG] = json.dumps({"auths": auths}, sort_keys=True).encode()
    return found


def docker_entry(values: Values, reference: str) -> dict[str, Any] | None:
    """The entry of a ``.dockerconfigjson`` for a reference's repository: the longest that it begins with."""
    try:
        auths = json.loads(values.get(DOCKER_CONFIG, b"{}")).get("auths", {})
        place = parse_reference(reference)
    except (ValueError, AttributeError, InputError):
        return None
    parts = (place.registry, *place.repository.split("/"))
    for length in range(len(parts), 0, -1):
        for prefix in ("", "https://", "http://"):
            entry = auths.get(prefix + "/".join(parts[:length]))
            if isinstance(entry, dict):
                return entry
    return None


def delivered(app: MainstreamApp, reference: str) -> MainstreamApp:
    """The app as the runner gets it: its package by digest, its Secrets by the names in the runner's own."""

    def renamed(ref: SecretRef | None) -> SecretRef | None:
        return SecretRef.model_construct(name=app_secret(app.metadata.namespace, ref.name)) if ref else None

    sinks = []
    for sink in app.spec.sinks:
        for name in ("mqtt", "webhook"):
            kind = getattr(sink, name)
            if kind is not None:
                secret = renamed(kind.secret_ref)
                sinks.append(sink.model_copy(update={name: kind.model_copy(update={"secret_ref": secret})}))
    package = Package(reference=reference)
    spec = app.spec.model_copy(update={"sinks": tuple(sinks), "package": package, "training": None})
    return app.model_copy(update={"spec": spec})


def decoded(secret: Mapping[str, Any]) -> dict[str, bytes]:
    """A Secret's values; one that is not base64 is left out (the API server does not take such)."""
    found = {}
    for key, value in (secret.get("data") or {}).items():
        try:
            found[key] = base64.b64decode(value)
        except (binascii.Error, TypeError):
            continue
    return found


def _sink_refs(app: MainstreamApp) -> Iterator[SecretRef]:
    for sink in app.spec.sinks:
        for kind in (sink.mqtt, sink.webhook):
            if kind is not None and kind.secret_ref is not None:
                yield kind.secret_ref
