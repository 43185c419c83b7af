"""The cluster's API, as much of it as the operator calls: plain objects in and out, one connection pool for life.

Only this module knows a Kubernetes client. Methods block; they are called in threads. What an answer means for a plan is the
caller's to decide, so errors are ``ApiError`` with the status. Each call is told to ``called``, with the right that it needs:
the chart grants what is called and nothing else (``rights``).
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import kubernetes.client
import kubernetes.config
import urllib3

from mainstream_operator.kinds import Kind
from mainstream_operator.listing import Listing

TIMEOUT_SECONDS = (5.0, 30.0)
"""To connect, and for an answer."""
FIELD_MANAGER = "mainstream-operator"
WATCH_SECONDS = 240
"""After which the server ends a watch in good order."""
SILENCE_SECONDS = 300.0
"""A watch that says nothing for longer, though the server should have ended it, is dead."""
METADATA_ONLY = "application/json;as=PartialObjectMetadata{};g=meta.k8s.io;v=v1"

Plain = dict[str, Any]
Called = Callable[[str, str, str], None]
"""Is told of each call: the verb, the API group, the resource (``edgenodes/status``)."""


class ApiError(Exception):
    """The API server said no, or did not answer (status 0)."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(f"{status}: {message}" if status else message)


@dataclass(frozen=True, slots=True)
class ObjectKey:
    """Where an object is; ``namespace`` is None for cluster-scoped kinds."""

    kind: Kind
    namespace: str | None
    name: str

    @classmethod
    def of(cls, body: Mapping[str, Any], kind: Kind) -> "ObjectKey":
        """Of a plain object."""
        return cls(kind, body["metadata"].get("namespace"), body["metadata"]["name"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which objects of a kind: of one namespace or all, with labels or any. ``metadata_only``: without spec, data or status."""

    kind: Kind
    namespace: str | None = None
    labels: str = ""
    metadata_only: bool = False

    def accept(self, what: str = "") -> str:
        """The media type that is asked for; ``what`` is ``List`` for lists."""
        return METADATA_ONLY.format(what) if self.metadata_only else "application/json"


def _nobody(verb: str, group: str, resource: str) -> None:
    del verb, group, resource


class Api:
    """See the module."""

    def __init__(self, client: kubernetes.client.ApiClient, *, called: Called = _nobody) -> None:
        self._client = client
        self._called = called

    @classmethod
    def connect(cls, kubeconfig: str | None = None, *, connections: int = 8, called: Called = _nobody) -> "Api":
        """With the pod's service account, or the person's kubeconfig."""
        configuration = kubernetes.client.Configuration()
        if kubeconfig is None:
            try:
                kubernetes.config.load_incluster_config(configuration)  # type: ignore[no-untyped-call]
            except kubernetes.config.ConfigException:
                kubernetes.config.load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        else:
            kubernetes.config.load_kube_config(kubeconfig, client_configuration=configuration)  # type: ignore[no-untyped-call]
        configuration.connection_pool_maxsize = connections
        return cls(kubernetes.client.ApiClient(configuration), called=called)

    def get(self, key: ObjectKey) -> Plain | None:
        """The object, None if there is none."""
        self._called("get", key.kind.group, key.kind.plural)
        try:
            return _plain(self._call("GET", _path(key.kind, key.namespace, key.name)))
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def list(self, what: Selection) -> Listing:
        """All objects of a selection, as old as the server's cache may be (no quorum read)."""
        self._called("list", what.kind.group, what.kind.plural)
        query = {"resourceVersion": "0"} | ({"labelSelector": what.labels} if what.labels else {})
        path = _path(what.kind, what.namespace)
        return Listing(self._call("GET", path, query=query, accept=what.accept("List")).decode(), what.kind)

    def watch(self, what: Selection, version: str) -> Iterator[tuple[str, Plain]]:
        """What happens after that version: ``ADDED``, ``MODIFIED``, ``DELETED`` or ``BOOKMARK``, and the object.

        Ends when the server ends it; ``ApiError`` 410 if that version is too old to go on from.
        """
        self._called("watch", what.kind.group, what.kind.plural)
        query = {
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
        } | ({"labelSelector": what.labels} if what.labels else {})
        _, url, headers, _, _ = self._serialized(
            "GET", _path(what.kind, what.namespace), query=query, headers={"Accept": what.accept()}
        )
        timeout = urllib3.Timeout(connect=TIMEOUT_SECONDS[0], read=SILENCE_SECONDS)
        pool = self._client.rest_client.pool_manager
        try:
            answer = pool.request("GET", url, headers=headers, preload_content=False, timeout=timeout, retries=False)
            try:
                if answer.status != 200:
                    raise ApiError(answer.status, _said(answer.read()) or str(answer.reason))
                for line in _lines(answer):
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        raise ApiError(
                            event["object"].get("code", 0), event["object"].get("message", "the watch broke")
                        )
                    yield event["type"], event["object"]
            finally:
                answer.close()
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise ApiError(0, f"the watch of {what.kind.plural} broke: {error}") from None

    def apply(self, body: Plain, kind: Kind, *, status: bool = False) -> Plain:
        """Server-side apply under the operator's name; conflicts are taken over: nobody else owns what it writes."""
        key = ObjectKey.of(body, kind)
        self._called("patch", kind.group, kind.plural + ("/status" if status else ""))
        path = _path(kind, key.namespace, key.name) + ("/status" if status else "")
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        return _plain(self._call("PATCH", path, query=query, body=body, content="application/apply-patch+yaml"))

    def create(self, body: Plain, kind: Kind) -> bool:
        """Create it; False if one of that name is there."""
        self._called("create", kind.group, kind.plural)
        try:
            query = {"fieldManager": FIELD_MANAGER}
            self._call("POST", _path(kind, body["metadata"].get("namespace")), query=query, body=body)
        except ApiError as error:
            if error.status == 409:
                return False
            raise
        return True

    def merge(self, key: ObjectKey, patch: Plain) -> None:
        """A JSON merge patch of an object; one that is gone is left alone."""
        self._called("patch", key.kind.group, key.kind.plural)
        try:
            path = _path(key.kind, key.namespace, key.name)
            query = {"fieldManager": FIELD_MANAGER}
            self._call("PATCH", path, query=query, body=patch, content="application/merge-patch+json")
        except ApiError as error:
            if error.status != 404:
                raise

    def replace(self, body: Plain, kind: Kind) -> None:
        """Replace it if it has not changed since it was read (its ``resourceVersion``); ``ApiError`` 409 otherwise."""
        key = ObjectKey.of(body, kind)
        self._called("update", kind.group, kind.plural)
        self._call("PUT", _path(kind, key.namespace, key.name), query={"fieldManager": FIELD_MANAGER}, body=body)

    def delete(self, key: ObjectKey, *, version: str | None = None) -> None:
        """Delete it and in the background what it owns; one that is gone is no error. 409 if it is not of that version."""
        self._called("delete", key.kind.group, key.kind.plural)
        options: Plain = {"propagationPolicy": "Background"}
        if version is not None:
            options["preconditions"] = {"resourceVersion": version}
        try:
            self._call("DELETE", _path(key.kind, key.namespace, key.name), body=options)
        except ApiError as error:
            if error.status != 404:
                raise

    def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Plain | None = None,
        content: str = "application/json",
        accept: str = "application/json",
    ) -> bytes:
        headers = {"Accept": accept, "Content-Type": content}
        try:
            method, url, headers, sent, _ = self._serialized(method, path, query=query, headers=headers, body=body)
            answer = self._client.call_api(method, url, headers, sent, _request_timeout=TIMEOUT_SECONDS)
            data: bytes = answer.read()  # type: ignore[no-untyped-call]
        except kubernetes.client.ApiException as error:
            raise ApiError(error.status or 0, _said(error.body) or str(error.reason)) from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ApiError(0, f"the API server does not answer: {error}") from None
        if not 200 <= answer.status < 300:
            raise ApiError(answer.status, _said(data) or str(answer.reason))
        return data

    def _serialized(
        self, method: str, path: str, *, query: Mapping[str, str] | None, headers: Plain, body: Plain | None = None
    ) -> tuple[str, str, Plain, Any, Any]:
        found: tuple[str, str, Plain, Any, Any] = self._client.param_serialize(
            method, path, query_params=list((query or {}).items()), header_params=headers, body=body,
            auth_settings=["BearerToken"],
        )  # fmt: skip
        return found


def _lines(answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    rest = b""
    for chunk in answer.stream(decode_content=False, amt=None):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line for line in lines if line)


def _plain(data: bytes) -> Plain:
    plain: Plain = json.loads(data)
    return plain


def _said(body: bytes | str | None) -> str:
    """The message of a ``Status``."""
    try:
        return str(json.loads(body or b"")["message"])
    except (ValueError, KeyError, TypeError):
        return ""


def _path(kind: Kind, namespace: str | None, name: str | None = None) -> str:
    group = f"/apis/{kind.api_version}" if "/" in kind.api_version else f"/api/{kind.api_version}"
    parts: Iterable[str | None] = (
        group, *(("namespaces", namespace) if namespace and kind.namespaced else ()), kind.plural, name,
    )  # fmt: skip
    return "/".join(part for part in parts if part)
