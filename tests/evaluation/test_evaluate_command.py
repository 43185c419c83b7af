"""`mainstream evaluate` through the command line: scores, and what is said when something is wrong."""

import contextlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainstream.cli.main import main
from mainstream.errors import InputError
from mainstream.evaluation.records import read_run
from mainstream.evaluation.score import evaluate
from mainstream.events_csv import LabelledEvent

MANIFESTS = """\
apiVersion: mainstream.dev/v1alpha1
kind: EdgeNode
metadata: {name: box}
spec:
  streams:
  - {name: north, source: {file: {path: videos/north.mp4}}, captureFps: 10}
  - {name: south, source: {file: {path: videos/south.mp4}}, captureFps: 10}
"""

APP = """\
---
apiVersion: mainstream.dev/v1alpha1
kind: MainstreamApp
metadata: {name: %s}
spec: {edgeNodes: {matchNames: [box]}, stream: %s, events: [%s], package: {reference: p}}
"""

TRUTH = """\
video,label,start_frame,end_frame
north.mp4,car,100,129
north.mp4,truck,125,160
north.mp4,car,400,430
north.mp4,van,700,730
"""


@dataclass(frozen=True, slots=True)
class Done:
    """How the verb ended and what it printed."""

    status: int
    out: str
    err: str


class Case:
    """A folder with manifests, truth and events; ``events`` are (app, start, end)."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.apps: list[tuple[str, str, str]] = [("car", "north", "car, truck"), ("van", "north", "van")]
        self.events: list[tuple[str, int, int]] = [("car", 103, 158), ("car", 401, 429), ("van", 710, 715)]
        self.truth = TRUTH
        self.lines: Sequence[str] | None = None
        self.ran: Sequence[str] | None = None
        self.read = 1000

    def header(self) -> dict[str, Any]:
        """The record of the run's start."""
        apps = [
            {"app": f"default/{name}", "stream": stream, "events": events.split(", "), "expectedF1": "0.9", "fps": "5"}
            for name, stream, events in self.apps
            if self.ran is None or name in self.ran
        ]
        file = {"name": "north", "file": "elsewhere/north.mp4", "frames": 1000, "captureFps": "10", "loop": False}
        return {"type": "dev.mainstream.run.started", "data": {"edgeNode": "box", "streams": [file], "apps": apps}}

    def records(self) -> list[str]:
        """All records as lines."""
        records = [self.header()]
        for number, (app, start, end) in enumerate(self.events):
            data = {"event": str(number), "app": f"default/{app}", "startFrame": start}
            records.append({"type": "dev.mainstream.event.started", "data": data})
            records.append({"type": "dev.mainstream.event.ended", "data": {**data, "endFrame": end}})
        streams = [{"name": "north", "framesRead": self.read}]
        records.append({"type": "dev.mainstream.run.ended", "data": {"streams": streams}})
        return [json.dumps(record) for record in records]

    def run(self, *arguments: str) -> Done:
        """Write the files and run the verb."""
        (self.root / "m.yaml").write_text(MANIFESTS + "".join(APP % app for app in self.apps))
        (self.root / "truth.csv").write_text(self.truth)
        lines = self.records() if self.lines is None else self.lines
        (self.root / "events.jsonl").write_text("".join(f"{line}\n" for line in lines))
        return self.evaluate(*arguments)

    def evaluate(self, *arguments: str) -> Done:
        """The verb on the files as they are."""
        verb = ("evaluate", "-f", "m.yaml", "--events", "events.jsonl", "--truth", "truth.csv")
        out, err = io.StringIO(), io.StringIO()
        with (
            contextlib.chdir(self.root),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.raises(SystemExit) as left,
        ):
            main([*verb, *arguments])
        return Done(int(left.value.code or 0), out.getvalue(), err.getvalue())

    def result(self, *arguments: str) -> Any:
        """The JSON, which must be there."""
        done = self.run("--output", "json", *arguments)
        assert (done.status, "Traceback" in done.err) == (0, False), done.err
        return json.loads(done.out)

    def refused(self, *arguments: str) -> str:
        """What is said about wrong input."""
        done = self.run(*arguments)
        assert (done.status, done.out, "Traceback" in done.err) == (2, "", False), done.err
        return done.err


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """A run of two apps on one stream that found everything."""
    return Case(tmp_path)


