"""Addresses of sinks: what is refused, in which words, and what of them others are shown."""

import pytest

from mainstream.errors import InputError
from mainstream.resources.app import Mqtt, Sink, Webhook
from mainstream_runner.sinks.address import Address, address


def _mqtt(url: str = "mqtt://broker", topic: str = "traffic/red-car") -> Sink:
    return Sink(mqtt=Mqtt(url=url, topic=topic))


def _read(sink: Sink) -> Address:
    return address(sink, edge_node="gate-3", where="app traffic/red-car: sinks[0]")


@pytest.mark.parametrize(
    ("sink", "host", "port", "tls", "text"),
    [
        (_mqtt(), "broker", 1883, False, "mqtt://broker:1883 traffic/red-car"),
        (_mqtt("mqtts://broker"), "broker", 8883, True, "mqtts://broker:8883 traffic/red-car"),
        (_mqtt("mqtt://[::1]:1884/"), "::1", 1884, False, "mqtt://[::1]:1884 traffic/red-car"),
        (_mqtt(topic="{edgeNode}/red-car"), "broker", 1883, False, "mqtt://broker:1883 gate-3/red-car"),
        (
            Sink(webhook=Webhook(url="https://hook.example/a/b")),
            "hook.example",
            443,
            True,
            "https://hook.example:443/a/b",
        ),
        (Sink(webhook=Webhook(url="http://hook.example:81")), "hook.example", 81, False, "http://hook.example:81"),
    ],
)
def test_an_address_is_read(sink: Sink, host: str, port: int, tls: bool, text: str) -> None:
    """Host, port, TLS and what is shown follow from the URL and the topic."""
    found = _read(sink)
    assert (found.host, found.port, found.tls, found.text) == (host, port, tls, text)


@pytest.mark.parametrize(
    "sink",
    [
        {"mqtt": {"url": "mqtt://user:hunter2@broker", "topic": "a"}},
        {"mqtt": {"url": "mqtts://hunter2@broker:8883", "topic": "a"}},
        {"webhook": {"url": "https://user:hunter2@hook.example/"}},
    ],
)
def test_credentials_in_an_address_are_refused(sink: dict[str, dict[str, str]]) -> None:
    """The message names the field, says where they belong, and does not repeat them."""
    with pytest.raises(InputError, match=r"sinks\[0\].*url.*secretRef") as caught:
        Sink.from_plain(sink, where="sinks[0]")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mqtt://broker:0", "port"),
        ("mqtt://broker:99999", "port"),
        ("mqtt://:1883", "host"),
        ("mqtt://broker/topic", "ends after the port"),
        ("mqtt://bro ker", "space"),
        ("mqtt://broker\x00", "control"),
    ],
)
def test_a_brokers_address_that_is_none_is_refused(url: str, words: str) -> None:
    """Each with a message of its own."""
    with pytest.raises(InputError, match=words):
        _read(_mqtt(url))


@pytest.mark.parametrize("topic", ["a/+/b", "a/#", "$SYS/a", "/a", "a\nb", "a\x00", "é" * 40_000])
def test_a_topic_that_cannot_be_published_to_is_refused(topic: str) -> None:
    """Wildcards, the broker's own topics, control characters, too many bytes."""
    with pytest.raises(InputError, match="topic"):
        _read(Sink(mqtt=Mqtt.model_construct(url="mqtt://broker", topic=topic)))


def test_a_query_is_not_shown_and_still_tells_sinks_apart() -> None:
    """Receivers put tokens into queries."""
    one, two = (
        _read(Sink(webhook=Webhook(url=f"https://hook.example/?token={token}"))) for token in ("hunter1", "hunter2")
    )
    assert "hunter" not in one.text + two.text
    assert one.text != two.text
    assert one.key != two.key


def test_the_queue_is_the_same_with_another_secret() -> None:
    """A changed Secret or Home Assistant switch must not lose what waits."""
    plain = _read(_mqtt())
    other = _read(
        Sink.from_plain(
            {
                "mqtt": {
                    "url": "mqtt://broker",
                    "topic": "traffic/red-car",
                    "secretRef": {"name": "s"},
                    "homeAssistant": True,
                }
            },
            where="test",
        )
    )
    assert plain.key == other.key
