"""JSON lines: whole lines at any moment, and a full disk says so."""

import json
from pathlib import Path

import pytest

from mainstream.errors import InputError, OperationError
from mainstream_runner.sinks.jsonl import JsonLinesFile


def test_a_line_is_there_as_soon_as_it_is_written(tmp_path: Path) -> None:
    """Whoever follows the file sees each record at once; an old file is begun anew."""
    path = tmp_path / "events.jsonl"
    path.write_text("old\n")
    with JsonLinesFile(path) as sink:
        sink.write({"label": "Äpfel"})
        assert json.loads(path.read_text()) == {"label": "Äpfel"}
        sink.write({"label": "b"})
    assert [json.loads(line)["label"] for line in path.read_text().splitlines()] == ["Äpfel", "b"]


@pytest.mark.parametrize("name", [".", "nowhere/events.jsonl"])
def test_a_file_that_cannot_be_is_refused(tmp_path: Path, name: str) -> None:
    """A folder, or a file in a folder that is not there, is wrong input."""
    with pytest.raises(InputError, match="cannot write the events"):
        JsonLinesFile(tmp_path / name)


def test_a_full_device_is_an_operation_that_failed() -> None:
    """/dev/full takes nothing."""
    with JsonLinesFile(Path("/dev/full")) as sink, pytest.raises(OperationError, match="No space left"):
        sink.write({"a": 1})


def test_a_line_that_does_not_fit_is_taken_back(tmp_path: Path) -> None:
    """With room for one record and a half, the file holds one record."""
    import resource
    import signal

    path = tmp_path / "events.jsonl"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with JsonLinesFile(path) as sink:
            sink.write({"text": "x" * 80})
            resource.setrlimit(resource.RLIMIT_FSIZE, (150, before[1]))
            with pytest.raises(OperationError, match="whole"):
                sink.write({"text": "y" * 80})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert json.loads(path.read_text()) == {"text": "x" * 80}
