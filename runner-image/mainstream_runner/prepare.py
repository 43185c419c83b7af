"""Joins the graphs of new schedules beside the running one: ``python -m mainstream_runner.prepare``.

A process of its own, niced, because graphs are joined in Python, whose lock would hold up frames. It stands by with its imports
done (they take longer than joining a graph); for each folder that a line on standard input names it makes a child that joins,
answers, and takes its memory with it. A folder holds ``schedule.json`` and ``work.json`` (which stems, where blobs are); each
stem gets a sub-folder with its graph, packed weights included, checked and run once. The answer is a line of JSON on standard
output: ``{"problem": null}``, or what is wrong. It ends when standard input does.
"""

import json
import os
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import NoReturn, TextIO

from mainstream_runner.priority import PREPARER_NICENESS

SCHEDULE_FILE = "schedule.json"
WORK_FILE = "work.json"


def prepare(folder: Path) -> None:
    """Do what ``work.json`` asks: ``{"store": folder, "stems": {name of a stem: name of a sub-folder}}``."""
    # Not before the process has become nice.
    from mainstream.packages.folder import StoreFolder
    from mainstream.schedule import Schedule
    from mainstream_runner.engines import engine_named
    from mainstream_runner.plans import fastest_first
    from mainstream_runner.stems import prepare_stem

    schedule = Schedule.from_json((folder / SCHEDULE_FILE).read_bytes(), where=folder / SCHEDULE_FILE)
    work = json.loads((folder / WORK_FILE).read_text())
    layout = StoreFolder(Path(work["store"])).layout
    engine = engine_named(schedule.engine)
    for stem in schedule.stems:
        if stem.name in work["stems"]:
            place = folder / work["stems"][stem.name]
            place.mkdir()
            apps = fastest_first(schedule, stem)
            prepare_stem(stem, apps, read=layout.read_blob, engine=engine, folder=place)


def answered(folder: Path) -> str:
    """Prepare in a child; the line that says how it went, also when the child came to a bad end."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _answer(folder, writing)
    os.close(writing)
    with os.fdopen(reading) as answer:
        line = answer.read()
    _, status = os.waitpid(child, 0)
    return line or json.dumps(
        {"problem": f"joining the graphs failed (exit status {os.waitstatus_to_exitcode(status)})"}
    )


def _answer(folder: Path, writing: int) -> NoReturn:
    status = 1
    try:
        with os.fdopen(writing, "w") as answer:
            answer.write(json.dumps({"problem": _problem(folder)}))
        status = 0
    finally:
        if status:
            traceback.print_exc()
        os._exit(status)  # models are not closed one by one: the memory goes with the process


def _problem(folder: Path) -> str | None:
    from mainstream.errors import MainstreamError

    try:
        prepare(folder)
    except MainstreamError as error:
        return str(error)
    except OSError as error:
        return f"joining the graphs failed: {error.strerror}"
    return None


def _import_all() -> None:
    """What ``prepare`` needs, before it is asked for; the engine itself is started by the child."""
    for module in ("packages.folder", "schedule"):
        import_module(f"mainstream.{module}")
    for module in ("litert", "plans", "stems"):
        import_module(f"mainstream_runner.{module}")


def serve(folders: TextIO, answers: TextIO) -> None:
    """Answer each line until there are no more."""
    for line in folders:
        answers.write(answered(Path(line.rstrip("\n"))) + "\n")
        answers.flush()


if __name__ == "__main__":
    os.nice(PREPARER_NICENESS)
    _import_all()
    serve(sys.stdin, sys.stdout)
