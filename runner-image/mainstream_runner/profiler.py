"""Layer costs of a base DNN on this machine: seconds per frame of each segment and of each cut's branch (formats, Profiler).

Rules:

* Everything is measured in merged graphs, through the calls that the runner makes. For each cut there is one with the stem up
  to it and one branch, and one with the same stem and several branches (stand-ins, each with its weights); they run in turn.
* Before each call a picture is converted, as in a run: calls one right after the other find everything in the processor's
  caches, and are up to a quarter faster than those that frames pay for.
* A branch costs what each further one adds, since that is what it costs on a stem that is there anyway.
* A prefix costs the rest: the graph with one branch, less the branch. Neighbouring prefixes differ by a segment. With depth
  prefixes never get cheaper nor branches dearer (isotonic regression); segments and the last branch are the whole network.
* Each cut is compared with the whole network measured in the same seconds, so slow drifts of the machine cancel out: what
  share of the whole a branch takes is the median over all batches.
* On an int8 base DNN a branch may be in int8 or in f32. The network's own is int8; the f32 branch is measured like it, in a
  graph of its own, right after it.
* Two batches must agree within 10 per cent; where four did not, the slower of the last two counts and the profile says so.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import av
import numpy as np
from numpy.typing import NDArray

from mainstream.basednn import BaseDnn, Preprocessing
from mainstream.cost import LayerCosts
from mainstream.resources.edgenode import FULL, View
from mainstream_runner.convert import SwscaleConvert
from mainstream_runner.engine import Engine, Model, Pixels, load
from mainstream_runner.merge import Branch, Joined
from mainstream_runner.plans import NetworkInput
from mainstream_runner.scratch import scratch_folder
from mainstream_runner.standin import stand_ins
from mainstream_runner.stems import ReadBlob

AGREEMENT = 0.1
"""Two batches agree if they differ by at most this share."""

SMALL_SHARE = 0.1
"""Parts below this share of the whole network are compared as if they had it: a hundredth of the whole is no disagreement."""

MAX_BATCHES = 4

SECONDS_PER_CUT = 0.5
MIN_RUNS, MAX_RUNS = 8, 30
"""Of each graph in a batch: as many as fit into ``SECONDS_PER_CUT``."""

WARM_RUNS = 2
MAX_COPIES = 9
"""Branches of the larger graph: so many that they take about as long as the whole network, at most these."""

PICTURE = (1280, 720)
"""Of the camera that conversions are made for: pixels."""

Floats = NDArray[np.float64]
Clock = Callable[[], float]
Advance = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One measurement of all cuts: ``shares[b]`` of the whole network's time that another branch after cut b adds.

    On an int8 base DNN these are int8 branches, and ``float_shares`` are f32 branches, in the int8 network's time too.
    """

    shares: Floats
    whole_seconds: float
    runs: int
    float_shares: Floats | None = None

    def seconds(self) -> Floats:
        """The whole network, then each branch, then each prefix, then each f32 branch, seconds per frame."""
        branch = _falling(self.shares)
        floats = np.zeros(0) if self.float_shares is None else _never_rising(self.float_shares)
        return np.concatenate([[1.0], branch, 1 - branch, floats]) * self.whole_seconds


def profile_layers(
    base: BaseDnn,
    *,
    read: ReadBlob,
    engine: Engine,
    threads: int,
    hardware: str,
    clock: Clock = time.perf_counter,
    begin: Callable[[int], Advance] = lambda _batch: lambda: None,
) -> LayerCosts:
    """Measure. ``begin`` is told the number of each batch (from 0) and gives what is called after each of its cuts."""
    segments = [read(segment.digest) for segment in base.config.segments]
    features = base.config.segments[-1].output_shape
    batches: list[Batch] = []
    while len(batches) < MAX_BATCHES and (len(batches) < 2 or _spread(batches[-2], batches[-1]) > AGREEMENT):
        batches.append(
            measure_batch(segments, features, engine=engine, threads=threads, clock=clock, advance=begin(len(batches)))
        )
    return layer_costs(batches, base_dnn=base.digest, engine=engine, threads=threads, hardware=hardware)


def layer_costs(batches: Sequence[Batch], *, base_dnn: str, engine: Engine, threads: int, hardware: str) -> LayerCosts:
    """What the batches say; the speed is the mean of the last two if they agree, else that of the slower one."""
    last = [batch.whole_seconds for batch in batches[-2:]]
    spread = _spread(*batches[-2:])
    whole = sum(last) / 2 if spread <= AGREEMENT else max(last)
    branch = _falling(np.median([batch.shares for batch in batches], axis=0)) * whole
    own = tuple(float(seconds) for seconds in branch)
    others = [batch.float_shares for batch in batches if batch.float_shares is not None]
    floats = tuple(float(share * whole) for share in _never_rising(np.median(others, axis=0))) if others else None
    return LayerCosts(
        base_dnn=base_dnn,
        engine=engine.name,
        engine_version=engine.version,
        threads=threads,
        hardware=hardware,
        segment_seconds=tuple(float(seconds) for seconds in branch[:-1] - branch[1:]),
        branch_seconds=own if floats is None else floats,
        int8_branch_seconds=None if floats is None else own,
        whole_seconds=whole,
        spread=spread,
        runs=sum(batch.runs for batch in batches),
    )


