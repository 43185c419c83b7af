"""Joins the graphs of a new schedule beside the running one: ``python -m mainstream_runner.prepare FOLDER``.

A process of its own, niced, because Python's lock would hold up frames for as long as graphs are joined in a thread. The folder
holds ``schedule.json`` and ``work.json`` (which stems, where blobs are); each stem gets a sub-folder with its graph, packed
weights included, checked and run once. It says what is wrong in one line of JSON on standard output and exits with 1.
"""

import json
import os
import sys
from pathlib import Path

from mainstream.errors import MainstreamError

NICENESS = 10
SCHEDULE_FILE = "schedule.json"
WORK_FILE = "work.json"


def prepare(folder: Path) -> None:
    """Do what ``work.json`` asks: ``{"store": folder, "stems": {name of a stem: name of a sub-folder}}``."""
    # Importing these takes longer than joining a graph: not before the process has become nice.
    from mainstream.packages.folder import StoreFolder
    from mainstream.schedule import Schedule
    from mainstream_runner.engines import engine_named
    from mainstream_runner.plans import fastest_first
    from mainstream_runner.stems import load_stem

    schedule = Schedule.from_json((folder / SCHEDULE_FILE).read_bytes(), where=folder / SCHEDULE_FILE)
    work = json.loads((folder / WORK_FILE).read_text())
    layout = StoreFolder(Path(work["store"])).layout
    engine = engine_named(schedule.engine)
    for stem in schedule.stems:
        if stem.name in work["stems"]:
            place = folder / work["stems"][stem.name]
            place.mkdir()
            apps = fastest_first(schedule, stem)
            load_stem(stem, apps, read=layout.read_blob, engine=engine, threads=schedule.threads, folder=place)


def main() -> int:
    """See the module."""
    os.nice(NICENESS)
    try:
        prepare(Path(sys.argv[1]))
    except MainstreamError as error:
        print(json.dumps({"problem": str(error)}))
        return 1
    sys.stdout.flush()
    os._exit(0)  # models are not closed one by one: the memory goes with the process


if __name__ == "__main__":
    sys.exit(main())
