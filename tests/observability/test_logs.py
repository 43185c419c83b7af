"""Structured logs: whole JSON records, and no secret in them, however it came there."""

import io
import json
import logging
from typing import Any

import pytest
import structlog

from mainstream.cli.output import Format
from mainstream.logs import LoggedOutput, is_secret, redacted, set_up


@pytest.fixture
def lines() -> Any:
    """What was logged so far, as records; the process's logging is put back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    set_up(json=True, stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers, root.level = handlers, level
    logging.captureWarnings(False)
    structlog.reset_defaults()


SECRETS = [
    ("rtsp://admin:hunter2@10.0.0.7/stream1 refused", "rtsp://admin:***@10.0.0.7/stream1 refused"),
    ("mqtt://u:p@ss/w:rd@broker:1883", "mqtt://u:***@broker:1883"),
    ("Authorization: Bearer hunter2hunter2", "Authorization: Bearer ***"),
    ("GET /?token=hunter2&x=1", "GET /?token=***&x=1"),
    ('{"password": "hunter2"}', '{"password": "***"}'),
    ("api-key=hunter2", "api-key=***"),
]


@pytest.mark.parametrize(("text", "safe"), SECRETS)
def test_secrets_within_texts_are_hidden(text: str, safe: str) -> None:
    """URLs, headers, parameters, JSON."""
    assert redacted(text) == safe


@pytest.mark.parametrize(
    "text", ["http://127.0.0.1:8080/x", "see docs/tokens.md", "stream 'gate': 12:30:01", "[::1]:80"]
)
def test_other_texts_stay(text: str) -> None:
    """A port, a time, a word that a secret's name begins with."""
    assert redacted(text) == text


@pytest.mark.parametrize(
    ("key", "secret"),
    [
        ("password", True),
        ("mqttPassword", True),
        ("Proxy-Authorization", True),
        ("API_KEY", True),
        ("tokens", True),
        ("tokenFile", False),
        ("secretName", False),
        ("app", False),
        ("monkey", False),
    ],
)
def test_keys_of_secrets(key: str, secret: bool) -> None:
    """A key that says where a secret lies is none."""
    assert is_secret(key) is secret


def test_whatever_is_logged_is_a_record_without_secrets(lines: Any) -> None:
    """Fields at any depth, an exception's text with its traceback, other libraries' loggers."""
    log = structlog.stdlib.get_logger("mainstream.test")
    log.info(
        "connecting", url="rtsp://a:hunter2@cam/1", options={"password": "hunter2", "tries": [1, {"token": b"hunter2"}]}
    )
    logging.getLogger("other.library").warning("login with %s failed", "password=hunter2")
    try:
        int("rtsp://a:hunter2@cam/1")
    except ValueError:
        log.exception("failed")
    records = lines()
    assert [record["level"] for record in records] == ["info", "warning", "error"]
    assert records[0]["options"] == {"password": "***", "tries": [1, {"token": "***"}]}
    assert "ValueError" in records[2]["exception"]
    assert all(record["timestamp"] for record in records)
    assert "hunter2" not in json.dumps(records)


def test_nested_without_end(lines: Any) -> None:
    """A value that contains itself does not end the process."""
    endless: dict[str, Any] = {}
    endless["self"] = endless
    structlog.stdlib.get_logger("mainstream.test").info("endless", value=endless)
    assert "..." in json.dumps(lines())


def test_a_verbs_words_become_records(lines: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Messages, warnings, progress and the summary, with their fields; nothing else is written."""
    out = LoggedOutput(Format.TABLE)
    out.say("schedule runs", apps=3)
    out.warn("stream 'gate': Stalled", stream="gate", phase="Stalled")
    with out.progress() as steps:
        steps.start("merging graphs", 2)(2)
    out.summarize({"framesRead": 12}, lambda: "a table")
    fields = [{key: value for key, value in line.items() if key not in {"timestamp", "logger"}} for line in lines()]
    assert fields == [
        {"event": "schedule runs", "level": "info", "apps": 3},
        {"event": "stream 'gate': Stalled", "level": "warning", "stream": "gate", "phase": "Stalled"},
        {"event": "merging graphs: 2/2", "level": "info"},
        {"event": "summary", "level": "info", "framesRead": 12},
    ]
    assert capsys.readouterr() == ("", "")
