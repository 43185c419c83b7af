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

import av
import numpy as np

from mainstream.packages.artifacts import read_base_dnn
from mainstream.packages.folder import StoreFolder
from mainstream.resources.edgenode import File, Source
from mainstream.schedule import Schedule, ScheduledApp, ScheduledStream, Stem, StemSegment
from mainstream_runner.standin import stand_in

CUTS = [f"conv_pw_{number}" for number in (13, 12, 11, 9, 9, 8, 6, 6)]
RATES = [Fraction(rate) for rate in (15, 13, 11, 9, 7, 5, 3, 1)]
MAINSTREAM = Path(sys.executable).with_name("mainstream")
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


def eight_apps(folder: Path, store: Path) -> Path:
    """A schedule of eight apps with branches that nobody trained, on a looped video of ten seconds."""
    importing = ["base", "import", "--architecture", "MobileNet", "--weights", "random", "--output", "json"]
    made = subprocess.run([MAINSTREAM, *importing, "--store", store], stdout=subprocess.PIPE, check=True)
    layout = StoreFolder(store).layout
    base = read_base_dnn(layout, json.loads(made.stdout)["digest"])
    segments = [layout.read_blob(segment.digest) for segment in base.config.segments]
    apps = []
    for number, (branchpoint, fps) in enumerate(zip(CUTS, RATES, strict=True)):
        depth = base.config.depth(branchpoint)
        branch = stand_in(segments[depth:], base.config.segments[-1].output_shape)
        apps.append(
            ScheduledApp(
                app=f"default/app-{number}",
                stem="stream/full/base",
                package=base.digest,
                branchpoint=branchpoint,
                depth=depth,
                branch_digest=layout.put_blob(branch),
                planned_seconds=0.0,
                fps=fps,
                votes=1 + number % 3,
                threshold=5,
                expected_f1=0.5,
                classes=("background", "event"),
                events=("event",),
            )
        )
    deepest = max(app.depth for app in apps)
    stem = Stem(
        name="stream/full/base",
        stream="stream",
        view="full",
        base_dnn=base.digest,
        input_shape=base.config.input_shape,
        preprocessing=base.config.preprocessing,
        segments=tuple(
            StemSegment(end=segment.end, digest=segment.digest, fps=max(RATES), planned_seconds=0.0)
            for segment in base.config.segments[:deepest]
        ),
    )
    source = Source(file=File(path=str(_noise(folder / "noise.mp4")), loop=True))
    schedule = Schedule(
        edge_node="soak",
        engine="LiteRT",
        threads=2,
        memory_bytes=1 << 30,
        cost=0.0,
        budget=1.0,
        streams=(ScheduledStream(name="stream", source=source, capture_fps=Fraction(15), views=()),),
        stems=(stem,),
        apps=tuple(apps),
    )
    path = folder / "schedule.json"
    path.write_bytes(schedule.to_json())
    return path


def _noise(path: Path) -> Path:
    """Ten seconds of 720p: coarse blocks that change from frame to frame, so that verdicts change too."""
    random = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=15)
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        for _ in range(150):
            blocks = random.integers(0, 256, (9, 16, 3), dtype=np.uint8)
            picture = av.VideoFrame.from_ndarray(blocks.repeat(80, 0).repeat(80, 1), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


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
            options.schedule = eight_apps(Path(folder), options.store)
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
