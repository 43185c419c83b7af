"""What the operator reasons about, as plain values: objects' identities, findings, packages in use, results of Jobs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from mainstream.basednn import BaseDnn
from mainstream.errors import InputError
from mainstream.jobs import JobResult
from mainstream.packages.mpackage import MPackage
from mainstream.resources.app import MainstreamApp
from mainstream.resources.edgenode import EdgeNode

Plain = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a condition says. ``good`` None is Unknown."""

    good: bool | None
    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What server-side apply and owner references need of an object; ``created`` orders apps by age."""

    uid: str
    generation: int
    created: str
    deleted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageInUse:
    """An M-Package with its base DNN; ``reference`` is by digest, ``training_hash`` of a trained one."""

    reference: str
    package: MPackage
    base_dnn: BaseDnn
    training_hash: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A Job as far as decisions need it. ``trouble`` says why nothing of it runs, or how it failed without a result."""

    name: str
    state: Literal["Active", "Succeeded", "Failed"]
    result: JobResult | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppState:
    """An app, and the package that it has. ``trained`` is its condition of that name; ``held`` a result that waits.

    ``pending``: which package it has is not known yet, because it is being read or its registry is away.
    """

    app: MainstreamApp
    identity: Identity
    trained: Finding
    package: PackageInUse | None = None
    previous: Mapping[str, str] | None = None
    held: Mapping[str, str] | None = None
    pending: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Invalid:
    """An object that the server took and that cannot be read all the same; ``message`` names the field."""

    message: str
    identity: Identity


def identity(body: Mapping[str, Any]) -> Identity:
    """Of a plain object."""
    metadata = body["metadata"]
    return Identity(
        uid=metadata.get("uid", ""),
        generation=metadata.get("generation", 0),
        created=metadata.get("creationTimestamp", ""),
        deleted="deletionTimestamp" in metadata,
    )


def read_app(body: Mapping[str, Any]) -> MainstreamApp | Invalid:
    """A MainstreamApp from the cluster."""
    try:
        return MainstreamApp.from_plain(_read(body), where=f"MainstreamApp {_name(body)}")
    except InputError as error:
        return Invalid(message=error.line, identity=identity(body))


def read_edge_node(body: Mapping[str, Any]) -> EdgeNode | Invalid:
    """An EdgeNode from the cluster."""
    try:
        return EdgeNode.from_plain(_read(body), where=f"EdgeNode {_name(body)}")
    except InputError as error:
        return Invalid(message=error.line, identity=identity(body))


def key_of(body: Mapping[str, Any]) -> str:
    """``namespace/name``, or the name of a cluster-scoped object."""
    namespace = body["metadata"].get("namespace")
    name: str = body["metadata"]["name"]
    return f"{namespace}/{name}" if namespace else name


def counted(number: int, word: str) -> str:
    """``1 app``, ``2 apps``."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def parse_time(text: str | None) -> datetime | None:
    """An RFC 3339 time of the API; None if there is none."""
    return datetime.fromisoformat(text) if text else None


def _read(body: Mapping[str, Any]) -> Plain:
    metadata = body["metadata"]
    kept = {name: metadata[name] for name in ("name", "namespace", "labels", "annotations") if name in metadata}
    plain = {name: body[name] for name in ("apiVersion", "kind") if name in body}
    return {**plain, "metadata": kept, "spec": body.get("spec", {})}


def _name(body: Mapping[str, Any]) -> str:
    return str(body["metadata"].get("name"))
