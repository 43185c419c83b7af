"""Who may do what: the operator with the rights that it says it needs, a runner's token with its two."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mainstream.jobs import JobResult
from mainstream.resources.names import runner_name
from mainstream_operator.rights import RIGHTS, everything

from .control_plane import ControlPlane
from .objects import is_ready
from .operated import NAMESPACE, Operated
from .packages import Registry
from .stage import Stage, edge_node, packaged_app
from .waiting import eventually

pytestmark = pytest.mark.cluster

ACCOUNT = "mainstream-operator"


def _rules(*scopes: str) -> list[dict[str, Any]]:
    return [
        {"apiGroups": [group], "resources": [resource], "verbs": sorted(verbs)}
        for scope in scopes
        for (group, resource), verbs in RIGHTS[scope].items()  # type: ignore[index]
    ]


@pytest.fixture
def limited(governed: ControlPlane, stage: Stage, tmp_path: Path) -> Iterator[Path]:
    """A kubeconfig of an account that has what ``RIGHTS`` says and nothing else."""
    subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": NAMESPACE}
    group = "rbac.authorization.k8s.io"
    objects: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT, "namespace": NAMESPACE}},
        {
            "apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": {"name": ACCOUNT},
            "rules": _rules("cluster", "apps", "secrets"),
        },
        {
            "apiVersion": f"{group}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": ACCOUNT},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": ACCOUNT}, "subjects": [subject],
        },
        {
            "apiVersion": f"{group}/v1", "kind": "Role", "metadata": {"name": ACCOUNT, "namespace": NAMESPACE},
            "rules": _rules("own"),
        },
        {
            "apiVersion": f"{group}/v1", "kind": "RoleBinding", "metadata": {"name": ACCOUNT, "namespace": NAMESPACE},
            "roleRef": {"apiGroup": group, "kind": "Role", "name": ACCOUNT}, "subjects": [subject],
        },
    ]  # fmt: skip
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    governed.did("apply", "--filename", "-", stdin=text)
    yield _as_account(governed, ACCOUNT, tmp_path)
    governed.did("delete", "--filename", "-", stdin=text)
    del stage


def _as_account(plane: ControlPlane, name: str, folder: Path) -> Path:
    token = plane.did("create", "token", name, f"--namespace={NAMESPACE}").strip()
    config = yaml.safe_load(plane.kubeconfig.read_text())
    config["users"] = [{"name": "limited", "user": {"token": token}}]
    for context in config["contexts"]:
        context["context"]["user"] = "limited"
    path = folder / f"{name}.kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path


def test_the_operator_does_what_it_may_and_may_what_it_does(
    operated: Operated, stage: Stage, artifacts: Registry, limited: Path
) -> None:
    """Every call is allowed, and every right is one that some call needs, or one that it grants to runners."""
    stage.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ca", "namespace": NAMESPACE},
         "data": {"ca.crt": stage.plane.authority.ca.read_text()}}
    )  # fmt: skip
    operated.kubeconfig = limited
    operated.settings["leaderElection"] = True
    operated.settings["registry"]["caConfigMap"] = "ca"
    stage.host("box-1")
    stage.apply(edge_node("box-1"))
    trained = packaged_app("trained", "traffic", "", "box-1")
    del trained["spec"]["package"]
    base = {"architecture": "MobileNet", "weights": "imagenet"}
    trained["spec"]["training"] = {"baseDnn": base, "dataset": {"uri": "s3://data/x"}}
    stage.apply(trained)
    app = packaged_app("red-car", "traffic", artifacts.push_app("traffic/red-car"), "box-1")
    stage.apply(app)
    operated.start()
    stage.bring_up("box-1")
    [job] = eventually("an import", lambda: stage.jobs(NAMESPACE, "base-dnn"), why=operated.tail)
    stage.end_job(job, JobResult(reference=artifacts.push_base()))
    eventually("a training", lambda: stage.jobs("traffic", "trainer"), why=operated.tail)
    # Another schedule for the running pod, then a training that nobody wants, then nothing.
    stage.apply(packaged_app("red-car", "traffic", artifacts.push_app("traffic/red-car", seed=1), "box-1"))
    trained["spec"]["training"]["epochs"] = 3
    stage.apply(trained)
    eventually("its pod is told", lambda: _called(operated).get(("patch", "", "pods")), why=operated.tail)
    eventually("the old training ends", lambda: _called(operated).get(("delete", "batch", "jobs")), why=operated.tail)
    stage.delete(trained)
    stage.delete(app)
    eventually("its runner goes", lambda: _called(operated).get(("delete", "", "secrets")), why=operated.tail)

    called = {(group, resource, verb) for verb, group, resource in _called(operated)}
    kopfs = {
        (group, resource, verb)
        for group, resource in [
            ("mainstream.dev", "edgenodes"), ("mainstream.dev", "mainstreamapps"), ("", "nodes"), ("", "namespaces")
        ]
        for verb in ("list", "watch")
    }  # fmt: skip
    granted = {("mainstream.dev", "edgenodes/status", "patch")} | {
        ("coordination.k8s.io", "leases", verb) for verb in ("get", "patch", "update")
    }
    at_its_end = {("coordination.k8s.io", "leases", "delete")}  # of a leader, after its last metrics
    rights = {(group, resource, verb) for (group, resource), verbs in everything().items() for verb in verbs}
    applied = {
        (group, resource, "create") for group, resource, verb in called if verb == "patch" and "/" not in resource
    }
    assert called | kopfs <= rights
    assert rights <= called | kopfs | granted | applied | at_its_end
    denied = [record for record in operated.records() if "forbidden" in json.dumps(record).lower()]
    assert not denied, denied[:3]


def _called(operated: Operated) -> dict[tuple[str, str, str], float]:
    found = {}
    for name, value in operated.metrics().items():
        if name.startswith("mainstream_api_calls_total"):
            labels = dict(part.split("=") for part in name.partition("{")[2].rstrip("}").split(","))
            verb, group, resource = (labels[one].strip('"') for one in ("verb", "group", "resource"))
            found[verb, group, resource] = value
    return found


def test_a_runners_token_can_do_nothing_but_what_it_must(
    operated: Operated, stage: Stage, artifacts: Registry, tmp_path: Path
) -> None:
    """One EdgeNode's status and one Lease; not another's, no Secret, no pod."""
    for box in ("box-1", "box-2"):
        stage.host(box)
        stage.apply(edge_node(box))
        stage.apply(packaged_app(f"app-{box}", "traffic", artifacts.push_app(f"traffic/{box}"), box))
    operated.start()
    for box in ("box-1", "box-2"):
        stage.bring_up(box)
    assert is_ready(stage, "edgenodes", "box-1")
    kubeconfig = _as_account(stage.plane, runner_name("box-1"), tmp_path)
    lease = f"leases/{runner_name('box-1')}"

    def can(*question: str) -> bool:
        done = stage.plane.kubectl("--kubeconfig", kubeconfig, "auth", "can-i", *question)
        return done.stdout.strip().startswith("yes")

    assert can("patch", "edgenodes/box-1", "--subresource=status")
    assert can("get", lease, f"--namespace={NAMESPACE}")
    assert can("patch", lease, f"--namespace={NAMESPACE}")
    for question in (
        ("patch", "edgenodes/box-2", "--subresource=status"),
        ("patch", "edgenodes/box-1"),
        ("get", "edgenodes/box-1"),
        ("list", "mainstreamapps", "--all-namespaces"),
        ("get", "secrets", f"--namespace={NAMESPACE}"),
        ("get", f"secrets/{runner_name('box-1')}", f"--namespace={NAMESPACE}"),
        ("patch", f"leases/{runner_name('box-2')}", f"--namespace={NAMESPACE}"),
        ("create", "leases", f"--namespace={NAMESPACE}"),
        ("create", "pods", f"--namespace={NAMESPACE}"),
        ("get", "configmaps", f"--namespace={NAMESPACE}"),
        ("create", "clusterrolebindings"),
    ):
        assert not can(*question), question
