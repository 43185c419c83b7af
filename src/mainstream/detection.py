"""The probability that an app detects something in a window of time (paper Eq. 1 to 4, section 6 "X-Voting"; model.md).

*Corrected* (default): verdicts are a stationary two-state Markov chain, per capture frame with lag-one correlation rho. Between
looks that are s slots apart the correlation is rho^s: P(hit | hit) = p + (1 - p) rho^s, P(hit | miss) = p (1 - rho^s).
A detection needs x consecutive positives: the chain runs over the current run 0..x of positives, x absorbing.

*Legacy* is what the paper's authors' published code computes, kept so that their figures can be had.
"""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from mainstream.windows import FOLLOWED, Array, Looks, Windows, mean_looks, windows


def detection(
    p: Array,
    correlation: Array | float,
    *,
    windows_seconds: Sequence[Fraction],
    rates: Sequence[Fraction],
    capture_fps: Fraction,
    most_votes: int,
    looks: Looks = "sampled",
) -> Array:
    """Probability of a detection in a window, of equally frequent lengths, at each rate, for 1..most_votes votes (corrected).

    ``p`` (``(n,)``) is the probability of a positive frame, ``correlation`` (``(n,)`` or a number) that of neighbouring
    capture frames, in [0, 1). Returns ``(rates, n, most_votes)``. Where nobody looks there is no detection.
    """
    seen = windows(tuple(windows_seconds), tuple(rates), capture_fps, looks)
    rho = np.broadcast_to(np.asarray(correlation, float), p.shape)
    missed = _missed(p, rho ** seen.lags[:, None], seen, most_votes)
    shares = np.zeros((len(rates), len(seen.looks)))
    shares[seen.rate, np.arange(len(seen.looks))] = seen.share
    return np.asarray(np.einsum("fw,xwn->fnx", shares, 1 - missed))


def _missed(p: Array, correlations: Array, seen: Windows, most_votes: int) -> Array:
    """``(votes, rows, n)``: the probability of no detection; ``correlations`` are ``(lags, n)``.

    Instead of the whole chain, whose states are the runs 0..x, only the masses of its miss (run 0) and of its hits (runs
    1..x-1) are carried, and at each look what reaches run x leaves: what began x - 1 looks ago and went on since.
    """
    rows, votes = len(seen.looks), np.arange(most_votes)
    miss, hits = np.ones((most_votes, rows, len(p))), np.zeros((most_votes, rows, len(p)))
    begun = np.zeros((FOLLOWED + most_votes, *miss.shape))  # at each look, after most_votes of nothing
    kept = np.ones_like(miss)  # of what began x - 1 looks ago
    earlier = np.ones_like(miss)  # the mass one period before the last look that is followed
    stops = np.where(seen.looks > FOLLOWED, FOLLOWED - seen.period, -1)
    for look in range(min(int(seen.looks.max(initial=0)), FOLLOWED)):
        due = int(np.searchsorted(-seen.looks, -look))  # rows with more looks than that
        at = stops == look
        earlier[:, at] = miss[:, at] + hits[:, at]
        rho = correlations[seen.lag[:due, look]] if look else np.zeros(p.shape)
        again = p + (1 - p) * rho
        beginning = miss[:, :due] * (p * (1 - rho))
        going_on = hits[:, :due] * again
        begun[look + most_votes, :, :due] = beginning
        kept[1:, :due] = kept[:-1, :due] * again
        detected = begun[look + most_votes - votes, votes, :due] * kept[:, :due]
        miss[:, :due] += hits[:, :due] - going_on - beginning
        hits[:, :due] = going_on + beginning - detected
    mass = np.clip(miss + hits, 0.0, 1.0)
    # After so many looks the chance to miss shrinks by the same factor in every further period.
    far = int(np.searchsorted(-seen.looks, -FOLLOWED))
    before = earlier[:, :far]
    factor = np.divide(mass[:, :far], before, out=np.zeros_like(before), where=before > 0)
    mass[:, :far] *= np.clip(factor, 0.0, 1.0) ** ((seen.looks[:far] - FOLLOWED) / seen.period[:far])[:, None]
    return mass


def legacy_looks(window_seconds: Fraction, fps: Fraction, capture_fps: Fraction) -> tuple[tuple[int, float], ...]:
    """The authors' code: it feeds L f where Eq. 1 has L F, so it counts L f^2 / F looks."""
    return mean_looks(window_seconds * fps / capture_fps, fps)


def legacy_detection(p: float, correlation: float, looks: Sequence[tuple[int, float]], votes: int | None) -> float:
    """The authors' probability of a detection, given the distribution of the number of looks.

    Without voting (``votes`` None) P(miss) = c^(n-1) (1 - p), c = (1 - p) + p rho; with voting P(hit | miss) = p.
    """
    missed = 0.0
    for count, share in looks:
        if votes is None:
            miss = ((1 - p) + p * correlation) ** (count - 1) * (1 - p) if count else 1.0
        else:
            miss = voting_miss(p, p + (1 - p) * correlation, looks=count, votes=votes)
        missed += share * miss
    return 1 - missed


def voting_miss(p_first: float, p_hit_given_hit: float, *, looks: int, votes: int) -> float:
    """Probability of no run of ``votes`` positives in ``looks`` looks, where P(hit | miss) = P(first hit) (legacy)."""
    state = [1.0] + [0.0] * votes
    for _ in range(looks):
        moved = [0.0] * votes + [state[votes]]
        for run in range(votes):
            hit = p_hit_given_hit if run else p_first
            moved[run + 1] += state[run] * hit
            moved[0] += state[run] * (1 - hit)
        state = moved
    return 1 - state[votes]
