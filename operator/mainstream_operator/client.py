"""The cluster's API, as much of it as the operator calls: plain objects in and out, one connection pool for life.

Only this module and ``watch`` know a Kubernetes client. Methods block; they are called in threads. What an answer means for a
plan is the caller's to decide, so errors are ``ApiError`` with the status.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import kubernetes.client
import kubernetes.config
import urllib3

from mainstream_operator.kinds import Kind

TIMEOUT_SECONDS = (5.0, 30.0)
"""To connect, and for an answer."""
FIELD_MANAGER = "mainstream-operator"
PAGE = 500

Plain = dict[str, Any]


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


class Api:
    """See the module."""

    def __init__(self, client: kubernetes.client.ApiClient) -> None:
        self._client = client

    @classmethod
    def connect(cls, kubeconfig: str | None = None, *, connections: int = 8) -> "Api":
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
        return cls(kubernetes.client.ApiClient(configuration))

    def get(self, key: ObjectKey) -> Plain | None:
        """The object, None if there is none."""
        try:
            return self._call("GET", _path(key.kind, key.namespace, key.name))
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def list(self, kind: Kind, namespace: str | None = None, *, labels: Mapping[str, str] | None = None) -> list[Plain]:
        """All objects of a kind, as old as the server's cache may be (no quorum read), with these labels."""
        query: dict[str, str] = {"resourceVersion": "0"}
        if labels:
            query["labelSelector"] = ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
        items: list[Plain] = self._call("GET", _path(kind, namespace), query=query).get("items") or []
        return [{"apiVersion": kind.api_version, "kind": kind.kind, **item} for item in items]

    def apply(self, body: Plain, kind: Kind, *, status: bool = False) -> Plain:
        """Server-side apply under the operator's name; conflicts are taken over: nobody else owns what it writes."""
        key = ObjectKey.of(body, kind)
        path = _path(kind, key.namespace, key.name) + ("/status" if status else "")
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        return self._call("PATCH", path, query=query, body=body, content="application/apply-patch+yaml")

    def create(self, body: Plain, kind: Kind) -> bool:
        """Create it; False if one of that name is there."""
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
        self._call("PUT", _path(kind, key.namespace, key.name), query={"fieldManager": FIELD_MANAGER}, body=body)

    def delete(self, key: ObjectKey) -> None:
        """Delete it and in the background what it owns; one that is gone is no error."""
        try:
            self._call("DELETE", _path(key.kind, key.namespace, key.name), body={"propagationPolicy": "Background"})
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
    ) -> Plain:
        headers = {"Accept": "application/json", "Content-Type": content}
        try:
            method, url, headers, sent, _ = self._client.param_serialize(
                method, path, query_params=list((query or {}).items()), header_params=headers, body=body,
                auth_settings=["BearerToken"],
            )  # fmt: skip
            answer = self._client.call_api(method, url, headers, sent, _request_timeout=TIMEOUT_SECONDS)
            data = answer.read()  # type: ignore[no-untyped-call]
        except kubernetes.client.ApiException as error:
            raise ApiError(error.status or 0, _said(error.body) or str(error.reason)) from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ApiError(0, f"the API server does not answer: {error}") from None
        if not 200 <= answer.status < 300:
            raise ApiError(answer.status, _said(data) or str(answer.reason))
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
