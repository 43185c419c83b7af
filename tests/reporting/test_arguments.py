"""The Deployment that the operator makes and the command line that it starts: each argument is one, and has a place to be."""

from pathlib import PurePosixPath
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from mainstream.resources.edgenode import EdgeNode
from mainstream_operator.runners import runner_objects
from mainstream_operator.settings import Settings
from mainstream_runner import run_command
from mainstream_runner.idle import idle_schedule


def deployment(**registry: Any) -> dict[str, Any]:
    """The pod's template of a box's runner."""
    settings = Settings.from_plain(
        {
            "namespace": "mainstream-system",
            "images": {"runner": "r", "trainer": "t"},
            "registry": {"prefix": "registry:5000", **registry},
        },
        where="test",
    )
    plain = {"apiVersion": "mainstream.dev/v1alpha1", "kind": "EdgeNode", "metadata": {"name": "gate-3"}, "spec": {}}
    node = EdgeNode.from_plain(plain, where="test")
    objects = runner_objects(node, "uid", "host", idle_schedule("gate-3"), {}, settings)
    pod: dict[str, Any] = objects[-1]["spec"]["template"]["spec"]
    return pod


FULL = {"plainHttp": ["registry:5000", "10.0.0.7:5000"], "caConfigMap": "ca"}


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the command line understands of the arguments; nothing is run."""
    for name in ("MAINSTREAM_STORE", "MAINSTREAM_SECRETS"):
        monkeypatch.delenv(name, raising=False)
    app = typer.Typer()
    run_command.run(app)
    app.command("other")(lambda: None)  # so that ``run`` stays a verb
    command = typer.main.get_command(app).commands["run"]  # type: ignore[attr-defined]
    verb, *arguments = deployment(**FULL)["containers"][0]["args"]
    assert verb == "run"
    found: dict[str, Any] = command.make_context("run", list(arguments)).params
    return found


def test_the_command_line_takes_every_argument(parsed: dict[str, Any]) -> None:
    """And means by it what the operator means."""
    assert parsed["report"] == "gate-3"
    assert (parsed["report_seconds"], parsed["lease_seconds"]) == (300, 40)
    assert (parsed["no_events"], parsed["events"], parsed["logs"]) == (True, None, "json")
    assert parsed["plain_http"] == ["registry:5000", "10.0.0.7:5000"]
    assert str(parsed["registry_credentials"]) == str(parsed["secrets"]) == "/etc/mainstream/secrets"
    assert (parsed["probes"], parsed["web"]) == (":8081", "127.0.0.1:8080")


def test_every_path_is_mounted_and_what_is_written_is_writable(parsed: dict[str, Any]) -> None:
    """The root is read-only."""
    pod = deployment(**FULL)
    (container,) = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    mounts = {one["mountPath"]: one.get("readOnly", False) for one in container["volumeMounts"]}
    assert mounts["/tmp"] is False  # noqa: S108 - in the pod: graphs are joined there
    for name, read_only in (
        ("schedule", True), ("secrets", True), ("registry_credentials", True), ("registry_ca", True),
        ("cache", False), ("store", False),
    ):  # fmt: skip
        path = PurePosixPath(str(parsed[name]))
        (mount,) = (place for place in mounts if path.is_relative_to(place))
        assert mounts[mount] is read_only, (name, mount)


def test_probes_ask_where_the_runner_answers(parsed: dict[str, Any]) -> None:
    """The named port is the one that it listens on."""
    (container,) = deployment()["containers"]
    (port,) = (one for one in container["ports"] if one["name"] == "probes")
    assert parsed["probes"] == f":{port['containerPort']}"
    assert container["livenessProbe"]["httpGet"] == container["startupProbe"]["httpGet"]
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--report", "gate"], "give exactly one of"),
        (["--report", "gate", "-f", "."], "--schedule"),
        (["--report", "gate", "--schedule", "s.json"], "KUBERNETES_SERVICE_HOST"),
        (["--schedule", "s.json", "--no-events", "--events", "e.jsonl"], "exclude each other"),
    ],
)
def test_what_does_not_go_together_is_said(monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str) -> None:
    """Before anything is opened."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    app = typer.Typer()
    run_command.run(app)
    done = CliRunner().invoke(app, arguments)
    assert says in str(done.exception)
