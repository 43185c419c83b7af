"""A look at one EdgeNode: its schedule, its runner's objects, the measuring of its costs, its status."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from mainstream.resources.edgenode import EdgeNode
from mainstream.resources.names import label_value, runner_name, schedule_name
from mainstream.schedule import Assignment
from mainstream.scheduling.exact.search import Limits
from mainstream_operator import kinds
from mainstream_operator.client import ApiError, ObjectKey
from mainstream_operator.credentials import gathered, missing, needed
from mainstream_operator.decisions import view_of
from mainstream_operator.known import Key, Known, host_name
from mainstream_operator.measuring import Measuring
from mainstream_operator.node_status import NodeObservation, Outcome, invalid_status, node_status
from mainstream_operator.nudging import Nudging
from mainstream_operator.profiling import Profile, known
from mainstream_operator.runner_state import RunnerState, next_scale, runner_state
from mainstream_operator.runners import credentials_object, runner_objects
from mainstream_operator.scheduling import Scheduled, allowed_namespaces, fingerprint, previous_assignments, schedule
from mainstream_operator.tools import READING, Tools
from mainstream_operator.values import AppState, Finding, Identity, Invalid, Plain

HOLD_SECONDS = 600.0
"""That a schedule is left as it is because the package of an app in it cannot be read (after a restart of the operator, with
the registry away): longer would hold up the others."""
HOLD_LOOK_SECONDS = 5.0
SHORT_HOLD_SECONDS, SHORT_LOOK_SECONDS = 3.0, 0.2
"""That a schedule waits for an app that was not looked at yet, or whose package is being read: one schedule, not two."""
SOLVED_AT_ONCE = 2
"""A solution takes processor time and up to tens of megabytes. More at once would only take longer each; with one, a hard box
would hold up all others."""
PASSING = frozenset({404, 409, 429})
"""Refusals that are over the next time."""


class RefusedError(Exception):
    """The API server took something of an EdgeNode's not; its status says so, and it is tried again."""


@dataclass(slots=True, kw_only=True)
class _Memory:
    """Of one EdgeNode, between looks."""

    fingerprint: str = ""
    decided: Scheduled | None = None
    held_since: float | None = None
    waits_since: float | None = None


