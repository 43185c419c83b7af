"""What the runner reports: the CRD's own fields, the numbers that the operator reads, nothing secret."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from mainstream_operator.runner_state import runner_state
from mainstream_runner.board import SinkState
from mainstream_runner.report.document import document, urgent

from .conftest import HandmadeBoard

CRD = Path(__file__).resolve().parents[2] / "crds" / "edgenodes.mainstream.dev.yaml"
LOADED = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)


def full(board: HandmadeBoard) -> dict[str, Any]:
    """A report with every field."""
    board.refusal = "the newest is broken"
    board.states = [
        type(board.states[0])(
            name="gate", phase="Stalled", message="no picture comes", rate_to_write="30000/1001", since=LOADED
        )
    ]
    board.sink_states = [
        SinkState(app="traffic/car", sink="mqtt://broker:1883 car", connected=False, message="refused"),
        SinkState(app="traffic/bus", sink="mqtt://broker:1883 bus", connected=False, message="left the schedule; away"),
    ]
    return document(board, loaded_at=LOADED, utilization=0.6789, before={})


def test_it_has_every_field_of_the_crd_and_no_other(board: HandmadeBoard) -> None:
    """Unknown ones would be thrown away in silence."""
    (version,) = yaml.safe_load(CRD.read_text())["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]["runner"]
    found: set[str] = set()
    _check(full(board), schema, "runner", found)
    assert found == _fields(schema, "runner")


def test_the_operator_reads_what_is_written(board: HandmadeBoard) -> None:
    """Field by field."""
    state = runner_state({"runner": full(board)}, LOADED, [], now=LOADED, lease_seconds=40)
    assert board.plan is not None
    assert (state.digest, state.loaded_at, state.refusal) == (board.plan.digest, LOADED, "the newest is broken")
    assert (state.alive, state.utilization) == (True, 0.679)
    assert state.streams["gate"]["rateToWrite"] == "30000/1001"
    assert state.apps["traffic/car"]["sinkMessage"] == "mqtt://broker:1883 car: refused"
    assert "sinkMessage" not in state.apps["traffic/bus"], "a sink that left is no fault of the app"
    assert float(state.apps["traffic/car"]["fps"]) > 0


def test_numbers_that_hardly_move_are_told_as_before(board: HandmadeBoard) -> None:
    """Within five per cent of what was told, not of what was measured: nothing creeps away unseen."""
    first = document(board, loaded_at=None, utilization=0.5, before={})
    for utilization in (0.51, 0.48, 0.52):
        assert document(board, loaded_at=None, utilization=utilization, before=first) == first
    assert document(board, loaded_at=None, utilization=0.53, before=first)["utilization"] == "0.53"


def test_messages_are_short_and_hold_no_password(board: HandmadeBoard) -> None:
    """Whatever a camera's library says."""
    board.refusal = "rtsp://admin:secret@10.0.0.7/1 " + "x" * 5000
    report = document(board, loaded_at=None, utilization=None, before={})
    assert len(report["refusal"]) == 1024
    assert "secret" not in report["refusal"]
    assert "admin" in report["refusal"]


def test_before_the_first_schedule_there_is_little_to_say(board: HandmadeBoard) -> None:
    """But a refusal is."""
    board.plan = None
    board.states = []
    board.refusal = "not readable as JSON"
    report = document(board, loaded_at=None, utilization=None, before={})
    assert report == {"streams": [], "apps": [], "refusal": "not readable as JSON"}
    assert urgent(report) != urgent({"streams": [], "apps": []})


def _check(value: Any, schema: Mapping[str, Any], path: str, found: set[str]) -> None:
    found.add(path)
    if schema["type"] == "object":
        assert set(value) <= set(schema["properties"]), path
        assert set(schema.get("required", ())) <= set(value), path
        for name, inner in value.items():
            _check(inner, schema["properties"][name], f"{path}.{name}", found)
    elif schema["type"] == "array":
        assert len(value) <= schema["maxItems"]
        for inner in value:
            _check(inner, schema["items"], f"{path}[]", found)
    else:
        assert isinstance(value, str), path
        assert len(value) <= schema.get("maxLength", len(value)), path
        assert value in schema.get("enum", (value,)), path
        if schema.get("format") == "date-time":
            datetime.fromisoformat(value)


def _fields(schema: Mapping[str, Any], path: str) -> set[str]:
    if schema["type"] == "object":
        return {path}.union(*(_fields(inner, f"{path}.{name}") for name, inner in schema["properties"].items()))
    if schema["type"] == "array":
        return {path} | _fields(schema["items"], f"{path}[]")
    return {path}
