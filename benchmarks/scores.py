"""Every candidate's probabilities on every test frame, computed once; and the runner's own loop over what was recorded.

A *replay* samples, votes and emits as the runner does, and looks probabilities up instead of computing them: any level of a
merged graph gives bit-identical outputs.
"""

import threading
from collections.abc import Generator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from mainstream.evaluation.matching import Interval
from mainstream.packages.folder import StoreFolder
from mainstream.schedule import Schedule, ScheduledApp
from mainstream.scheduling.assemble import Assembled
from mainstream.scheduling.decide import Plan
from mainstream_runner.clock import SystemClock
from mainstream_runner.convert import SwscaleConvert
from mainstream_runner.frames import Frame
from mainstream_runner.litert import LiteRT
from mainstream_runner.pipeline import Pipeline
from mainstream_runner.plans import fastest_first
from mainstream_runner.sources.file import FileSource
from mainstream_runner.sources.source import Connection, SourceInfo, StreamEnd, Wanted
from mainstream_runner.sources.source import everything as everything_wanted
from mainstream_runner.stems import open_stems

TEST_FRAMES = 8100
"""Of each stream: nine minutes at 15 fps, in which each object passes more than 60 times."""


def everything(plan: Plan, assembled: Assembled, stream: str) -> Schedule:
    """A schedule that runs every candidate of the stream's apps on every frame, on one stem."""
    members = [member for member in assembled.members if member.stream.name == stream]
    base = members[0].base_dnn
    like = next(stem for stem in plan.schedule.stems if stem.stream == stream)
    template = next(app for app in plan.schedule.apps if app.stem.startswith(f"{stream}/"))
    segments = tuple(
        like.segments[0].model_copy(update={"end": segment.end, "digest": segment.digest})
        for segment in base.config.segments
    )
    stem = like.model_copy(update={"name": f"{stream}/all", "segments": segments})
    apps = [
        template.model_copy(
            update={
                "app": _key(member.app.key, candidate.branchpoint, candidate.precision),
                "stem": stem.name,
                "branchpoint": candidate.branchpoint,
                "precision": candidate.precision,
                "depth": base.config.depth(candidate.branchpoint),
                "branch_digest": candidate.branch_digest,
                "fps": member.stream.capture_fps,
                "classes": member.package.config.classes,
                "events": member.app.spec.events,
            }
        )
        for member in members
        for candidate in member.package.config.candidates
    ]
    streams = tuple(item for item in plan.schedule.streams if item.name == stream)
    return plan.schedule.model_copy(update={"streams": streams, "stems": (stem,), "apps": tuple(apps)})


def _key(app: str, branchpoint: str, precision: str) -> str:
    return f"{app}.{branchpoint}" + ("" if precision == "f32" else f".{precision}")


class Recorder:
    """An engine that keeps what another one computed, frame by frame."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.outputs: list[Sequence[np.ndarray]] = []

    def run(self, pixels: np.ndarray, due: int) -> Sequence[np.ndarray]:
        """As the other one."""
        outputs = self.inner.run(pixels, due)
        self.outputs.append([output.copy() for output in outputs])
        return outputs

    def close(self) -> None:
        """Whoever opened the engine closes it."""


class Nowhere:
    """A sink that keeps only the records of ended events."""

    def __init__(self) -> None:
        self.events: list[Mapping[str, Any]] = []

    def write(self, record: Mapping[str, Any]) -> None:
        """Keep it if it is one."""
        if record["type"] == "dev.mainstream.event.ended":
            self.events.append(record["data"])


def record(
    root: Path, plan: Plan, assembled: Assembled, stream: str, *, frames: int = TEST_FRAMES, kept_as: str = "scores"
) -> dict[str, np.ndarray]:
    """Probabilities of every candidate on every frame, ``(frames, classes)`` each; kept in the folder."""
    kept = root / f"{kept_as}-{stream}.npz"
    if not kept.exists():
        schedule = everything(plan, assembled, stream)
        layout = StoreFolder(root / "store").layout
        video = Path(schedule.streams[0].source.file.path)  # type: ignore[union-attr, arg-type]
        with (
            FileSource(video, capture_fps=schedule.streams[0].capture_fps) as source,
            open_stems(schedule, read=layout.read_blob, engine=LiteRT()) as stems,
        ):
            recorders = {name: Recorder(stem) for name, stem in stems.items()}
            Pipeline(
                schedule,
                sources={stream: source},
                engines=recorders,
                convert=SwscaleConvert,
                sink=Nowhere(),
                clock=SystemClock(),
                stop=threading.Event(),
            ).run()
        outputs = next(iter(recorders.values())).outputs
        order = sorted(schedule.apps, key=lambda app: app.app)
        assert len(outputs) == frames, f"{len(outputs)} of {frames} frames were analysed"
        scores = {app.app: np.stack([frame[place] for frame in outputs]) for place, app in enumerate(order)}
        np.savez(kept, **{name.replace("/", "|"): array for name, array in scores.items()})
    with np.load(kept) as data:
        return {name.replace("|", "/"): data[name] for name in data.files}


class RecordedFrames:
    """A stream whose pictures are their own numbers."""

    def __init__(self, name: str, frames: int, fps: Fraction) -> None:
        self.info = SourceInfo(file=f"{name}.mp4", width=0, height=0, fps=fps, frames=frames, loop=False)
        self.end: StreamEnd | None = None
        self.corrupt_packets = self.skipped = 0
        self._fps = fps

    def frames(self, wanted: Wanted = everything_wanted) -> Generator[Frame]:  # noqa: ARG002 - nothing is decoded
        """All of them."""
        for index in range(self.info.frames or 0):
            yield Frame(index=index, seconds=index / self._fps, picture=index)  # type: ignore[arg-type]
        self.end = StreamEnd(reason="EndOfFile")

    def connection(self) -> Connection:
        """It is always there."""
        return Connection(phase="Connected")

    def close(self) -> None:
        """Nothing is open."""


class RecordedScores:
    """An engine that looks probabilities up; its "pixels" are a frame's number."""

    def __init__(self, apps: Sequence[ScheduledApp], scores: Mapping[str, np.ndarray]) -> None:
        self._arrays = [scores[_key(app.app, app.branchpoint, app.precision)] for app in apps]

    def run(self, pixels: Any, due: int) -> Sequence[np.ndarray]:
        """Those of the first apps."""
        return [array[pixels] for array in self._arrays[:due]]

    def close(self) -> None:
        """Nothing is open."""


def replay(
    schedule: Schedule, scores: Mapping[str, Mapping[str, np.ndarray]], *, frames: int = TEST_FRAMES
) -> dict[str, list[Interval]]:
    """The events that the runner emits with the recorded probabilities: frames, by app."""
    sink = Nowhere()
    Pipeline(
        schedule,
        sources={item.name: RecordedFrames(item.name, frames, item.capture_fps) for item in schedule.streams},
        engines={
            stem.name: RecordedScores(fastest_first(schedule, stem), scores[stem.stream]) for stem in schedule.stems
        },
        convert=lambda: lambda picture, _wanted: picture,
        sink=sink,
        clock=SystemClock(),
        stop=threading.Event(),
    ).run()
    events: dict[str, list[Interval]] = {app.app: [] for app in schedule.apps}
    for event in sink.events:
        events[event["app"]].append((event["startFrame"], event["endFrame"]))
    return events
