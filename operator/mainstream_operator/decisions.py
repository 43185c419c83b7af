"""What was decided last, of each app and EdgeNode: what the looks at one need of the other."""

from dataclasses import dataclass, field
from typing import Any

from mainstream.schedule import ScheduledApp
from mainstream_operator.node_status import Outcome
from mainstream_operator.values import AppState, Finding


@dataclass(slots=True)
class Decisions:
    """``states`` by app: None where its spec cannot be read. ``outcomes`` by EdgeNode: None likewise, absent before the first
    look. One look at a time writes each."""

    states: dict[str, AppState | None] = field(default_factory=dict)
    outcomes: dict[str, Outcome | None] = field(default_factory=dict)

    def known_outcomes(self) -> dict[str, Outcome]:
        """Those of EdgeNodes that can be read."""
        return {name: outcome for name, outcome in dict(self.outcomes).items() if outcome is not None}


def essence(state: AppState | None) -> Any:
    """Of an app's state, what its EdgeNodes depend on: equal ones need no new look at them."""
    if state is None:
        return None
    package = state.package
    place = (package.reference, package.package.digest) if package is not None else None
    refused = (state.trained.reason, state.trained.message) if package is None else None
    return (state.identity.uid, state.app.spec, place, refused, state.pending)


def view_of(outcome: Outcome | None, app: str) -> Any:
    """Of an EdgeNode's outcome, what one app's status depends on."""
    if outcome is None:
        return None
    assigned: ScheduledApp | None = outcome.assignments.get(app)
    shown = None if assigned is None else (assigned.branchpoint, assigned.fps, assigned.votes, assigned.threshold)
    refused: Finding | None = outcome.refused.get(app)
    report = outcome.reported.get(app) or {}
    runs = report.get("fps") not in (None, "", "0")
    trouble = outcome.trouble if assigned is not None else None
    f1 = f"{assigned.expected_f1:.3f}" if assigned is not None else ""
    return (outcome.reachable, outcome.loaded, shown, f1, refused, runs, report.get("sinkMessage"), trouble)
