"""Probes and metrics over HTTP, as a kubelet and a Prometheus ask for them."""

from dataclasses import replace
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from mainstream.errors import InputError
from mainstream_runner.board import SinkState
from mainstream_runner.health import serve_probes


def ask(board: Any, path: str) -> httpx.Response:
    with serve_probes(board, "127.0.0.1:0") as url:
        return httpx.get(url.rstrip("/") + path)


def samples(board: Any) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    answer = ask(board, "/metrics")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_a_runner_that_runs_is_alive_and_ready(board: Any) -> None:
    """Both answer 200 and give no reasons."""
    for path in ("/healthz", "/readyz"):
        answer = ask(board, path)
        assert (answer.status_code, answer.json()) == (200, {"ok": True, "reasons": [], "notes": []})


def test_a_loop_that_hangs_is_not_alive(board: Any) -> None:
    """Only a restart helps: both say so."""
    board.age = 60.0
    for path in ("/healthz", "/readyz"):
        answer = ask(board, path)
        assert answer.status_code == 503
        assert "60 s ago" in answer.json()["reasons"][0]


def test_without_a_schedule_it_is_alive_and_not_ready(board: Any) -> None:
    """A restart would not help."""
    board.plan = None
    assert ask(board, "/healthz").status_code == 200
    assert ask(board, "/readyz").json()["reasons"] == ["no schedule is loaded"]


def test_a_camera_that_never_came_makes_it_unready_until_another_is_analysed(board: Any) -> None:
    """A box with one dead camera of many serves the others; a box that has seen nothing serves nobody."""
    board.states = [replace(board.states[0], phase="Unreachable", message="no route", frames=0)]
    board.analysed = 0
    answer = ask(board, "/readyz")
    assert answer.status_code == 503
    assert answer.json()["reasons"] == ["stream 'gate': Unreachable: no route"]
    board.analysed = 1
    answer = ask(board, "/readyz")
    assert (answer.status_code, answer.json()["notes"]) == (200, ["stream 'gate': Unreachable: no route"])


def test_faults_that_do_not_make_it_unready_are_named(board: Any) -> None:
    """A refused schedule, a sink that is away."""
    board.refusal = "blob is missing"
    board.sink_states = [SinkState(app="traffic/car", sink="mqtt://broker:1883 car", connected=False, queued=3)]
    answer = ask(board, "/readyz")
    assert answer.status_code == 200
    assert any("blob is missing" in note for note in answer.json()["notes"])
    assert any("mqtt://broker" in note for note in answer.json()["notes"])


def test_metrics_are_the_boards_numbers(board: Any) -> None:
    """Counters, gauges, a histogram and a state set, with their labels."""
    board.sink_states = [SinkState(app="traffic/car", sink="mqtt://broker", connected=True, queued=3, delivered=8)]
    found = samples(board)
    car = (("app", "traffic/car"), ("stream", "gate"))
    assert found["mainstream_app_frames_analysed_total", car] == 90
    assert found["mainstream_app_frames_dropped_total", (car[0], ("reason", "TooLate"), car[1])] == 7
    assert found["mainstream_app_frames_dropped_total", (car[0], ("reason", "DecodingBehind"), car[1])] == 0
    assert found["mainstream_app_latency_seconds_bucket", (car[0], ("le", "0.05"), car[1])] == 30
    assert found["mainstream_app_latency_seconds_count", car] == 90
    assert found["mainstream_stream_state", (("mainstream_stream_state", "Connected"), ("stream", "gate"))] == 1
    assert found["mainstream_stream_state", (("mainstream_stream_state", "Stalled"), ("stream", "gate"))] == 0
    assert found["mainstream_cost_measured_ratio", ()] == 0.33
    sink = (("app", "traffic/car"), ("sink", "mqtt://broker"))
    assert found["mainstream_sink_queued_records", sink] == 3
    assert found["mainstream_sink_records_delivered_total", sink] == 8
    assert found["process_resident_memory_bytes", ()] > 0


def test_pictures_are_not_on_the_probes_port(board: Any) -> None:
    """That port asks for no token."""
    assert ask(board, "/api/streams/gate/picture").status_code == 404


@pytest.mark.parametrize(
    ("address", "words"),
    [("8080", "HOST:PORT"), ("127.0.0.1:99999", "65535"), ("[::1:80", "HOST:PORT"), ("192.0.2.1:0", "cannot listen")],
)
def test_an_address_that_is_none_is_named(board: Any, address: str, words: str) -> None:
    """Before the first request."""
    with pytest.raises(InputError, match=words), serve_probes(board, address):
        pass


def test_an_address_that_is_taken_is_named(board: Any) -> None:
    """With what to do."""
    with serve_probes(board, "127.0.0.1:0") as url:
        port = httpx.URL(url).port
        with pytest.raises(InputError, match="in use") as caught, serve_probes(board, f"127.0.0.1:{port}"):
            pass
    assert "port 0" in str(caught.value)
