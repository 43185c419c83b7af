"""From what is known of an edge node to its schedule: what is refused, kept, measured, and what stays the same."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mainstream.basednn import BaseDnn
from mainstream.resources.edgenode import EdgeNode
from mainstream.scheduling.exact.search import Limits
from mainstream_operator.profiling import Profile
from mainstream_operator.scheduling import Scheduled, allowed_namespaces, fingerprint, schedule
from mainstream_operator.values import AppState, Finding

from .conftest import base_dnn, costs, edge_node, package, profile, settings, state

ALLOWED = {"traffic": True}


def decided(
    states: Sequence[AppState],
    *,
    node: EdgeNode | None = None,
    known: Profile | None = None,
    status: Mapping[str, Any] | None = None,
    allowed: Mapping[str, bool] = ALLOWED,
    scale: float = 1.0,
) -> Scheduled:
    """What is decided for a box."""
    return schedule(
        node or edge_node(),
        states,
        allowed,
        known or profile(),
        cost_scale=scale,
        status=dict(status or {}),
        settings=settings(),
        limits=Limits(),
    )


def test_the_same_observation_gives_the_same_schedule() -> None:
    """Whatever the order in which apps were seen."""
    states = [state("a"), state("b"), state("c")]
    first, second = decided(states), decided(states[::-1])
    assert first.plan is not None
    assert second.plan is not None
    assert first.plan.schedule.to_json() == second.plan.schedule.to_json()
    assert sorted(first.references) == ["traffic/a", "traffic/b", "traffic/c"]


def test_what_cannot_run_says_why_and_the_others_run() -> None:
    """One reason each; a broken app holds up nobody."""
    broken = Finding(good=False, reason="PackageNotFound", message="the registry has no such thing")
    states = [
        state("well"),
        state("suspended", suspend=True),
        state("lost", stream="south"),
        state("crooked", view="gate"),
        state("timeless", used=package("timeless", profile=None)),
        state("other-events", events=["blue-car"]),
        state("greedy", minF1="1"),
        replace(state("broken"), package=None, trained=broken),
        replace(state("stranger", namespace="private"), package=None),
    ]
    answer = decided(states, allowed={**ALLOWED, "private": False})
    assert answer.plan is not None
    assert [app.app for app in answer.plan.schedule.apps] == ["traffic/well"]
    reasons = {app.partition("/")[2]: finding.reason for app, finding in answer.refused.items()}
    assert reasons == {
        "suspended": "Suspended",
        "lost": "StreamNotFound",
        "crooked": "StreamNotFound",
        "timeless": "EventProfileMissing",
        "other-events": "PackageInvalid",
        "greedy": "MinF1Unreachable",
        "broken": "PackageNotFound",
        "stranger": "NamespaceNotAllowed",
    }
    assert "it has: north" in answer.refused["traffic/lost"].message
    assert "blue-car" in answer.refused["traffic/other-events"].message


def test_what_does_not_fit_is_refused_by_priority_then_age() -> None:
    """With the cost that it would have needed and what to do."""
    node = edge_node(budget={"cpu": "2", "utilization": 1})
    old, young = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
    states = [state("young", created=young), state("old", created=old), state("high", created=young, priority=1)]
    answer = decided(states, node=node)
    refused = {
        app.partition("/")[2] for app, finding in answer.refused.items() if finding.reason == "RejectedByPriority"
    }
    assert refused in ({"young"}, {"young", "old"})
    assert "budget" in answer.refused["traffic/young"].message


def test_an_app_whose_base_dnn_was_not_measured_waits_and_the_others_run() -> None:
    """One measurement is asked for."""
    new_base = base_dnn("resnet")
    states = [state("a"), state("b", used=package("b", base=new_base))]
    answer = decided(states)
    assert answer.plan is not None
    assert [app.app for app in answer.plan.schedule.apps] == ["traffic/a"]
    assert answer.refused["traffic/b"].reason == "ProfilePending"
    assert answer.task is not None
    assert (answer.task.base_dnn or "").endswith(new_base.digest)


def test_what_the_engine_does_not_suit_is_not_measured_for_it() -> None:
    """A Job that can only fail helps nobody."""
    float_base = base_dnn("mobilenet")
    base = BaseDnn(digest=float_base.digest, config=float_base.config.model_copy(update={"precision": "int8"}))
    answer = decided([state("a", used=package("a", base=base))], node=edge_node(runtime={"engine": "OpenVINO"}))
    assert answer.refused["traffic/a"].reason == "EngineUnsuitable"
    assert answer.task is None


def test_borrowed_costs_are_planned_with_and_measured_anew() -> None:
    """Another CPU limit takes no app off the box."""
    base = base_dnn()
    answer = decided([state("a")], known=replace(profile(), borrowed=frozenset({base.digest})))
    assert answer.plan is not None
    assert answer.task is not None


def test_what_was_decided_for_the_same_input_is_not_solved_again() -> None:
    """After a restart: the status holds the assignments, and they give the very same schedule."""
    states = [state("a"), state("b")]
    first = decided(states)
    assert first.plan is not None
    status = {
        "schedule": {
            "inputDigest": first.input_digest,
            "optimal": True,
            "apps": [
                {
                    "namespace": "traffic", "name": one.app.partition("/")[2], "branchpoint": one.branchpoint,
                    "fps": str(one.fps), "votes": one.votes, "threshold": one.threshold, "expectedF1": "0.9",
                }
                for one in first.plan.schedule.apps
            ],
        },
        "conditions": [{"type": "Scheduled", "reason": "Ready"}],
    }  # fmt: skip
    again = decided(states, status=status)
    assert again.plan is not None
    assert again.plan.schedule.digest == first.plan.schedule.digest
    assert again.plan.result.boxes == 0
    assert again.plan.result.proven
    assert first.plan.result.boxes > 0


def test_a_slower_box_plans_with_scaled_costs() -> None:
    """The factor is on seconds, so the same rates cost more."""
    fast, slow = decided([state("a")]), decided([state("a")], scale=1.2)
    assert fast.plan is not None
    assert slow.plan is not None
    assert slow.plan.schedule.cost > fast.plan.schedule.cost


def test_namespaces_are_allowed_by_their_labels() -> None:
    """Absent is none, {} is all; expressions count."""
    spaces = {"a": {"tenant": "yes"}, "b": {}}

    def allowed(selector: object) -> list[str]:
        node = edge_node(allowedNamespaces=selector)
        return sorted(name for name, yes in allowed_namespaces(node, spaces).items() if yes)

    assert allowed(None) == []
    assert allowed({}) == ["a", "b"]
    assert allowed({"matchLabels": {"tenant": "yes"}}) == ["a"]
    assert allowed({"matchExpressions": [{"key": "tenant", "operator": "DoesNotExist"}]}) == ["b"]
    assert allowed({"matchExpressions": [{"key": "tenant", "operator": "In", "values": ["yes"]}]}) == ["a"]


def test_the_fingerprint_changes_with_what_is_decided_on_and_nothing_else() -> None:
    """A retry of the same observation solves nothing."""

    def mark(one: AppState, known: Profile | None = None, scale: float = 1.0) -> str:
        return fingerprint(edge_node(), [one], ALLOWED, known or profile(), scale)

    first = mark(state("a"))
    assert mark(state("a")) == first
    assert mark(state("a", priority=1)) != first
    assert mark(state("a", used=package("another"))) != first
    assert mark(state("a"), scale=1.2) != first
    other = replace(profile(), costs={base_dnn().digest: costs(threads=4)})
    assert mark(state("a"), known=other) != first
