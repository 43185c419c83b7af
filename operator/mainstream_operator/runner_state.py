"""What a runner says of itself, and whether it can be believed: its report, its Lease, its pod. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mainstream_operator.values import Finding, Plain, counted, parse_time

DRIFT = 0.15
"""Measured against planned cost: less than this is noise between processes (decision 8)."""
SETTLED = timedelta(minutes=5)
SCALES = (0.25, 8.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerState:
    """``alive``: its Lease is fresh. ``trouble`` is what its pod's state says, where it says something."""

    alive: bool
    digest: str | None
    loaded_at: datetime | None
    refusal: str
    utilization: float | None
    streams: Mapping[str, Plain]
    apps: Mapping[str, Plain]
    trouble: Finding | None = None


def runner_state(
    status: Plain, renewed: datetime | None, pods: Sequence[Plain], *, now: datetime, lease_seconds: int
) -> RunnerState:
    """From ``status.runner``, the Lease's ``renewTime`` and the runner's pods."""
    report = status.get("runner") or {}
    measured = report.get("utilization")
    return RunnerState(
        alive=renewed is not None and now - renewed <= timedelta(seconds=lease_seconds),
        digest=report.get("scheduleDigest"),
        loaded_at=parse_time(report.get("loadedAt")),
        refusal=report.get("refusal") or "",
        utilization=float(measured) if measured else None,
        streams={one["name"]: one for one in report.get("streams") or ()},
        apps={f"{one['namespace']}/{one['name']}": one for one in report.get("apps") or ()},
        trouble=_trouble(pods),
    )


def runner_ready(state: RunnerState, digest: str | None, host_ready: bool, host: str) -> Finding:
    """The condition RunnerReady: it has reported this very schedule."""
    if digest is None:
        return Finding(good=True, reason="NoApps", message="no app is scheduled here, so no runner is needed")
    if not state.alive:
        if state.trouble is not None:
            return state.trouble
        where = "" if host_ready else f"; Node {host} is not Ready"
        message = f"the runner has not renewed its Lease{where}; it goes on with its last schedule if the box is up"
        return Finding(good=False, reason="RunnerNotReporting", message=message)
    if state.digest != digest:
        if state.refusal:
            message = f"the runner refuses the schedule and runs the one before: {state.refusal}"
            return Finding(good=False, reason="ScheduleRefused", message=message)
        return Finding(
            good=False, reason="ScheduleLoading", message=f"schedule {digest[7:19]} is on its way to the runner"
        )
    return Finding(good=True, reason="Ready", message=f"schedule {digest[7:19]} is loaded")


_STREAM_REASONS = {
    "Unreachable": "StreamUnreachable",
    "Connecting": "StreamUnreachable",
    "Stalled": "StreamStalled",
    "CredentialsRejected": "CredentialsRejected",
}


def streams_connected(state: RunnerState, digest: str | None, missing_secrets: Sequence[str]) -> Finding:
    """The condition StreamsConnected; a camera that sends at another rate is connected."""
    if digest is None:
        return Finding(good=True, reason="NoApps", message="no stream is in use")
    if missing_secrets:
        message = f"no Secret {', '.join(missing_secrets)}: a stream's credentialsSecretRef names it"
        return Finding(good=False, reason="CredentialsRejected", message=message)
    if not state.alive:
        return Finding(good=None, reason="RunnerNotReporting", message="the runner does not say how its streams are")
    return _streams(state.streams)


def _streams(streams: Mapping[str, Plain]) -> Finding:
    """Of what a runner that lives reports; the first stream that is away says why."""
    if not streams:
        return Finding(good=False, reason="StreamUnreachable", message="the runner has not reported its streams yet")
    for name, stream in sorted(streams.items()):
        reason = _STREAM_REASONS.get(stream.get("phase", ""))
        if reason is not None:
            said = stream.get("message") or stream["phase"]
            return Finding(good=False, reason=reason, message=f"stream {name}: {said}")
    for name, stream in sorted(streams.items()):
        if stream.get("rateToWrite"):
            message = f'stream {name} comes at another rate: write captureFps: "{stream["rateToWrite"]}"'
            return Finding(good=True, reason="CaptureRateMismatch", message=message)
    return Finding(good=True, reason="Ready", message=f"{counted(len(streams), 'stream')} connected")


def next_scale(current: float, planned: float, state: RunnerState, digest: str, *, now: datetime) -> float:
    """The factor on the box's costs from now on: another one only where measured and planned cost differ lastingly.

    ``planned`` is the schedule's cost under ``current``, the runner's utilization a median over minutes.
    """
    settled = state.loaded_at is not None and now - state.loaded_at >= SETTLED
    if not (state.alive and settled and state.digest == digest and state.utilization and planned > 0):
        return current
    ratio = state.utilization / planned
    if abs(ratio - 1) <= DRIFT:
        return current
    return round(min(max(current * ratio, SCALES[0]), SCALES[1]), 2)


def _trouble(pods: Sequence[Plain]) -> Finding | None:
    """Why the runner's newest pod does not run."""
    if not pods:
        return None
    newest = max(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))
    return pod_trouble(newest)


def pod_trouble(pod: Mapping[str, Any]) -> Finding | None:
    """What a pod's status says is wrong; None if nothing."""
    status = pod.get("status") or {}
    for container in status.get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting") or {}
        ended = (
            (container.get("state") or {}).get("terminated")
            or (container.get("lastState") or {}).get("terminated")
            or {}
        )
        if ended.get("reason") == "OOMKilled":
            message = "the container was killed for memory: raise budget.memory, or run fewer apps or streams"
            return Finding(good=False, reason="OutOfMemory", message=message)
        if waiting.get("reason") and waiting["reason"] not in {"ContainerCreating", "PodInitializing"}:
            said = (ended.get("message") or waiting.get("message") or "").strip()[-400:]
            return Finding(good=False, reason="RunnerRestarting", message=f"{waiting['reason']}: {said}".rstrip(": "))
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return Finding(
                good=False, reason="RunnerRestarting", message=f"cannot be placed: {condition.get('message', '')}"
            )
    return None
