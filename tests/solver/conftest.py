"""Small problems with what real ones have: equal F1s, apps alike, candidates of one depth, minimum F1s, several streams."""

import importlib.util
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mainstream.events import EventProfile
from mainstream.quality import f1
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
        scores = np.round(accuracy[:, None] * (1 - np.exp(-fps * rng.uniform(0.1, 1.0))), int(rng.integers(1, 6)))
        rest = [sum(stem.segment_seconds[depth:]) + 0.002 for depth in depths]
        branch = rng.permutation(rest).tolist() if rng.random() < 0.3 else rest
        options.append(
            AppOptions(
                name=f"ns/app-{place}",
                group=group,
                depths=depths,
                branch_seconds=tuple(branch),
                f1=scores,
                votes=np.ones(scores.shape, np.int64),
                threshold=np.full(scores.shape, 5, np.int64),
                weight=float(rng.integers(1, 4)),
                min_f1=float(rng.uniform(0, minimum) * scores.max()),
                age=place,
            )
        )
    return Problem(groups=stems, apps=tuple(options), budget=float(rng.uniform(0.05, 1.0)))


@pytest.fixture(scope="session")
def make_paper_problem() -> Callable[..., Problem]:
    """``make_paper_problem(apps, groups=, budget=, seed=)``: the authors' curves and costs, events drawn as they drew them."""
    vectors = json.loads((Path(__file__).parents[1] / "planning" / "vectors.json").read_text())
    cuts, latencies = vectors["base_dnn"]["branchpoints"], np.array(vectors["base_dnn"]["layer_latencies"])
    segments = tuple(float(latencies[cut:end].sum()) for cut, end in pairwise(cuts))
    rates = tuple(Fraction(rate) for rate in range(1, 11))

    def options(place: int, group: int, rng: np.random.Generator) -> AppOptions:
        curve = vectors["profiles"][sorted(vectors["profiles"])[int(rng.integers(len(vectors["profiles"])))]]
        profile = EventProfile(
            length_seconds=Fraction(int(rng.integers(1, 6)), 5),
            frequency=int(rng.integers(1, 11)) / 10,
            correlation=int(rng.integers(0, 10)) / 10,
            correlation_fps=Fraction(10),
        )
        table = f1(
            *(np.array(curve["accuracy"]), np.array(curve["prob_fp"]), profile),
            correlations=(profile.correlation,) * 2,
            capture_fps=Fraction(10),
            rates=rates,
            most_votes=1,
            looks="ideal",
        )[..., 0].T
        return AppOptions(
            name=f"ns/app-{place:03d}",
            group=group,
            depths=tuple(range(len(cuts))),
            branch_seconds=tuple(float(latencies[cut:].sum()) for cut in cuts),
            f1=table,
            votes=np.ones(table.shape, np.int64),
            threshold=np.full(table.shape, 5, np.int64),
            age=place,
        )

    def problem(apps: int, *, groups: int = 1, budget: float = 100.0, seed: int = 0) -> Problem:
        rng = np.random.default_rng(seed)
        return Problem(
            groups=tuple(StemGroup(name=f"{at}", segment_seconds=segments, rates=rates) for at in range(groups)),
            apps=tuple(options(at, at % groups, rng) for at in range(apps)),
            budget=budget,
        )

    return problem


@pytest.fixture(scope="session")
def integer_program() -> Any:
    """The plain integer program, solved by HiGHS; it is the benchmark's, which is no package."""
    path = Path(__file__).parents[2] / "benchmarks" / "integer_program.py"
    spec = importlib.util.spec_from_file_location("integer_program", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["integer_program"] = module
    spec.loader.exec_module(module)
    return module.IntegerProgram
