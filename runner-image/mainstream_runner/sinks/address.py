"""Where an app's records are to go, read from its manifest and checked before a schedule is taken.

Rules:

* no credential stands in an address: a manifest is no secret, and its type refuses them;
* what is shown to others (``Address.text``) has no query, because receivers put tokens there; six digits of its hash stand
  for it, so that two sinks of an app never look alike;
* ``{edgeNode}`` in a topic is the edge node's name: one manifest runs on many boxes, and each has an availability of its own.
"""

import hashlib
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import httpx

from mainstream.errors import InputError
from mainstream.resources.app import Sink
from mainstream.resources.metadata import SecretRef

TOPIC_BYTES = 65_000
"""MQTT allows 65,535; ``/availability`` and ``/state`` are still to come."""

_PORTS = {"mqtt": 1883, "mqtts": 8883, "http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A sink's address. ``topic`` is empty for a webhook; ``key`` names the queue and never changes with the credentials."""

    sink: Sink
    url: str
    host: str
    port: int
    tls: bool
    topic: str
    text: str
    key: str
    secret: SecretRef | None

    @property
    def home_assistant(self) -> bool:
        """Whether Home Assistant is to find it."""
        return self.sink.mqtt is not None and self.sink.mqtt.home_assistant


def address(sink: Sink, *, edge_node: str, where: object) -> Address:
    """The address of a sink; ``InputError`` (naming ``where``, never the URL) if it cannot be one."""
    if sink.mqtt is not None:
        url, secret = sink.mqtt.url, sink.mqtt.secret_ref
        topic = _topic(sink.mqtt.topic.replace("{edgeNode}", edge_node), where=where)
    else:
        assert sink.webhook is not None  # noqa: S101  # the document's own rule
        url, secret, topic = sink.webhook.url, sink.webhook.secret_ref, ""
    parts = _split(url, where=where)
    host, port = _host(parts, where=where)
    if topic and (parts.path not in {"", "/"} or parts.query or parts.fragment):
        raise InputError("url: a broker's address ends after the port", where=where, remedy='Write "mqtt://host:port".')
    if not topic:
        _reject_what_http_cannot_ask(url, where=where)
    shown = f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"
    query = f"?...{_hash(parts.query)[:6]}" if parts.query else ""
    return Address(
        sink=sink,
        url=url,
        host=host,
        port=port,
        tls=parts.scheme in {"mqtts", "https"},
        topic=topic,
        text=f"{shown} {topic}" if topic else f"{shown}{parts.path}{query}",
        key=_hash(f"{url}\n{topic}")[:32],
        secret=secret,
    )


def _split(url: str, *, where: object) -> SplitResult:
    if not url.isprintable() or " " in url:
        raise InputError("url: has a space or a control character", where=where)
    try:
        return urlsplit(url)
    except ValueError as error:
        raise InputError(f"url: {error}", where=where) from None


def _host(parts: SplitResult, *, where: object) -> tuple[str, int]:
    try:
        port = parts.port
    except ValueError:
        raise InputError("url: the port is no number from 1 to 65535", where=where) from None
    if not parts.hostname or port == 0:
        raise InputError("url: names no host or no port", where=where, remedy=f'Write "{parts.scheme}://host:port".')
    return parts.hostname, port or _PORTS[parts.scheme]


def _topic(topic: str, *, where: object) -> str:
    if any(sign in topic for sign in "+#") or not topic.isprintable() or topic.startswith(("$", "/")):
        raise InputError(
            f"topic: {topic!r} is none that can be published to",
            where=where,
            remedy='Leave "+", "#", control characters and a "$" or "/" at the beginning out.',
        )
    if len(topic.encode(errors="replace")) > TOPIC_BYTES:
        raise InputError(f"topic: has more than {TOPIC_BYTES} bytes", where=where)
    return topic


def _reject_what_http_cannot_ask(url: str, *, where: object) -> None:
    try:
        httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError):
        raise InputError("url: is none that can be asked for", where=where) from None


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()
