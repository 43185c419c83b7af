"""Does a schedule fit into ``budget.memory``? Planned before its graphs are loaded; too much is refused, with what it takes.

What takes memory are the process, the weights (packed once for all levels of a stem, so their number does not matter: a level
adds about 2 MB of buffers) and the pictures that decoders and queues hold. While a schedule is exchanged, the graphs of two are
loaded; those of stems that stay count once.
"""

from collections.abc import Callable, Iterable

from mainstream.errors import InputError
from mainstream.schedule import Schedule

MIB = 1 << 20
PROCESS_BYTES = 110 * MIB
"""The program with its libraries, resident."""
STREAM_BYTES = 48 * MIB
"""A 1080p stream: a dozen decoded pictures of 3 MB in the decoder and in the queue, and libav's own buffers."""
LEVEL_BYTES = 4 * MIB
"""Buffers of a level; MobileNet-224 takes 2."""


def planned_bytes(schedule: Schedule, size_of: Callable[[str], int], *, also: Iterable[Schedule] = ()) -> int:
    """Resident bytes of a runner with this schedule; ``also`` are loaded at the same time. ``size_of``: a blob's bytes."""
    stems: dict[tuple[str, ...], int] = {}
    streams = 0
    for one in (schedule, *also):
        streams = max(streams, len(one.streams))
        for stem in one.stems:
            apps = [app for app in one.apps if app.stem == stem.name]
            blobs = (*(segment.digest for segment in stem.segments), *(app.branch_digest for app in apps))
            stems[blobs] = LEVEL_BYTES * len({app.fps for app in apps})
    weights = sum(size_of(digest) for blobs in stems for digest in blobs)
    return PROCESS_BYTES + STREAM_BYTES * streams + weights + sum(stems.values())


def check_memory(schedule: Schedule, size_of: Callable[[str], int], *, also: Iterable[Schedule] = ()) -> None:
    """``InputError`` if it does not fit."""
    planned = planned_bytes(schedule, size_of, also=also)
    if planned > schedule.memory_bytes:
        raise InputError(
            f"budget.memory: the schedule takes about {_mib(planned)}, the budget is {_mib(schedule.memory_bytes)}",
            where=f"edge node {schedule.edge_node!r}",
            remedy="Raise budget.memory, or run fewer apps or streams on this box.",
        )


def _mib(number: int) -> str:
    return f"{-(-number // MIB)}Mi"
