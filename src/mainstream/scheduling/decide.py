"""From an edge node's problem to its Plan: solve, keep what need not change, fit into memory, render. Pure.

The command line (``planning``) and the operator both come here, so the same manifests give the same schedule.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from mainstream.memory import planned_bytes
from mainstream.resources.edgenode import Source
from mainstream.schedule import Assignment, Schedule
from mainstream.scheduling.admission import admit
from mainstream.scheduling.assemble import Assembled
from mainstream.scheduling.exact.search import Limits
from mainstream.scheduling.greedy import summary
from mainstream.scheduling.levels import Fewer, fit_levels
from mainstream.scheduling.problem import Choice, Objective, Problem, Result, Sharing
from mainstream.scheduling.render import render
from mainstream.scheduling.solve import DEFAULT_SOLVER, solve
from mainstream.scheduling.sticky import sticky


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What was decided for one edge node; ``assembled`` says what the result's numbers stand for."""

    assembled: Assembled
    sharing: Sharing
    objective: Objective
    result: Result
    schedule: Schedule
    planned_bytes: int = 0
    """Of memory, by ``mainstream.memory``; above ``schedule.memory_bytes`` the runner refuses the schedule."""
    fewer_levels: Fewer | None = None

    @property
    def mean_f1(self) -> float:
        """Weighted mean over all apps; one that is not admitted counts as 0, so plans can be compared."""
        total = sum(app.weight for app in self.assembled.problem.apps)
        admitted = sum(
            app.weight
            for app, choice in zip(self.assembled.problem.apps, self.result.choices, strict=True)
            if choice is not None
        )
        return self.result.mean_f1 * admitted / total if total else 0.0

    @property
    def min_f1(self) -> float:
        """The lowest F1 of all apps; 0 if one is not admitted."""
        return self.result.min_f1 if all(choice is not None for choice in self.result.choices) else 0.0

    @property
    def mean_fps(self) -> float:
        """Mean rate of all apps, frames per second; one that is not admitted counts as 0."""
        count = len(self.assembled.problem.apps)
        return float(sum(app.fps for app in self.schedule.apps)) / count if count else 0.0


def decide_schedule(
    assembled: Assembled,
    objective: Objective,
    *,
    sharing: Sharing = "Mainstream",
    solver: str = DEFAULT_SOLVER,
    source: Callable[[Source], Source] = lambda source: source,
    previous: Mapping[str, Choice] | None = None,
    settled: bool | None = None,
    limits: Limits | None = None,
) -> Plan:
    """The best schedule that the solver finds, or one within the sticky margin that changes fewer of ``previous``.

    ``source`` says how the runner finds what a stream's source names. With other sharing than Mainstream nothing is kept.
    Where ``previous`` was decided for a problem of the same ``input_digest``, ``settled`` says whether it was proven to be the
    best: then nothing is solved.
    """
    size_of = _sizes(assembled)

    def schedule_of(result: Result) -> Schedule:
        return render(assembled, result, sharing=sharing, source=source)

    def fits(result: Result) -> bool:
        return planned_bytes(schedule_of(result), size_of) <= assembled.edge_node.spec.budget.memory

    kept = None
    if previous is not None and settled is not None and sharing == "Mainstream":
        kept = _kept(assembled.problem, previous, proven=settled)
    solved = kept or solve(assembled.problem, objective, sharing=sharing, solver=solver, limits=limits)
    if kept is None and previous is not None and sharing == "Mainstream":
        solved = sticky(assembled.problem, solved, previous, objective=objective, limits=limits)
    result, fewer = (solved, None) if sharing == "NoSharing" else fit_levels(assembled.problem, solved, fits)
    schedule = schedule_of(result)
    return Plan(
        assembled=assembled,
        sharing=sharing,
        objective=objective,
        result=result,
        schedule=schedule,
        planned_bytes=planned_bytes(schedule, size_of),
        fewer_levels=fewer,
    )


def _kept(problem: Problem, previous: Mapping[str, Choice], *, proven: bool) -> Result | None:
    """What was decided for this very problem; None if it does not hold all apps that are admitted."""
    admission = admit(problem)
    admitted = {problem.apps[place].name for place in admission.admitted}
    if not admitted <= set(previous):
        return None
    choices = tuple(previous[app.name] if app.name in admitted else None for app in problem.apps)
    named = summary(problem, choices, solver=DEFAULT_SOLVER)
    return replace(named, rejected=admission.rejected, proven=proven, changed=())


def choices_of(assembled: Assembled, assignments: Mapping[str, Assignment]) -> dict[str, Choice]:
    """Earlier assignments, by app, as places in this problem's tables; those whose candidate or rate is gone are left out."""
    found = {}
    for member, options in zip(assembled.members, assembled.problem.apps, strict=True):
        earlier = assignments.get(options.name)
        rates = assembled.problem.groups[options.group].rates
        branches = [(candidate.branchpoint, candidate.precision) for candidate in member.candidates]
        if earlier is None or earlier.fps not in rates:
            continue
        branch = (earlier.branchpoint, earlier.precision)
        if branch in branches:
            found[options.name] = Choice(candidate=branches.index(branch), rate=rates.index(earlier.fps))
    return found


def _sizes(assembled: Assembled) -> Callable[[str], int]:
    """Bytes of each blob that a schedule can name."""
    sizes: dict[str, int] = {}
    for member in assembled.members:
        sizes |= {segment.digest: segment.size for segment in member.base_dnn.config.segments}
        sizes |= {candidate.branch_digest: candidate.branch_size for candidate in member.candidates}
    return sizes.__getitem__
