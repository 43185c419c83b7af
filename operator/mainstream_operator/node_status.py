"""An EdgeNode's status from what was decided and what its runner says. Pure; the runner's own part is left alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mainstream.documents import fraction_text, number_text
from mainstream.resources.edgenode import EdgeNode
from mainstream.schedule import ScheduledApp, StemSegment
from mainstream_operator.conditions import Change, conditions, summed_up
from mainstream_operator.profiling import Profile, profile_status
from mainstream_operator.runner_state import RunnerState, runner_ready, streams_connected
from mainstream_operator.scheduling import Scheduled
from mainstream_operator.values import Finding, Identity, JobView, Plain, counted

ORDER = ("Profiled", "Scheduled", "RunnerReady", "StreamsConnected")
STALLED = frozenset(
    {
        "NodeNotFound",
        "ProfileFailed",
        "SpecInvalid",
        "CredentialsRejected",
        "ScheduleRefused",
        "OutOfMemory",
        "ApplyFailed",
    }
)
"""Reasons that go away only when somebody does something."""
REJECTED_MESSAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeObservation:
    """What conditions depend on beside the schedule. ``host`` is the Kubernetes node's name."""

    edge_node: EdgeNode
    identity: Identity
    status: Plain
    host: str
    host_found: bool
    host_ready: bool
    runner: RunnerState
    profile: Profile
    profile_job: JobView | None
    missing_secrets: Sequence[str]
    now: str
    fault: Finding | None = None
    """What the API server refused of the runner's objects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an EdgeNode means for its apps: assignments and refusals, and whether its runner reports them."""

    edge_node: str
    reachable: bool
    loaded: bool
    assignments: Mapping[str, ScheduledApp]
    refused: Mapping[str, Finding]
    reported: Mapping[str, Plain]
    trouble: Finding


def node_status(seen: NodeObservation, decided: Scheduled) -> tuple[Plain, list[Change], Outcome]:
    """The whole status but ``runner``, what turned, and what the apps' statuses need."""
    schedule = decided.plan.schedule if decided.plan else None
    digest = schedule.digest if schedule else None
    findings = {
        "Profiled": _profiled(seen, decided),
        "Scheduled": _scheduled(seen, decided),
        "RunnerReady": seen.fault or runner_ready(seen.runner, digest, seen.host_ready, seen.host),
        "StreamsConnected": streams_connected(seen.runner, digest, seen.missing_secrets),
    }
    count = len(schedule.apps) if schedule else 0
    whole = summed_up(
        findings,
        ORDER,
        ready=f"{counted(count, 'app')} planned, loaded and seeing frames" if count else "no app runs here",
        stalled=STALLED,
    )
    all_findings = {**whole, **findings, "Overcommitted": _overcommitted(decided)}
    found, changes = conditions(
        all_findings, seen.status.get("conditions") or (), generation=seen.identity.generation, now=seen.now
    )
    status: Plain = {
        "observedGeneration": seen.identity.generation,
        "nodeName": seen.host,
        "profile": profile_status(
            seen.profile, decided.bases, seen.edge_node.spec.streams, seen.now, seen.status.get("profile") or {}
        ),
        "schedule": _schedule(decided),
        "conditions": found,
    }
    outcome = Outcome(
        edge_node=seen.edge_node.metadata.name,
        reachable=seen.runner.alive,
        loaded=digest is not None and seen.runner.digest == digest,
        assignments={app.app: app for app in schedule.apps} if schedule else {},
        refused=decided.refused,
        reported=seen.runner.apps,
        trouble=findings["RunnerReady"],
    )
    return status, changes, outcome


def invalid_status(identity: Identity, before: Plain, message: str, now: str) -> tuple[Plain, list[Change]]:
    """Of an object that the server took and that cannot be read; what was decided before goes on."""
    fault = Finding(good=False, reason="SpecInvalid", message=message)
    whole = summed_up({"Scheduled": fault}, ("Scheduled",), ready="", stalled=STALLED)
    found, changes = conditions(
        {**whole, "Scheduled": fault}, before.get("conditions") or (), generation=identity.generation, now=now
    )
    kept = {name: value for name, value in before.items() if name != "runner"}
    return {**kept, "observedGeneration": identity.generation, "conditions": found}, changes


