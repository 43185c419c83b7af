"""Webhooks against a real HTTP server."""

import base64
import json
import logging
import ssl
from typing import Any

import pytest

ANSWERS_THAT_PASS = [408, 425, 429, 500, 502, 503, 504, 401, 403, 307, 301]
ANSWERS_THAT_DO_NOT = [400, 404, 405, 410, 413, 415, 422]


def _hook(receiver: Any, path: str = "/hook", secret: str | None = None) -> dict[str, Any]:
    return {"webhook": {"url": receiver.url + path} | ({"secretRef": {"name": secret}} if secret else {})}


def test_records_arrive_as_cloudevents_in_order(
    receiver: Any, deliver: Any, make_app: Any, make_record: Any, until: Any
) -> None:
    """Structured mode: the record is the body, the content type says what it is."""
    deliveries = deliver(make_app("red-car", _hook(receiver)))
    sent = [make_record(number, label="Straße") for number in range(5)]
    for record in sent:
        deliveries.write(record)
    until(lambda: len(receiver.requests) == 5, "all arrive")
    assert [json.loads(body) for _, _, body in receiver.requests] == sent
    path, headers, _ = receiver.requests[0]
    assert path == "/hook"
    assert headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
    assert "Authorization" not in headers
    until(lambda: deliveries.states()[0].delivered == 5, "it is counted")
    (state,) = deliveries.states()
    assert (state.app, state.connected, state.queued, state.dropped, state.message) == (
        "traffic/red-car",
        True,
        0,
        0,
        "",
    )
    assert state.sink == f"{receiver.url}/hook"


def test_other_records_are_none_of_a_sinks(
    receiver: Any, deliver: Any, make_app: Any, make_record: Any, until: Any
) -> None:
    """Those of other apps, and those about the run."""
    deliveries = deliver(make_app("red-car", _hook(receiver)))
    deliveries.write(make_record(0, app="traffic/bus"))
    deliveries.write({"type": "dev.mainstream.run.started", "data": {}})
    deliveries.write(make_record(1))
    until(lambda: receiver.numbers == [1], "its own arrives")


@pytest.mark.parametrize("status", ANSWERS_THAT_PASS)
def test_an_answer_that_may_pass_is_tried_again(
    status: int, receiver: Any, deliver: Any, make_app: Any, make_record: Any, until: Any
) -> None:
    """The record is sent until it is taken, and those behind it wait."""
    receiver.answers += [(status, {"Location": "/elsewhere"})] * 2
    deliveries = deliver(make_app("red-car", _hook(receiver)))
    deliveries.write(make_record(0))
    deliveries.write(make_record(1))
    until(lambda: receiver.numbers == [0, 0, 0, 1], "all arrive in order")
    assert {path for path, _, _ in receiver.requests} == {"/hook"}


@pytest.mark.parametrize("status", ANSWERS_THAT_DO_NOT)
def test_a_record_that_is_refused_is_dropped_with_a_reason(
    status: int, receiver: Any, deliver: Any, make_app: Any, make_record: Any, until: Any
) -> None:
    """After one attempt; the next one gets through."""
    receiver.answers += [(status, {})]
    deliveries = deliver(make_app("red-car", _hook(receiver)))
    deliveries.write(make_record(0))
    deliveries.write(make_record(1))
    until(lambda: deliveries.states()[0].delivered == 1, "the next one is delivered")
    assert receiver.numbers == [0, 1]
    (state,) = deliveries.states()
    assert state.dropped == 1
    assert state.message == f"dropped: Refused 1 (refuses a record (HTTP {status}))"
    assert state.connected


def test_retry_after_is_respected(
    receiver: Any, deliver: Any, make_app: Any, make_record: Any, until: Any, clock: Any
) -> None:
    """Seconds and dates alike; nonsense is none."""
    pauses: list[float | None] = []

    def wait(event: Any, seconds: float | None) -> bool:
        pauses.append(seconds)
        return event.wait(None if seconds is None else 0.01)

    receiver.answers += [
        (503, {"Retry-After": "90"}),
        (429, {"Retry-After": "Tue, 03 Nov 2026 10:02:00 GMT"}),
        (503, {"Retry-After": "soon"}),
    ]
    deliveries = deliver(make_app("red-car", _hook(receiver)), wait=wait, random=lambda: 1.0, clock=clock)
    deliveries.write(make_record(0))
    until(lambda: deliveries.states()[0].delivered == 1, "it is delivered")
    assert [pause for pause in pauses if pause is not None] == [90, 120, 2]


