"""Gives memory that was needed for a moment back to the system.

Joining a graph reads as many bytes of weights as the levels together hold; freed, they stay in the process unless glibc is told
(80 MB for eight MobileNet apps). Other C libraries give it back by themselves.
"""

import ctypes


def release_freed_memory() -> None:
    """Give back what was freed; nothing happens where the C library cannot."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