def _profiled(seen: NodeObservation, decided: Scheduled) -> Finding:
    if not seen.host_found:
        message = f"there is no Node {seen.host}: set spec.nodeName, or join the box to the cluster"
        return Finding(good=False, reason="NodeNotFound", message=message)
    lacking = [digest for digest in decided.bases if digest not in seen.profile.costs]
    job = seen.profile_job
    if not lacking and seen.profile.borrowed & set(decided.bases):
        message = "planned with costs that were measured under other limits, until they are measured under these"
        return Finding(good=True, reason="ProfilePending", message=message)
    if not lacking:
        estimated = [name for name in seen.profile.estimated if decided.task is not None]
        message = f"the ingest of {', '.join(estimated)} is estimated until it is measured" if estimated else ""
        return Finding(good=True, reason="Ready", message=message or "costs are known for every base DNN in use")
    if job is not None and job.state == "Failed":
        said = job.result.failure.message if job.result and job.result.failure else job.trouble
        return Finding(good=False, reason="ProfileFailed", message=f"Job {job.name}: {said}")
    said = f": {job.trouble}" if job is not None and job.trouble else ""
    return Finding(
        good=False,
        reason="ProfilePending",
        message=f"{counted(len(lacking), 'base DNN')} to be measured on the box{said}",
    )


def _scheduled(seen: NodeObservation, decided: Scheduled) -> Finding:
    plan = decided.plan
    if plan is not None:
        if not plan.result.proven and plan.result.bound is not None and plan.result.changed is None:
            message = f"mean F1 {plan.result.mean_f1:.4f}, at most {plan.result.bound:.4f} is possible"
            return Finding(good=True, reason="SolverTimedOut", message=message)
        return Finding(
            good=True,
            reason="Ready",
            message=f"{counted(len(plan.schedule.apps), 'app')}, mean F1 {plan.result.mean_f1:.3f}",
        )
    waiting = [finding for finding in decided.refused.values() if finding.reason == "ProfilePending"]
    if waiting:
        return Finding(good=False, reason="ProfilePending", message=waiting[0].message)
    count = counted(len(decided.refused), "app")
    said = f"; {count} that cannot run here now: see status.schedule.rejected" if decided.refused else ""
    return Finding(good=True, reason="NoApps", message=f"no app runs on {seen.edge_node.metadata.name}{said}")


def _overcommitted(decided: Scheduled) -> Finding:
    names = sorted(app for app, finding in decided.refused.items() if finding.reason == "RejectedByPriority")
    if not names:
        return Finding(good=False, reason="Ready", message="every app that is ready fits")
    return Finding(good=True, reason="Infeasible", message=f"not admitted: {', '.join(names)}")


def _schedule(decided: Scheduled) -> Plain:
    rejected = [
        {**_place(app), "reason": finding.reason, "message": finding.message[:REJECTED_MESSAGE]}
        for app, finding in sorted(decided.refused.items())
        if finding.reason != "Suspended"
    ][:1000]
    if decided.plan is None:
        return {"appCount": 0, "costScale": number_text(decided.cost_scale), "rejected": rejected}
    plan = decided.plan
    schedule = plan.schedule
    return {
        "digest": schedule.digest,
        "inputDigest": decided.input_digest,
        "meanF1": f"{plan.result.mean_f1:.3f}",
        "minF1": f"{plan.result.min_f1:.3f}",
        "cost": f"{schedule.cost:.3f}",
        "budget": f"{schedule.budget:.3f}",
        "optimal": plan.result.proven,
        "solveMilliseconds": round(decided.solve_seconds * 1000),
        "costScale": number_text(decided.cost_scale),
        "appCount": len(schedule.apps),
        "streams": [
            {
                "name": stem.stream,
                "view": stem.view,
                "baseDnn": stem.base_dnn,
                "stem": [{"upTo": one.end, "fps": fraction_text(one.fps)} for one in _last_of_each_rate(stem.segments)],
            }
            for stem in schedule.stems
        ],
        "apps": [
            {
                **_place(app.app),
                "branchpoint": app.branchpoint,
                "precision": app.precision,
                "fps": fraction_text(app.fps),
                "votes": app.votes,
                "threshold": app.threshold,
                "expectedF1": f"{app.expected_f1:.3f}",
            }
            for app in schedule.apps
        ],
        "rejected": rejected,
    }


def _last_of_each_rate(segments: Sequence[StemSegment]) -> list[StemSegment]:
    """A stem's rates fall with depth: of each rate the deepest segment says it all."""
    following = [*segments[1:], None] if segments else []
    return [one for one, after in zip(segments, following, strict=True) if after is None or after.fps != one.fps]


def _place(app: str) -> Plain:
    namespace, _, name = app.partition("/")
    return {"namespace": namespace, "name": name}
