"""The baselines as problems of their own (paper section 8): what they restrict, not how they are solved.

Max-Sharing: every app at its deepest branchpoint. No-Sharing: every app runs its most accurate candidate as a whole network of
its own, so each app is a stem group of its own. Both choose rates, votes and thresholds as well as Mainstream does.
"""

from dataclasses import replace

import numpy as np

from mainstream.scheduling.problem import AppOptions, Choice, Problem, Sharing, StemGroup


def restricted(problem: Problem, sharing: Sharing) -> Problem:
    """The problem that a baseline solves; its choices name candidate 0, which ``widened`` translates back."""
    if sharing == "Mainstream":
        return problem
    if sharing == "MaxSharing":
        return replace(problem, apps=tuple(_only(app, deepest(app)) for app in problem.apps))
    groups, apps = [], []
    for place, app in enumerate(problem.apps):
        shared = problem.groups[app.group]
        groups.append(StemGroup(name=app.name, segment_seconds=shared.segment_seconds, rates=shared.rates))
        apps.append(replace(_only(app, most_accurate(app)), group=place))
    return Problem(groups=tuple(groups), apps=tuple(apps), budget=problem.budget)


def widened(problem: Problem, choices: tuple[Choice | None, ...], sharing: Sharing) -> tuple[Choice | None, ...]:
    """A baseline's choices as places in the tables of the original problem."""
    if sharing == "Mainstream":
        return choices
    pick = deepest if sharing == "MaxSharing" else most_accurate
    return tuple(
        None if choice is None else Choice(candidate=pick(app), rate=choice.rate)
        for app, choice in zip(problem.apps, choices, strict=True)
    )


def deepest(app: AppOptions) -> int:
    """The candidate with the deepest branchpoint; of several the one with the highest F1 at the highest rate."""
    return max(range(len(app.depths)), key=lambda place: (app.depths[place], app.f1[place, -1], -place))


def most_accurate(app: AppOptions) -> int:
    """The candidate that No-Sharing runs as a whole network."""
    if app.most_accurate is not None:
        return app.most_accurate
    return int(np.argmax(app.f1[:, -1]))


def _only(app: AppOptions, candidate: int) -> AppOptions:
    one = slice(candidate, candidate + 1)
    return replace(
        app,
        depths=app.depths[one],
        branch_seconds=app.branch_seconds[one],
        f1=app.f1[one],
        votes=app.votes[one],
        threshold=app.threshold[one],
        most_accurate=0,
    )
