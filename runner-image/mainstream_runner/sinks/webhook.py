"""Records to a receiver of webhooks: CloudEvents in structured mode, one POST each.

What an answer means:

* 2xx: delivered;
* 408, 425, 429, 5xx, no answer: tried again, not before ``Retry-After``;
* 401, 403, 407: tried again too. They are about the credentials, not about the record, and a Secret can be mended;
* any other 4xx: the record will never be taken. It is dropped and counted, so that it does not hold up the rest;
* 3xx: tried again, never followed: nobody but the manifest says who gets the records and the credentials.
"""

import base64
import contextlib
import email.utils
import logging
import ssl
from collections.abc import Mapping
from datetime import UTC
from typing import Any

import httpx

from mainstream_runner.clock import Clock
from mainstream_runner.secrets import Secrets
from mainstream_runner.sinks.address import Address
from mainstream_runner.sinks.credentials import read_credentials, tls_context
from mainstream_runner.sinks.link import RecordRefusedError, SinkAwayError

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 10.0
_ANSWER_BYTES = 64 << 10
"""A longer answer is not read; the next record then takes a new connection."""

_CREDENTIALS = {401, 403, 407}
_LATER = {408, 425, 429}

logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs whole URLs, and receivers put tokens into their queries


class WebhookLink:
    """A ``Link`` to a URL."""

    def __init__(self, address: Address, *, secrets: Secrets, clock: Clock) -> None:
        self._address, self._secrets, self._clock = address, secrets, clock
        self._client: httpx.Client | None = None

    def open(self) -> bool:
        """Nothing to connect: whether the receiver is there shows with the first record."""
        return False

    def send(self, body: bytes, record: Mapping[str, Any], *, fresh: bool) -> None:  # noqa: ARG002  # see Link
        """See ``Link`` and the module."""
        if self._client is None:
            self._client = self._connect()
        headers = {"Content-Type": CONTENT_TYPE, "User-Agent": "mainstream", **self._authorization()}
        try:
            with self._client.stream("POST", self._address.url, content=body, headers=headers) as answer:
                self._judge(answer)
                with contextlib.suppress(httpx.HTTPError, ValueError):  # it was taken, whatever comes after the status
                    if 0 <= int(answer.headers.get("Content-Length", -1)) <= _ANSWER_BYTES:
                        answer.read()  # so that the connection serves for the next one
        except SinkAwayError:
            self.close()  # certificates and CA are read anew
            raise
        except httpx.HTTPError as error:
            self.close()
            raise SinkAwayError(_reason(error)) from None

    def retire(self) -> None:
        """Nothing was published to stay."""

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _connect(self) -> httpx.Client:
        return httpx.Client(
            verify=tls_context(self._secrets, self._address.secret) if self._address.tls else False,
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            follow_redirects=False,
        )

    def _authorization(self) -> dict[str, str]:
        """The key ``authorization`` as it is, else ``token`` as a bearer's, else ``username`` and ``password``."""
        credentials = read_credentials(self._secrets, self._address.secret)
        if credentials.authorization is not None:
            value = credentials.authorization
        elif credentials.token is not None:
            value = f"Bearer {credentials.token}"
        elif credentials.username is not None or credentials.password is not None:
            pair = f"{credentials.username or ''}:{credentials.password or ''}"
            value = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            return {}
        if not value.isascii():
            raise SinkAwayError("the Secret's token or authorization has a character that no header may have")
        return {"Authorization": value}

    def _judge(self, answer: httpx.Response) -> None:
        status = answer.status_code
        if answer.is_success:
            return
        if answer.is_redirect:
            raise SinkAwayError(
                f"redirects to {_origin(answer)} (HTTP {status}), which is not followed: write it as url"
            )
        if status in _CREDENTIALS:
            raise SinkAwayError(f"rejects the credentials (HTTP {status})")
        if status in _LATER or status >= 500:
            raise SinkAwayError(f"answers HTTP {status}", retry_after_seconds=self._retry_after(answer))
        if answer.is_client_error:
            raise RecordRefusedError(f"refuses a record (HTTP {status})")
        raise SinkAwayError(f"answers HTTP {status}")

    def _retry_after(self, answer: httpx.Response) -> float:
        """Seconds; 0 without the header or where it says nothing."""
        text = answer.headers.get("Retry-After", "")
        if text.isdecimal() and text.isascii():
            return float(text[:9])
        try:
            until = email.utils.parsedate_to_datetime(text)
        except (ValueError, IndexError):
            return 0.0
        return max(0.0, (until.astimezone(UTC) - self._clock.utc()).total_seconds())


def _origin(answer: httpx.Response) -> str:
    try:
        url = answer.url.join(answer.headers.get("Location", ""))
    except httpx.InvalidURL:
        return "an address that is none"
    return f"{url.scheme}://{url.netloc.decode('ascii', 'replace').rpartition('@')[2]}"


def _reason(error: Exception) -> str:
    """What happened, without what libraries quote of requests."""
    if isinstance(error, httpx.TimeoutException):
        return f"no answer within {ANSWER_SECONDS:g} s"
    if isinstance(error, httpx.ConnectError):
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLCertVerificationError):
                return f"cannot connect: its certificate is not trusted: {cause.verify_message}"
            if isinstance(cause, OSError) and cause.strerror:
                return f"cannot connect: {cause.strerror}"
            cause = cause.__cause__ or cause.__context__
        return "cannot connect"
    return f"the connection failed: {type(error).__name__}"