def test_a_receiver_that_is_away_gets_all_when_it_is_back(
    receiving: Any, deliver: Any, make_app: Any, make_record: Any, until: Any
) -> None:
    """In order, after a connection that was refused."""
    with receiving() as receiver:
        port = int(receiver.url.rpartition(":")[2])
        app = make_app("red-car", _hook(receiver))
    deliveries = deliver(app)
    for number in range(4):
        deliveries.write(make_record(number))
    until(lambda: deliveries.states()[0].message == "cannot connect: Connection refused", "the fault is shown")
    assert not deliveries.states()[0].connected
    assert deliveries.states()[0].queued == 4
    with receiving(port=port) as receiver:
        until(lambda: receiver.numbers == [0, 1, 2, 3], "all arrive")
        until(lambda: deliveries.states()[0].connected, "the fault is gone")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"token": "hunter2\n"}, "Bearer hunter2"),
        ({"username": "ann", "password": "hunter2"}, "Basic " + base64.b64encode(b"ann:hunter2").decode()),
        ({"authorization": "Splunk hunter2", "token": "other"}, "Splunk hunter2"),
    ],
)
def test_credentials_come_from_the_secret(
    values: dict[str, str],
    expected: str,
    receiver: Any,
    deliver: Any,
    make_app: Any,
    make_record: Any,
    until: Any,
    write_secret: Any,
) -> None:
    """And a changed Secret counts with the next record."""
    write_secret("hook", **values)
    deliveries = deliver(make_app("red-car", _hook(receiver, secret="hook")))
    deliveries.write(make_record(0))
    until(lambda: len(receiver.requests) == 1, "it arrives")
    assert receiver.requests[0][1]["Authorization"] == expected
    write_secret("hook", authorization="another")
    deliveries.write(make_record(1))
    until(lambda: len(receiver.requests) == 2, "it arrives")
    assert receiver.requests[1][1]["Authorization"] == "another"


@pytest.mark.parametrize("token", [None, "hunter2\nX-Evil: 1", "hunter2\u00e9"])
def test_a_secret_that_cannot_be_used_sends_nothing_and_is_not_quoted(
    token: str | None,
    receiver: Any,
    deliver: Any,
    make_app: Any,
    make_record: Any,
    until: Any,
    write_secret: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Missing, with a line break, with a letter that no header may have: the record waits until the Secret is mended."""
    caplog.set_level(logging.DEBUG)
    if token is not None:
        write_secret("hook", token=token)
    deliveries = deliver(make_app("red-car", _hook(receiver, secret="hook")))
    deliveries.write(make_record(0))
    until(lambda: deliveries.states()[0].message, "the fault is shown")
    assert "hunter2" not in repr(deliveries.states()) + caplog.text
    assert "ecret" in deliveries.states()[0].message
    assert receiver.requests == []
    write_secret("hook", token="good")
    until(lambda: len(receiver.requests) == 1, "it arrives")


def test_a_redirect_is_not_followed_with_credentials(
    receiver: Any, receiving: Any, deliver: Any, make_app: Any, make_record: Any, until: Any, write_secret: Any
) -> None:
    """The other host gets nothing; the message says where it wanted to go, without what a query may hold."""
    write_secret("hook", token="hunter2")
    with receiving() as other:
        receiver.answers += [(307, {"Location": f"{other.url}/path?token=hunter3"})] * 1000
        deliveries = deliver(make_app("red-car", _hook(receiver, secret="hook")))
        deliveries.write(make_record(0))
        until(lambda: len(receiver.requests) >= 3, "it is tried again")
        (state,) = deliveries.states()
        assert other.requests == []
        assert state.message.startswith(f"redirects to {other.url} (HTTP 307)")
        assert "hunter" not in state.message
        deliveries.close(0)


def test_a_receiver_with_a_private_ca(
    receiving: Any, certificates: Any, deliver: Any, make_app: Any, make_record: Any, until: Any, write_secret: Any
) -> None:
    """It is trusted by ``ca.crt`` of the Secret, and by nothing else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server, certificates.server_key)
    with receiving(tls=context) as receiver:
        write_secret("hook", ca_crt=certificates.stranger.read_text())
        deliveries = deliver(make_app("red-car", _hook(receiver, secret="hook"), _hook(receiver, "/other")))
        deliveries.write(make_record(0))
        until(lambda: all("not trusted" in state.message for state in deliveries.states()), "the fault is shown")
        assert receiver.requests == []
        write_secret("hook", ca_crt=certificates.ca.read_text())
        until(lambda: receiver.numbers == [0], "it arrives with the right CA")
        deliveries.close(0)


def test_a_broken_answer_after_success_is_a_success(
    receiver: Any, deliver: Any, make_app: Any, make_record: Any, until: Any
) -> None:
    """The record was taken; sending it again for ever would block the queue."""
    receiver.answers += [(200, {"Content-Length": "100000000000"})]
    deliveries = deliver(make_app("red-car", _hook(receiver)))
    for number in range(3):
        deliveries.write(make_record(number))
    until(lambda: deliveries.states()[0].delivered == 3, "all are delivered")
    assert receiver.numbers == [0, 1, 2]


def test_a_token_in_the_query_is_in_no_log_and_no_state(
    receiver: Any, deliver: Any, make_app: Any, make_record: Any, until: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Libraries log whole URLs."""
    caplog.set_level(logging.INFO)
    receiver.answers += [(500, {}), (400, {})]
    deliveries = deliver(make_app("red-car", _hook(receiver, "/hook?token=hunter2")))
    deliveries.write(make_record(0))
    deliveries.write(make_record(1))
    until(lambda: deliveries.states()[0].delivered == 1, "it is delivered")
    assert receiver.requests[0][0] == "/hook?token=hunter2"
    assert "hunter2" not in caplog.text + repr(deliveries.states())
