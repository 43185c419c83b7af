"""What is left out of decoding, and that nobody who looks can tell."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from mainstream_runner.sources.decoding import Decoder, Held

FRAMES = 240
CAMERA = {"g": "15", "bf": "0", "preset": "ultrafast"}


@pytest.fixture(scope="module")
def write(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A video of moving noise, each frame of its own; 15 frames a second."""

    def write(options: dict[str, str], codec: str = "libx264") -> Path:
        path = tmp_path_factory.mktemp("video") / "a.mkv"
        noise = np.random.default_rng(3).integers(0, 255, (96, 128, 3), dtype=np.uint8)
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=Fraction(15), options=options)
            stream.width, stream.height = 128, 96
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            for number in range(FRAMES):
                picture = av.VideoFrame.from_ndarray(np.roll(noise, 3 * number, axis=1), format="rgb24")
                container.mux(stream.encode(picture))
            container.mux(stream.encode())
        return path

    return write


def decoded(path: Path, wanted: Callable[[int], bool]) -> dict[int, bytes]:
    """The wanted pictures by number."""
    found = {}
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        decoder, shown = Decoder(video), 0
        for packet in container.demux(video):
            number = None if packet.pts is None else _number(packet.pts, packet.time_base)
            for picture in decoder.decode(packet, wanted=number is None or wanted(number)):
                assert shown + decoder.skipped == _number(picture.pts, picture.time_base)
                shown += 1
                if wanted(shown + decoder.skipped - 1):
                    found[shown + decoder.skipped - 1] = picture.to_ndarray(format="gray").tobytes()
    assert shown + decoder.skipped == FRAMES
    return found


def _number(pts: int | None, base: Fraction | None) -> int:
    assert pts is not None
    assert base is not None
    return round(pts * base * 15)


@pytest.mark.parametrize(
    ("options", "codec"),
    [
        (CAMERA, "libx264"),
        ({**CAMERA, "x264-params": "open-gop=1"}, "libx264"),
        ({"g": "15", "bf": "2", "preset": "medium"}, "libx264"),
        ({"g": "15", "bf": "3", "preset": "ultrafast", "x265-params": "log-level=none"}, "libx265"),
        ({"g": "15", "x264-params": "intra-refresh=1", "bf": "0", "preset": "ultrafast"}, "libx264"),
        ({}, "mjpeg"),
    ],
    ids=["camera", "open-gop", "b-frames", "hevc", "intra-refresh", "mjpeg"],
)
@pytest.mark.parametrize("every", [2, 15, 37, 100])
def test_what_is_wanted_is_the_same_picture(
    write: Callable[..., Path], options: dict[str, str], codec: str, every: int
) -> None:
    """As if everything had been decoded, whatever the codec allows to leave out."""
    path = write(options, codec)
    everything = decoded(path, lambda _number: True)
    some = decoded(path, lambda number: number % every == every // 2)
    assert some == {number: picture for number, picture in everything.items() if number % every == every // 2}


@pytest.mark.parametrize(("every", "share"), [(15, 0.65), (37, 0.4), (100, 0.3)])
def test_between_rare_looks_whole_groups_are_left_out(write: Callable[..., Path], every: int, share: float) -> None:
    """Decoding begins at the key frame before the wanted one."""
    held, needed = Held(), 0
    with av.open(str(write(CAMERA))) as container:
        for number, packet in enumerate(container.demux(container.streams.video[0])):
            wanted = number % every == every // 2
            held.see(packet, wanted=wanted)
            if wanted or not held.takes(packet):
                needed += 1 + len(held.given_back(packet)[0])
                if packet.is_keyframe:
                    held.confirm(whole=True)
    assert needed / FRAMES < share


def test_frames_that_look_often_are_decoded_as_they_come(write: Callable[..., Path]) -> None:
    """Held back packets would come late, for nothing."""
    path = write(CAMERA)
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        decoder = Decoder(video)
        for packet in container.demux(video):
            number = None if packet.pts is None else _number(packet.pts, packet.time_base)
            list(decoder.decode(packet, wanted=number is None or number % 5 == 0))
            assert not decoder.left_out
