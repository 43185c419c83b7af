"""The cluster's API server, as a pod reaches it: plain HTTPS with the service account's token.

The token is read for each request, since the kubelet renews its file, and so is the CA for each new connection. ``skew`` is how
far the server's clock is ahead of this box's, which may have none that outlives a power cut.
"""

import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Protocol

import httpx

from mainstream.documents import canonical_json
from mainstream.errors import InputError, OperationError

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where the kubelet mounts token, CA and namespace (Kubernetes, "Accessing the API from a Pod")."""
TIMEOUT = httpx.Timeout(10.0, connect=5.0)
APPLY, MERGE = "application/apply-patch+yaml", "application/merge-patch+json"
SKEW = timedelta(seconds=2)
"""Less than this is the ``Date`` header's own coarseness."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where the server is, and the folder with ``token``, ``ca.crt`` and ``namespace``."""

    url: str
    account: Path
    namespace: str


def in_cluster(environment: Mapping[str, str], account: Path = SERVICE_ACCOUNT) -> Access:
    """As Kubernetes tells every pod (``InputError`` if this is none)."""
    host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise InputError(
            "--report: this is no pod of a cluster: KUBERNETES_SERVICE_HOST is not set",
            remedy="Leave --report out; on a machine of your own /readyz and the page say the same.",
        )
    namespace = environment.get("POD_NAMESPACE", "")
    if not namespace:
        with suppress(OSError):
            namespace = (account / "namespace").read_text().strip()
    if not namespace:
        raise InputError("--report: neither POD_NAMESPACE nor the service account says in which namespace this is")
    bracketed = f"[{host}]" if ":" in host else host
    return Access(url=f"https://{bracketed}:{port}", account=account, namespace=namespace)


class Patches(Protocol):
    """Takes patches: the seam to the API server."""

    @property
    def skew(self) -> timedelta:
        """How far its clock is ahead."""
        ...

    def patch(
        self, path: str, body: Mapping[str, Any], *, content_type: str, query: Mapping[str, str] | None = None
    ) -> None:
        """Send one (``OperationError``: it is away, or refuses)."""
        ...

    def close(self) -> None:
        """It is not needed any more."""
        ...


class ApiServer:
    """For one thread. ``utc`` is this box's clock."""

    def __init__(self, access: Access, *, utc: Callable[[], datetime]) -> None:
        self._skew = timedelta()
        self._access = access
        self._utc = utc
        self._http: httpx.Client | None = None

    @property
    def skew(self) -> timedelta:
        """See the module."""
        return self._skew

    def patch(
        self, path: str, body: Mapping[str, Any], *, content_type: str, query: Mapping[str, str] | None = None
    ) -> None:
        """Send a patch (``OperationError``: it is away, or refuses; its words are in the message)."""
        try:
            http = self._opened()
            answer = http.patch(
                path,
                content=canonical_json(body),
                params=dict(query or {}),
                headers={"Authorization": f"Bearer {self._token()}", "Content-Type": content_type},
            )
        except (httpx.TransportError, httpx.InvalidURL, ssl.SSLError) as error:
            self.close()
            raise OperationError(f"the API server cannot be reached: {error}", where=self._access.url) from None
        except OSError as error:
            self.close()
            raise OperationError(f"cannot read the service account: {error.strerror}", where=error.filename) from None
        self._note(answer)
        if not answer.is_success:
            raise OperationError(f"the API server says {answer.status_code}: {_said(answer)}", where=path)

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        http, self._http = self._http, None
        if http is not None:
            http.close()

    def _opened(self) -> httpx.Client:
        if self._http is None:
            trusted = ssl.create_default_context(cafile=str(self._access.account / "ca.crt"))
            self._http = httpx.Client(base_url=self._access.url, verify=trusted, timeout=TIMEOUT, trust_env=False)
        return self._http

    def _token(self) -> str:
        return (self._access.account / "token").read_text().strip()

    def _note(self, answer: httpx.Response) -> None:
        with suppress(TypeError, ValueError):
            ahead = parsedate_to_datetime(answer.headers["Date"]) - self._utc() if "Date" in answer.headers else SKEW
            self._skew = ahead if abs(ahead) > SKEW else timedelta()


def _said(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["message"])[:500]
    except (ValueError, KeyError, TypeError):
        return answer.text[:200] or answer.reason_phrase
