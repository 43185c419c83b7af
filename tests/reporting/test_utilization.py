"""What the schedule needs of the engine, measured: also while cameras are away and frames are dropped."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mainstream.schedule import Schedule
from mainstream_runner.board import Numbers
from mainstream_runner.report.utilization import Utilization

from .conftest import HandmadeBoard

STEM = "gate/full/aaaaaaaaaaaa"


class Counting(HandmadeBoard):
    """A board whose counters a test moves: looks by app, engine seconds."""

    def __init__(self, plan: Schedule) -> None:
        super().__init__()
        self.plan = plan
        self.looks = {app.app: 0 for app in plan.apps}
        self.engine_seconds = 0.0

    def numbers(self) -> Numbers:
        numbers = super().numbers()
        return replace(
            numbers,
            apps={name: replace(one, analysed=self.looks[name]) for name, one in numbers.apps.items()},
            stems={name: replace(one, engine_seconds=self.engine_seconds) for name, one in numbers.stems.items()},
        )


@pytest.fixture
def counting(scheduled: Callable[..., Schedule]) -> Counting:
    """Two apps: all frames after two segments, a third of them after three. Planned: 15 x 8 ms and 5 x 6 ms."""
    return Counting(scheduled(("traffic/car", 2, 15), ("traffic/bus", 3, 5)))


PLANNED = 15 * (0.002 + 0.002 + 0.004) + 5 * (0.002 + 0.004)


def run(counting: Counting, utilization: Utilization, *, seconds: int, slower: float, share: float = 1.0) -> Any:
    """Let time pass, ten seconds a step; each look takes ``slower`` times what was planned, ``share`` of them happen."""
    for step in range(seconds // 10):
        utilization.look(counting, now_seconds=step * 10.0)
        counting.looks["traffic/car"] += round(150 * share)
        counting.looks["traffic/bus"] += round(50 * share)
        counting.engine_seconds += 10 * PLANNED * slower * share
    return utilization.median()


def test_it_is_the_plan_where_the_engine_takes_what_was_planned(counting: Counting) -> None:
    """Segments count as often as their fastest app looks."""
    assert run(counting, Utilization(), seconds=300, slower=1.0) == pytest.approx(PLANNED, rel=1e-6)


def test_a_slower_engine_needs_more(counting: Counting) -> None:
    """By the same factor."""
    assert run(counting, Utilization(), seconds=300, slower=1.5) == pytest.approx(1.5 * PLANNED, rel=1e-6)


def test_a_camera_that_is_away_is_no_faster_engine(counting: Counting) -> None:
    """A tenth of the frames, each as slow as before."""
    assert run(counting, Utilization(), seconds=300, slower=1.5, share=0.1) == pytest.approx(1.5 * PLANNED, rel=0.05)


def test_without_any_frame_there_is_nothing_to_say(counting: Counting) -> None:
    """Nor after a few seconds, nor under a schedule that has just come."""
    assert run(counting, Utilization(), seconds=300, slower=1.0, share=0.0) is None
    assert run(counting, Utilization(), seconds=50, slower=1.0) is None
    utilization = Utilization()
    run(counting, utilization, seconds=300, slower=1.0)
    assert counting.plan is not None
    counting.plan = counting.plan.model_copy(update={"budget": 0.6})
    utilization.look(counting, now_seconds=400.0)
    assert utilization.median() is None
