"""Has freed memory given back to the system.

glibc gives each thread an arena of its own, and once a large block was freed it keeps blocks of that size for later: what a
dozen threads needed for a moment (lists of thousands of objects, a solution's tables) stays in the process for ever.
"""

import ctypes

_MMAP_THRESHOLD, _ARENA_MAX = -3, -8  # malloc.h
LARGE_BYTES = 1 << 18
ARENAS = 2


def give_back_freed_memory() -> None:
    """Few arenas; large blocks are mapped, and unmapped when they are freed. Before threads begin; nothing without glibc."""
    option = getattr(ctypes.CDLL(None), "mallopt", None)
    if option is not None:
        option(_MMAP_THRESHOLD, LARGE_BYTES)
        option(_ARENA_MAX, ARENAS)
