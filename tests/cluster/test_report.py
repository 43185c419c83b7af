"""The runner's report and Lease on a real API server, with the rights that the operator gives it and no others."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from mainstream.basednn import BaseDnn
from mainstream.packages.folder import StoreFolder
from mainstream.resources.names import RUNNER, runner_name
from mainstream_operator.runner_state import runner_ready, streams_connected

from .control_plane import ControlPlane
from .reporting_runner import NAMESPACE, Box
from .waiting import eventually

pytestmark = pytest.mark.cluster


@pytest.fixture
def make_box(
    apiserver: ControlPlane, tmp_path: Path, tiny_store: StoreFolder, tiny_base: BaseDnn, tiny_segments: list[bytes]
) -> Iterator[Callable[[str], Box]]:
    """Makes boxes; their runners and EdgeNodes are gone afterwards."""
    boxes: list[Box] = []
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    apiserver.did("apply", "-f-", stdin=json.dumps(namespace))

    def make(name: str) -> Box:
        boxes.append(Box(apiserver, name, tmp_path / name, tiny_store, tiny_base, tiny_segments))
        boxes[-1].create()
        return boxes[-1]

    yield make
    for box in boxes:
        box.kill()
        apiserver.did("delete", "edgenode", box.name, "--ignore-not-found")


def test_what_it_reports_is_what_the_operator_reads(make_box: Callable[[str], Box]) -> None:
    """Nothing to run, a schedule, one that is broken, one without apps, the end: each time the operator knows."""
    box = make_box("gate-1")
    box.start()
    eventually("alive", lambda: box.state().alive, why=box.log)
    assert (box.probe("/healthz"), box.probe("/readyz")) == (200, 503)
    assert box.state().digest is None
    assert box.lease()["spec"]["holderIdentity"] == "gate-1-pod"

    schedule = box.schedule(apps=2)
    box.publish(schedule)
    eventually("frames of both apps", lambda: _looks(box) == 2, why=box.log)
    state = box.state()
    assert state.digest == schedule.digest
    assert state.loaded_at is not None
    assert runner_ready(state, schedule.digest, host_ready=True, host="host").reason == "Ready"
    assert streams_connected(state, schedule.digest, []).reason == "Ready"
    assert set(state.apps) == {"traffic/app-0", "traffic/app-1"}
    eventually("an event's time", lambda: box.report()["apps"][0].get("lastEventAt"), why=box.log)
    assert (box.probe("/healthz"), box.probe("/readyz")) == (200, 200)

    box.publish(b"{broken")
    eventually("the refusal", lambda: box.state().refusal, why=box.log)
    newer = "sha256:" + "0" * 64
    assert runner_ready(box.state(), newer, host_ready=True, host="host").reason == "ScheduleRefused"
    assert box.state().digest == schedule.digest
    assert _looks(box) == 2

    empty = box.schedule(apps=0)
    box.publish(empty)
    eventually("nothing runs", lambda: box.state().digest == empty.digest, why=box.log)
    report = box.report()  # the API server drops a list that is applied empty after it had entries
    assert (report.get("apps", []), report.get("streams", [])) == ([], [])
    assert "refusal" not in box.report()
    assert box.probe("/readyz") == 200
    box.publish(schedule)
    eventually("it runs again", lambda: box.state().digest == schedule.digest and _looks(box) == 2, why=box.log)
    assert box.stop() == 143
    assert "Traceback" not in box.log()


def test_both_write_one_status_and_neither_touches_the_others_part(
    make_box: Callable[[str], Box], apiserver: ControlPlane
) -> None:
    """By server-side apply: the runner owns ``status.runner`` and nothing else."""
    box = make_box("gate-2")
    box.start()
    eventually("a report", lambda: "apps" in box.report(), why=box.log)
    mine = {
        "apiVersion": "mainstream.dev/v1alpha1",
        "kind": "EdgeNode",
        "metadata": {"name": "gate-2"},
        "status": {"nodeName": "host", "observedGeneration": 1},
    }
    applied = ("apply", "--server-side", "--subresource=status", "--field-manager=mainstream-operator", "-f-")
    apiserver.did(*applied, stdin=json.dumps(mine))
    box.publish(box.schedule())
    eventually("the schedule", lambda: box.state().digest is not None, why=box.log)
    found = apiserver.got("edgenode", "gate-2", "--show-managed-fields")
    assert found["status"]["nodeName"] == "host"
    (owned,) = (one for one in found["metadata"]["managedFields"] if one["manager"] == RUNNER)
    assert (owned["operation"], owned["subresource"]) == ("Apply", "status")
    assert set(owned["fieldsV1"]) == {"f:status"}
    assert set(owned["fieldsV1"]["f:status"]) == {"f:runner"}


def test_nothing_is_written_while_nothing_changes(make_box: Callable[[str], Box], apiserver: ControlPlane) -> None:
    """An idle runner renews its Lease; its EdgeNode stays as it is over several reports' time."""
    box = make_box("gate-3")
    box.start()
    eventually("a report", lambda: "apps" in box.report(), why=box.log)
    before = apiserver.got("edgenode", "gate-3")["metadata"]["resourceVersion"]
    first = box.lease()["spec"]["renewTime"]
    moments = {first}

    def renewed() -> bool:
        moments.add(box.lease()["spec"]["renewTime"])
        return len(moments) > 6  # a report is due at least twice meanwhile

    eventually("six renewals", renewed, why=box.log)
    assert apiserver.got("edgenode", "gate-3")["metadata"]["resourceVersion"] == before


