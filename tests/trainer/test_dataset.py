"""Datasets are read as the documents say, and everything that is wrong is said with file, line and remedy."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mainstream.errors import InputError
from mainstream_trainer.dataset import read_dataset

from .conftest import write_events, write_video


def test_a_frame_has_the_first_of_the_apps_events_that_covers_it(tmp_path: Path) -> None:
    """Both ends are included; labels that the app does not name are background."""
    write_video(tmp_path / "a.mp4", 20, [])
    write_events(tmp_path / "events.csv", ["a.mp4,red,2,5", "a.mp4,blue,4,8", "a.mp4,green,10,12"])
    (video,) = read_dataset(tmp_path).videos
    assert video.facts.fps == Fraction(10)
    assert video.classes(["red", "blue"]).tolist() == [2, 2, 0, 0, 0, 0, 1, 1, 1] + [2] * 11
    assert video.classes(["blue", "red"]).tolist() == [2, 2, 1, 1, 0, 0, 0, 0, 0] + [2] * 11
    assert video.spans(["red", "blue"]) == ((2, 8),)


def test_windows_line_ends_and_a_byte_order_mark_are_fine(tmp_path: Path) -> None:
    """What spreadsheets write is read."""
    write_video(tmp_path / "a.mp4", 20, [])
    (tmp_path / "events.csv").write_bytes(b"\xef\xbb\xbfvideo,label,start_frame,end_frame\r\na.mp4,red,2,5\r\n")
    assert len(read_dataset(tmp_path).videos[0].events) == 1


def test_the_digest_is_of_names_and_contents(tmp_path: Path) -> None:
    """Another label is another dataset; the same files elsewhere are the same."""
    digests = []
    for folder, rows in (("x", ["a.mp4,red,2,5"]), ("y", ["a.mp4,red,2,5"]), ("z", ["a.mp4,red,2,6"])):
        (tmp_path / folder).mkdir()
        write_video(tmp_path / folder / "a.mp4", 20, [])
        write_events(tmp_path / folder / "events.csv", rows)
        digests.append(read_dataset(tmp_path / folder).digest)
    assert digests[0] == digests[1] != digests[2]


def test_a_video_that_is_cut_off_after_its_events_is_used_with_a_warning(tmp_path: Path) -> None:
    """A copy that broke off still holds good frames."""
    whole = write_video(tmp_path / "whole.mkv", 200, [])
    (tmp_path / "a.mkv").write_bytes(whole.read_bytes()[: whole.stat().st_size * 3 // 4])
    whole.unlink()
    write_events(tmp_path / "events.csv", ["a.mkv,red,2,5"])
    dataset = read_dataset(tmp_path)
    assert 5 < dataset.videos[0].facts.frames < 200


def _missing_video(folder: Path) -> None:
    write_events(folder / "events.csv", ["b.mp4,red,2,5"])


def _empty_video(folder: Path) -> None:
    (folder / "a.mp4").write_bytes(b"")
    write_events(folder / "events.csv", ["a.mp4,red,2,5"])


def _no_video(folder: Path) -> None:
    (folder / "a.mp4").write_text("this is no video")
    write_events(folder / "events.csv", ["a.mp4,red,2,5"])


def _past_the_end(folder: Path) -> None:
    write_video(folder / "a.mp4", 20, [])
    write_events(folder / "events.csv", ["a.mp4,red,2,5", "a.mp4,red,15,20"])


def _start_after_end(folder: Path) -> None:
    write_video(folder / "a.mp4", 20, [])
    write_events(folder / "events.csv", ["a.mp4,red,5,2"])


def _missing_column(folder: Path) -> None:
    write_events(folder / "events.csv", ["a.mp4,2,5"], header="video,start_frame,end_frame")


def _outside(folder: Path) -> None:
    write_video(folder.parent / "secret.mp4", 20, [])
    write_events(folder / "events.csv", ["../secret.mp4,red,2,5"])


def _cut_off_before_the_event(folder: Path) -> None:
    whole = write_video(folder / "whole.mkv", 200, [])
    (folder / "a.mkv").write_bytes(whole.read_bytes()[: whole.stat().st_size // 4])
    write_events(folder / "events.csv", ["a.mkv,red,180,190"])


def _nothing(folder: Path) -> None:
    (folder / "notes.txt").write_text("hello")


def _one_class(folder: Path) -> None:
    (folder / "red").mkdir()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / "red" / "1.png")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (_missing_video, ["events.csv:2", "'b.mp4'", "Beside it"]),
        (_empty_video, ["a.mp4", "empty"]),
        (_no_video, ["a.mp4", "not readable as a video", "ffprobe"]),
        (_past_the_end, ["events.csv:3", "end_frame: 20", "last frame is 19", "count from 0"]),
        (_start_after_end, ["events.csv:2", "start_frame", "5", "2"]),
        (_missing_column, ["events.csv:1", "'label'", "video,label,start_frame,end_frame"]),
        (_outside, ["events.csv:2", "../secret.mp4", "outside"]),
        (_cut_off_before_the_event, ["events.csv:2", "end_frame: 190"]),
        (_nothing, ["neither a CSV file", "<class>/*.jpg"]),
        (_one_class, ["only one class", "'red'", "background"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_wrong_is_said(tmp_path: Path, make: Callable[[Path], None], says: list[str]) -> None:
    """Each fault names file, line, value and remedy."""
    folder = tmp_path / "dataset"
    folder.mkdir()
    make(folder)
    with pytest.raises(InputError) as caught:
        read_dataset(folder)
    for part in says:
        assert part in str(caught.value)


def test_a_dataset_that_is_not_there_or_a_file(tmp_path: Path) -> None:
    """A wrong uri is said to be one."""
    with pytest.raises(InputError, match="no such dataset"):
        read_dataset(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="a dataset is a folder"):
        read_dataset(tmp_path / "file")


def test_a_label_that_never_occurs_and_a_dataset_of_events_alone(tmp_path: Path) -> None:
    """The message lists the labels that there are."""
    write_video(tmp_path / "a.mp4", 20, [])
    write_events(tmp_path / "events.csv", ["a.mp4,red,0,19"])
    dataset = read_dataset(tmp_path)
    with pytest.raises(InputError, match=r"app.yaml:7: events: .* never shows 'rde'\n  Its labels are: red"):
        dataset.check_labels(["rde"], where="app.yaml:7")
    with pytest.raises(InputError, match="only one class"):
        dataset.check_labels(["red"], where="app.yaml:7")
