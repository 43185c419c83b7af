"""Does a long run keep its memory and its frames? Runs `mainstream run` on looped streams and reads the process's own figures.

    python benchmarks/soak.py [--fast] [--small] [-f MANIFESTS | --schedule FILE] [--store DIR] [--minutes 30] [--json FILE]

Without manifests it makes its own schedule: MobileNet-224 with random weights, eight apps on four 720p streams at 10 fps, in
real time; with --fast eight apps at eight rates on one stream, as fast as possible, so that hours of stream go by in minutes;
with --small on a network a tenth of the size, so that more of them do.
Prints resident and private (anonymous) memory at the start (after half a minute), the middle and the end, hours of stream that
were gone through, looks that were due and not taken, and whether a training framework is in the process. Exit status 1 if
memory grew by more than 5 %, or if a look was lost in real time.
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from rich.progress import Progress
from runner_workload import MAINSTREAM, Workload

CUTS = [f"conv_pw_{number}" for number in (13, 12, 11, 9, 9, 8, 6, 6)]
RATES = [Fraction(rate) for rate in (15, 13, 11, 9, 7, 5, 3, 1)]
OF_A_CAMERA = [("conv_pw_12", Fraction(10)), ("conv_pw_9", Fraction(5))]
CAMERAS, CAMERA_FPS = 4, Fraction(10)
SMALL = ("--alpha", "0.25", "--input-size", "128")
WARM_UP_SECONDS = 30
ALLOWED_GROWTH = 0.05


def memory(process: int) -> dict[str, float]:
    """MB resident, and of them private (anonymous)."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.endswith("kB")}
    return {"residentMb": kilobytes["VmRSS"] / 1024, "privateMb": kilobytes["RssAnon"] / 1024}


def frameworks(process: int) -> list[str]:
    """Training frameworks that the process has mapped."""
    maps = Path(f"/proc/{process}/maps").read_text()
    return [name for name in ("tensorflow", "keras", "torch") if f"/site-packages/{name}" in maps]


def own_schedule(folder: Path, *, fast: bool, network: Sequence[str]) -> tuple[Path, Path]:
    """Eight apps, and the store that they need."""
    work = Workload(folder, network=network)
    path = folder / "soak.json"
    if fast:
        schedule = work.schedule(list(zip(CUTS, RATES, strict=True)), loop=True, threshold=5)
    else:
        schedule = work.schedule(OF_A_CAMERA, streams=CAMERAS, fps=CAMERA_FPS, loop=True, real_time=True, threshold=5)
    path.write_bytes(schedule.to_json())
    return path, work.store.root


def watched(
    command: list[Any], events: Path, minutes: float
) -> tuple[list[dict[str, float]], list[str], dict[str, Any]]:
    """Memory every five seconds, training frameworks, the run's summary."""
    samples: list[dict[str, float]] = []
    found: list[str] = []
    with tempfile.TemporaryFile() as out, Progress() as bar:
        process = subprocess.Popen([*command, "--events", events, "--output", "json"], stdout=out)
        while process.poll() is None and not (events.exists() and events.stat().st_size):
            time.sleep(0.2)
        time.sleep(WARM_UP_SECONDS)
        task = bar.add_task("running", total=minutes * 60)
        began = time.monotonic()
        while process.poll() is None and (passed := time.monotonic() - began) < minutes * 60:
            bar.update(task, completed=passed)
            samples.append(memory(process.pid))
            found = frameworks(process.pid)
            time.sleep(min(5.0, minutes * 6))
        process.send_signal(signal.SIGINT)
        process.wait(60)
        out.seek(0)
        return samples, found, json.loads(out.read())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    what = parser.add_mutually_exclusive_group()
    what.add_argument("-f", "--filename", type=Path, help="manifests with streams that loop")
    what.add_argument("--schedule", type=Path, help="a rendered schedule with streams that loop")
    parser.add_argument("--fast", action="store_true", help="as fast as possible instead of in real time")
    parser.add_argument("--small", action="store_true", help="a small network in its own schedule")
    parser.add_argument("--store", type=Path, default=Path(".mainstream"))
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--json", type=Path, help="write the figures there too")
    options = parser.parse_args()

    if not options.filename and not options.schedule:
        folder = Path("build/soak-small" if options.small else "build/runner-benchmark").resolve()
        network = SMALL if options.small else ()
        options.schedule, options.store = own_schedule(folder, fast=options.fast, network=network)
    chosen = ["-f", options.filename] if options.filename else ["--schedule", options.schedule]
    with tempfile.TemporaryDirectory() as folder:
        command = [MAINSTREAM, "run", *chosen, "--store", options.store, "--fast" if options.fast else "--real-time"]
        samples, found, run = watched(command, Path(folder, "events.jsonl"), options.minutes)
    if not samples:
        print("the run ended before it was warm: let the streams loop")
        return 1

    places = {"start": samples[0], "middle": samples[len(samples) // 2], "end": samples[-1]}
    hours = sum(float(stream["seconds"]) for stream in run["streams"]) / 3600
    growth = {key: samples[-1][key] / samples[0][key] - 1 for key in samples[0]}
    looks = sum(app["analysed"] for app in run["apps"])
    lost = sum(sum(app["dropped"].values()) for app in run["apps"])
    lost += sum(stream["missingSlots"] for stream in run["streams"])
    figures = {
        "memory": places,
        "growth": growth,
        "streamHours": hours,
        "framesRead": run["framesRead"],
        "looks": looks,
        "lost": lost,
        "frameworks": found,
    }
    print(f"{'':8}{'resident MB':>14}{'private MB':>14}")
    for place, sample in places.items():
        print(f"{place:8}{sample['residentMb']:14.1f}{sample['privateMb']:14.1f}")
    print(
        f"{hours:.2f} hours of stream, {run['framesRead']} frames, {len(run['apps'])} apps, {looks} looks, {lost} lost"
    )
    print(f"engine busy {100 * float(run['engineSeconds']) / float(run['wallSeconds']):.0f} % of the time")
    print(f"training frameworks in the process: {', '.join(found) or 'none'}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return int(bool(found) or max(growth.values()) > ALLOWED_GROWTH or (lost > 0 and not options.fast))


if __name__ == "__main__":
    sys.exit(main())
