"""EventProfile: what an application's events look like in time (paper section 3, "Impact of sampling rate")."""

from typing import Annotated

from pydantic import Field

from mainstream.documents import Document, Number, Rate


class EventProfile(Document):
    """Event length, gap, frequency and correlation.

    * ``length_seconds``: mean length of an event;
    * ``gap_seconds``: mean length of the time between two events, where it is known;
    * ``frequency``: fraction of event-length windows that are events, in (0, 1];
    * ``correlation``: lag-one correlation of the classifier's verdicts inside events, in [0, 1), per frame at
      ``correlation_fps``.
    """

    length_seconds: Annotated[Rate, Field(gt=0)]
    gap_seconds: Annotated[Rate, Field(gt=0)] | None = None
    frequency: Annotated[Number, Field(gt=0, le=1)]
    correlation: Annotated[Number, Field(ge=0, lt=1)]
    correlation_fps: Annotated[Rate, Field(gt=0)]
