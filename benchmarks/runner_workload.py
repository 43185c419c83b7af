"""What the runner's benchmarks run: MobileNet with random weights (224 pixels), branches that nobody trained, 720p video.

Made once in a folder and used again. A branch takes what a trained one takes: weights do not change the time.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from mainstream.basednn import BaseDnn
from mainstream.cost import LayerCosts
from mainstream.packages.artifacts import read_base_dnn
from mainstream.packages.folder import StoreFolder
from mainstream.resources.edgenode import File, Source
from mainstream.schedule import Schedule, ScheduledApp, ScheduledStream, Stem, StemSegment
from mainstream_runner.standin import stand_in

MAINSTREAM = Path(sys.executable).with_name("mainstream")
POOLED = "pooled"
FPS = Fraction(15)


class Workload:
    """A store with the base DNN, and schedules over it. ``costs`` gives planned seconds; without them they are 0."""

    def __init__(self, folder: Path, *, network: Sequence[str] = ()) -> None:
        """``network`` are further options of ``mainstream base import``; a folder is made with one of them only."""
        self.folder = folder
        self.store = StoreFolder(folder / "store")
        folder.mkdir(parents=True, exist_ok=True)
        known = folder / "base.json"
        if not known.exists():
            print("importing MobileNet with random weights ...", flush=True)
            importing = [
                "base",
                "import",
                "--architecture",
                "MobileNet",
                "--weights",
                "random",
                *network,
                "--output",
                "json",
            ]
            done = subprocess.run(
                [MAINSTREAM, *importing, "--store", str(self.store.root)], stdout=subprocess.PIPE, check=True
            )
            known.write_bytes(done.stdout)
        self.base: BaseDnn = read_base_dnn(self.store.layout, json.loads(known.read_text())["digest"])
        self.segments = [self.store.layout.read_blob(segment.digest) for segment in self.base.config.segments]
        self.costs: LayerCosts | None = None

    def video(self, *, seconds: int = 10, fps: Fraction = FPS) -> Path:
        """720p H.264 with as much detail and noise as a camera by day, about 4 Mbit/s."""
        path = self.folder / f"720p-{fps}-{seconds}.mp4".replace("/", "_")
        if path.exists():
            return path
        print(f"encoding {path.name} ...", flush=True)
        random = np.random.default_rng(0)
        still = np.kron(random.integers(0, 256, (45, 80, 3)), np.ones((16, 16, 1))).astype(np.uint8)
        partial = path.with_suffix(".partial.mp4")
        with av.open(str(partial), "w") as container:
            options = {"preset": "veryfast", "g": "15", "bf": "0", "b": "4000000"}
            stream = container.add_stream("libx264", rate=fps, options=options)
            stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
            for number in range(int(seconds * fps)):
                picture = np.roll(still, number * 4, axis=1) // 2 + random.integers(0, 24, (720, 1280, 1), np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture.astype(np.uint8), format="rgb24")))
            container.mux(stream.encode(None))
        partial.rename(path)
        return path

    def schedule(
        self,
        apps: Sequence[tuple[str, Fraction | int]],
        *,
        streams: int = 1,
        threads: int = 2,
        shared: bool = True,
        loop: bool = False,
        real_time: bool = False,
        fps: Fraction = FPS,
        threshold: int = 9,
        newcomer: tuple[str, Fraction | int] | None = None,
    ) -> Schedule:
        """Apps of (branchpoint, rate) on each of the streams, and a newcomer on the first.

        Not ``shared``: each app has a stem of its own.
        """
        source = Source(file=File(path=str(self.video(fps=fps)), loop=loop, real_time=real_time))
        names = [f"camera-{number}" for number in range(streams)]
        stems, scheduled = [], []
        for stream in names:
            here = [*apps, newcomer] if newcomer is not None and stream == names[0] else apps
            groups = [list(enumerate(here))] if shared else [[item] for item in enumerate(here)]
            for group in groups:
                name = f"{stream}/full/base" if shared else f"{stream}/full/base/default/app-{group[0][0]}"
                mine = [
                    self._app(stream, place, name, branchpoint, Fraction(rate), threshold)
                    for place, (branchpoint, rate) in group
                ]
                stems.append(self._stem(stream, name, mine))
                scheduled += mine
        cost = sum(float(s.fps) * s.planned_seconds for stem in stems for s in stem.segments)
        cost += sum(float(app.fps) * app.planned_seconds for app in scheduled)
        return Schedule(
            edge_node="benchmark",
            engine="LiteRT",
            threads=threads,
            memory_bytes=1 << 30,
            cost=cost,
            budget=1.0,
            streams=tuple(ScheduledStream(name=name, source=source, capture_fps=fps, views=()) for name in names),
            stems=tuple(stems),
            apps=tuple(scheduled),
        )

    def _app(self, stream: str, place: int, stem: str, branchpoint: str, fps: Fraction, threshold: int) -> ScheduledApp:
        depth = self.base.config.depth(branchpoint)
        branch = stand_in(self.segments[depth:], self.base.config.segments[-1].output_shape)
        return ScheduledApp(
            app=f"default/{stream}-app-{place}",
            stem=stem,
            package=self.base.digest,
            branchpoint=branchpoint,
            depth=depth,
            branch_digest=self.store.layout.put_blob(branch),
            planned_seconds=self.costs.branch_seconds[depth] if self.costs else 0.0,
            fps=fps,
            votes=1,
            threshold=threshold,
            expected_f1=0.5,
            classes=("background", "event"),
            events=("event",),
        )

    def _stem(self, stream: str, name: str, apps: Sequence[ScheduledApp]) -> Stem:
        segments = tuple(
            StemSegment(
                end=segment.end,
                digest=segment.digest,
                fps=max(app.fps for app in apps if app.depth > place),
                planned_seconds=self.costs.segment_seconds[place] if self.costs else 0.0,
            )
            for place, segment in enumerate(self.base.config.segments)
            if any(app.depth > place for app in apps)
        )
        config = self.base.config
        return Stem(
            name=name,
            stream=stream,
            view="full",
            base_dnn=self.base.digest,
            input_shape=config.input_shape,
            preprocessing=config.preprocessing,
            segments=segments,
        )