class NodeLook:
    """See the module. Called with a name; says after how many seconds to look again, None: as always.

    ``clock`` is monotonic seconds; ``solved`` hears how long each solution took.
    """

    def __init__(self, tools: Tools, *, clock: Callable[[], float], solved: Callable[[float], None]) -> None:
        self._t, self._clock, self._solved = tools, clock, solved
        self._measuring = Measuring(tools)
        self._nudging = Nudging(tools.made, tools.writer, clock)
        self._memory: dict[str, _Memory] = {}
        self._solving = threading.Semaphore(SOLVED_AT_ONCE)

    def __call__(self, name: str) -> float | None:
        t = self._t
        seen = t.cluster.edge_nodes.get(name)
        if seen is None or seen.identity.deleted:
            self._memory.pop(name, None)
            self._decided(name, None)
            if seen is None:
                t.decisions.outcomes.pop(name, None)
            return None
        if isinstance(seen.spec, Invalid):
            status, changes = invalid_status(seen.identity, seen.status, seen.spec.message, t.now_text())
            t.writer.status(kinds.EDGE_NODE, seen, status, changes)
            self._decided(name, None)
            return None
        assert isinstance(seen.spec, EdgeNode)  # noqa: S101 - the cluster keeps each kind by itself
        return self._look(seen, seen.spec, self._memory.setdefault(name, _Memory()))

    def _look(self, seen: Known, edge_node: EdgeNode, memory: _Memory) -> float | None:
        t, name, before = self._t, edge_node.metadata.name, seen.status
        members = t.cluster.members(name)
        running = previous_assignments(before)
        again = self._held(memory, members, running)
        if again is not None:
            return again
        states = [state for app in members if (state := t.decisions.states.get(app)) is not None]
        measured = self._measuring.measured(name)
        profile = known(edge_node, before, self._measuring.catalogue(), measured.results)
        host, runner = host_name(edge_node), self._runner(name, before)
        decided = self._schedule(edge_node, before, states, profile, runner, memory)
        self._measuring.remember(measured)
        # What runs goes on as it is until its costs are known.
        kept = any(finding.reason == "ProfilePending" and app in running for app, finding in decided.refused.items())
        fault = self._publish(edge_node, seen.identity, decided, states, host, kept=kept)
        streams = t.secrets.all(needed(edge_node, (), t.settings.namespace))
        observation = NodeObservation(
            edge_node=edge_node,
            identity=seen.identity,
            status=before,
            host=host,
            host_found=host in t.cluster.hosts,
            host_ready=host in t.cluster.hosts and t.cluster.hosts[host].ready,
            runner=runner,
            profile=profile,
            profile_job=self._measuring.start(edge_node, seen.identity, host, decided, measured),
            missing_secrets=[str(key) for key in missing(edge_node, t.settings.namespace, streams)],
            now=t.now_text(),
            fault=fault,
        )
        status, changes, outcome = node_status(observation, decided)
        if kept:
            status["schedule"] = before["schedule"]
        t.writer.status(kinds.EDGE_NODE, seen, status, changes)
        self._decided(name, outcome)
        if fault is not None:
            raise RefusedError(fault.message)
        digest = decided.plan.schedule.digest if decided.plan and not kept else None
        return self._nudging.nudge(name, digest, runner)

    def _held(self, memory: _Memory, members: Sequence[str], running: Mapping[str, Assignment]) -> float | None:
        """Seconds to wait for the package of an app that runs, rather than to take the app off the box; None: no longer."""
        states, now = self._t.decisions.states, self._clock()
        soon = [app for app in members if app not in states or _is_reading(states[app])]
        unread = [app for app in members if app in running and (app not in states or _is_pending(states[app]))]
        memory.waits_since = (memory.waits_since or now) if soon else None
        memory.held_since = (memory.held_since or now) if unread else None
        if memory.waits_since is not None and now - memory.waits_since < SHORT_HOLD_SECONDS:
            return SHORT_LOOK_SECONDS
        if memory.held_since is not None and now - memory.held_since < HOLD_SECONDS:
            return HOLD_LOOK_SECONDS
        return None

    def _runner(self, name: str, status: Plain) -> RunnerState:
        made = self._t.made
        own_pods = made.of_edge_node(kinds.POD, "runner", label_value(name))
        return runner_state(
            status,
            made.renewed(runner_name(name)),
            [pod.body for pod in own_pods if pod.body is not None],
            now=self._t.cluster.now(),
            lease_seconds=self._t.settings.runner.lease_seconds,
        )

    def _schedule(
        self,
        edge_node: EdgeNode,
        status: Plain,
        states: Sequence[AppState],
        profile: Profile,
        runner: RunnerState,
        memory: _Memory,
    ) -> Scheduled:
        """Decide anew only where something that it depends on changed."""
        t = self._t
        allowed = allowed_namespaces(edge_node, t.cluster.space_labels(state.app.key for state in states))
        before = status.get("schedule") or {}
        scale = float(before.get("costScale") or 1.0)
        if before.get("digest") and before.get("cost"):
            scale = next_scale(scale, float(before["cost"]), runner, before["digest"], now=t.cluster.now())
        mark = fingerprint(edge_node, states, allowed, profile, scale)
        if memory.decided is not None and memory.fingerprint == mark:
            return memory.decided
        with self._solving:
            begin = self._clock()
            deadline = begin + t.settings.solve_deadline_seconds
            decided = schedule(
                edge_node,
                states,
                allowed,
                profile,
                cost_scale=scale,
                status=status,
                settings=t.settings,
                limits=Limits(boxes=t.settings.max_boxes, stop=lambda: self._clock() > deadline),
            )
            seconds = self._clock() - begin
        self._solved(seconds)
        memory.decided, memory.fingerprint = replace(decided, solve_seconds=seconds), mark
        return memory.decided

    def _publish(
        self,
        edge_node: EdgeNode,
        identity: Identity,
        decided: Scheduled,
        states: Sequence[AppState],
        host: str,
        *,
        kept: bool,
    ) -> Finding | None:
        """Have the runner's objects in the cluster; what the API server refused."""
        t = self._t
        apps = {state.app.key: state.app for state in states if state.app.key in decided.references}
        secrets = t.secrets.all(needed(edge_node, apps.values(), t.settings.namespace))
        packages = {key: (app, decided.references[key]) for key, app in apps.items()}
        values = gathered(edge_node, packages, t.settings.namespace, secrets)
        try:
            if decided.plan is not None and not kept:
                schedule_now = decided.plan.schedule
                t.writer.apply(runner_objects(edge_node, identity.uid, host, schedule_now, values, t.settings))
            elif decided.task is not None:
                t.writer.apply([credentials_object(edge_node, identity.uid, values, t.settings)])
            elif not kept:
                t.writer.delete(_runs_no_more(edge_node, t.settings.namespace))
        except ApiError as error:
            if 400 <= error.status < 500 and error.status not in PASSING:
                return Finding(good=False, reason="ApplyFailed", message=f"the API server refuses: {error.message}")
            raise
        return None

    def _decided(self, name: str, outcome: Outcome | None) -> None:
        """Keep the outcome, and have looked at those apps for which it is another."""
        decisions = self._t.decisions
        before = decisions.outcomes.get(name)
        decisions.outcomes[name] = outcome
        apps = set(self._t.cluster.members(name))
        for one in (before, outcome):
            apps |= {*one.assignments, *one.refused} if one is not None else set()
        self._t.follows(Key("MainstreamApp", app) for app in apps if view_of(before, app) != view_of(outcome, app))


def _is_pending(state: AppState | None) -> bool:
    return state is not None and state.pending


def _is_reading(state: AppState | None) -> bool:
    return state is not None and state.trained.reason == READING.reason


def _runs_no_more(edge_node: EdgeNode, namespace: str) -> list[ObjectKey]:
    """What goes when no app runs on a box any more; its cache and its rights stay until the EdgeNode goes."""
    name = edge_node.metadata.name
    return [
        ObjectKey(kinds.DEPLOYMENT, namespace, runner_name(name)),
        ObjectKey(kinds.CONFIG_MAP, namespace, schedule_name(name)),
        ObjectKey(kinds.SECRET, namespace, runner_name(name)),
    ]
