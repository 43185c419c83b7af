"""Does a schedule fit into ``budget.memory``? Planned before its graphs are loaded; too much is refused, with what it takes.

What takes memory are the process, the weights and the pictures that decoders and queues hold. LiteRT packs weights once for
all levels of a stem, and a level adds about 2 MB of buffers; OpenVINO packs them for each level anew. While a schedule is
exchanged, the graphs of two are loaded; those of stems that stay count once.
"""

from collections.abc import Callable, Iterable
from fractions import Fraction

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
    stems: dict[tuple[tuple[str, Fraction], ...], int] = {}
    streams = 0
    for one in (schedule, *also):
        streams = max(streams, len(one.streams))
        for stem in one.stems:
            apps = [app for app in one.apps if app.stem == stem.name]
            pieces = (
                *((segment.digest, segment.fps) for segment in stem.segments),
                *((app.branch_digest, app.fps) for app in apps),
            )
            stems[pieces] = _stem_bytes(pieces, {app.fps for app in apps}, size_of, packed_once=one.engine == "LiteRT")
    return PROCESS_BYTES + STREAM_BYTES * streams + sum(stems.values())


def _stem_bytes(
    pieces: Iterable[tuple[str, Fraction]], rates: set[Fraction], size_of: Callable[[str], int], *, packed_once: bool
) -> int:
    def copies(fps: Fraction) -> int:
        return 1 if packed_once else sum(fps >= rate for rate in rates)

    return sum(size_of(digest) * copies(fps) for digest, fps in pieces) + LEVEL_BYTES * len(rates)


def check_memory(schedule: Schedule, size_of: Callable[[str], int], *, also: Iterable[Schedule] = ()) -> None:
    """``InputError`` if it does not fit."""
    planned = planned_bytes(schedule, size_of, also=also)
    if planned > schedule.memory_bytes:
        raise InputError(
            f"budget.memory: the schedule takes about {mebibytes(planned)}, the budget is {mebibytes(schedule.memory_bytes)}",
            where=f"edge node {schedule.edge_node!r}",
            remedy="Raise budget.memory, or run fewer apps or streams on this box.",
        )


def mebibytes(number: int) -> str:
    """Bytes as a manifest writes them, rounded up."""
    return f"{-(-number // MIB)}Mi"
