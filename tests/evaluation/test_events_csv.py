"""CSV files of events: what spreadsheets write is read, what is wrong is named with its line."""

from pathlib import Path

import pytest

from mainstream.errors import InputError
from mainstream.events_csv import LabelledEvent, read_events_csv

HEADER = "video,label,start_frame,end_frame\n"
FIRST = LabelledEvent(video="a.mp4", label="car", start_frame=3, end_frame=9, line=2)


def csv_file(folder: Path, data: str | bytes) -> Path:
    """Write a file of events."""
    path = folder / "events.csv"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


@pytest.mark.parametrize(
    "data",
    [
        HEADER + "a.mp4,car,3,9\n",
        (HEADER + "a.mp4,car,3,9").replace("\n", "\r\n"),
        "\ufeff" + HEADER + "a.mp4,car,3,9\n\n",
        (HEADER + "a.mp4,car,3,9\n").encode("utf-16"),
        (HEADER + "a.mp4,car,3,9\n").replace(",", ";"),
        (HEADER + "a.mp4,car,3,9\n").replace(",", "\t"),
        HEADER + '"a.mp4", car , 3,9.0\n',
        "note,Video,LABEL,start_frame,end_frame\nx,a.mp4,car,3,9\n",
    ],
)
def test_the_forms_in_which_files_come(tmp_path: Path, data: str | bytes) -> None:
    """Line ends, byte order marks, separators, blanks, further columns."""
    assert read_events_csv(csv_file(tmp_path, data)) == (FIRST,)


def test_a_file_with_a_header_alone_has_no_events(tmp_path: Path) -> None:
    """That is an answer, not an error."""
    assert read_events_csv(csv_file(tmp_path, HEADER)) == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ": is empty\n  The first line must be: video,label,start_frame,end_frame"),
        ("\n\n", ": is empty"),
        ("video,label,start_frame\na.mp4,car,3\n", ":1: column 'end_frame' is missing; the header is 'video,"),
        ("video,label,start_frame,endframe\n", ":1: column 'end_frame' (is 'endframe' meant?) is missing"),
        ("a.mp4,car,3,9\n", ":1: columns 'video', 'label', 'start_frame', 'end_frame' are missing"),
        ("video,label,start_frame,end_frame,label\n", ":1: column 'label' is there twice"),
        (HEADER + "a.mp4,car,9,3\n", ":2: start_frame: 9 is after end_frame 3"),
        (HEADER + "a.mp4,car,3,9\na.mp4,car,x,9\n", ":3: start_frame: 'x' is no frame number"),
        (HEADER + "a.mp4,car,3,9.5\n", ":2: end_frame: '9.5' is no frame number"),
        (HEADER + "a.mp4,car,-3,9\n", ":2: start_frame: -3 is negative"),
        (HEADER + "a.mp4,car,,9\n", ":2: start_frame: '' is no frame number"),
        (HEADER + "a.mp4,car,3\n", ":2: end_frame: is missing, the line has only 3 columns"),
        (HEADER + ",car,3,9\n", ":2: video: is empty"),
        (HEADER + "a.mp4,,3,9\n", ":2: label: is empty"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    """File, line, column, value, remedy."""
    path = csv_file(tmp_path, text)
    with pytest.raises(InputError) as caught:
        read_events_csv(path)
    assert str(caught.value).startswith(f"{path}{message}")


def test_all_wrong_lines_are_named_together(tmp_path: Path) -> None:
    """The first ten, and how many more."""
    path = csv_file(tmp_path, HEADER + "a.mp4,car,9,3\n" * 12)
    with pytest.raises(InputError, match="12 lines are wrong") as caught:
        read_events_csv(path)
    assert f"{path}:11: start_frame" in str(caught.value)
    assert "... and 2 more" in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"video,label\n\xff\xfa", ":2: is not UTF-8 (byte 12)"),
        (b"PK\x03\x04\0\0", ": is no text"),
        (None, ": no such file"),
    ],
)
def test_files_that_are_no_csv(tmp_path: Path, data: bytes | None, message: str) -> None:
    """Binary files and files that are not there."""
    path = tmp_path / "none.csv" if data is None else csv_file(tmp_path, data)
    with pytest.raises(InputError) as caught:
        read_events_csv(path)
    assert f"{path}{message}" in str(caught.value)
