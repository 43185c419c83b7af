"""The Pareto rule: which candidates make the Model Set (paper section 5; formats, M-Package)."""

from collections.abc import Callable, Sequence

from mainstream.packages.mpackage import Candidate


def model_set(candidates: Sequence[Candidate], depth: Callable[[str], int]) -> tuple[Candidate, ...]:
    """The candidates that no other beats, by depth ascending.

    Another one beats a candidate if its branch is of the same precision, it branches at least as deep and has, at every
    threshold, p at least as high and q at most as high. (What a branch of another precision costs is the profiler's to say.)
    Of candidates that beat each other the first stays. ``depth`` is a branchpoint's number of stem segments.
    """
    ordered = sorted(candidates, key=lambda candidate: -depth(candidate.branchpoint))
    kept: list[Candidate] = []
    for candidate in ordered:
        rivals = [other for other in kept if other.precision == candidate.precision]
        if not any(_at_least_as_accurate(other, candidate) for other in rivals):
            same = depth(candidate.branchpoint)
            beaten = [k for k in rivals if depth(k.branchpoint) == same and _at_least_as_accurate(candidate, k)]
            kept = [k for k in kept if k not in beaten] + [candidate]
    return tuple(sorted(kept, key=lambda candidate: depth(candidate.branchpoint)))


def _at_least_as_accurate(one: Candidate, other: Candidate) -> bool:
    return all(a >= b for a, b in zip(one.true_positive_rate, other.true_positive_rate, strict=True)) and all(
        a <= b for a, b in zip(one.false_positive_rate, other.false_positive_rate, strict=True)
    )