def test_its_token_can_do_nothing_else(make_box: Callable[[str], Box], apiserver: ControlPlane) -> None:
    """Every verb on every resource that the server has, and its own objects with other verbs: forbidden."""
    box, other = make_box("gate-4"), make_box("gate-5")
    lease = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/{runner_name(box.name)}"
    status = "/apis/mainstream.dev/v1alpha1/edgenodes/gate-4/status"
    merge = {"Content-Type": "application/merge-patch+json"}
    with box.client() as client:
        assert client.get(lease).status_code == 200
        held = client.get(lease).json()
        assert client.put(lease, json=held).status_code == 200
        assert client.patch(lease, json={"spec": {"leaseDurationSeconds": 9}}, headers=merge).status_code == 200
        assert client.patch(status, json={"status": {"runner": {}}}, headers=merge).status_code == 200

        for method, path in (
            ("GET", status), ("PUT", status), ("DELETE", lease), ("GET", status.removesuffix("/status")),
            ("PATCH", status.removesuffix("/status")), ("PATCH", status.replace("gate-4", other.name)),
            ("PATCH", lease.replace("gate-4", other.name)), ("GET", lease.rpartition("/")[0]),
        ):  # fmt: skip
            answer = client.request(method, path, json={}, headers=merge if method == "PATCH" else None)
            assert answer.status_code == 403, (method, path, answer.text)

        tried = 0
        for place, resource in _resources(apiserver):
            name = f"{place}/some-name" if "/" not in resource["name"] else f"{place}/some-name/{_sub(resource)}"
            for verb in resource["verbs"]:
                answer = _try(client, verb, place if "/" not in resource["name"] else name, name)
                if answer is not None:
                    tried += 1
                    assert answer.status_code == 403, (verb, resource["name"], answer.text)
    assert tried > 300


