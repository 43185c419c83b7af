"""Conditions as Kubernetes' tools read them (kstatus): a time of the last change, the generation that was seen. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mainstream.resources.reasons import REASONS
from mainstream_operator.values import Finding, Plain

MESSAGE_LIMIT = 1024
NOTE_BYTES = 1024
"""That the API takes of an Event's note."""
CONSEQUENCES = frozenset({"NotScheduled"})
"""Reasons that say only that another condition is not met."""
BAD_WHEN_TRUE = frozenset({"Reconciling", "Stalled", "Overcommitted", "Degraded"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A condition that turned: what a Kubernetes Event tells. ``warning``: somebody has to do something."""

    type: str
    reason: str
    message: str
    warning: bool


def conditions(
    findings: Mapping[str, Finding], before: Sequence[Plain], *, generation: int, now: str
) -> tuple[list[Plain], list[Change]]:
    """``status.conditions`` with what changed against ``before``; a condition whose status stays keeps its time."""
    earlier = {one["type"]: one for one in before}
    found, changes = [], []
    for name, finding in findings.items():
        status = {True: "True", False: "False", None: "Unknown"}[finding.good]
        old = earlier.get(name)
        same = old is not None and old["status"] == status
        found.append(
            {
                "type": name,
                "status": status,
                "reason": finding.reason,
                "message": finding.message[:MESSAGE_LIMIT],
                "observedGeneration": generation,
                "lastTransitionTime": old["lastTransitionTime"] if same and old else now,
            }
        )
        if (not same or (old is not None and old["reason"] != finding.reason)) and name not in {
            "Reconciling",
            "Stalled",
        }:
            bad = (finding.good is not False) if name in BAD_WHEN_TRUE else (finding.good is not True)
            if old is not None or bad or name == "Ready":
                message = finding.message or finding.reason
                warning = bad and not _passes(finding.reason)
                changes.append(
                    Change(type=name, reason=finding.reason, message=message[:MESSAGE_LIMIT], warning=warning)
                )
    return found, changes


def worth_telling(changes: Iterable[Change]) -> list[Change]:
    """Of what turned at once, what an Event is made of: each thing once.

    A sum that only repeats one of its parts, and what only follows from something else, is left out; once all is Ready, so is
    how each part came to be.
    """
    turned = list(changes)
    if any(one.type == "Ready" and one.reason == "Ready" for one in turned):
        return [one for one in turned if one.type == "Ready" or one.reason != "Ready"]
    parts = [one for one in turned if one.type != "Ready" and one.reason not in CONSEQUENCES]
    by_parts = {(one.reason, one.message) for one in parts}
    told_once = [one for one in turned if one.type == "Ready" and (one.reason, one.message) not in by_parts]
    reasons: set[str] = set()
    for one in parts:
        if one.reason == "Ready" or one.reason not in reasons:
            told_once.append(one)
        reasons.add(one.reason)
    return told_once


def _passes(reason: str) -> bool:
    """Whether it is a wait that ends by itself."""
    return reason in REASONS and not REASONS[reason].remedy


def summed_up(
    parts: Mapping[str, Finding], order: Iterable[str], *, ready: str, stalled: frozenset[str]
) -> dict[str, Finding]:
    """Ready, Reconciling and Stalled from the parts: the first that is not True says why."""
    worst = next((parts[name] for name in order if parts[name].good is not True), None)
    if worst is None:
        return {
            "Ready": Finding(good=True, reason="Ready", message=ready),
            "Reconciling": Finding(good=False, reason="Ready"),
            "Stalled": Finding(good=False, reason="Ready"),
        }
    stuck = worst.reason in stalled
    return {
        "Ready": Finding(good=False, reason=worst.reason, message=worst.message),
        "Reconciling": Finding(good=not stuck, reason=worst.reason, message="" if stuck else worst.message),
        "Stalled": Finding(good=stuck, reason=worst.reason, message=worst.message if stuck else ""),
    }


def event(change: Change, about: Plain, *, now: str, name: str, namespace: str) -> Plain:
    """The Kubernetes Event that tells of a change; ``about`` is an object reference."""
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": namespace},
        "eventTime": now,
        "reportingController": "mainstream.dev/operator",
        "reportingInstance": "mainstream-operator",
        "type": "Warning" if change.warning else "Normal",
        "reason": change.reason,
        "action": change.type,
        "note": f"{change.type}: {change.message}".encode()[:NOTE_BYTES].decode(errors="ignore"),
        "regarding": about,
    }
