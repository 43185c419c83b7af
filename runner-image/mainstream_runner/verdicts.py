"""From a branch's probabilities to an app's verdict on a frame (formats, M-Package)."""

from dataclasses import dataclass
from fractions import Fraction

from mainstream.errors import InputError
from mainstream.schedule import ScheduledApp
from mainstream_runner.engine import Output
from mainstream_runner.voting import Look


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """How an app turns probabilities into a look."""

    app: ScheduledApp
    events: tuple[int, ...]

    @classmethod
    def of(cls, app: ScheduledApp) -> "Verdicts":
        """Of the app's events those that its branch knows; ``InputError`` if it knows none."""
        if not set(app.events) & set(app.classes):
            raise InputError(
                f"events: none of {', '.join(app.events)} is a class of its M-Package ({', '.join(app.classes)})",
                where=f"app {app.app!r}",
                remedy="Train the app again, or name events that it was trained for.",
            )
        return cls(app=app, events=tuple(app.classes.index(event) for event in app.events if event in app.classes))

    def look(self, probabilities: Output, frame: int, seconds: Fraction) -> Look:
        """Positive if the summed probability of the app's events reaches its threshold."""
        of_events = [float(probabilities[place]) for place in self.events]
        score = sum(of_events)
        likeliest = self.app.classes[self.events[of_events.index(max(of_events))]]
        positive = score >= self.app.threshold / 10
        return Look(frame=frame, seconds=seconds, positive=positive, label=likeliest, score=score)
