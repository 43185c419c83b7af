"""Conditions: times that stay, changes that are told, the sum of the parts."""

from mainstream_operator.conditions import Change, conditions, event, summed_up, worth_telling
from mainstream_operator.values import Finding

READY = Finding(good=True, reason="Ready")


def _waits(reason: str = "ProfilePending", message: str = "being measured") -> Finding:
    return Finding(good=False, reason=reason, message=message)


def test_a_condition_whose_status_stays_keeps_its_time() -> None:
    """Another reason or message alone is no transition (API conventions)."""
    before, _ = conditions({"Profiled": _waits()}, (), generation=1, now="then")
    after, changes = conditions({"Profiled": _waits("ProfileFailed", "no")}, before, generation=2, now="now")
    assert after[0]["lastTransitionTime"] == "then"
    assert after[0]["observedGeneration"] == 2
    assert [(one.reason, one.warning) for one in changes] == [("ProfileFailed", True)]
    turned, changes = conditions({"Profiled": READY}, after, generation=2, now="now")
    assert turned[0]["lastTransitionTime"] == "now"
    assert [(one.reason, one.warning) for one in changes] == [("Ready", False)]


def test_nothing_is_told_where_nothing_turned() -> None:
    """A message that counts on is no news; Reconciling and Stalled repeat what others say."""
    first, _ = conditions({"Ready": _waits(message="1 of 3"), "Stalled": READY}, (), generation=1, now="then")
    _, changes = conditions({"Ready": _waits(message="2 of 3"), "Stalled": _waits()}, first, generation=1, now="now")
    assert changes == []


def test_what_passes_by_itself_is_no_warning() -> None:
    """``kubectl describe`` must not look like trouble while things go as they should."""
    findings = {"Profiled": _waits(), "Scheduled": _waits("MinF1Unreachable", "0.9 is out of reach")}
    _, changes = conditions(findings, (), generation=1, now="now")
    assert [(one.reason, one.warning) for one in changes] == [("ProfilePending", False), ("MinF1Unreachable", True)]


def test_what_is_bad_when_true_warns_when_it_turns_true() -> None:
    """Overcommitted, Degraded."""
    _, changes = conditions(
        {"Overcommitted": Finding(good=True, reason="Infeasible"), "Degraded": Finding(good=False, reason="Ready")},
        (),
        generation=1,
        now="now",
    )
    assert [(one.type, one.warning) for one in changes] == [("Overcommitted", True)]


def _change(kind: str, reason: str, message: str = "") -> Change:
    return Change(type=kind, reason=reason, message=message, warning=False)


def test_an_event_tells_each_thing_once() -> None:
    """Not a sum beside its part, not what only follows, and once all is Ready not how each part came to be."""
    measured = _change("Scheduled", "ProfilePending", "is measured")
    assert worth_telling(
        [_change("Ready", "ProfilePending", "is measured"), measured, _change("Running", "NotScheduled", "nobody")]
    ) == [measured]
    placed, silent = (
        _change("Scheduled", "Ready", "assigned"),
        _change("Running", "RunnerNotReporting", "no frames yet"),
    )
    turned = [placed, silent, _change("Degraded", "RunnerNotReporting", "one box does not report")]
    assert worth_telling(turned) == [placed, silent]
    assert worth_telling([_change("Ready", "TrainingPending", "two wait"), measured])[0].reason == "TrainingPending"


def test_what_is_wrong_is_told_beside_ready() -> None:
    """A retraining that failed leaves the old package running."""
    ready, failed = _change("Ready", "Ready", "runs"), _change("Trained", "TrainingFailed", "no disk")
    assert worth_telling([ready, failed, _change("Running", "Ready"), _change("Degraded", "Ready")]) == [ready, failed]


def test_the_first_part_that_is_not_true_says_why_it_is_not_ready() -> None:
    """In the order of the table; kstatus reads Stalled where only a person can help."""
    parts = {"Profiled": READY, "Scheduled": _waits("MinF1Unreachable", "0.9 is out of reach"), "Running": _waits()}
    whole = summed_up(parts, ("Profiled", "Scheduled", "Running"), ready="all", stalled=frozenset({"MinF1Unreachable"}))
    assert (whole["Ready"].good, whole["Ready"].reason) == (False, "MinF1Unreachable")
    assert whole["Stalled"].good is True
    assert whole["Reconciling"].good is False
    waiting = summed_up(parts, ("Running",), ready="all", stalled=frozenset())
    assert (waiting["Reconciling"].good, waiting["Stalled"].good) == (True, False)


def test_unknown_is_not_ready() -> None:
    """A runner that says nothing is no runner that runs."""
    whole = summed_up(
        {"Running": Finding(good=None, reason="RunnerNotReporting")}, ("Running",), ready="", stalled=frozenset()
    )
    assert whole["Ready"].good is False


def test_an_event_carries_the_condition_and_its_reason() -> None:
    """The same word as in the condition; its note fits what the API takes."""
    _, changes = conditions({"Ready": _waits("ProfileFailed", "x" * 5000)}, (), generation=1, now="now")
    body = event(changes[0], {"kind": "EdgeNode", "name": "gate-3"}, now="now", name="e", namespace="default")
    assert (body["type"], body["reason"], body["action"]) == ("Warning", "ProfileFailed", "Ready")
    assert len(body["note"]) <= 1024