def test_a_run_that_found_everything(case: Case) -> None:
    """Two labels of an app make one true event where they overlap; the expected F1 stands beside the measured."""
    result = case.result()
    car = next(app for app in result["apps"] if app["name"] == "car")
    assert (car["f1"], car["f1_model"], car["recall"], car["precision"], car["expected_f1"]) == (1, 1, 1, 1, 0.9)
    assert (car["true_events"], car["found"], car["emitted"], car["false"]) == (2, 2, 2, 0)
    assert result["mean"] == {"f1": 1, "f1_model": 1, "precision": 1, "recall": 1, "expected_f1": 0.9, "apps": 2}
    assert result["warnings"] == []


def test_the_table_shows_each_app_and_the_mean(case: Case) -> None:
    """For people."""
    done = case.run()
    assert done.status == 0
    for word in ("default/car", "default/van", "mean of 2", "F1 (model)", "0.900"):
        assert word in done.out


def test_an_app_without_events_counts_as_zero(case: Case) -> None:
    """The header has it, so it is known to have run."""
    case.events = [event for event in case.events if event[0] == "car"]
    result = case.result()
    assert [app["f1"] for app in result["apps"]] == [1, 0]
    assert result["mean"]["f1"] == 0.5


def test_an_app_that_was_not_admitted_counts_as_zero(case: Case) -> None:
    """It is in the manifests but not in the header."""
    case.ran = ["car"]
    case.events = [event for event in case.events if event[0] == "car"]
    result = case.result()
    van = result["apps"][1]
    assert (van["ran"], van["f1"], van["true_events"], van["expected_f1"]) == (False, 0, 1, None)
    assert result["mean"]["f1"] == 0.5
    assert result["mean"]["expected_f1"] == 0.45
    assert any("app default/van did not run" in warning for warning in result["warnings"])


def test_an_app_without_true_events(case: Case) -> None:
    """With false events its F1 is 0; with none it says nothing and stays out of the mean."""
    case.truth = "".join(line for line in TRUTH.splitlines(keepends=True) if "van" not in line)
    result = case.result()
    assert result["apps"][1]["f1"] == 0
    case.events = case.events[:2]
    result = case.result()
    assert result["apps"][1]["f1"] is None
    assert (result["mean"]["f1"], result["mean"]["apps"]) == (1, 1)
    assert any("no true event (van)" in warning for warning in result["warnings"])


def test_an_empty_truth(case: Case) -> None:
    """A header alone: everything emitted is false."""
    case.truth = TRUTH.splitlines(keepends=True)[0]
    assert case.result()["mean"]["f1"] == 0


def test_a_stream_can_be_told_which_video_it_showed(case: Case) -> None:
    """Where the file's name is not the truth's."""
    case.truth = TRUTH.replace("north.mp4", "camera/one.avi")
    assert "Say which of them it is: --stream north=VIDEO" in case.refused()
    assert case.result("--stream", "north=camera/one.avi")["mean"]["f1"] == 1


def test_a_broken_off_run_is_scored_with_a_warning(case: Case) -> None:
    """An event without an end lasts to what is known; a half line is left out, a broken whole line is an error."""
    lines = case.records()
    case.lines = [*lines[:-2], lines[-2][:30]]
    assert f"events.jsonl:{len(lines) - 1}: is no JSON" in case.refused()
    (case.root / "events.jsonl").write_text("\n".join(case.lines))
    result = json.loads(case.evaluate("--output", "json").out)
    assert result["mean"]["f1"] == 1
    assert any("cut off" in warning for warning in result["warnings"])
    assert any("broken off before its end" in warning for warning in result["warnings"])