def measure_batch(
    segments: Sequence[bytes],
    features: Sequence[int],
    *,
    engine: Engine,
    threads: int,
    clock: Clock,
    advance: Advance,
) -> Batch:
    """Each cut once, from the input to the deepest; two models are in memory at most."""
    ones: list[float] = []
    shares: list[float] = []
    float_shares: list[float] = []
    runs = 0
    for depth in range(len(segments) + 1):
        own, *others = stand_ins(segments, depth, features).values()
        several, one = _timed(
            segments, Branch(depth=depth, model=own), _copies(shares), engine=engine, threads=threads, clock=clock
        )
        ones.extend(one)
        shares.append(median((several - one) / one))
        runs += len(one)
        for other in others:
            branch = Branch(depth=depth, model=other)
            more, less = _timed(segments, branch, _copies(float_shares), engine=engine, threads=threads, clock=clock)
            float_shares.append(median(more - less) / median(one))
        advance()
    return Batch(
        shares=np.array(shares),
        whole_seconds=median(ones),
        runs=runs,
        float_shares=np.array(float_shares) if float_shares else None,
    )


def _copies(shares: Sequence[float]) -> int:
    """How many branches the larger graph has, by what those after the cut before took."""
    return 2 if not shares else max(2, min(MAX_COPIES, 1 + round(1 / max(shares[-1], 1 / MAX_COPIES))))


def _timed(
    segments: Sequence[bytes], branch: Branch, copies: int, *, engine: Engine, threads: int, clock: Clock
) -> tuple[Floats, Floats]:
    """Seconds of each run: of the graph with one branch, as it would be with one more, and as it is."""
    joined = Joined(segments, [branch] * copies)
    with scratch_folder() as folder:
        model = load(engine, joined, levels=(copies, 1), threads=threads, folder=folder)
        try:
            pixels = np.random.default_rng(0).uniform(-1, 1, joined.input_shape).astype(np.float32)
            several, one = run_in_turn(model, pixels, levels=(0, 1), clock=clock, between=_conversion(joined))
        finally:
            model.close()
    return one + (several - one) / (copies - 1), one


def _conversion(joined: Joined) -> Callable[[], object]:
    """What a runner does between two calls: a picture's conversion to the graph's input."""
    _, *shape = joined.input_shape
    view = View(name=FULL, crop=(0.0, 0.0, 1.0, 1.0))
    wanted = NetworkInput(view, (shape[0], shape[1], shape[2]), Preprocessing(mean=(0.0, 0.0, 0.0), divisor=255.0))
    picture, convert = av.VideoFrame(*PICTURE, "yuv420p"), SwscaleConvert()
    return lambda: convert(picture, wanted)


def run_in_turn(
    model: Model, pixels: Pixels, *, levels: Sequence[int], clock: Clock, between: Callable[[], object]
) -> Floats:
    """Seconds of each run, ``(levels, runs)``: the levels in turn, warmed up before; ``between`` comes before each."""
    for _ in range(WARM_RUNS):
        started = clock()
        for level in levels:
            model.run(pixels, level)
        round_seconds = clock() - started
    runs = int(np.clip(SECONDS_PER_CUT / max(round_seconds, 1e-9), MIN_RUNS, MAX_RUNS))
    seconds = np.empty((len(levels), runs))
    for run in range(runs):
        for place, level in enumerate(levels):
            between()
            started = clock()
            model.run(pixels, level)
            seconds[place, run] = clock() - started
    return seconds


def _spread(first: Batch, second: Batch) -> float:
    """The largest relative difference of the whole network, a branch or a prefix."""
    one, two = first.seconds(), second.seconds()
    small = SMALL_SHARE * max(first.whole_seconds, second.whole_seconds)
    return float(np.max(np.abs(one - two) / np.maximum(np.minimum(one, two), small)))


def _falling(shares: Floats) -> Floats:
    """The nearest shares that are possible: from 1 after ``input``, where the branch is the whole network, never rising."""
    falling = np.minimum(_never_rising(shares), 1)
    falling[0] = 1.0
    return falling


def _never_rising(shares: Floats) -> Floats:
    """The nearest shares that never rise with depth."""
    return np.maximum(-_isotonic(-shares), 0)


def _isotonic(values: Floats) -> Floats:
    """The nearest sequence that never falls (least squares, by pooling adjacent violators)."""
    blocks: list[tuple[float, int]] = []
    for value in values:
        mean, count = float(value), 1
        while blocks and blocks[-1][0] > mean:
            before, size = blocks.pop()
            mean = (before * size + mean * count) / (size + count)
            count += size
        blocks.append((mean, count))
    return np.concatenate([np.full(count, mean) for mean, count in blocks])
