"""When the runner reports: at once when something turns, else now and then, never more often than is good for a cluster."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from mainstream.schedule import Schedule
from mainstream_runner.board import SinkState
from mainstream_runner.report.reporter import Reporter

from .conftest import HandmadeBoard, HandmadeClock, HandmadeServer

EVERY = 300.0


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def reporter(board: HandmadeBoard, server: HandmadeServer, clock: HandmadeClock, said: list[str]) -> Reporter:
    def say(message: str, **_fields: object) -> None:
        said.append(message)

    return Reporter(
        board,
        server,
        edge_node="north",
        every_seconds=EVERY,
        clock=clock,
        random=lambda: 1.0,
        say=say,
        warn=say,
    )


def pass_time(reporter: Reporter, clock: HandmadeClock, seconds: float) -> None:
    """Half a second at a time, as its thread looks."""
    for _ in range(round(seconds * 2)):
        clock.at += 0.5
        reporter.look()


def test_it_reports_at_once_and_then_not_while_nothing_changes(
    reporter: Reporter, server: HandmadeServer, clock: HandmadeClock
) -> None:
    """An hour in which nothing turns costs the first report, and one for the utilization once that is known."""
    pass_time(reporter, clock, 3600)
    assert server.patches[0][0] == "/apis/mainstream.dev/v1alpha1/edgenodes/north/status"
    assert len(server.reports) == 1


@pytest.mark.parametrize("what", ["schedule", "refusal", "stream", "sink", "looks"])
def test_what_turns_is_reported_at_the_next_look(
    reporter: Reporter,
    board: HandmadeBoard,
    server: HandmadeServer,
    clock: HandmadeClock,
    scheduled: Callable[..., Schedule],
    what: str,
) -> None:
    """A schedule, a refusal, a camera, a sink, an app that looks no more."""
    pass_time(reporter, clock, 100)
    if what == "schedule":
        board.plan = scheduled(("traffic/car", 1, 5))
    elif what == "refusal":
        board.refusal = "blob is missing"
    elif what == "stream":
        board.states = [replace(board.states[0], phase="Unreachable", message="no route")]
    elif what == "sink":
        board.sink_states = [SinkState(app="traffic/car", sink="mqtt://broker", connected=False, message="refused")]
    else:
        board.plan = scheduled(("traffic/car", 1, 5), ("traffic/bus", 1, 5), ("traffic/van", 1, 5))
    pass_time(reporter, clock, 0.5)
    assert len(server.reports) == 2


def test_a_rate_that_moves_is_told_when_it_is_time(
    reporter: Reporter, board: HandmadeBoard, server: HandmadeServer, clock: HandmadeClock
) -> None:
    """Neither at once, nor twice in the time between reports."""
    pass_time(reporter, clock, 70)
    board.rate = 0.5
    pass_time(reporter, clock, EVERY - 20)
    assert len(server.reports) == 1
    pass_time(reporter, clock, 30)
    assert len(server.reports) == 2
    board.rate = 0.51
    pass_time(reporter, clock, 3 * EVERY)
    assert len(server.reports) == 2, "two per cent are no news"


def test_a_camera_that_comes_and_goes_all_day_is_no_flood(
    reporter: Reporter, board: HandmadeBoard, server: HandmadeServer, clock: HandmadeClock
) -> None:
    """At first each time, later one in half a minute; and what is told last is how it is."""
    for round_ in range(600):
        phase = "Unreachable" if round_ % 2 else "Connected"
        board.states = [replace(board.states[0], phase=phase)]  # type: ignore[arg-type]
        pass_time(reporter, clock, 1)
    assert 10 < len(server.reports) <= 10 + 600 / 30 + 600 / 60
    pass_time(reporter, clock, 60)
    assert server.reports[-1]["streams"][0]["phase"] == board.states[0].phase


def test_another_schedule_is_reported_at_once_whatever_a_camera_does(
    reporter: Reporter,
    board: HandmadeBoard,
    server: HandmadeServer,
    clock: HandmadeClock,
    scheduled: Callable[..., Schedule],
) -> None:
    """Whoever applied an app waits for it."""
    for round_ in range(60):
        phase = "Unreachable" if round_ % 2 else "Connected"
        board.states = [replace(board.states[0], phase=phase)]  # type: ignore[arg-type]
        pass_time(reporter, clock, 1)
    for rate in (3, 4, 5):
        board.plan = scheduled(("traffic/car", 1, rate))
        pass_time(reporter, clock, 0.5)
        assert server.reports[-1]["scheduleDigest"] == board.plan.digest


def test_a_server_that_is_away_is_said_once_and_asked_less_and_less(
    reporter: Reporter, board: HandmadeBoard, server: HandmadeServer, clock: HandmadeClock, said: list[str]
) -> None:
    """When it is back it is told how things are then."""
    server.fault = "away"
    pass_time(reporter, clock, 200)
    assert said == ["cannot report: away; the runner runs on"]
    board.refusal = "blob is missing"
    server.fault = None
    pass_time(reporter, clock, 31)
    assert said[1:] == ["reports arrive again"]
    assert [report["refusal"] for report in server.reports] == ["blob is missing"]


def test_a_fault_of_ours_does_not_silence_it(
    reporter: Reporter, board: HandmadeBoard, server: HandmadeServer, clock: HandmadeClock, said: list[str]
) -> None:
    """It is said, and the next look reports."""

    class Once:
        """Stops the thread after so many waits."""

        def __init__(self, looks: int) -> None:
            self.left = looks

        def wait(self, _seconds: float) -> bool:
            clock.at += 40.0
            self.left -= 1
            if self.left == 1:
                board.states = good
            return self.left < 0

    good, board.states = board.states, None  # type: ignore[assignment]
    reporter.run(Once(3))  # type: ignore[arg-type]
    assert "internal error" in said[0]
    assert len(server.reports) == 1
