"""The runner's page tells events to `kubectl mainstream events` as it tells them to a browser."""

from mainstream.kubectl.events import messages


def test_server_sent_events_are_read() -> None:
    """Kind, data and id of each message; comments, unknown fields and the retry time are passed over."""
    lines = [
        b"retry: 2000\n",
        b"\n",
        b": a comment\n",
        b"event: state\n",
        b'data: {"ready":true}\n',
        b"\n",
        b"id: 20261128-7\n",
        b"event: event\n",
        b'data: {"app":"belt/apple"}\n',
        b"\n",
    ]
    assert [*messages(lines)] == [
        ("state", {"ready": True}, None),
        ("event", {"app": "belt/apple"}, "20261128-7"),
    ]


def test_a_message_that_was_cut_off_is_not_told() -> None:
    """The connection broke before its empty line."""
    assert [*messages([b"event: event\n", b'data: {"app":"belt/apple"}\n'])] == []
