"""What a runner says, and whether it is believed: Leases, digests, streams, pods; drift with hysteresis."""

from datetime import timedelta
from typing import Any

import pytest

from mainstream_operator.runner_state import (
    SCALES,
    RunnerState,
    next_scale,
    runner_ready,
    runner_state,
    streams_connected,
)

from .conftest import NOW

DIGEST = "sha256:" + "a" * 64
LOADED = (NOW - timedelta(minutes=10)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _state(*, age: float = 1.0, pods: list[Any] | None = None, **report: Any) -> RunnerState:
    runner = {"scheduleDigest": DIGEST, "loadedAt": LOADED, **report}
    return runner_state({"runner": runner}, NOW - timedelta(seconds=age), pods or [], now=NOW, lease_seconds=40)


def test_a_runner_lives_as_long_as_its_lease_is_renewed() -> None:
    """Then only is what it reported believed."""
    assert runner_ready(_state(age=39), DIGEST, True, "box").good is True
    late = runner_ready(_state(age=41), DIGEST, False, "box")
    assert (late.good, late.reason) == (False, "RunnerNotReporting")
    assert "Node box is not Ready" in late.message
    assert runner_state({}, None, [], now=NOW, lease_seconds=40).alive is False


def test_ready_means_that_this_very_schedule_is_loaded() -> None:
    """Another digest is on its way, or refused."""
    other = "sha256:" + "b" * 64
    assert runner_ready(_state(), other, True, "box").reason == "ScheduleLoading"
    refused = runner_ready(_state(refusal="depth 20 of 13"), other, True, "box")
    assert (refused.reason, "depth 20 of 13" in refused.message) == ("ScheduleRefused", True)
    assert runner_ready(_state(), None, True, "box").reason == "NoApps"


def _pod(**container: Any) -> Any:
    return {"metadata": {"creationTimestamp": LOADED}, "status": {"containerStatuses": [container]}}


@pytest.mark.parametrize(
    ("container", "reason", "said"),
    [
        (
            {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}},
            "RunnerRestarting",
            "no such image",
        ),
        (
            {
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"reason": "Error", "message": "no engine"}},
            },
            "RunnerRestarting",
            "no engine",
        ),
        ({"state": {"terminated": {"reason": "OOMKilled"}}}, "OutOfMemory", "budget.memory"),
        ({"lastState": {"terminated": {"reason": "OOMKilled"}}}, "OutOfMemory", "budget.memory"),
    ],
)
def test_a_pod_that_does_not_run_says_why(container: Any, reason: str, said: str) -> None:
    """Instead of that nothing is reported."""
    finding = runner_ready(_state(age=100, pods=[_pod(**container)]), DIGEST, True, "box")
    assert finding.reason == reason
    assert said in finding.message


def test_a_pod_that_is_being_made_is_no_trouble() -> None:
    """Nor one that was killed once and runs again."""
    starting = _pod(state={"waiting": {"reason": "ContainerCreating"}})
    assert runner_ready(_state(age=100, pods=[starting]), DIGEST, True, "box").reason == "RunnerNotReporting"


def test_the_first_stream_that_is_away_is_named() -> None:
    """One that comes at another rate is connected, and what to write is said."""
    well = {"name": "a", "phase": "Connected"}
    away = {"name": "b", "phase": "Unreachable", "message": "no route to host"}
    finding = streams_connected(_state(streams=[well, away]), DIGEST, [])
    assert (finding.reason, finding.message) == ("StreamUnreachable", "stream b: no route to host")
    rate = streams_connected(_state(streams=[{**well, "rateToWrite": "30000/1001"}]), DIGEST, [])
    assert (rate.good, rate.reason) == (True, "CaptureRateMismatch")
    assert '"30000/1001"' in rate.message
    assert streams_connected(_state(streams=[well]), DIGEST, ["mainstream/north"]).reason == "CredentialsRejected"
    assert streams_connected(_state(age=100, streams=[well]), DIGEST, []).good is None
    assert streams_connected(_state(streams=[{"name": "a", "phase": "Ended"}]), DIGEST, []).good is True


def test_costs_are_rescaled_only_where_they_differ_lastingly_and_by_much() -> None:
    """Fifteen per cent are noise; so is what was measured within five minutes of a new schedule."""

    def scale(measured: str, *, current: float = 1.0, **more: Any) -> float:
        return next_scale(current, 0.5, _state(utilization=measured, **more), DIGEST, now=NOW)

    assert scale("0.57") == 1.0
    assert scale("0.43") == 1.0
    assert scale("0.60") == 1.2
    assert scale("0.60", current=1.2) == 1.44
    assert scale("0.40", current=1.44) == 1.15
    fresh = (NOW - timedelta(minutes=4)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert scale("0.60", loadedAt=fresh) == 1.0
    assert scale("0.60", scheduleDigest="sha256:" + "b" * 64) == 1.0
    assert scale("50") == SCALES[1]
    assert scale("0.001") == SCALES[0]


def test_after_rescaling_the_same_load_changes_nothing_more() -> None:
    """Hysteresis: the plan's cost has grown by the factor, so measured and planned agree."""
    first = next_scale(1.0, 0.5, _state(utilization="0.65"), DIGEST, now=NOW)
    assert first == 1.3
    assert next_scale(first, 0.5 * first, _state(utilization="0.65"), DIGEST, now=NOW) == first