def test_a_stream_that_was_not_read_to_its_end_is_said(case: Case) -> None:
    """What comes after counts as missed."""
    case.read = 500
    assert any("read to frame 500 of 1000" in warning for warning in case.result()["warnings"])


def test_events_files_that_are_wrong(case: Case) -> None:
    """Empty, no JSON, no header, two runs, a broken field: file, line, remedy."""
    lines = case.records()
    foreign, broken, backwards = (
        json.dumps({"type": "dev.mainstream.event.ended", "data": {"event": "x", **data}})
        for data in (
            {"app": "default/x", "startFrame": 1, "endFrame": 2},
            {"app": "default/car", "startFrame": "one"},
            {"app": "default/car", "startFrame": 3, "endFrame": 2},
        )
    )
    started = '{"type": "dev.mainstream.run.started", "data": {}}'
    for wrong, message in (
        ([], "events.jsonl: is empty"),
        (["hello"], "events.jsonl:1: is no JSON: 'hello'; expected one record a line"),
        (lines[1:], "events.jsonl: does not begin with a record of type dev.mainstream.run.started"),
        ([*lines, lines[0]], f"events.jsonl:{len(lines) + 1}: a second run begins here"),
        ([lines[0], "[1]"], "events.jsonl:2: is no CloudEvent"),
        ([lines[0], foreign], "events.jsonl:2: an event of app 'default/x', which the first record does not name"),
        ([lines[0], broken], "events.jsonl:2: not a record of Mainstream: a field has a wrong type"),
        ([lines[0], backwards], "events.jsonl:2: startFrame 3 and endFrame 2 are no interval"),
        ([started], "events.jsonl:1: not a record of Mainstream: field 'streams' is missing"),
    ):  # fmt: skip
        case.lines = wrong
        assert message in case.refused()


def test_truth_that_is_wrong(case: Case) -> None:
    """An event past the end, an unknown video, a missing column, a start after its end."""
    for truth, message in (
        (TRUTH.replace("730", "1000"), "truth.csv:5: end_frame: 1000 is past the end of north.mp4, which has 1000 frames"),
        (TRUTH.replace("north.mp4", "east.mp4"), "truth.csv: video: no event of 'north.mp4', which stream 'north' showed"),
        (TRUTH.replace("label", "lable"), "truth.csv:1: column 'label' (is 'lable' meant?) is missing"),
        (TRUTH.replace("400,430", "430,400"), "truth.csv:4: start_frame: 430 is after end_frame 400"),
    ):  # fmt: skip
        case.truth = truth
        assert message in case.refused()


def test_wrong_options(case: Case) -> None:
    """A stream that the run does not have, a pair without a video, files that are not there."""
    assert "--stream: the run has no stream 'nord'; did you mean \"north\"?" in case.refused("--stream", "nord=a.mp4")
    assert "--stream: expected NAME=VIDEO, got 'north'" in case.refused("--stream", "north")
    assert "none.jsonl: no such file" in case.refused("--events", "none.jsonl")
    assert "none.csv: no such file" in case.refused("--truth", "none.csv")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_stands_in_a_record_it_is_read_or_refused(case: Case, data: st.DataObject) -> None:
    """Any field of valid records replaced by anything: no other error."""
    records = [json.loads(line) for line in case.records()]
    at: Any = records
    while True:
        key = data.draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
        if not isinstance(at[key], dict | list) or not at[key] or data.draw(st.booleans()):
            break
        at = at[key]
    at[key] = data.draw(JSON)
    path = case.root / "fuzzed.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    truth = [LabelledEvent(video="north.mp4", label="car", start_frame=100, end_frame=129, line=2)]
    with contextlib.suppress(InputError):
        json.dumps(evaluate(read_run(path), [], truth, truth_path="truth.csv").plain())
