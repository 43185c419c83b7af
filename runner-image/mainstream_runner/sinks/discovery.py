"""What Home Assistant is told of a sink: one binary sensor per topic, ON while an event is open.

The messages are those of https://www.home-assistant.io/integrations/mqtt/#discovery-messages; they are retained, so Home
Assistant finds the sensor again after a restart of its own.
"""

import hashlib
import re

from mainstream.documents import canonical_json
from mainstream_runner.sinks.address import Address

ONLINE, OFFLINE = b"online", b"offline"
ON, OFF = b"ON", b"OFF"


def availability_topic(topic: str) -> str:
    """Where ``ONLINE`` and ``OFFLINE`` are retained."""
    return f"{topic}/availability"


def state_topic(topic: str) -> str:
    """Where ``ON`` and ``OFF`` are retained."""
    return f"{topic}/state"


def config_topic(address: Address, *, edge_node: str) -> str:
    """Where Home Assistant looks for the sensor; a node and an object of letters, digits, ``_`` and ``-``."""
    return f"homeassistant/binary_sensor/{_plain(f'mainstream-{edge_node}')}/{_object(address)}/config"


def config(address: Address, *, edge_node: str) -> bytes:
    """The sensor. Its ``unique_id`` stays the same as long as edge node and topic do."""
    device = f"mainstream_{edge_node}"
    return canonical_json(
        {
            "name": address.topic,
            "unique_id": f"{device}_{_object(address)}",
            "state_topic": state_topic(address.topic),
            "payload_on": ON.decode(),
            "payload_off": OFF.decode(),
            "availability_topic": availability_topic(address.topic),
            "payload_available": ONLINE.decode(),
            "payload_not_available": OFFLINE.decode(),
            "qos": 1,
            "device": {
                "identifiers": [device],
                "name": f"Mainstream {edge_node}",
                "manufacturer": "Mainstream",
                "model": "EdgeNode",
            },
            "origin": {"name": "Mainstream"},
        }
    )


def _object(address: Address) -> str:
    """The topic, readable; the digits keep ``a/b`` and ``a_b`` apart."""
    return f"{_plain(address.topic)[:48]}_{hashlib.sha256(address.topic.encode()).hexdigest()[:8]}"


def _plain(text: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_-]", "_", text)
