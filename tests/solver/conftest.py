"""Small problems with what real ones have: equal F1s, apps alike, candidates of one depth, minimum F1s, several streams."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from mainstream.scheduling.problem import AppOptions, Problem, StemGroup


@pytest.fixture(scope="session")
def make_instance() -> Callable[..., Problem]:
    """``make_instance(seed, apps=, groups=, candidates=, rates=, minimum=)`` gives a problem."""
    return instance


def instance(
    seed: int, *, apps: int = 3, groups: int = 1, candidates: int = 4, rates: int = 3, minimum: float = 0.0
) -> Problem:
    rng = np.random.default_rng(seed)
    segments = int(rng.integers(1, 6))
    stems = tuple(
        StemGroup(
            name=f"stream-{place}",
            segment_seconds=tuple(rng.uniform(0.0, 0.03, segments).tolist()),
            rates=tuple(Fraction(rate) for rate in sorted(rng.choice(np.arange(1, 11), rates, replace=False).tolist())),
        )
        for place in range(groups)
    )
    options: list[AppOptions] = []
    for place in range(apps):
        if options and rng.random() < 0.2:  # a twin
            twin = options[int(rng.integers(len(options)))]
            options.append(replace(twin, name=f"ns/app-{place}", age=place))
            continue
        group = int(rng.integers(groups))
        stem = stems[group]
        depths = tuple(sorted(rng.integers(0, segments + 1, candidates).tolist()))
        fps = np.array([float(rate) for rate in stem.rates])
        accuracy = rng.uniform(0.3, 1.0, candidates) if rng.random() < 0.5 else np.linspace(0.9, 0.4, candidates)
        f1 = np.round(accuracy[:, None] * (1 - np.exp(-fps * rng.uniform(0.1, 1.0))), int(rng.integers(1, 6)))
        rest = [sum(stem.segment_seconds[depth:]) + 0.002 for depth in depths]
        branch = rng.permutation(rest).tolist() if rng.random() < 0.3 else rest
        options.append(
            AppOptions(
                name=f"ns/app-{place}",
                group=group,
                depths=depths,
                branch_seconds=tuple(branch),
                f1=f1,
                votes=np.ones(f1.shape, np.int64),
                threshold=np.full(f1.shape, 5, np.int64),
                weight=float(rng.integers(1, 4)),
                min_f1=float(rng.uniform(0, minimum) * f1.max()),
                age=place,
            )
        )
    return Problem(groups=stems, apps=tuple(options), budget=float(rng.uniform(0.05, 1.0)))
