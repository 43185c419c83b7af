"""A MainstreamApp's status from its package and from what each selected EdgeNode makes of it. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import TypeVar

from mainstream.documents import fraction_text
from mainstream.schedule import ScheduledApp
from mainstream_operator.conditions import Change, conditions, summed_up
from mainstream_operator.node_status import Outcome
from mainstream_operator.training import package_status
from mainstream_operator.values import AppState, Finding, Plain, counted

ORDER = ("Trained", "Scheduled", "Running")
STALLED = frozenset(
    {
        "BaseDnnFailed", "TrainingFailed", "DatasetInvalid", "PackageInvalid", "PackageNotFound",
        "RegistryCredentialsMissing", "EdgeNodeNotFound", "StreamNotFound", "NamespaceNotAllowed", "EventProfileMissing",
        "MinF1Unreachable", "RejectedByPriority", "Suspended", "SpecInvalid", "EngineUnsuitable",
    }
)  # fmt: skip
"""Reasons that go away only when somebody does something."""
MOST_NAMED = 5


def app_status(
    state: AppState, selected: Sequence[str], outcomes: Mapping[str, Outcome], before: Plain, now: str
) -> tuple[Plain, list[Change]]:
    """The whole status, and what turned. ``selected`` are the names of the EdgeNodes that exist and are selected."""
    key = state.app.key
    there = [outcomes[name] for name in selected if name in outcomes]
    placed = {one.edge_node: one.assignments[key] for one in there if key in one.assignments}
    findings = {
        "Trained": state.trained,
        "Scheduled": _scheduled(state, selected, there),
        "Running": _running(key, there),
    }
    running = [one.edge_node for one in there if _runs(key, one)]
    whole = summed_up(
        findings, ORDER, ready=f"runs on {len(running)} of {counted(len(selected), 'edge node')}", stalled=STALLED
    )
    if findings["Scheduled"].good is False and running and _only_unreachable_lack(key, there):
        whole = summed_up(findings, ("Trained", "Running"), ready=whole["Ready"].message, stalled=STALLED)
    found, changes = conditions(
        {**whole, **findings, "Degraded": _degraded(key, there)},
        before.get("conditions") or (),
        generation=state.identity.generation,
        now=now,
    )
    status: Plain = {
        "observedGeneration": state.identity.generation,
        "summary": _summary(list(placed.values()), len(running), len(selected)),
        "assignments": [_assignment(name, app) for name, app in sorted(placed.items())],
        "conditions": found,
    }
    if state.package is not None:
        status["package"] = package_status(state.package)
    if state.previous:
        status["previousPackage"] = dict(state.previous)
    if state.held:
        status["heldPackage"] = dict(state.held)
    return status, changes


def _scheduled(state: AppState, selected: Sequence[str], outcomes: Sequence[Outcome]) -> Finding:
    key, selector = state.app.key, state.app.spec.edge_nodes
    absent = [name for name in selector.match_names or () if name not in selected]
    if absent:
        return Finding(good=False, reason="EdgeNodeNotFound", message=f"there is no EdgeNode {_named(absent)}")
    if not selected:
        labels = ", ".join(f"{name}={value}" for name, value in (selector.match_labels or {}).items())
        return Finding(good=False, reason="EdgeNodeNotFound", message=f"no EdgeNode has the labels {labels}")
    refused = {one.edge_node: one.refused[key] for one in outcomes if key in one.refused}
    if refused:
        name = min(refused)
        first = refused[name]
        more = f" (and on {counted(len(refused) - 1, 'other edge node')})" if len(refused) > 1 else ""
        return Finding(good=False, reason=first.reason, message=f"on {name}: {first.message}{more}")
    waiting = [
        name for name in selected if not any(one.edge_node == name and key in one.assignments for one in outcomes)
    ]
    if waiting:
        return Finding(good=False, reason="SchedulePending", message=f"not scheduled yet on {_named(waiting)}")
    return Finding(good=True, reason="Ready", message=f"assigned on {counted(len(selected), 'edge node')}")


def _running(key: str, outcomes: Sequence[Outcome]) -> Finding:
    placed = [one for one in outcomes if key in one.assignments]
    if not placed:
        return Finding(good=False, reason="NotScheduled", message="no edge node runs it")
    reachable = [one for one in placed if one.reachable]
    if not reachable:
        trouble = placed[0].trouble
        reason = trouble.reason if trouble.good is False else "RunnerNotReporting"
        return Finding(good=False, reason=reason, message=f"on {placed[0].edge_node}: {trouble.message}")
    for one in reachable:
        if not _runs(key, one):
            said = "" if one.trouble.good else f": {one.trouble.message}"
            reason = "RunnerNotReporting" if one.trouble.good else one.trouble.reason
            message = f"the runner of {one.edge_node} has not reported frames of it under the present schedule{said}"
            return Finding(good=False, reason=reason, message=message)
    for one in reachable:
        sink = one.reported[key].get("sinkMessage")
        if sink:
            return Finding(
                good=False,
                reason="SinkUnreachable",
                message=f"on {one.edge_node}: {sink}; events are kept and sent later",
            )
    return Finding(good=True, reason="Ready", message=f"reported by {counted(len(reachable), 'runner')}")


def _runs(key: str, outcome: Outcome) -> bool:
    report = outcome.reported.get(key)
    return outcome.reachable and outcome.loaded and report is not None and float(Fraction(report.get("fps") or "0")) > 0


def _only_unreachable_lack(key: str, outcomes: Sequence[Outcome]) -> bool:
    return all(key in one.assignments or not one.reachable for one in outcomes)


def _degraded(key: str, outcomes: Sequence[Outcome]) -> Finding:
    away = [one.edge_node for one in outcomes if key in one.assignments and not one.reachable]
    if away:
        return Finding(good=True, reason="EdgeNodeUnreachable", message=f"not reachable: {_named(away)}")
    return Finding(good=False, reason="Ready", message="every edge node that it is assigned to is reachable")


def _named(names: Sequence[str]) -> str:
    listed = ", ".join(sorted(names)[:MOST_NAMED])
    return listed if len(names) <= MOST_NAMED else f"{listed} and {len(names) - MOST_NAMED} more"


def _assignment(edge_node: str, app: ScheduledApp) -> Plain:
    return {
        "edgeNode": edge_node,
        "branchpoint": app.branchpoint,
        "fps": fraction_text(app.fps),
        "votes": app.votes,
        "threshold": app.threshold,
        "expectedF1": f"{app.expected_f1:.3f}",
    }


def _summary(apps: Sequence[ScheduledApp], running: int, selected: int) -> Plain:
    summary: Plain = {"edgeNodes": f"{running}/{selected}"}
    if apps:
        branchpoints = {app.branchpoint for app in apps}
        summary |= {
            "branchpoint": branchpoints.pop() if len(branchpoints) == 1 else f"mixed({len(branchpoints)})",
            "fps": _range([app.fps for app in apps], fraction_text),
            "votes": _range([app.votes for app in apps], str),
            "f1": _range([app.expected_f1 for app in apps], lambda f1: f"{f1:.2f}"),
        }
    return summary


Number = TypeVar("Number", int, float, Fraction)


def _range(values: Iterable[Number], text: Callable[[Number], str]) -> str:
    ordered = sorted(values)
    low, high = text(ordered[0]), text(ordered[-1])
    return low if low == high else f"{low}..{high}"
