"""What a runner with eight applications at eight rates takes (architecture, decision 2)."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mainstream.documents import sha256
from mainstream.packages.folder import StoreFolder
from mainstream.schedule import Schedule
from mainstream_runner.standin import stand_in

PRIVATE_MB, RESIDENT_MB = 250, 800

PROGRAM = """
import json, sys
from fractions import Fraction
from pathlib import Path

import numpy as np

from mainstream.schedule import Schedule
from mainstream_runner.stems import open_stems
from mainstream_runner.litert import LiteRT
import mainstream_runner.convert, mainstream_runner.pipeline

folder = Path(sys.argv[1])
schedule = Schedule.from_json((folder / "schedule.json").read_bytes(), where="schedule")

def read(digest):
    return (folder / digest.removeprefix("sha256:")).read_bytes()

def megabytes(key):
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith(key)).split()[1]) / 1024

with open_stems(schedule, read=read, engine=LiteRT()) as stems:
    stem = next(iter(stems.values()))
    pixels = np.zeros((1, *schedule.stems[0].input_shape), np.float32)
    for round in range(3):
        for due in range(1, 9):
            stem.run(pixels, due)
    before = megabytes("RssAnon")
    for round in range(int(sys.argv[2])):
        stem.run(pixels, 1 + round % 8)
    heavy = [name for name in ("tensorflow", "keras") if name in sys.modules]
    print(json.dumps({
        "private": megabytes("RssAnon"), "resident": megabytes("VmRSS"), "grown": megabytes("RssAnon") - before,
        "heavy": heavy,
    }))
"""


def _figures(folder: Path, runs: int) -> dict[str, Any]:
    command = [sys.executable, "-c", PROGRAM, str(folder), str(runs)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    return dict(json.loads(ended.stdout))


@pytest.mark.slow
def test_eight_applications_at_eight_rates_stay_small(tmp_path: Path, make_schedule: Callable[..., Schedule]) -> None:
    """MobileNet-224 with branches at mixed cuts: 250 MB private, 800 MB resident, no TensorFlow, and no growth with frames."""
    from mainstream_trainer.basednn import import_base_dnn

    layout = StoreFolder(tmp_path / "store").layout
    base, _ = import_base_dnn(
        layout, name="MobileNet", input_size=224, weights="random", start=lambda _what, _n: lambda _n=1: None
    )
    segments = [layout.read_blob(segment.digest) for segment in base.config.segments]
    apps = []
    for place, depth in enumerate((13, 12, 11, 9, 9, 8, 6, 6)):
        branch = stand_in(segments[depth:], base.config.segments[-1].output_shape)
        (tmp_path / sha256(branch).removeprefix("sha256:")).write_bytes(branch)
        apps.append((depth, 15 - place, sha256(branch)))
    for data in segments:
        (tmp_path / sha256(data).removeprefix("sha256:")).write_bytes(data)
    (tmp_path / "schedule.json").write_bytes(make_schedule(apps, base=base, threads=2).to_json())
    figures = _figures(tmp_path, runs=200)
    assert figures["heavy"] == []
    assert figures["private"] <= PRIVATE_MB
    assert figures["resident"] <= RESIDENT_MB
    assert figures["grown"] <= 2
