"""The greedy scheduler as the paper's authors published it (model.md, "Greedy"), kept to reproduce their figures.

It differs from Algorithm 1 of the paper: the move with the largest (1 - F1 after it) / (branch cost after it) is made, which
is neither a gain nor marginal; a move may go to any option with a higher F1; one that does not fit is skipped; what fits is at
most the budget; the start, every app at its deepest branchpoint and lowest rate, is not checked; apps of one name move
together.
"""

from collections.abc import Sequence

import numpy as np

from mainstream.scheduling.problem import Choice, Problem


def authors_greedy(problem: Problem, names: Sequence[str]) -> tuple[Choice, ...]:
    """The authors' schedule; ``names`` are the apps' ids, of which some may be equal.

    All apps belong to one stem group and have the same candidates, with branchpoints from the input on, as theirs have.
    """
    group = problem.groups[0]
    fps = np.array([float(rate) for rate in group.rates])
    depths = np.array(problem.apps[0].depths)
    segments = np.array(group.segment_seconds)
    branch = np.array(problem.apps[0].branch_seconds)[:, None] * fps
    needs = np.arange(len(segments)) < depths[:, None]  # (candidates, segments)
    chosen = [(len(depths) - 1, 0)] * len(names)
    first = [names.index(name) for name in names]
    while True:
        best, move = 0.0, None
        for place, app in enumerate(problem.apps):
            others = [other for other in range(len(names)) if first[other] != first[place]]
            stem = np.zeros(len(segments))
            for other in others:
                stem = np.maximum(stem, np.where(needs[chosen[other][0]], fps[chosen[other][1]], 0.0))
            raised = np.maximum(stem, np.where(needs[:, None], fps[:, None], 0.0)) @ segments
            together = len(names) - len(others)
            cost = raised + together * branch + sum(branch[chosen[other]] for other in others)
            left = 1 - app.f1
            allowed = (left < left[chosen[place]]) & (cost <= problem.budget)
            allowed[chosen[first[place]]] = False
            ratio = np.where(allowed, left / branch, 0.0).T  # of equal ratios the lowest rate, then the first candidate
            if ratio.max() > best:
                rate, candidate = np.unravel_index(int(ratio.argmax()), ratio.shape)
                best, move = float(ratio.max()), (first[place], (int(candidate), int(rate)))
        if move is None:
            return tuple(Choice(candidate=candidate, rate=rate) for candidate, rate in chosen)
        chosen = [move[1] if first[place] == move[0] else option for place, option in enumerate(chosen)]
