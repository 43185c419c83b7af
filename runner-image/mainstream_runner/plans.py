"""What a schedule asks of each stream: its stems, their apps, and who is due on which frame."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mainstream.basednn import Preprocessing
from mainstream.resources.edgenode import FULL, View
from mainstream.sampling import Cycle
from mainstream.schedule import Schedule, ScheduledApp, ScheduledStream, Stem
from mainstream_runner.engine import Pixels

if TYPE_CHECKING:
    import av


@dataclass(frozen=True, slots=True)
class NetworkInput:
    """What a conversion makes: stems of one stream with the same one have it in common."""

    view: View
    shape: tuple[int, int, int]
    preprocessing: Preprocessing


Convert = Callable[["av.VideoFrame", NetworkInput], Pixels]


@dataclass(frozen=True, slots=True, kw_only=True)
class StemPlan:
    """A stem and its apps, fastest first: the apps due on a frame are always the first few of them."""

    stem: Stem
    apps: tuple[ScheduledApp, ...]
    network_input: NetworkInput


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamPlan:
    """A stream and the stems that look at it."""

    stream: ScheduledStream
    stems: tuple[StemPlan, ...]
    interval_seconds: float
    """Between two frames, as the manifest states their rate."""

    def due(self, cycle: Cycle, slot: int) -> tuple[int, ...]:
        """For each stem how many of its apps look at the frame in ``slot``."""
        return tuple(_due(cycle, stem.apps, slot) for stem in self.stems)


def _due(cycle: Cycle, apps: Sequence[ScheduledApp], slot: int) -> int:
    asked = None
    for number, app in enumerate(apps):
        if app.fps != asked:
            if not cycle.takes(app.fps, slot):
                return number
            asked = app.fps
    return len(apps)


def fastest_first(schedule: Schedule, stem: Stem) -> tuple[ScheduledApp, ...]:
    """The stem's apps in the order of a merged graph's outputs: by rate, the fastest first, then by name."""
    return tuple(sorted((app for app in schedule.apps if app.stem == stem.name), key=lambda app: (-app.fps, app.app)))


def stream_plans(schedule: Schedule) -> tuple[StreamPlan, ...]:
    """What the schedule asks of each stream; stems without an app are left out, and so are streams without a stem."""
    plans = []
    for stream in schedule.streams:
        views = {FULL: View(name=FULL, crop=(0.0, 0.0, 1.0, 1.0)), **{view.name: view for view in stream.views}}
        stems = []
        for stem in schedule.stems:
            apps = fastest_first(schedule, stem)
            if stem.stream == stream.name and apps:
                network_input = NetworkInput(views[stem.view], stem.input_shape, stem.preprocessing)
                stems.append(StemPlan(stem=stem, apps=apps, network_input=network_input))
        if stems:
            interval = float(1 / stream.capture_fps)
            plans.append(StreamPlan(stream=stream, stems=tuple(stems), interval_seconds=interval))
    return tuple(plans)
