"""X-voting and the end of events, look by look."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from mainstream_runner.voting import Detection, EndRule, Look, Voting, end_rule

FPS = Fraction(5)


def run(pattern: str, *, votes: int = 1, end: EndRule | None = None, labels: str | None = None) -> list[Detection]:
    """``pattern`` has a look per character, 5 per second: 1 positive, 0 not, a blank no look at all."""
    rule = end or end_rule(after_seconds=None, event_length_seconds=None, fps=FPS)
    voting = Voting(votes=votes, end=rule)
    changes: list[Detection] = []
    for number, character in enumerate(pattern):
        if character != " ":
            label = labels[number] if labels else "a"
            look = Look(frame=number, seconds=number / FPS, positive=character == "1", label=label, score=number / 100)
            changes += voting.look(look)
    return changes + list(voting.close(frame=len(pattern) - 1, seconds=(len(pattern) - 1) / FPS, reason="StreamEnded"))


def intervals(changes: list[Detection]) -> list[tuple[int, int]]:
    return [(change.start_frame, change.end_frame) for change in changes if change.reason]


def test_an_event_is_from_its_first_to_its_last_positive() -> None:
    """Start and end are the positives', not the looks at which they were noticed."""
    started, ended = run("0011100000")
    assert (started.start_frame, started.frame, started.reason) == (2, 2, None)
    assert (ended.start_frame, ended.end_frame, ended.frame, ended.reason) == (2, 4, 6, "NoPositive")
    assert ended.end_seconds == Fraction(4, 5)
    assert (ended.number, ended.positives, ended.score) == (started.number, 3, 0.04)


def test_votes_ask_for_consecutive_positives() -> None:
    """Two, two and three positives: only three in a row make an event of three votes, back-dated to the first."""
    changes = run("11011001110000", votes=3)
    assert intervals(changes) == [(7, 9)]
    assert changes[0].frame == 9


def test_a_single_miss_does_not_end_an_event() -> None:
    """By default an event ends after two looks without a positive, not after one."""
    assert intervals(run("1101101100")) == [(0, 7)]
    assert intervals(run("1100110000")) == [(0, 1), (4, 5)]


def test_a_tenth_of_the_event_length_counts_where_it_is_longer() -> None:
    """An app with events of 10 s waits a second."""
    rule = end_rule(after_seconds=None, event_length_seconds=Fraction(10), fps=FPS)
    assert rule.after_seconds == 1
    assert intervals(run("1000010000000", end=rule)) == [(0, 5)]
    assert intervals(run("1000001000000", end=rule)) == [(0, 0), (6, 6)]


def test_the_app_may_say_how_long() -> None:
    """``endAfterSeconds`` is taken as it is; a positive at the very end of it still comes in time."""
    rule = end_rule(after_seconds=Fraction(3, 5), event_length_seconds=Fraction(100), fps=FPS)
    assert intervals(run("1001000000", end=rule)) == [(0, 3)]
    assert intervals(run("1000100000", end=rule)) == [(0, 0), (4, 4)]


def test_looks_that_were_not_taken_do_not_end_an_event() -> None:
    """A gap without looks (frames dropped) is no answer; the next positive goes on with the event."""
    assert intervals(run("11      11  ")) == [(0, 9)]


def test_a_gap_and_a_miss_end_an_event_before_the_next_positive() -> None:
    """If time ran out between two looks, the second starts an event of its own."""
    rule = EndRule(after_seconds=Fraction(1, 2))
    changes = run("10 1", end=rule)
    assert intervals(changes) == [(0, 0), (3, 3)]
    assert [change.number for change in changes] == [1, 1, 2, 2]
    assert [change.reason for change in changes] == [None, "NoPositive", None, "StreamEnded"]


def test_the_label_is_the_most_frequent_among_the_positives() -> None:
    """Labels of looks that were not positive do not count; of equally frequent ones the higher scores win."""
    assert run("1110100", labels="abbaaaa")[-1].label == "a"
    assert run("111000", labels="abbaaa")[-1].label == "b"
    assert run("1100", labels="abaa")[-1].label == "b"


def test_an_app_that_is_always_positive_has_one_event() -> None:
    """It starts once and ends with the stream."""
    changes = run("1" * 1000)
    assert intervals(changes) == [(0, 999)]
    assert changes[-1].reason == "StreamEnded"


def test_a_run_that_is_no_event_yet_is_forgotten_at_the_end() -> None:
    """Two of three votes at the end of the stream make nothing."""
    assert run("00011", votes=3) == []


@given(st.text(alphabet="01 ", min_size=1, max_size=200), st.integers(1, 4))
def test_events_never_overlap_and_pair_up(pattern: str, votes: int) -> None:
    """Started and ended alternate with one number, intervals are disjoint and begin and end at positives."""
    changes = run(pattern, votes=votes)
    assert [change.number for change in changes] == [number // 2 + 1 for number in range(len(changes))]
    assert [change.reason is None for change in changes] == [number % 2 == 0 for number in range(len(changes))]
    edge = -1
    for start, end in intervals(changes):
        assert edge < start <= end
        assert pattern[start] == pattern[end] == "1"
        looks = pattern[start:].replace(" ", "")
        assert looks.startswith("1" * votes)
        edge = end
