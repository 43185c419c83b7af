"""All sinks of a schedule: changes of it, what is kept, and what is given up."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from mainstream.errors import InputError
from mainstream_runner.sinks.queue import Limits


def _hook(receiver: Any, path: str = "/hook", secret: str | None = None) -> dict[str, Any]:
    return {"webhook": {"url": receiver.url + path} | ({"secretRef": {"name": secret}} if secret else {})}


AWAY = {"webhook": {"url": "http://127.0.0.1:9/hook"}}
"""Port 9 (discard): nobody listens."""


def test_each_app_has_its_own_queue_and_shares_the_connection(
    receiver: Any, deliver: Any, make_app: Any, make_record: Any, until: Any
) -> None:
    """Two apps, one address: all records arrive, and each app has its counts."""
    deliveries = deliver(make_app("red-car", _hook(receiver)), make_app("bus", _hook(receiver)))
    for number in range(6):
        deliveries.write(make_record(number, app=("traffic/red-car", "traffic/bus")[number % 2]))
    until(lambda: receiver.numbers == list(range(6)), "all arrive in order")
    until(lambda: [state.delivered for state in deliveries.states()] == [3, 3], "they are counted")
    assert [state.app for state in deliveries.states()] == ["traffic/bus", "traffic/red-car"]


def test_an_app_with_several_sinks_tells_all_of_them(
    receiver: Any, deliver: Any, make_app: Any, make_record: Any, until: Any
) -> None:
    """One that is away does not hold up the others."""
    deliveries = deliver(make_app("red-car", AWAY, _hook(receiver), _hook(receiver, "/other")))
    deliveries.write(make_record(0))
    until(lambda: {path for path, _, _ in receiver.requests} == {"/hook", "/other"}, "two arrive")
    assert [state.queued for state in deliveries.states() if ":9/" in state.sink] == [1]


def test_a_sink_that_stays_keeps_its_queue_over_an_exchange(
    receiving: Any, deliver: Any, make_app: Any, make_record: Any, until: Any
) -> None:
    """What waited before the change and what comes after arrive in order."""
    with receiving() as receiver:
        port = int(receiver.url.rpartition(":")[2])
        app = make_app("red-car", _hook(receiver))
    deliveries = deliver(app)
    deliveries.write(make_record(0))
    deliveries.exchange([app, make_app("bus", AWAY)])
    deliveries.write(make_record(1))
    deliveries.exchange([app])
    deliveries.write(make_record(2))
    with receiving(port=port) as receiver:
        until(lambda: receiver.numbers == [0, 1, 2], "all arrive")
        deliveries.close(5)


def test_another_secret_is_another_connection_to_the_same_queue(
    receiver: Any, deliver: Any, make_app: Any, make_record: Any, until: Any, write_secret: Any
) -> None:
    """What a wrong Secret held up is delivered with the right one."""
    write_secret("right", token="right")
    deliveries = deliver(make_app("red-car", _hook(receiver, secret="missing")))
    for number in range(3):
        deliveries.write(make_record(number))
    until(lambda: "'missing'" in deliveries.states()[0].message, "the fault is shown")
    deliveries.exchange([make_app("red-car", _hook(receiver, secret="right"))])
    deliveries.write(make_record(3))
    until(lambda: receiver.numbers == [0, 1, 2, 3], "all arrive in order")
    assert {headers["Authorization"] for _, headers, _ in receiver.requests} == {"Bearer right"}
    assert len(deliveries.states()) == 1


def test_a_sink_that_is_gone_gets_what_was_queued(
    receiving: Any, deliver: Any, make_app: Any, make_record: Any, until: Any, tmp_path: Path
) -> None:
    """It is shown until then; after that nothing of it is left."""
    with receiving() as receiver:
        port = int(receiver.url.rpartition(":")[2])
        app = make_app("red-car", _hook(receiver))
    deliveries = deliver(app)
    deliveries.write(make_record(0))
    deliveries.exchange([])
    deliveries.write(make_record(1))
    until(lambda: "left the schedule; cannot connect" in deliveries.states()[0].message, "it is shown")
    with receiving(port=port) as receiver:
        until(lambda: deliveries.states() == [], "it is done with")
        assert receiver.numbers == [0]
    deliveries.close(0)
    with sqlite3.connect(tmp_path / "queue" / "queue.sqlite") as file:
        assert file.execute("SELECT count(*) FROM channel").fetchone() == (0,)
    file.close()


def test_a_sink_that_is_gone_is_served_after_a_restart_too(
    receiving: Any, deliver: Any, make_app: Any, make_record: Any, until: Any
) -> None:
    """The queue's file knows where it was."""
    with receiving() as receiver:
        port = int(receiver.url.rpartition(":")[2])
        app = make_app("red-car", _hook(receiver))
    deliveries = deliver(app)
    deliveries.write(make_record(0))
    deliveries.exchange([])
    deliveries.close(0)
    again = deliver(make_app("bus", AWAY))
    with receiving(port=port) as receiver:
        until(lambda: receiver.numbers == [0], "it arrives")
        until(lambda: len(again.states()) == 1, "it is done with")


