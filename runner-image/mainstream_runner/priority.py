"""Who goes first when there are more threads than cores: the engine, then streams and what prepares another schedule.

A call of the engine waits for the slowest of its threads: with a decoder on one of two cores the other waits too. Decoders
below the engine fill what it leaves. Measured on two cores with two 720p streams at a load of 0.6: 31 ms a call with decoders
beside the engine, 25 ms with decoders below it, and verdicts come after 50 ms instead of 78.
"""

import os
import sys
import threading

READER_NICENESS = 10
PREPARER_NICENESS = 10
"""Lower still, another schedule took longer to come on a box that was half busy, and no fewer frames were lost (once)."""


def make_nice(niceness: int) -> None:
    """Lower the calling thread's priority by so much, where threads have one of their own (Linux)."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + niceness)
