"""Composes the demo's videos and their truth: ``data/training`` and ``data/test``."""

from pathlib import Path

from mainstream.cli.output import Output
from mainstream_demo import belt, scene
from mainstream_demo.settings import Settings
from mainstream_demo.video import write_events, write_video


def scenes(settings: Settings, share: belt.Share, frames: tuple[belt.Picture, ...]) -> dict[str, scene.Scene]:
    """The planned videos of a share by file name. Every one has a seed of its own."""
    shelf = belt.shelf(share, frames, belt.read_spans())
    if share == "training":
        names = [f"training-{number}.mp4" for number in range(1, settings.training_videos + 1)]
        count, fps, first = settings.training_frames, settings.training_fps, 1
    else:
        names = [f"{stream}.mp4" for stream in settings.streams]
        count, fps, first = settings.test_frames, settings.fps, 501
    return {
        name: scene.plan(
            shelf, frames=count, fps=fps, seed=1000 * settings.seed + number, difficulty=settings.difficulty
        )
        for number, name in enumerate(names, start=first)
    }


def compose(settings: Settings, folder: Path, out: Output) -> None:
    """Write both shares below ``folder``; a progress bar for each video."""
    frames = belt.read_frames()
    with out.progress() as steps:
        for share in ("training", "test"):
            planned = scenes(settings, share, frames)
            for name, item in planned.items():
                advance = steps.start(f"{share}/{name}", item.frames)
                write_video(folder / share / name, scene.render(item), item.fps, advance)
            write_events(folder / share / "events.csv", {name: item.events for name, item in planned.items()})
