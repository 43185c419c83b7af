"""What a schedule takes is planned before it is loaded."""

from collections.abc import Callable

import pytest

from mainstream.errors import InputError
from mainstream.memory import LEVEL_BYTES, MIB, PROCESS_BYTES, STREAM_BYTES, check_memory, planned_bytes
from mainstream.schedule import Schedule

DIGEST = "sha256:" + "a" * 64


def test_weights_count_once_and_levels_each(make_schedule: Callable[..., Schedule]) -> None:
    """Two rates, three branches of 2 MiB, segments of 1 MiB; a second schedule with the same stems adds nothing."""
    schedule = make_schedule([(2, 15, DIGEST), (2, 5, DIGEST), (1, 5, DIGEST)])
    segments = len(schedule.stems[0].segments)
    planned = planned_bytes(schedule, lambda digest: 2 * MIB if digest == DIGEST else MIB)
    assert planned == PROCESS_BYTES + STREAM_BYTES * len(schedule.streams) + (segments + 6) * MIB + 2 * LEVEL_BYTES
    assert planned_bytes(schedule, lambda _digest: 0, also=[schedule]) == planned_bytes(schedule, lambda _digest: 0)
    other = make_schedule([(2, 15, "sha256:" + "b" * 64)])
    assert planned_bytes(schedule, lambda _digest: MIB, also=[other]) > planned_bytes(schedule, lambda _digest: MIB)


def test_what_does_not_fit_is_refused_by_name(make_schedule: Callable[..., Schedule]) -> None:
    """The field, what it takes, and the box."""
    schedule = make_schedule([(2, 15, DIGEST)]).model_copy(update={"memory_bytes": 100 * MIB})
    with pytest.raises(InputError, match=r"budget\.memory: the schedule takes about \d+Mi, the budget is 100Mi"):
        check_memory(schedule, lambda _digest: MIB)
    check_memory(schedule.model_copy(update={"memory_bytes": 1 << 30}), lambda _digest: MIB)
