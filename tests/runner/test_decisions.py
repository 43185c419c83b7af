"""Which time an event has."""

from datetime import UTC, datetime, timedelta

import pytest

from mainstream_runner.decisions import time_of_frame

ARRIVAL = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("off", [timedelta(seconds=-0.3), timedelta(minutes=9)])
def test_the_cameras_clock_says_when_a_frame_was_taken(off: timedelta) -> None:
    assert time_of_frame(ARRIVAL, (ARRIVAL + off).timestamp()) == ARRIVAL + off


@pytest.mark.parametrize("taken", [None, 0.0, 86_400.0, (ARRIVAL + timedelta(hours=1)).timestamp()])
def test_a_camera_whose_clock_nobody_set_is_not_asked(taken: float | None) -> None:
    assert time_of_frame(ARRIVAL, taken) == ARRIVAL
