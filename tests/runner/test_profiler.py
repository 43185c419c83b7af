"""The profiler: on an engine whose costs are known it finds them; it says when it cannot be sure."""

from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from mainstream.basednn import BaseDnn
from mainstream_runner.engine import Output, Pixels
from mainstream_runner.merge import Joined
from mainstream_runner.profiler import AGREEMENT, MAX_BATCHES, profile_layers

SEGMENTS = np.array([4, 6, 3, 5, 3, 6, 3, 3, 3, 3, 3, 3, 4, 6, 0.1]) * 1e-3
HEAD = 0.02e-3
OVERHEAD = 0.3e-3
"""Of a call: it belongs to whoever is first, so to the first segment, or to a branch that has no stem."""


class FakeEngine:
    """An engine on which time is only spent where it is told; ``speed[n]`` slows batch n down."""

    name: Literal["LiteRT", "OpenVINO"] = "LiteRT"
    version = "fake"

    def __init__(self, *, speed: Sequence[float] = (1.0,), noise: float = 0.0) -> None:
        self.now = 0.0
        self.loads = count()
        self.speed = speed
        self.noise = noise
        self.random = np.random.default_rng(1)
        self.closed = 0
        self.apps: Sequence[int] = ()

    def clock(self) -> float:
        return self.now

    def write(self, joined: Joined, *, levels: Sequence[int], folder: Path) -> None:  # noqa: ARG002
        self.apps = levels

    def open(self, folder: Path, *, levels: int, input_shape: Sequence[int], threads: int) -> "FakeModel":  # noqa: ARG002
        batch, depth = divmod(next(self.loads), len(SEGMENTS) + 1)
        rest = SEGMENTS[depth:].sum() + HEAD
        speed = self.speed[min(batch, len(self.speed) - 1)]
        return FakeModel(self, [speed * (OVERHEAD + SEGMENTS[:depth].sum() + apps * rest) for apps in self.apps])


class FakeModel:
    """Takes the seconds of a level, and a little noise."""

    def __init__(self, engine: FakeEngine, seconds: list[float]) -> None:
        self.engine = engine
        self.seconds = seconds

    def run(self, pixels: Pixels, level: int = 0) -> list[Output]:  # noqa: ARG002
        noise = 1 + self.engine.noise * abs(self.engine.random.normal())
        self.engine.now += self.seconds[level] * noise
        return []

    def close(self) -> None:
        self.engine.closed += 1


@pytest.fixture
def read(tiny_base: BaseDnn, tiny_segments: list[bytes]) -> Callable[[str], bytes]:
    blobs = {segment.digest: data for segment, data in zip(tiny_base.config.segments, tiny_segments, strict=True)}
    return blobs.__getitem__


def _expected() -> tuple[np.ndarray, np.ndarray]:
    segments = SEGMENTS.copy()
    segments[0] += OVERHEAD
    branches = np.array([SEGMENTS[depth:].sum() + HEAD for depth in range(len(SEGMENTS) + 1)])
    branches[0] += OVERHEAD
    return segments, branches


def test_known_costs_are_found(tiny_base: BaseDnn, read: Callable[[str], bytes]) -> None:
    """Without noise each segment and branch comes out as it is, and all models are closed."""
    engine = FakeEngine()
    costs = profile_layers(tiny_base, read=read, engine=engine, threads=2, hardware="test", clock=engine.clock)
    segments, branches = _expected()
    assert np.allclose(costs.segment_seconds, segments, rtol=1e-9, atol=1e-12)
    assert np.allclose(costs.branch_seconds, branches, rtol=1e-9, atol=1e-12)
    assert costs.whole_seconds == pytest.approx(OVERHEAD + SEGMENTS.sum() + HEAD)
    assert costs.spread == pytest.approx(0)
    assert (costs.threads, costs.engine_version) == (2, "fake")
    assert engine.closed == 2 * (len(SEGMENTS) + 1)


def test_noise_leaves_costs_plausible(tiny_base: BaseDnn, read: Callable[[str], bytes]) -> None:
    """With a twentieth of noise: nothing negative, segments and last branch are the whole, prefixes within 5 per cent."""
    engine = FakeEngine(noise=0.05)
    costs = profile_layers(tiny_base, read=read, engine=engine, threads=1, hardware="test", clock=engine.clock)
    segments, _ = _expected()
    assert not any(np.signbit(costs.segment_seconds))
    assert sum(costs.segment_seconds) + costs.branch_seconds[-1] == pytest.approx(costs.whole_seconds)
    wrong = np.cumsum(costs.segment_seconds) / costs.whole_seconds - np.cumsum(segments) / segments.sum()
    assert np.abs(wrong).max() < 0.05
    assert list(costs.branch_seconds) == sorted(costs.branch_seconds, reverse=True)


def test_a_third_batch_settles_a_disagreement(tiny_base: BaseDnn, read: Callable[[str], bytes]) -> None:
    """A machine that was busy during the first batch only is measured a third time, and the mean of the last two counts."""
    engine = FakeEngine(speed=(2.0, 1.0, 1.04))
    costs = profile_layers(tiny_base, read=read, engine=engine, threads=1, hardware="test", clock=engine.clock)
    whole = OVERHEAD + SEGMENTS.sum() + HEAD
    assert costs.whole_seconds == pytest.approx(1.02 * whole)
    assert costs.spread == pytest.approx(0.04)


def test_a_machine_that_never_agrees_is_said_and_the_slower_counts(
    tiny_base: BaseDnn, read: Callable[[str], bytes]
) -> None:
    """After four batches it stops; the spread is beyond what agreement means."""
    engine = FakeEngine(speed=(1.0, 2.0, 1.0, 2.0))
    begun: list[int] = []

    def begin(batch: int) -> Callable[[], None]:
        begun.append(batch)
        return lambda: None

    costs = profile_layers(
        tiny_base, read=read, engine=engine, threads=1, hardware="test", clock=engine.clock, begin=begin
    )
    assert begun == list(range(MAX_BATCHES))
    assert costs.spread > AGREEMENT
    assert costs.whole_seconds == pytest.approx(2 * (OVERHEAD + SEGMENTS.sum() + HEAD))
    assert sum(costs.segment_seconds) + costs.branch_seconds[-1] == pytest.approx(costs.whole_seconds)
