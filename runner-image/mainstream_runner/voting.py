"""X-voting as a state machine: from an app's verdicts, look by look, to events (paper section 6; formats, Events).

Rules:

* an event starts with ``votes`` consecutive positives; its start is the first of them;
* it lasts until no positive came for the end rule's seconds; its end is its last positive;
* its label is the most frequent among its positives, its score the highest of them;
* a single positive keeps an open event alive: votes guard its start, not its middle.

No clock and no I/O: time is the stream's own, passed in with each look.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, NamedTuple

EndReason = Literal["NoPositive", "StreamEnded", "StreamCutOff", "StreamLost", "ScheduleChanged", "RunStopped"]

MIN_LOOKS_WITHOUT_POSITIVE = 2
EVENT_LENGTH_SHARE = Fraction(1, 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndRule:
    """When an event is over: no positive for so many seconds, and so many looks that were none (gaps are no answer)."""

    after_seconds: Fraction
    looks: int = 1

    def __post_init__(self) -> None:
        if self.after_seconds <= 0:
            raise ValueError(f"Expected after_seconds above 0, got {self.after_seconds}")


def end_rule(*, after_seconds: Fraction | None, event_length_seconds: Fraction | None, fps: Fraction) -> EndRule:
    """The app's own seconds, or a tenth of its event length but at least two of its looks."""
    if after_seconds is not None:
        return EndRule(after_seconds=after_seconds)
    tenth = (event_length_seconds or Fraction(0)) * EVENT_LENGTH_SHARE
    return EndRule(after_seconds=max(tenth, MIN_LOOKS_WITHOUT_POSITIVE / fps), looks=MIN_LOOKS_WITHOUT_POSITIVE)


class Look(NamedTuple):
    """An app's verdict on a frame. ``label`` is the likeliest of its events, ``score`` their summed probability."""

    frame: int
    seconds: Fraction
    positive: bool
    label: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """An event as known at ``frame`` and ``seconds`` (where it was noticed). ``reason`` is set when it has ended."""

    number: int
    label: str
    score: float
    positives: int
    start_frame: int
    start_seconds: Fraction
    end_frame: int
    end_seconds: Fraction
    frame: int
    seconds: Fraction
    reason: EndReason | None = None


class _Positives:
    """What is kept of a run of positives, or of an open event's: bounded by the number of labels."""

    def __init__(self, first: Look) -> None:
        self.first = first
        self.last = first
        self.count = 0
        self.score = first.score
        self.labels: dict[str, tuple[int, float]] = {}
        self.looks_since = 0

    def add(self, look: Look) -> None:
        self.last = look
        self.count += 1
        self.looks_since = 0
        self.score = max(self.score, look.score)
        count, total = self.labels.get(look.label, (0, 0.0))
        self.labels[look.label] = (count + 1, total + look.score)

    @property
    def label(self) -> str:
        """The most frequent label; of equally frequent ones the one with the higher scores, then the first seen."""
        return max(self.labels, key=lambda label: self.labels[label])


class Voting:
    """One app's votes on one stream. Give it every look, in order; it answers with what began and what ended."""

    def __init__(self, *, votes: int, end: EndRule, number: int = 0) -> None:
        """``number`` is that of the app's last event before."""
        self._votes = votes
        self._end = end
        self._run: _Positives | None = None
        self._open: _Positives | None = None
        self.number = number

    @property
    def open_event(self) -> bool:
        """Whether an event goes on."""
        return self._open is not None

    def adapt(self, *, votes: int, end: EndRule) -> None:
        """Go on by other rules: an open event and a run of positives stay."""
        self._votes, self._end = votes, end

    def look(self, look: Look) -> tuple[Detection, ...]:
        """Take a look into account; at most one event ends and one starts."""
        changes = self._end_if_over(look)
        if self._open is not None:
            if look.positive:
                self._open.add(look)
        elif look.positive:
            self._run = self._run or _Positives(look)
            self._run.add(look)
            if self._run.count >= self._votes:
                self.number += 1
                self._open, self._run = self._run, None
                changes = (*changes, self._detection(self._open, frame=look.frame, seconds=look.seconds, reason=None))
        else:
            self._run = None
        return changes

    def close(self, *, frame: int | None, seconds: Fraction | None, reason: EndReason) -> tuple[Detection, ...]:
        """The stream is over, or the run: the open event ends for that reason, a run that is no event yet is forgotten.

        It was noticed at that frame and second; None: at the event's last positive.
        """
        self._run = None
        if self._open is None:
            return ()
        frame = self._open.last.frame if frame is None else frame
        seconds = self._open.last.seconds if seconds is None else seconds
        ended = self._detection(self._open, frame=frame, seconds=seconds, reason=reason)
        self._open = None
        return (ended,)

    def _end_if_over(self, look: Look) -> tuple[Detection, ...]:
        event = self._open
        if event is None:
            return ()
        event.looks_since += not look.positive
        quiet = look.seconds - event.last.seconds
        allowed = self._end.after_seconds  # a positive at the very end of it still comes in time
        quiet_enough = quiet > allowed or (quiet == allowed and not look.positive)
        over = quiet_enough and event.looks_since >= self._end.looks
        if not over:
            return ()
        return self.close(frame=look.frame, seconds=look.seconds, reason="NoPositive")

    def _detection(self, event: _Positives, *, frame: int, seconds: Fraction, reason: EndReason | None) -> Detection:
        return Detection(
            number=self.number,
            label=event.label,
            score=event.score,
            positives=event.count,
            start_frame=event.first.frame,
            start_seconds=event.first.seconds,
            end_frame=event.last.frame,
            end_seconds=event.last.seconds,
            frame=frame,
            seconds=seconds,
            reason=reason,
        )
