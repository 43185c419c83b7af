"""Does a long run keep its memory? Runs `mainstream run --fast` on streams that loop, and reads the process's own figures.

    python benchmarks/soak.py [-f MANIFESTS | --schedule FILE] [--store DIR] [--minutes 10] [--json FILE]

Without manifests it makes its own: MobileNet-224 with random weights, eight apps at eight rates and six cuts, a 720p stream.
Prints resident and private (anonymous) memory at the start (after ten seconds), the middle and the end, hours of stream that
were gone through, and whether a training framework is in the process. Exit status 1 if resident or private memory grew by
more than 5 %.
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

from workload import MAINSTREAM, Workload

CUTS = [f"conv_pw_{number}" for number in (13, 12, 11, 9, 9, 8, 6, 6)]
RATES = [Fraction(rate) for rate in (15, 13, 11, 9, 7, 5, 3, 1)]
WARM_UP_SECONDS = 10
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


def eight_apps(folder: Path) -> tuple[Path, Path]:
    """A schedule of eight apps on a looped 720p stream, and the store that it needs."""
    work = Workload(folder)
    path = folder / "soak.json"
    path.write_bytes(work.schedule(list(zip(CUTS, RATES, strict=True)), loop=True, threshold=5).to_json())
    return path, work.store.root


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    what = parser.add_mutually_exclusive_group()
    what.add_argument("-f", "--filename", type=Path, help="manifests with streams that loop")
    what.add_argument("--schedule", type=Path, help="a rendered schedule with streams that loop")
    parser.add_argument("--store", type=Path, default=Path(".mainstream"))
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--json", type=Path, help="write the figures there too")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        if not options.filename and not options.schedule:
            options.schedule, options.store = eight_apps(Path("build/runner-benchmark"))
        events, summary = Path(folder, "events.jsonl"), Path(folder, "summary.json")
        chosen = ["-f", options.filename] if options.filename else ["--schedule", options.schedule]
        command = [MAINSTREAM, "run", *chosen, "--store", options.store, "--fast"]
        with summary.open("wb") as out:
            process = subprocess.Popen([*command, "--events", events, "--output", "json"], stdout=out)
            while process.poll() is None and not (events.exists() and events.stat().st_size):
                time.sleep(0.2)
            time.sleep(WARM_UP_SECONDS)
            samples = []
            end = time.monotonic() + options.minutes * 60
            while process.poll() is None and time.monotonic() < end:
                samples.append(memory(process.pid))
                found = frameworks(process.pid)
                time.sleep(min(5.0, options.minutes * 6))
            process.send_signal(signal.SIGINT)
            process.wait(60)
        if not samples:
            print("the run ended before it was warm: let the streams loop")
            return 1
        run = json.loads(summary.read_text())

    places = {"start": samples[0], "middle": samples[len(samples) // 2], "end": samples[-1]}
    hours = sum(float(stream["seconds"]) for stream in run["streams"]) / 3600
    growth = {key: samples[-1][key] / samples[0][key] - 1 for key in samples[0]}
    figures = {
        "memory": places,
        "growth": growth,
        "streamHours": hours,
        "framesRead": run["framesRead"],
        "frameworks": found,
    }
    print(f"{'':8}{'resident MB':>14}{'private MB':>14}")
    for place, sample in places.items():
        print(f"{place:8}{sample['residentMb']:14.1f}{sample['privateMb']:14.1f}")
    print(f"{hours:.2f} hours of stream, {run['framesRead']} frames, {len(run['apps'])} apps")
    print(f"training frameworks in the process: {', '.join(found) or 'none'}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return int(bool(found) or max(growth.values()) > ALLOWED_GROWTH)


if __name__ == "__main__":
    sys.exit(main())
