"""One MQTT 5 connection, from CONNECT until it is lost; what comes after it is another one.

MQTT 5 and not 3.1.1, because there a broker says *why* it does not take a message. With 3.1.1 a message that the broker's
access list forbids is acknowledged like any other, and is gone.
"""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from mainstream_runner.sinks.credentials import Credentials
from mainstream_runner.sinks.link import RecordRefusedError, SinkAwayError

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 10.0
KEEPALIVE_SECONDS = 20
"""A broker that is silently gone is noticed, and ours is noticed by it, after one and a half times this."""

_PACKET_OVERHEAD_BYTES = 128
_TOO_LARGE, _PAYLOAD_FORMAT_INVALID = 0x95, 0x99
"""The two reason codes that are about the very message; all others may pass (MQTT 5, 3.4.2.1)."""


class Connection:
    """See the module. ``lost`` is called, from another thread, when an open connection is lost."""

    def __init__(
        self,
        *,
        client_id: str,
        credentials: Credentials,
        tls: ssl.SSLContext | None,
        will: tuple[str, bytes],
        lost: Callable[[], None],
    ) -> None:
        self._lost = lost
        self._changed = threading.Condition()
        self._answers: dict[int, ReasonCode] = {}
        self._ended: str | None = None
        self._limit_bytes: int | None = None
        self._accepted = False
        self._client = client = Client(
            CallbackAPIVersion.VERSION2, client_id, protocol=MQTTProtocolVersion.MQTTv5, reconnect_on_failure=False
        )
        client.connect_timeout = CONNECT_SECONDS
        if credentials.username is not None or credentials.password is not None:
            client.username_pw_set(credentials.username or "", credentials.password)
        if tls is not None:
            tls.sslsocket_class = _TlsSocket
            client.tls_set_context(tls)
        client.will_set(will[0], will[1], qos=1, retain=True)
        client.on_connect, client.on_disconnect, client.on_publish = (
            self._on_connect,
            self._on_disconnect,
            self._on_publish,
        )

    @property
    def up(self) -> bool:
        """Whether the broker accepted it and it is not lost."""
        return self._accepted and self._ended is None

    def connect(self, host: str, port: int) -> None:
        """Connect and wait until the broker accepts; ``SinkAwayError``."""
        try:
            self._client.connect(host, port, keepalive=KEEPALIVE_SECONDS, clean_start=True)
        except (OSError, ValueError) as error:  # ValueError: a host name that is none; ssl.SSLError is an OSError
            raise SinkAwayError(f"cannot connect: {_reason(error)}") from None
        self._client.loop_start()
        with self._changed:
            self._changed.wait_for(lambda: self._accepted or self._ended, ANSWER_SECONDS)
            if not self.up:
                raise SinkAwayError(self._ended or f"the broker did not answer within {ANSWER_SECONDS:g} s")

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, content_type: str | None = None) -> None:
        """Publish with QoS 1 and return when the broker has it; ``SinkAwayError``, ``RecordRefusedError``."""
        if (
            self._limit_bytes is not None
            and len(payload) + len(topic.encode()) + _PACKET_OVERHEAD_BYTES > self._limit_bytes
        ):
            raise RecordRefusedError(
                f"a record of {len(payload)} bytes is larger than the broker takes ({self._limit_bytes})"
            )
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if content_type is not None:
            properties.ContentType = content_type
            properties.PayloadFormatIndicator = 1
        number = self._client.publish(topic, payload, qos=1, retain=retain, properties=properties).mid
        with self._changed:
            self._changed.wait_for(lambda: number in self._answers or self._ended, ANSWER_SECONDS)
            answer = self._answers.pop(number, None)
            if answer is None:
                fault = self._ended or f"the broker did not acknowledge within {ANSWER_SECONDS:g} s"
                self._ended = fault  # an answer that is so late would not be waited for
                raise SinkAwayError(fault)
        if answer.value in {_TOO_LARGE, _PAYLOAD_FORMAT_INVALID}:
            raise RecordRefusedError(f"the broker refuses a record of {len(payload)} bytes: {answer}")
        if answer.is_failure:
            raise SinkAwayError(f"the broker refuses topic {topic!r}: {answer}")

    def disconnect(self) -> None:
        """End it properly: the broker does not publish the last will."""
        with self._changed:
            self._ended = self._ended or "disconnected"
        self._client.disconnect()
        self._client.loop_stop()

    def abandon(self) -> None:
        """End it whatever state it is in, without waiting for the broker."""
        with self._changed:
            self._ended = self._ended or "abandoned"
        open_socket = self._client.socket()
        if isinstance(open_socket, socket.socket):
            # Not a TLS socket's own method: that takes the encryption off first, while paho may still write.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(open_socket, socket.SHUT_RDWR)
        self._client.loop_stop()

    # paho calls these in its own thread.

    def _on_connect(
        self, _client: Client, _data: Any, _flags: ConnectFlags, reason: ReasonCode, properties: Any
    ) -> None:
        with self._changed:
            if reason.is_failure:
                self._ended = f"the broker refuses the connection: {reason}"
            else:
                self._accepted = True
                self._limit_bytes = getattr(properties, "MaximumPacketSize", None)
            self._changed.notify_all()

    def _on_publish(self, _client: Client, _data: Any, number: int, reason: ReasonCode, _properties: Any) -> None:
        with self._changed:
            self._answers[number] = reason
            self._changed.notify_all()

    def _on_disconnect(
        self, _client: Client, _data: Any, flags: DisconnectFlags, reason: ReasonCode, _properties: Any
    ) -> None:
        with self._changed:
            who = (
                "the broker ended the connection"
                if flags.is_disconnect_packet_from_server
                else "the connection was lost"
            )
            expected, self._ended = self._ended, self._ended or f"{who}: {reason}"
            self._changed.notify_all()
        if expected is None:
            self._lost()


class _TlsSocket(ssl.SSLSocket):
    """Closes itself if the other side is not trusted, which paho leaves to the garbage collector."""

    def do_handshake(self, block: bool = False) -> None:  # as the library has it
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the broker's certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or 'it was cut off'}"
    if isinstance(error, TimeoutError):
        return f"no answer within {CONNECT_SECONDS:g} s"
    return str(getattr(error, "strerror", None) or "the host's name is not valid")
