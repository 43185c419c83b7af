"""Small problems and the sample of conformance vectors."""

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mainstream.scheduling.problem import AppOptions, Problem, StemGroup

MakeProblem = Callable[..., Problem]


@pytest.fixture(scope="session")
def vectors() -> dict[str, Any]:
    """A sample of the conformance vectors; its ``origin`` says where they are from."""
    return dict(json.loads(Path(__file__).with_name("vectors.json").read_text()))


@pytest.fixture(scope="session")
def make_problem() -> MakeProblem:
    """Problems with F1 that falls with depth and rises with the rate, as a function of a seed and sizes."""
    return random_problem


def random_problem(
    seed: int, *, apps: int = 3, groups: int = 1, candidates: int = 3, rates: int = 3, minimum: float = 0.0
) -> Problem:
    rng = np.random.default_rng(seed)
    segments = 5
    stems = tuple(
        StemGroup(
            name=f"stream-{place}",
            segment_seconds=tuple(rng.uniform(0.005, 0.03, segments).tolist()),
            rates=tuple(Fraction(rate) for rate in sorted(rng.choice(np.arange(1, 11), rates, replace=False).tolist())),
        )
        for place in range(groups)
    )
    options = []
    for place in range(apps):
        group = int(rng.integers(groups))
        depths = sorted(rng.choice(segments + 1, candidates, replace=False).tolist())
        accuracy = np.sort(rng.uniform(0.3, 1.0, candidates))[::-1]
        fps = np.array([float(rate) for rate in stems[group].rates])
        f1 = accuracy[:, None] * (1 - np.exp(-fps * rng.uniform(0.1, 1.0)))
        options.append(
            AppOptions(
                name=f"ns/app-{place}",
                group=group,
                depths=tuple(depths),
                branch_seconds=tuple(sum(stems[group].segment_seconds[depth:]) + 0.002 for depth in depths),
                f1=f1,
                votes=np.ones(f1.shape, np.int64),
                threshold=np.full(f1.shape, 5, np.int64),
                min_f1=float(rng.uniform(0, minimum) * f1.max()) if minimum else 0.0,
                weight=float(rng.uniform(0.5, 2)),
                priority=int(rng.integers(3)),
                age=place,
            )
        )
    return Problem(groups=stems, apps=tuple(options), budget=float(rng.uniform(0.2, 1.5)))
