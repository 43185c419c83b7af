"""Making the kubelet refresh the schedule in a running pod at once, instead of within a minute or two.

A change of the pod's annotations does that. It may come before the kubelet has seen the new ConfigMap, so it is repeated, at
growing intervals, until the runner reports the schedule's digest (architecture, decision 6).
"""

from collections.abc import Callable
from dataclasses import dataclass

from mainstream.resources.names import SCHEDULE_ANNOTATION, label_value
from mainstream_operator import kinds
from mainstream_operator.apply import Writer
from mainstream_operator.made import MadeObjects
from mainstream_operator.runner_state import RunnerState

ATTEMPT_ANNOTATION = "mainstream.dev/schedule-attempt"
"""Of a runner's pod: a number, so that asking again for the same schedule is a change."""
FIRST_SECONDS, LONGEST_SECONDS = 2.0, 60.0


@dataclass(slots=True)
class _Asked:
    digest: str
    attempts: int = 0
    at: float = 0.0


class Nudging:
    """For all EdgeNodes. ``clock`` is monotonic seconds."""

    def __init__(self, made: MadeObjects, writer: Writer, clock: Callable[[], float]) -> None:
        self._made, self._writer, self._clock = made, writer, clock
        self._asked: dict[str, _Asked] = {}

    def nudge(self, edge_node: str, digest: str | None, runner: RunnerState) -> float | None:
        """Ask once if it is time to; after how many seconds it will be time again, None if nothing is to be asked."""
        if digest is None or not runner.alive or runner.digest == digest or runner.refusal:
            self._asked.pop(edge_node, None)
            return None
        now = self._clock()
        asked = self._asked.get(edge_node)
        if asked is None or asked.digest != digest:
            asked = self._asked[edge_node] = _Asked(digest, at=now)
        if now >= asked.at:
            self._annotate(edge_node, asked)
            asked.at = now + min(FIRST_SECONDS * 2.0**asked.attempts, LONGEST_SECONDS)
            asked.attempts += 1
        return asked.at - now

    def _annotate(self, edge_node: str, asked: _Asked) -> None:
        annotations = {SCHEDULE_ANNOTATION: asked.digest, ATTEMPT_ANNOTATION: str(asked.attempts)}
        for pod in self._made.of_edge_node(kinds.POD, "runner", label_value(edge_node)):
            phase = ((pod.body or {}).get("status") or {}).get("phase")
            if phase == "Running" and not pod.ending:
                self._writer.annotate(pod.key, annotations)
