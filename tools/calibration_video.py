"""Makes ``trainer-image/mainstream_trainer/assets/calibration.mp4``: the pictures that base DNNs are quantised with by default.

    python tools/calibration_video.py

A third each of the demo's belt (its training part), of the cars and of the people example (their datasets; what their
cameras show later stays unseen). A video and not a folder of JPEGs, because every H.264 decoder gives the same pixels, and
with them the same base DNN.
"""

# ruff: noqa: INP001 - a script
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np

from mainstream_demo import belt, scene
from mainstream_demo.settings import DEMO

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "trainer-image/mainstream_trainer/assets/calibration.mp4"
VIDEOS = ("examples/cars/dataset/road.mp4", "examples/people/dataset/room.mp4")
EACH = 16
SIZE = (320, 180)


def main() -> None:
    with av.open(str(TARGET), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=1, options={"crf": "18", "g": "1", "threads": "1"})
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        for picture in (*belt_pictures(), *(picture for path in VIDEOS for picture in evenly(ROOT / path))):
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


def belt_pictures() -> Iterator[av.VideoFrame]:
    shelf = belt.shelf("training", belt.read_frames(), belt.read_spans())
    planned = scene.plan(shelf, frames=20 * EACH, fps=Fraction(5), seed=7, difficulty=DEMO.difficulty)
    middles = {(event.start_frame + event.end_frame) // 2 for event in planned.events}
    seen = (picture for number, picture in enumerate(scene.render(planned)) if number in middles)
    for picture in islice(seen, EACH):
        yield av.VideoFrame.from_ndarray(picture, format="rgb24")


def evenly(path: Path) -> Iterator[av.VideoFrame]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    for number in np.linspace(0, len(frames) - 1, EACH).astype(int):
        picture = frames[number].reformat(*SIZE, "rgb24").to_ndarray()
        yield av.VideoFrame.from_ndarray(picture, format="rgb24")


if __name__ == "__main__":
    main()
