"""Composes what the `examples` image shows: training videos with their events, and a minute of camera with its truth.

    python compose.py FOLDER

writes FOLDER/training (videos and events.csv) and FOLDER/camera (belt.mp4, coded as cameras do, and truth.csv).
"""

import sys
from pathlib import Path

from mainstream.cli.output import Output
from mainstream_demo import belt, scene
from mainstream_demo.compose import scenes
from mainstream_demo.settings import Settings
from mainstream_demo.video import write_events, write_video

SETTINGS = Settings(seed=3, streams=("belt",), training_videos=2, training_frames=600, test_frames=900)
"""Four minutes of belt to train on, at five frames per second; one minute of camera, at fifteen."""


def compose(folder: Path, out: Output) -> None:
    """Write everything below ``folder``."""
    frames = belt.read_frames()
    with out.progress() as steps:
        for share, place, table in (("training", "training", "events.csv"), ("test", "camera", "truth.csv")):
            planned = scenes(SETTINGS, "training" if share == "training" else "test", frames)
            for name, item in planned.items():
                advance = steps.start(f"{place}/{name}", item.frames)
                write_video(folder / place / name, scene.render(item), item.fps, advance, live=place == "camera")
            write_events(folder / place / table, {name: item.events for name, item in planned.items()})


if __name__ == "__main__":
    compose(Path(sys.argv[1]), Output())
