"""A delivery's decisions, with a sink that fails as a test wants and a wait that takes no time."""

import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from mainstream_runner.backoff import BackOff
from mainstream_runner.sinks.delivery import Delivery
from mainstream_runner.sinks.link import RecordRefusedError, SinkAwayError
from mainstream_runner.sinks.queue import Queue
from mainstream_runner.sinks.store import Channel

CHANNEL = Channel(app="traffic/red-car", key="k", sink="{}")


class Script:
    """A sink that does what is next on a list, then takes everything."""

    def __init__(self, *faults: Exception | None) -> None:
        self.faults = list(faults)
        self.sent: list[int] = []
        self.calls: list[str] = []

    def open(self) -> bool:
        return True

    def send(self, body: bytes, record: Mapping[str, Any], *, fresh: bool) -> None:
        assert json.loads(body) == record
        assert fresh
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault
        self.sent.append(record["number"])

    def retire(self) -> None:
        self.calls.append("retire")

    def close(self) -> None:
        self.calls.append("close")


class Pauses(list[float]):
    """A wait that takes no time for a pause, and real time while there is nothing to do."""

    def __init__(self, clock: Any) -> None:
        self._clock = clock

    def __call__(self, event: threading.Event, seconds: float | None) -> bool:
        if seconds is None:
            return event.wait()
        self.append(seconds)
        self._clock.now += seconds
        return event.is_set()


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    found = Queue(tmp_path / "queue", say=print)
    found.register(CHANNEL)
    yield found
    found.close()


@pytest.fixture
def pauses(clock: Any) -> Pauses:
    return Pauses(clock)


@pytest.fixture
def start(queue: Queue, clock: Any, pauses: Pauses) -> Iterator[Any]:
    made: list[Delivery] = []

    def make(link: Script, *, random: Any = lambda: 1.0, **options: Any) -> Delivery:
        delivery = Delivery(
            [CHANNEL],
            queue=queue,
            link=lambda _lost: link,
            back_off=BackOff(random),
            clock=clock,
            wait=pauses,
            **options,
        )
        made.append(delivery)
        delivery.start()
        return delivery

    yield make
    for delivery in made:
        delivery.stop(0)
        assert delivery.join(30)


def _fill(queue: Queue, *numbers: int) -> None:
    for number in numbers:
        queue.append(CHANNEL, json.dumps({"number": number}).encode())


def test_all_is_delivered_in_order(queue: Queue, start: Any, until: Any) -> None:
    """What waited and what comes while it runs."""
    link = Script()
    _fill(queue, 0, 1, 2)
    delivery = start(link)
    until(lambda: link.sent == [0, 1, 2], "what waited is sent")
    _fill(queue, 3)
    delivery.wake()
    until(lambda: link.sent == [0, 1, 2, 3], "what is new is sent")
    until(lambda: queue.counts(CHANNEL).delivered == 4, "it is counted")


def test_a_sink_that_is_away_is_tried_again_ever_more_seldom(
    queue: Queue, start: Any, until: Any, pauses: Pauses
) -> None:
    """Pauses double up to half a minute; the record that failed is the next; a success makes pauses short again."""
    link = Script(*[SinkAwayError("away")] * 9, None, SinkAwayError("away"))
    _fill(queue, 0, 1, 2)
    start(link)
    until(lambda: link.sent == [0, 1, 2], "all is sent")
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30, 30, 0.5]


def test_pauses_have_jitter(queue: Queue, start: Any, until: Any, pauses: Pauses) -> None:
    """Between half and all of a pause, as the drawn number says."""
    drawn = iter([0.0, 0.5, 0.25])
    link = Script(*[SinkAwayError("away")] * 3)
    _fill(queue, 0)
    start(link, random=lambda: next(drawn))
    until(lambda: link.sent == [0], "it is sent")
    assert pauses == [0.25, 0.75, 1.25]


def test_a_receiver_that_asks_for_patience_gets_it(queue: Queue, start: Any, until: Any, pauses: Pauses) -> None:
    """Retry-After counts where it is longer than the pause, up to an hour."""
    link = Script(*(SinkAwayError("later", retry_after_seconds=seconds) for seconds in (120, 0.1, 1e9)))
    _fill(queue, 0)
    start(link)
    until(lambda: link.sent == [0], "it is sent")
    assert pauses == [120, 1, 3600]


def test_a_record_that_is_refused_does_not_hold_up_the_rest(
    queue: Queue, start: Any, until: Any, pauses: Pauses
) -> None:
    """It is tried once, dropped and counted, with the reason."""
    link = Script(None, RecordRefusedError("refuses a record (HTTP 400)"))
    _fill(queue, 0, 1, 2)
    delivery = start(link)
    until(lambda: link.sent == [0, 2], "the others are sent")
    until(lambda: queue.counts(CHANNEL).queued == 0, "nothing waits")
    assert queue.counts(CHANNEL).dropped == {"Refused": 1}
    assert delivery.refusal == "refuses a record (HTTP 400)"
    assert pauses == []


def test_a_fault_of_our_own_is_a_pause_and_not_the_end(queue: Queue, start: Any, until: Any, pauses: Pauses) -> None:
    """The thread lives for years."""
    link = Script(RuntimeError("secret detail"), None)
    _fill(queue, 0)
    start(link)
    until(lambda: link.sent == [0], "it is sent")
    assert pauses == [0.5]


def test_closing_delivers_what_is_queued(queue: Queue, start: Any) -> None:
    """Then it says goodbye; what was published to stay stays."""
    link = Script()
    delivery = start(link)
    _fill(queue, *range(50))
    delivery.stop(5)
    assert delivery.join(30)
    assert link.sent == list(range(50))
    assert link.calls == ["close"]


def test_closing_waits_for_a_bounded_time_and_keeps_the_rest(queue: Queue, start: Any) -> None:
    """A sink that stays away is tried until the time is over."""
    link = Script(*[SinkAwayError("away")] * 100)
    _fill(queue, 0, 1)
    delivery = start(link)
    delivery.stop(5)
    assert delivery.join(30)
    assert queue.counts(CHANNEL).queued == 2
    assert link.calls == ["close"]
    assert delivery.fault == "away"


def test_leaving_delivers_what_is_queued_and_takes_back_what_was_to_stay(queue: Queue, start: Any) -> None:
    """In this order; then it says that it is done."""
    done: list[Delivery] = []
    link = Script(SinkAwayError("away"))
    _fill(queue, 0, 1)
    delivery = start(link, finished=done.append)
    delivery.leave(60)
    assert delivery.join(30)
    assert link.sent == [0, 1]
    assert link.calls == ["retire", "close"]
    assert done == [delivery]
