"""Records to an MQTT broker: CloudEvents in structured mode at ``TOPIC``, QoS 1, acknowledged when the broker has them.

Beside them, retained: ``TOPIC/availability`` is ``online``, and ``offline`` after a proper end as after a crash (last will);
with ``homeAssistant`` also ``TOPIC/state`` (``ON`` while an event is open) and the discovery message.
"""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from mainstream_runner.events import EVENT_STARTED
from mainstream_runner.secrets import Secrets
from mainstream_runner.sinks import discovery
from mainstream_runner.sinks.address import Address
from mainstream_runner.sinks.connection import Connection
from mainstream_runner.sinks.credentials import read_credentials, tls_context
from mainstream_runner.sinks.link import RecordRefusedError, SinkAwayError

CONTENT_TYPE = "application/cloudevents+json"


class MqttLink:
    """A ``Link`` to one topic of a broker. ``client_id`` stays the same over restarts, and nobody else's is like it."""

    def __init__(
        self, address: Address, *, secrets: Secrets, client_id: str, edge_node: str, lost: Callable[[], None]
    ) -> None:
        self._address, self._secrets, self._client_id, self._edge_node = address, secrets, client_id, edge_node
        self._lost = lost
        self._availability = discovery.availability_topic(address.topic)
        self._connection: Connection | None = None
        self._open_apps: set[str] = set()
        self._state: bytes | None = None

    def open(self) -> bool:
        """Connect and say that we are there."""
        if self._connection is not None and self._connection.up:
            return True
        self._abandon()
        address = self._address
        credentials = read_credentials(self._secrets, address.secret)
        tls = tls_context(self._secrets, address.secret) if address.tls else None
        self._connection = connection = Connection(
            client_id=self._client_id,
            credentials=credentials,
            tls=tls,
            will=(self._availability, discovery.OFFLINE),
            lost=self._lost,
        )
        try:
            connection.connect(address.host, address.port)
            self._state = None
            if address.home_assistant:
                config = discovery.config(address, edge_node=self._edge_node)
                connection.publish(discovery.config_topic(address, edge_node=self._edge_node), config, retain=True)
                self._publish_state(connection)
            connection.publish(self._availability, discovery.ONLINE, retain=True)
        except RecordRefusedError as error:
            self._abandon()
            raise SinkAwayError(error.problem) from None
        except SinkAwayError:
            self._abandon()
            raise
        return True

    def send(self, body: bytes, record: Mapping[str, Any], *, fresh: bool) -> None:
        """See ``Link``. The state goes first: it must follow the events even where a broker does not take a record."""
        connection = self._connection
        if connection is None:
            raise SinkAwayError("the connection was lost")
        if self._address.home_assistant and fresh:
            self._follow(record)
            self._publish_state(connection)
        connection.publish(self._address.topic, body, content_type=CONTENT_TYPE)

    def retire(self) -> None:
        """Take discovery and state back; ``offline`` stays."""
        if self._connection is None or not self._address.home_assistant:
            return
        for topic in (
            discovery.config_topic(self._address, edge_node=self._edge_node),
            discovery.state_topic(self._address.topic),
        ):
            self._connection.publish(topic, b"", retain=True)

    def close(self) -> None:
        """Say ``offline`` and disconnect."""
        connection = self._connection
        if connection is not None and connection.up:
            with contextlib.suppress(SinkAwayError, RecordRefusedError):  # then the last will says it
                connection.publish(self._availability, discovery.OFFLINE, retain=True)
                connection.disconnect()
                self._connection = None
        self._abandon()

    def _abandon(self) -> None:
        if self._connection is not None:
            self._connection.abandon()
            self._connection = None

    def _follow(self, record: Mapping[str, Any]) -> None:
        """An app has one event at a time; several apps may share a topic."""
        app = str(record.get("subject"))
        if record.get("type") == EVENT_STARTED:
            self._open_apps.add(app)
        else:
            self._open_apps.discard(app)

    def _publish_state(self, connection: Connection) -> None:
        state = discovery.ON if self._open_apps else discovery.OFF
        if state != self._state:
            connection.publish(discovery.state_topic(self._address.topic), state, retain=True)
            self._state = state
