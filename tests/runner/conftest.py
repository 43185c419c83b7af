"""Small videos, made where they are needed."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

MakeVideo = Callable[..., Path]


@pytest.fixture
def make_video(tmp_path: Path) -> MakeVideo:
    """Write a video whose frame i has the grey level that ``grey(i)`` says; the container is the name's."""

    def make(
        name: str,
        *,
        fps: Fraction | int = 15,
        frames: int = 30,
        size: tuple[int, int] = (64, 48),
        codec: str = "libx264",
        grey: Callable[[int], int] = lambda number: number * 7 % 256,
        options: dict[str, str] | None = None,
    ) -> Path:
        path = tmp_path / name
        with av.open(str(path), "w", options=options or {}) as container:
            stream = container.add_stream(codec, rate=Fraction(fps))
            stream.width, stream.height = size
            stream.pix_fmt = "yuv420p"
            for number in range(frames):
                pixels = np.full((size[1], size[0], 3), grey(number), np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            container.mux(stream.encode(None))
        return path

    return make
