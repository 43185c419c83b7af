"""What this machine is called in a profile."""

import os
import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
MODEL_FILE = Path("/proc/device-tree/model")
"""Arm boards name themselves here, as ``Raspberry Pi 5 Model B``."""


def hardware(*, cpuinfo: Path = CPUINFO, model_file: Path = MODEL_FILE) -> str:
    """Board or processor and the number of processors, as ``AMD EPYC 9R14, 2 processors``."""
    name = _board(model_file) or _processor(cpuinfo) or platform.processor() or platform.machine()
    count = os.cpu_count() or 1
    return f"{name}, {count} processor{'s' if count > 1 else ''}"


def _board(path: Path) -> str | None:
    return path.read_text(errors="replace").strip("\0 \n") if path.is_file() else None


def _processor(path: Path) -> str | None:
    if not path.is_file():
        return None
    for line in path.read_text(errors="replace").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return None
