"""The process that joins graphs beside a run: it answers, outlives what breaks it, and ends with the run."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from mainstream.errors import OperationError
from mainstream.packages.folder import StoreFolder
from mainstream.schedule import Schedule
from mainstream_runner.litert import LiteRT
from mainstream_runner.plans import fastest_first
from mainstream_runner.prepare import SCHEDULE_FILE, WORK_FILE
from mainstream_runner.preparer import Preparer
from mainstream_runner.standin import stand_in
from mainstream_runner.stems import open_prepared, open_stems

FEATURES = (256,)


@pytest.fixture
def preparer() -> Iterator[Preparer]:
    made = Preparer(Event())
    made.start()
    yield made
    made.close()


@pytest.fixture
def schedule(make_schedule: Callable[..., Schedule], tiny_segments: list[bytes], tmp_path: Path) -> Schedule:
    """Two apps, whose blobs lie in the store ``store``."""
    layout = StoreFolder(tmp_path / "store").layout
    for segment in tiny_segments:
        layout.put_blob(segment)
    branch = layout.put_blob(stand_in(tiny_segments[6:], FEATURES))
    return make_schedule([(6, 10, branch), (6, 5, branch)])


@pytest.fixture
def asked(schedule: Schedule, tmp_path: Path) -> Path:
    """A folder that asks for the schedule's only stem."""
    folder = tmp_path / "asked"
    folder.mkdir()
    (folder / SCHEDULE_FILE).write_bytes(schedule.to_json())
    work = {"store": str(tmp_path / "store"), "stems": {schedule.stems[0].name: "0"}}
    (folder / WORK_FILE).write_text(json.dumps(work))
    return folder


def test_what_is_prepared_computes_what_the_run_would_join_itself(
    preparer: Preparer, asked: Path, schedule: Schedule, tmp_path: Path
) -> None:
    """Bit by bit, on each level; the weights are packed once, there."""
    assert preparer.prepare(asked) is None
    engine, stem = LiteRT(), schedule.stems[0]
    packed = (asked / "0" / "weights.xnnpack").read_bytes()
    prepared = open_prepared(
        stem, fastest_first(schedule, stem), engine=engine, threads=2, folder=asked / "0", turn=nullcontext
    )
    pixels = np.random.default_rng(5).uniform(-1, 1, (1, 64, 64, 3)).astype(np.float32)
    with open_stems(schedule, read=StoreFolder(tmp_path / "store").layout.read_blob, engine=engine) as stems:
        for due in (2, 1):
            outputs = zip(prepared.run(pixels, due), stems[stem.name].run(pixels, due), strict=True)
            assert all(np.array_equal(one, other) for one, other in outputs)
    assert (asked / "0" / "weights.xnnpack").read_bytes() == packed
    prepared.close()


def test_a_problem_is_told_and_the_next_schedule_prepared(preparer: Preparer, asked: Path) -> None:
    """A blob that is missing is a sentence; the process stands by again."""
    good = asked.with_name("good")
    shutil.copytree(asked, good)
    (asked / WORK_FILE).write_text((asked / WORK_FILE).read_text().replace("/store", "/elsewhere"))
    assert "missing" in (preparer.prepare(asked) or "")
    assert preparer.prepare(good) is None


def test_a_process_that_ends_without_an_answer_is_a_problem(asked: Path) -> None:
    """As one would that is killed for memory; the one after it is asked anew."""
    preparer = Preparer(Event(), (sys.executable, "-c", "import sys; sys.stdin.readline(); sys.exit(7)"))
    for _ in range(2):
        assert "exit status 7" in (preparer.prepare(asked) or "")
    preparer.close()


def test_a_run_that_ends_does_not_wait_for_graphs(asked: Path) -> None:
    """Ctrl-C while graphs are joined."""
    stop = Event()
    stop.set()
    preparer = Preparer(stop, (sys.executable, "-c", "import sys; sys.stdin.read()"))
    with pytest.raises(OperationError, match="the run ended"):
        preparer.prepare(asked)
