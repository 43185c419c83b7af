"""Pixels on their way to the network."""

from fractions import Fraction

import av
import numpy as np
import pytest

from mainstream.basednn import Preprocessing
from mainstream.resources.edgenode import View
from mainstream_runner.convert import SwscaleConvert
from mainstream_runner.plans import NetworkInput
from mainstream_runner.sources.file import FileSource
from mainstream_trainer.video import video_pixels

IDENTITY = Preprocessing(mean=(0.0, 0.0, 0.0), divisor=1.0)
FULL = View(name="full", crop=(0.0, 0.0, 1.0, 1.0))


def _quarters() -> np.ndarray:
    """Red, green, blue and grey quarters, 80 x 60."""
    pixels = np.zeros((60, 80, 3), np.uint8)
    pixels[:30, :40] = (200, 0, 0)
    pixels[:30, 40:] = (0, 200, 0)
    pixels[30:, :40] = (0, 0, 200)
    pixels[30:, 40:] = (90, 90, 90)
    return pixels


@pytest.mark.parametrize(
    ("crop", "colour"),
    [
        ((0.0, 0.0, 0.5, 0.5), (200, 0, 0)),
        ((0.5, 0.0, 0.5, 0.5), (0, 200, 0)),
        ((0.05, 0.55, 0.4, 0.4), (0, 0, 200)),
        ((0.5125, 0.55, 0.4, 0.25), (90, 90, 90)),
    ],
)
def test_a_view_sees_its_part_of_the_picture(crop: tuple[float, float, float, float], colour: tuple[int, ...]) -> None:
    """A crop holds its quarter's colour in every pixel, channels in RGB order, at the network's size."""
    frame = av.VideoFrame.from_ndarray(_quarters(), format="rgb24")
    wanted = NetworkInput(View(name="part", crop=crop), (12, 16, 3), IDENTITY)
    pixels = SwscaleConvert()(frame, wanted)
    assert (pixels.shape, pixels.dtype) == ((1, 12, 16, 3), np.float32)
    assert np.abs(pixels - np.array(colour, np.float32)).max() <= 1


def test_shrinking_averages_areas() -> None:
    """An eighth of the width and height is the mean of the 64 pixels: no detail is skipped."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    frame = av.VideoFrame.from_ndarray(noise, format="rgb24")
    pixels = SwscaleConvert()(frame, NetworkInput(FULL, (8, 12, 3), IDENTITY))[0]
    expected = noise.reshape(8, 8, 12, 8, 3).mean(axis=(1, 3))
    assert np.abs(pixels - expected).max() <= 1.5


def test_the_networks_own_colour_order_and_scale() -> None:
    """BGR and a mean: what MobileNet and ResNet50 want is the manifest's word, not the code's."""
    frame = av.VideoFrame.from_ndarray(np.full((8, 8, 3), (10, 20, 30), np.uint8), format="rgb24")
    preprocessing = Preprocessing(colour_order="BGR", mean=(1.0, 2.0, 3.0), divisor=2.0)
    pixels = SwscaleConvert()(frame, NetworkInput(FULL, (4, 4, 3), preprocessing))
    assert pixels[0, 0, 0].tolist() == [14.5, 9.0, 3.5]


def test_decoded_frames_keep_their_picture(make_video) -> None:
    """From file to input: the grey level that was written, within what H.264 and limited range cost."""
    path = make_video("a.mp4", frames=20, grey=lambda number: 30 + 10 * number)
    convert = SwscaleConvert()
    with FileSource(path, capture_fps=Fraction(15)) as source:
        for frame in source.frames():
            pixels = convert(frame.picture, NetworkInput(FULL, (32, 32, 3), IDENTITY))
            assert abs(float(pixels.mean()) - (30 + 10 * frame.index)) < 4


@pytest.mark.parametrize("crop", [FULL.crop, (0.103, 0.21, 0.437, 0.55)])
def test_the_runner_sees_what_the_trainer_saw(make_video, crop: tuple[float, float, float, float]) -> None:
    """Trainer and runner make the same pixels of the same frame, whole and cropped at odd places."""
    path = make_video("noise.mp4", frames=5, size=(94, 70), grey=lambda number: 40 * number)
    wanted = NetworkInput(View(name="part", crop=crop), (24, 20, 3), IDENTITY)
    convert = SwscaleConvert()
    with FileSource(path, capture_fps=Fraction(15)) as source:
        run = [convert(frame.picture, wanted)[0] for frame in source.frames()]
    trained = list(video_pixels(path, np.arange(5), crop, (24, 20)))
    assert np.array_equal(np.stack(run), np.stack(trained))
