"""Hours of training are not thrown away because a registry is away for some minutes."""

from collections.abc import Callable
from typing import TypeVar

from mainstream.errors import OperationError
from mainstream.job_program import Surroundings

PAUSES_SECONDS = (5.0, 10.0, 20.0, 40.0, 60.0, 60.0, 60.0, 60.0, 60.0, 60.0)
"""Seven minutes; each attempt is itself patient (``transport``)."""

Result = TypeVar("Result")


def patiently(act: Callable[[], Result], surroundings: Surroundings) -> Result:
    """Do it, again after each ``OperationError`` until the pauses are used up; what was done is not done again."""
    for pause in PAUSES_SECONDS:
        try:
            return act()
        except OperationError as error:
            surroundings.warn(f"trying again in {pause:g} s: {error}")
            if surroundings.stop.wait(pause):
                raise
    return act()