class Line:
    """Between the runner and the API server; it can be cut."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._cut = False
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """All connections break, and new ones, too."""
        self._cut = True
        for one in list(self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """New connections reach the server again."""
        self._cut = False

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                if self._cut:
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self._to))
                self._open |= {client, server}
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    @staticmethod
    def _pass_on(one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(1 << 16):
                other.sendall(data)
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def test_while_the_api_server_is_away_it_runs_on_and_tells_when_it_is_back(make_box: Callable[[str], Box]) -> None:
    """A schedule that came meanwhile is what it reports; the Lease is renewed again."""
    box = make_box("gate-6")
    line = Line(box.port)
    box.port = line.port
    box.publish(box.schedule(apps=1))
    box.start()
    eventually("frames", lambda: _looks(box) == 1, why=box.log)
    line.cut()
    eventually("it notices", lambda: "cannot renew the Lease" in box.log(), why=box.log)
    newer = box.schedule(apps=2)
    box.publish(newer)
    eventually("it runs on", lambda: f"schedule {newer.digest[7:19]} runs" in box.log(), why=box.log)
    assert box.probe("/readyz") == 200
    cut_at = datetime.now(UTC)
    assert box.state().digest != newer.digest
    line.mend()
    eventually("its report", lambda: box.state().digest == newer.digest and _looks(box) == 2, why=box.log)
    renewed = box.lease()["spec"]["renewTime"]
    eventually("its Lease", lambda: box.state().alive and renewed > cut_at.isoformat(), why=box.log)
    assert box.stop() == 143


def test_a_token_that_is_renewed_counts_at_once(make_box: Callable[[str], Box]) -> None:
    """The kubelet renews the file; who was refused is not for ever."""
    box = make_box("gate-7")
    good = (box.account / "token").read_text()
    (box.account / "token").write_text("expired")
    box.start()
    eventually("refused", lambda: "API server says 401" in box.log(), why=box.log)
    assert box.probe("/healthz") == 200
    (box.account / "token").write_text(good)
    eventually("a report", lambda: "apps" in box.report(), why=box.log)


def test_started_with_a_broken_schedule_it_runs_what_ran_before(make_box: Callable[[str], Box]) -> None:
    """From its cache; what it was told is refused, and reported as that."""
    box = make_box("gate-8")
    good = box.schedule()
    box.publish(good)
    box.start()
    eventually("frames", lambda: _looks(box) == 1, why=box.log)
    assert box.stop() == 143
    broken = json.loads(good.to_json())
    broken["cost"] = "0.5"
    box.publish(json.dumps(broken).encode())
    box.start()
    eventually(
        "both", lambda: box.state().digest == good.digest and "the schedule's is" in box.state().refusal, why=box.log
    )
    eventually("ready", lambda: box.probe("/readyz") == 200, why=box.log)


def _looks(box: Box) -> int:
    """How many of the reported apps look at frames."""
    return sum(float(one.get("fps", "0")) > 0 for one in box.report().get("apps", ()))


def _sub(resource: dict[str, Any]) -> str:
    return str(resource["name"].partition("/")[2])


def _resources(plane: ControlPlane) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every resource that the server has, and where its objects are; but what everybody may ask about himself."""
    with plane.client() as client:
        places = ["/api/v1"]
        places += [
            f"/apis/{group['preferredVersion']['groupVersion']}" for group in client.get("/apis").json()["groups"]
        ]
        for place in places:
            for resource in client.get(place).json()["resources"]:
                kind = resource["name"].partition("/")[0]
                if not kind.startswith("selfsubject"):
                    space = f"/namespaces/{NAMESPACE}" if resource["namespaced"] else ""
                    yield f"{place}{space}/{kind}", resource


def _try(client: httpx.Client, verb: str, place: str, name: str) -> httpx.Response | None:
    if verb in {"create", "deletecollection", "list"}:
        method = {"create": "POST", "deletecollection": "DELETE", "list": "GET"}[verb]
        return client.request(method, place, json={} if method == "POST" else None)
    if verb in {"get", "update", "patch", "delete"}:
        method = {"get": "GET", "update": "PUT", "patch": "PATCH", "delete": "DELETE"}[verb]
        headers = {"Content-Type": "application/merge-patch+json"} if method == "PATCH" else None
        return client.request(method, name, json={} if method in {"PUT", "PATCH"} else None, headers=headers)
    if verb == "watch":
        return client.get(place, params={"watch": "true", "timeoutSeconds": "1"})
    return None