def test_a_sink_that_is_gone_and_away_is_given_up_in_the_end(
    deliver: Any, make_app: Any, make_record: Any, until: Any, said: list[str]
) -> None:
    """After a bounded time, with a message that says how many records it was."""
    deliveries = deliver(make_app("red-car", AWAY), leaving_seconds=0.0)
    deliveries.write(make_record(0))
    deliveries.write(make_record(1))
    deliveries.exchange([])
    until(lambda: deliveries.states() == [], "it is given up")
    until(lambda: said, "it is said")
    assert said[0].startswith("app traffic/red-car: 2 records for a sink that left the schedule were given up")


def test_a_sink_that_comes_back_in_time_goes_on(
    receiving: Any, deliver: Any, make_app: Any, make_record: Any, until: Any
) -> None:
    """With what it still had."""
    with receiving() as receiver:
        port = int(receiver.url.rpartition(":")[2])
        app = make_app("red-car", _hook(receiver))
    deliveries = deliver(app)
    deliveries.write(make_record(0))
    deliveries.exchange([])
    deliveries.exchange([app])
    deliveries.write(make_record(1))
    with receiving(port=port) as receiver:
        until(lambda: receiver.numbers == [0, 1], "all arrive")
        deliveries.close(5)


def test_very_many_sinks_that_left_are_not_kept(deliver: Any, make_app: Any, make_record: Any, until: Any) -> None:
    """A schedule that changes for years beside a receiver that is gone."""
    deliveries = deliver()
    for number in range(40):
        deliveries.exchange([make_app(f"app-{number}", {"webhook": {"url": f"http://127.0.0.1:9/{number}"}})])
        deliveries.write(make_record(0, app=f"traffic/app-{number}"))
    deliveries.exchange([])
    until(lambda: len(deliveries.states()) == 32, "the oldest are given up")
    assert not any("app-7" in state.app for state in deliveries.states())


def test_a_schedule_with_a_bad_sink_is_refused_and_the_old_one_goes_on(
    receiver: Any, deliver: Any, make_app: Any, make_record: Any, until: Any
) -> None:
    """The message names app, sink and field."""
    deliveries = deliver(make_app("red-car", _hook(receiver)))
    bad = make_app("bus", _hook(receiver), {"mqtt": {"url": "mqtt://broker", "topic": "bus/#"}})
    with pytest.raises(InputError, match=r"app traffic/bus: sinks\[1\]: topic"):
        deliveries.exchange([bad])
    deliveries.write(make_record(0))
    until(lambda: receiver.numbers == [0], "the old one delivers")


def test_a_bad_sink_leaves_no_folder_behind(deliver: Any, make_app: Any, tmp_path: Path) -> None:
    """Refused before anything is touched."""
    with pytest.raises(InputError, match="port"):
        deliver(make_app("bus", {"webhook": {"url": "http://hook:99999"}}))
    assert not (tmp_path / "queue").exists()


def test_the_same_address_twice_with_other_settings_is_refused(receiver: Any, deliver: Any, make_app: Any) -> None:
    """Which one would get the queue? The very same sink twice is one."""
    deliver(make_app("red-car", _hook(receiver), _hook(receiver)))
    with pytest.raises(InputError, match="address of another sink"):
        deliver(make_app("red-car", _hook(receiver), _hook(receiver, secret="s")), folder="second")


def test_a_queue_that_is_full_shows_it(deliver: Any, make_app: Any, make_record: Any) -> None:
    """The oldest are dropped, counted and named."""
    deliveries = deliver(make_app("red-car", AWAY), limits=Limits(rows=3))
    for number in range(10):
        deliveries.write(make_record(number))
    (state,) = deliveries.states()
    assert (state.queued, state.dropped) == (3, 7)
    assert "dropped: QueueFull 7" in state.message


def test_closing_keeps_what_a_sink_that_is_away_did_not_get(
    receiving: Any, deliver: Any, make_app: Any, make_record: Any, until: Any
) -> None:
    """As SIGTERM does; the next process goes on where this one ended, and closing twice does no harm."""
    with receiving() as receiver:
        port = int(receiver.url.rpartition(":")[2])
        app = make_app("red-car", _hook(receiver))
    deliveries = deliver(app)
    for number in range(5):
        deliveries.write(make_record(number))
    deliveries.close(0.2)
    deliveries.close(0.2)
    deliveries.write(make_record(5))
    with receiving(port=port) as receiver, deliver(app) as again:
        again.write(make_record(6))
        until(lambda: receiver.numbers == [0, 1, 2, 3, 4, 6], "all arrive")
