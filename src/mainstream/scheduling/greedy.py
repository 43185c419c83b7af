"""Greedy scheduling (paper section 6, Algorithm 1), with F1 gain over marginal branch cost and local search after it.

A move gives one app any option with a higher F1; the move with the highest ratio of weighted gain to additional *branch* cost
that fits is made, until none does. (The stem is left out of the ratio: the first app alone would pay for raising it, and
tight budgets end worse; it is counted when a move must fit.) The walk starts from several schedules: the cheapest, for each
rate all that looks at most that often, schedules put together from the stem groups' own (``columns``), and those it is given.
The best ends are improved by letting one app at a time start again from its cheapest option (up to 40 apps). Nothing is proven.

Max-min: the best worst F1 is found exactly (bisection, with the cheapest schedule at each level); what is left over goes to the
worst app, then to the next worst.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from mainstream.scheduling.cheapest import cheapest
from mainstream.scheduling.columns import column_starts
from mainstream.scheduling.problem import BUDGET_TOLERANCE, Choice, Objective, Problem, Result
from mainstream.scheduling.search import Array, Indices, Options, State, options, schedule_cost

_GAIN = 1e-12
_COLUMNS = 5
"""Starts that are put together from stem groups' own schedules."""

_REFINED = 3
"""How many of the best ends local search works on."""

_MANY_APPS = 40
"""With more apps each counts for little: columns come within a few hundredths of a per cent, and walks take long."""


def greedy(problem: Problem, objective: Objective = "MeanF1", *, starts: Iterable[tuple[Choice, ...]] = ()) -> Result:
    """A good schedule of all apps of the problem, whose minimum F1s must fit the budget (``admission`` sees to it).

    ``starts`` are schedules to improve as well (they must fit), so that the answer is no worse than any of them.
    """
    table = options(problem)
    if not problem.apps:
        return _result(problem, np.zeros(0, np.int64), table)
    lowest = cheapest(problem)
    if lowest is None:
        raise ValueError("Expected a minimum F1 of each app that one of its options reaches")
    start = _places(problem, table, lowest[0])
    if objective != "MeanF1":
        fairest = _places(problem, table, _fairest(problem, lowest[0]))
        return _result(problem, _max_min(State(table, fairest), then_mean=objective == "MaxMinThenMeanF1"), table)
    ends = [_climb(State(table, chosen)) for chosen in column_starts(table, _COLUMNS)]
    ends += [_climb(State(table, _places(problem, table, other))) for other in starts]
    few = len(problem.apps) <= _MANY_APPS
    if few or not ends:
        ends.append(_climb(State(table, start)))
    if few:
        caps = np.unique(table.fps[np.isfinite(table.f1)])
        ends += [_climb(State(table, start), allowed=table.fps <= cap) for cap in caps]
    ends.sort(key=lambda state: -state.value)
    if not few:
        return _result(problem, ends[0].chosen, table)
    best = max((_refine(state, start) for state in ends[:_REFINED]), key=lambda state: state.value)
    return _result(problem, best.chosen, table)


def _climb(state: State, *, allowed: Array | None = None) -> State:
    """Make the move with the highest gain per branch cost until none fits."""
    table = state.table
    permitted = np.isfinite(table.f1) if allowed is None else np.isfinite(table.f1) & np.asarray(allowed, bool)
    while True:
        gain = np.where(permitted, table.weight[:, None] * (table.f1 - state.f1[:, None]), -np.inf)
        more = table.branch - table.branch[np.arange(len(state.chosen)), state.chosen][:, None]
        ratio = np.where((gain > _GAIN) & state.fits(state.move_costs()), gain / np.maximum(more, 1e-9), -np.inf)
        if not np.isfinite(ratio.max()):
            return state
        app, option = np.unravel_index(int(ratio.argmax()), ratio.shape)
        state.chosen[app] = option


def _refine(state: State, cheapest: Indices) -> State:
    """Let each app in turn start again from its cheapest option while the others climb; keep what is better."""
    improved = True
    while improved:
        improved = False
        for app in range(len(state.chosen)):
            trial = State(state.table, state.chosen)
            trial.chosen[app] = cheapest[app]
            trial = _climb(trial)
            if trial.value > state.value + 1e-9 and trial.fits(np.asarray(trial.cost)):
                state, improved = trial, True
    return state


def _fairest(problem: Problem, known: tuple[Choice, ...]) -> tuple[Choice, ...]:
    """The cheapest schedule whose worst app is as good as can be: bisection over the F1 values that occur, exact.

    ``known`` is a schedule that fits.
    """
    levels = np.unique(np.concatenate([app.f1.ravel() for app in problem.apps]))
    reached, missed = -1, len(levels)
    while missed - reached > 1:
        middle = (reached + missed) // 2
        level = float(levels[middle])
        found = cheapest(
            replace(problem, apps=tuple(replace(app, min_f1=max(app.min_f1, level)) for app in problem.apps))
        )
        if found is not None and found[1] <= problem.budget + BUDGET_TOLERANCE:
            reached, known = middle, found[0]
        else:
            missed = middle
    return known


def _max_min(state: State, *, then_mean: bool) -> Indices:
    """Raise the worst app by the cheapest move that helps it, then the next worst; optionally the mean after that."""
    table = state.table
    settled: set[int] = set()
    while len(settled) < len(state.chosen):
        worst = min((app for app in range(len(state.chosen)) if app not in settled), key=lambda app: state.f1[app])
        costs = state.move_costs()
        helps = (table.f1[worst] > state.f1[worst] + _GAIN) & state.fits(costs)[worst]
        if helps.any():
            state.chosen[worst] = int(np.where(helps, costs[worst], np.inf).argmin())
        elif then_mean:
            return _climb(state).chosen
        else:
            settled.add(worst)
    return state.chosen


def _places(problem: Problem, table: Options, choices: Sequence[Choice]) -> Indices:
    """The options of a schedule; one that was left out becomes the one that beats it."""
    chosen = np.zeros(len(choices), np.int64)
    for place, (app, choice) in enumerate(zip(problem.apps, choices, strict=True)):
        fps = float(problem.groups[app.group].rates[choice.rate])
        beats = (
            (table.depth[place] >= app.depths[choice.candidate])
            & (table.fps[place] <= fps)
            & (table.branch[place] <= app.branch_seconds[choice.candidate] * fps + 1e-12)
            & (table.f1[place] >= app.f1[choice.candidate, choice.rate])
        )
        chosen[place] = int(beats.argmax())
    return chosen


def _result(problem: Problem, chosen: Indices, table: Options) -> Result:
    choices = tuple(table.choice(app, int(option)) for app, option in enumerate(chosen))
    return summary(problem, choices, solver="Greedy")


def summary(problem: Problem, choices: tuple[Choice | None, ...], *, solver: str) -> Result:
    """A result that says what a schedule is worth, with nothing proven."""
    scores = [
        (app.weight, float(app.f1[choice.candidate, choice.rate]))
        for app, choice in zip(problem.apps, choices, strict=True)
        if choice is not None
    ]
    total = sum(weight for weight, _ in scores)
    return Result(
        choices=choices,
        rejected=(),
        cost=schedule_cost(problem, choices),
        mean_f1=sum(weight * score for weight, score in scores) / total if scores else 0.0,
        min_f1=min((score for _, score in scores), default=0.0),
        bound=None,
        proven=False,
        solver=solver,
    )
