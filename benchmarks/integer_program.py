"""The scheduling problem as a plain integer program, solved by HiGHS: an oracle for tests, a peer for the benchmark.

A binary for each option of each app, a variable for each cell (a rate step of a segment): an app may only take an option whose
cells are all paid for. Nothing of the exact solver's is used, but for the list of options that no other beats where asked for.
"""

import time
from dataclasses import dataclass

import highspy
import numpy as np

from mainstream.scheduling.exact.table import table_of
from mainstream.scheduling.problem import Choice, Problem

FEASIBILITY = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """``choices`` are None where nothing fits or was found; ``value`` and ``bound``: the sum of weighted F1, or the lowest."""

    choices: tuple[Choice, ...] | None
    value: float
    bound: float
    proven: bool
    seconds: float
    """Of the solver itself, without building the program."""


class IntegerProgram:
    """``solve`` maximises the sum of weighted F1, or with ``lowest`` the lowest F1."""

    def __init__(self, problem: Problem, *, undominated: bool = False, lowest: bool = False) -> None:
        self.options = [
            (place, int(candidate), int(rate))
            for place, kept in enumerate(_kept(problem, undominated=undominated))
            for candidate, rate in kept
        ]
        self._problem, self._lowest = problem, lowest
        self._rows: list[tuple[dict[int, float], float, float]] = []
        self._cells: dict[tuple[int, int, int], int] = {}
        self._cost: dict[int, float] = {}
        self._options_and_cells()

    def _options_and_cells(self) -> None:
        problem = self._problem
        of_app: dict[int, list[int]] = {}
        users: dict[tuple[int, int], list[int]] = {}
        for column, (place, candidate, rate) in enumerate(self.options):
            app = problem.apps[place]
            group = problem.groups[app.group]
            of_app.setdefault(place, []).append(column)
            self._cost[column] = app.branch_seconds[candidate] * float(group.rates[rate])
            for segment in range(app.depths[candidate]):
                for step in range(rate + 1):
                    users.setdefault((place, self._cell(app.group, segment, step)), []).append(column)
        for place in range(len(problem.apps)):
            self._rows.append((dict.fromkeys(of_app.get(place, []), 1.0), 1.0, 1.0))
        for (_, cell), columns in users.items():
            self._rows.append((dict.fromkeys(columns, 1.0) | {cell: -1.0}, -np.inf, 0.0))
        self._rows.append((self._cost, -np.inf, problem.budget))
        self._level = len(self.options) + len(self._cells)
        if self._lowest:
            for columns in of_app.values():
                self._rows.append(({column: self._f1(column) for column in columns} | {self._level: -1.0}, 0.0, np.inf))

    def _cell(self, group: int, segment: int, step: int) -> int:
        key = (group, segment, step)
        if key not in self._cells:
            column = self._cells[key] = len(self.options) + len(self._cells)
            stem = self._problem.groups[group]
            below = float(stem.rates[step - 1]) if step else 0.0
            self._cost[column] = stem.segment_seconds[segment] * (float(stem.rates[step]) - below)
        return self._cells[key]

    def _f1(self, column: int) -> float:
        place, candidate, rate = self.options[column]
        return float(self._problem.apps[place].f1[candidate, rate])

    def solve(self, *, seconds: float = 60.0) -> Solved:
        """One thread, no gap allowed."""
        count = self._level + int(self._lowest)
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = count, len(self._rows)
        gain = np.zeros(count)
        if self._lowest:
            gain[self._level] = 1.0
        else:
            weights = [self._problem.apps[place].weight for place, _, _ in self.options]
            gain[: len(self.options)] = [weight * self._f1(column) for column, weight in enumerate(weights)]
        model.col_cost_, model.col_lower_, model.col_upper_ = gain, np.zeros(count), np.ones(count)
        model.row_lower_ = np.array([low for _, low, _ in self._rows])
        model.row_upper_ = np.array([high for _, _, high in self._rows])
        model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        model.a_matrix_.start_ = np.cumsum([0, *(len(row) for row, _, _ in self._rows)])
        model.a_matrix_.index_ = np.array([column for row, _, _ in self._rows for column in row])
        model.a_matrix_.value_ = np.array([value for row, _, _ in self._rows for value in row.values()])
        model.sense_ = highspy.ObjSense.kMaximize
        whole = highspy.HighsVarType.kInteger
        model.integrality_ = [whole] * len(self.options) + [highspy.HighsVarType.kContinuous] * (
            count - len(self.options)
        )
        highs = highspy.Highs()
        settings = {
            "output_flag": False,
            "threads": 1,
            "time_limit": seconds,
            "mip_rel_gap": 0.0,
            "mip_abs_gap": FEASIBILITY,
            "mip_feasibility_tolerance": FEASIBILITY,
            "primal_feasibility_tolerance": FEASIBILITY,
        }
        for name, value in settings.items():
            highs.setOptionValue(name, value)
        highs.passModel(model)
        started = time.perf_counter()
        highs.run()
        return self._solved(highs, time.perf_counter() - started)

    def _solved(self, highs: highspy.Highs, seconds: float) -> Solved:
        info, status = highs.getInfo(), highs.getModelStatus()
        if status == highspy.HighsModelStatus.kInfeasible or not np.isfinite(info.objective_function_value):
            proven = status == highspy.HighsModelStatus.kInfeasible
            return Solved(
                choices=None, value=-np.inf, bound=-np.inf if proven else np.inf, proven=proven, seconds=seconds
            )
        taken = np.array(highs.getSolution().col_value[: len(self.options)]) > 0.5
        chosen: dict[int, Choice] = {}
        for column in np.flatnonzero(taken).tolist():
            place, candidate, rate = self.options[column]
            chosen[place] = Choice(candidate=candidate, rate=rate)
        return Solved(
            choices=tuple(chosen[place] for place in range(len(self._problem.apps))),
            value=info.objective_function_value,
            bound=info.mip_dual_bound,
            proven=status == highspy.HighsModelStatus.kOptimal,
            seconds=seconds,
        )


def _kept(problem: Problem, *, undominated: bool) -> list[list[tuple[int, int]]]:
    kept: list[list[tuple[int, int]]] = [
        [(int(candidate), int(rate)) for candidate, rate in np.argwhere(app.f1 >= app.min_f1)] for app in problem.apps
    ]
    if not undominated:
        return kept
    for place, group in enumerate(problem.groups):
        members = [at for at, app in enumerate(problem.apps) if app.group == place]
        if members:
            options = table_of(group, [problem.apps[at] for at in members]).options
            for row, at in enumerate(members):
                places = options.place[row][options.alive[row]]
                kept[at] = [divmod(int(flat), len(group.rates)) for flat in places]
    return kept
