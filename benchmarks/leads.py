"""What was measured, by app, policy and budget; and Mainstream's lead with its interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scores import TEST_FRAMES

from mainstream.evaluation.matching import Interval, match
from mainstream.scheduling.decide import Plan
from mainstream_demo.figures import POLICIES, Policy

BLOCK_SECONDS = 30
DRAWS = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One app under one policy at one budget. ``blocks``: (blocks, 4): found, missed, false, false once per gap."""

    seed: int
    stream: str
    app: str
    policy: Policy
    utilization: float
    branchpoint: str
    fps: float
    votes: int
    threshold: int
    true_events: int
    predicted: float
    f1: float
    f1_model: float
    recall: float
    precision: float
    blocks: np.ndarray


def measure(
    seed: int, utilization: float, policy: Policy, plan: Plan, events: Mapping[str, list[Interval]], truth: Any
) -> list[Measured]:
    """Every app of the edge node; one that was not admitted has found nothing."""
    decided = {app.app: app for app in plan.schedule.apps}
    rows = []
    for member in plan.assembled.members:
        key, stream, labels = member.app.key, member.stream.name, member.app.spec.events
        true = [(e.start_frame, e.end_frame) for e in truth if e.video == f"{stream}.mp4" and e.label in labels]
        matching = match(true, events.get(key, []))
        app = decided.get(key)
        rows.append(
            Measured(
                seed=seed,
                stream=stream,
                app=member.app.metadata.name,
                policy=policy,
                utilization=utilization,
                branchpoint=app.branchpoint if app else "",
                fps=float(app.fps) if app else 0.0,
                votes=app.votes if app else 0,
                threshold=app.threshold if app else 0,
                true_events=len(matching.true_events),
                predicted=app.expected_f1 if app else 0.0,
                f1=matching.f1,
                f1_model=matching.f1_model,
                recall=matching.recall,
                precision=matching.precision,
                blocks=blocks(matching, float(member.stream.capture_fps)),
            )
        )
    return rows


def blocks(matching: Any, fps: float) -> np.ndarray:
    """Found, missed, false, and gaps with a false event, by the block of time in which each begins."""
    frames = BLOCK_SECONDS * fps
    counts = np.zeros((int(np.ceil(TEST_FRAMES / frames)), 4))
    found = {true for _, true in matching.pairs}
    starts = [event[0] for event in matching.true_events]
    for place, start in enumerate(starts):
        counts[int(start / frames), 0 if place in found else 1] += 1
    gaps = set()
    for place in matching.false:
        start = matching.emitted[place][0]
        counts[int(start / frames), 2] += 1
        gap = int(np.searchsorted(starts, start))
        counts[int(start / frames), 3] += gap not in gaps
        gaps.add(gap)
    return counts


def f1_of(counts: np.ndarray, false: int = 2) -> np.ndarray:
    """F1 from summed counts ``(..., 4)``; 0 where nothing was found."""
    found, missed = counts[..., 0], counts[..., 1]
    total = 2 * found + missed + counts[..., false]
    return np.divide(2 * found, total, out=np.zeros_like(total), where=total > 0)


def interval(ours: Sequence[Measured], theirs: Sequence[Measured], random: np.random.Generator) -> tuple[float, float]:
    """95 % interval of the difference of mean F1. Seeds are drawn with replacement, in each stream blocks of time;
    both policies and all apps of a stream get the same draw."""
    by_place: dict[tuple[int, str], list[tuple[np.ndarray, np.ndarray]]] = {}
    for one, other in zip(ours, theirs, strict=True):
        assert (one.seed, one.stream, one.app) == (other.seed, other.stream, other.app)
        by_place.setdefault((one.seed, one.stream), []).append((one.blocks, other.blocks))
    seeds = sorted({seed for seed, _ in by_place})
    by_seed = np.zeros((len(seeds), DRAWS))
    for number, seed in enumerate(seeds):
        differences = []
        for (at, _), pairs in by_place.items():
            if at == seed:
                count = len(pairs[0][0])
                drawn = random.integers(count, size=(DRAWS, count))
                differences += [f1_of(a[drawn].sum(axis=1)) - f1_of(b[drawn].sum(axis=1)) for a, b in pairs]
        by_seed[number] = np.mean(differences, axis=0)
    chosen = random.integers(len(seeds), size=(DRAWS, len(seeds)))
    means = np.take_along_axis(by_seed.T, chosen, axis=1).mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def summarise(rows: Sequence[Measured]) -> list[dict[str, Any]]:
    """A row for each budget and policy, with the interval of Mainstream's lead over that policy."""
    random = np.random.default_rng(0)
    lines = []
    for utilization in sorted({row.utilization for row in rows}):
        chosen = {p: [r for r in rows if r.utilization == utilization and r.policy == p] for p in POLICIES}
        for policy in POLICIES:
            low, high = (0.0, 0.0)
            if policy != "Mainstream":
                low, high = interval(chosen["Mainstream"], chosen[policy], random)
            mean = {
                key: float(np.mean([getattr(r, key) for r in chosen[policy]]))
                for key in ("predicted", "f1", "f1_model")
            }
            ours = {key: float(np.mean([getattr(r, key) for r in chosen["Mainstream"]])) for key in ("predicted", "f1")}
            error = float(np.mean([abs(r.predicted - r.f1_model) for r in chosen[policy]]))
            lines.append(
                {
                    "utilization": utilization,
                    "policy": policy,
                    **mean,
                    "prediction_error": error,
                    "lead_predicted": ours["predicted"] - mean["predicted"],
                    "lead": ours["f1"] - mean["f1"],
                    "lead_low": low,
                    "lead_high": high,
                }
            )
    return lines
