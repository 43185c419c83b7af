"""File sources: timestamps, loops, files that break off, and what is no video."""

from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest

from mainstream.errors import InputError
from mainstream_runner.frames import RealRate, Slots, nearest_rate
from mainstream_runner.sources.file import FileSource

RATES = [Fraction(25, 2), Fraction(100, 7), Fraction(30000, 1001), Fraction(15), Fraction(24000, 1001), Fraction(60)]


@pytest.mark.parametrize("fps", RATES, ids=str)
@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mkv", "libx264"), ("a.mp4", "libx264"), ("a.avi", "libx264"), ("a.webm", "libvpx"), ("a.ts", "libx264")],
)
def test_every_frame_of_a_steady_file_has_its_own_slot(make_video, fps: Fraction, name: str, codec: str) -> None:
    """Whatever the container rounds timestamps to, frame i takes slot i, and frames come in order."""
    path = make_video(name, fps=fps, frames=90, codec=codec)
    slots = Slots(fps)
    with FileSource(path, capture_fps=fps) as source:
        frames = list(source.frames())
    assert [slots.place(frame.seconds) for frame in frames] == list(range(90))
    assert [frame.index for frame in frames] == list(range(90))
    assert (slots.surplus, slots.missing) == (0, 0)
    assert source.end is not None
    assert source.end.reason == "EndOfFile"
    assert source.info.fps is not None
    assert abs(source.info.fps / fps - 1) < 0.01  # MPEG-TS states none; FFmpeg guesses


def test_frames_come_in_order_of_presentation(make_video) -> None:
    """B-frames are put back in order: the grey levels rise with the index."""
    path = make_video("a.mp4", frames=40, grey=lambda number: 20 + 5 * number)
    with FileSource(path, capture_fps=Fraction(15)) as source:
        greys = [frame.picture.to_ndarray(format="gray").mean() for frame in source.frames()]
    assert len(greys) == 40
    assert np.all(np.diff(greys) > 2)


@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_a_camera_at_a_multiple_of_the_stated_rate_fills_every_slot_once(make_video, factor: int, name: str) -> None:
    """Of twice or three times the frames the first of each slot is taken, evenly, and the rate to write is known."""
    fps, rate = Fraction(15), RealRate()
    path = make_video(name, fps=fps * factor, frames=30 * factor)
    slots = Slots(fps)
    taken = []
    with FileSource(path, capture_fps=fps) as source:
        for frame in source.frames():
            rate.see(frame.seconds)
            if slots.place(frame.seconds) is not None:
                taken.append(frame.index)
    assert set(np.diff(taken[1:])) == {factor}
    assert slots.taken == 30 + (taken[-1] >= 30 * factor)
    assert slots.missing == 0
    assert rate.mismatch(fps) == fps * factor


def test_a_camera_slower_than_stated_leaves_slots_empty(make_video) -> None:
    """At half the stated rate every second slot is missing."""
    path = make_video("a.mkv", fps=10, frames=40)
    slots, rate = Slots(Fraction(20)), RealRate()
    with FileSource(path, capture_fps=Fraction(20)) as source:
        for frame in source.frames():
            rate.see(frame.seconds)
            slots.place(frame.seconds)
    assert (slots.taken, slots.missing, slots.surplus) == (40, 39, 0)
    assert rate.mismatch(Fraction(20)) == 10


def test_a_rate_that_agrees_is_no_mismatch() -> None:
    """29.97 for 30 is close enough; one frame per hundred off is not."""
    rate = RealRate()
    for number in range(100):
        rate.see(Fraction(number * 1001, 30000))
    assert rate.mismatch(Fraction(30)) is None
    assert rate.mismatch(Fraction(29)) == Fraction(30000, 1001)
    assert nearest_rate(Fraction(1373, 100)) == Fraction(1373, 100)


def test_pauses_do_not_change_the_real_rate() -> None:
    """A stream that lost ten seconds still runs at its rate."""
    rate = RealRate()
    for number in range(100):
        rate.see(Fraction(number, 15) + (10 if number > 50 else 0))
    assert rate.mismatch(Fraction(15)) is None


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_a_loop_goes_on_without_drift(make_video, name: str) -> None:
    """Forty rounds of a file with rounded timestamps have neither a missing slot nor a surplus frame."""
    fps = Fraction(30000, 1001)
    path = make_video(name, fps=fps, frames=20)
    slots = Slots(fps)
    with FileSource(path, capture_fps=fps, loop=True) as source:
        frames = list(islice(source.frames(), 800))
    assert [slots.place(frame.seconds) for frame in frames] == list(range(800))
    assert [frame.index for frame in frames] == list(range(800))
    assert source.end is None


def test_joined_recordings_go_on(tmp_path: Path) -> None:
    """Timestamps that begin anew in the middle of a file do not make the rest surplus."""
    joined = tmp_path / "joined.ts"
    joined.write_bytes(_transport_stream(tmp_path, 0) + _transport_stream(tmp_path, 1))
    slots = Slots(Fraction(10))
    with FileSource(joined, capture_fps=Fraction(10)) as source:
        placed = [slots.place(frame.seconds) for frame in source.frames()]
    assert len(placed) >= 58
    assert slots.surplus <= 1
    assert slots.missing <= 1


def _transport_stream(folder: Path, number: int) -> bytes:
    path = folder / f"part{number}.ts"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.options = {"tune": "zerolatency", "g": "1"}
        for level in range(30):
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 3), level, np.uint8), format="rgb24"))
            )
        container.mux(stream.encode(None))
    return path.read_bytes()


@pytest.mark.parametrize("name", ["cut.mp4", "cut.mkv"])
def test_a_file_that_breaks_off_is_read_as_far_as_it_goes(make_video, name: str) -> None:
    """Half of a file gives about half of its frames, and its end says that it was cut off."""
    path = make_video(
        name,
        frames=150,
        grey=lambda number: number * 37 % 256,
        options={"movflags": "faststart"} if name.endswith("mp4") else None,
    )
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    with FileSource(path, capture_fps=Fraction(15)) as source:
        frames = list(source.frames())
    assert 20 < len(frames) < 140
    assert source.end is not None
    assert source.end.reason == "CutOff"
    assert "missing" in source.end.message or "breaks off" in source.end.message


def test_broken_packets_are_left_out(make_video) -> None:
    """Noise in the middle of a file costs some frames, not the rest of the file."""
    path = make_video("noisy.mkv", frames=150, grey=lambda number: number)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = np.random.default_rng(0).bytes(400)
    path.write_bytes(bytes(data))
    with FileSource(path, capture_fps=Fraction(15)) as source:
        assert len(list(source.frames())) > 100
    assert source.end is not None


def test_what_is_no_video_is_refused(tmp_path: Path, make_video) -> None:
    """Each kind of wrong file is named with its path, before anything runs."""
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("hello\n" * 1000)
    (tmp_path / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(100_000))
    no_index = make_video("no-index.mp4", frames=60)
    no_index.write_bytes(no_index.read_bytes()[:2000])
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 44100
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    expected = {
        "nowhere.mp4": "does not exist",
        "empty.mp4": "is empty",
        "text.mp4": "is no video",
        "noise.mp4": "is no video",
        "no-index.mp4": "cut off",
        "sound.mp4": "holds no video stream",
        ".": "is a folder",
    }
    for name, words in expected.items():
        with pytest.raises(InputError, match=words) as caught:
            FileSource(tmp_path / name, capture_fps=Fraction(15), where="stream 'north'")
        assert str(tmp_path / name) in str(caught.value)
        assert caught.value.remedy
