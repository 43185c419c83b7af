"""The loop's threads: a look that fails or hangs holds up no other."""

import threading
import time
from collections.abc import Callable

from mainstream_operator.client import ApiError
from mainstream_operator.known import Key
from mainstream_operator.loop import STUCK_SECONDS, Loop, Seams

from .conftest import Clock


def _loop(
    look: Callable[[str], float | None], looked: Callable[[str, float, str], None], clock: Callable[[], float]
) -> Loop:
    seams = Seams(clock=clock, exists=lambda _key: False, looked=looked)
    return Loop({"EdgeNode": look}, window=lambda _key: (0.0, 0.0), resync_seconds=300, seams=seams, workers=2)


def test_a_look_that_fails_and_one_that_crashes_hold_up_no_other() -> None:
    """Each is counted; the others are looked at."""
    well, outcomes = threading.Event(), []

    def look(name: str) -> float | None:
        if name == "failing":
            raise ApiError(500, "no")
        if name == "crashing":
            raise ValueError(name)
        well.set()
        return None

    loop = _loop(look, lambda _kind, _seconds, outcome: outcomes.append(outcome), time.monotonic)
    loop.start()
    loop.changed([Key("EdgeNode", "failing"), Key("EdgeNode", "crashing"), Key("EdgeNode", "well")])
    assert well.wait(30)
    loop.stop(30)
    assert {"failed", "crashed"} <= set(outcomes)


def test_a_worker_that_hangs_is_said_and_the_other_goes_on(clock: Clock) -> None:
    """Liveness fails then: a restart is the remedy."""
    hangs, release, others = threading.Event(), threading.Event(), threading.Event()

    def look(name: str) -> float | None:
        if name == "hanging":
            hangs.set()
            release.wait(60)
        else:
            others.set()
        return None

    loop = _loop(look, lambda _kind, _seconds, _outcome: None, clock)
    loop.start()
    loop.changed([Key("EdgeNode", "hanging")])
    assert hangs.wait(30)
    loop.changed([Key("EdgeNode", "other")])
    assert others.wait(30)
    assert loop.stuck() is None
    clock.forward(STUCK_SECONDS + 1)
    said = loop.stuck()
    release.set()
    loop.stop(30)
    assert said is not None
    assert "has been at one object" in said
