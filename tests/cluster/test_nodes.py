"""The cluster of the tests does what real ones do: pods run, nodes lose their power or their network and come back."""

import json

import pytest

from .control_plane import ControlPlane
from .hosts import processes_of
from .images import BUSYBOX
from .nodes import Cluster

pytestmark = pytest.mark.cluster


def _pod(name: str, script: str, *, node: str, restart: str = "Never") -> str:
    container = {
        "name": "main",
        "image": BUSYBOX,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", script],
        "resources": {"limits": {"memory": "32Mi", "cpu": "500m"}},
    }
    spec: dict[str, object] = {
        "containers": [container],
        "restartPolicy": restart,
        "terminationGracePeriodSeconds": 0,
        "tolerations": [{"operator": "Exists"}],
        "nodeSelector": {"kubernetes.io/hostname": node},
    }
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})


def _create(plane: ControlPlane, pod: str) -> None:
    plane.did("create", "--filename", "-", stdin=pod)


def _wait(cluster: Cluster, name: str, jsonpath: str, value: str) -> None:
    shown = ("get", "pod", name, f"--output=jsonpath={jsonpath}")

    def reached() -> bool:
        return cluster.plane.kubectl(*shown).stdout == value

    try:
        cluster.plane.processes.wait_until(f"pod {name}: {jsonpath} is {value}", reached, seconds=180)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{cluster.plane.did('describe', 'pod', name)}") from None


def test_a_pod_runs_to_completion(cluster: Cluster) -> None:
    """Scheduled, started, its log read, its termination message kept."""
    _create(cluster.plane, _pod("hello", "echo hello; echo done > /dev/termination-log", node="edge-1"))
    _wait(cluster, "hello", "{.status.phase}", "Succeeded")
    assert cluster.plane.did("logs", "hello") == "hello\n"
    ended = cluster.plane.got("pod", "hello")["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (ended["exitCode"], ended["message"]) == (0, "done\n")


def test_pods_of_two_nodes_reach_each_other(cluster: Cluster) -> None:
    """Over the pods' network, through a Service and by its name."""
    plane = cluster.plane
    _create(plane, _pod("server", "echo found > /index.html; httpd -f -p 8080 -h /", node="edge-1"))
    plane.did("label", "pod", "server", "app=server")
    plane.did("expose", "pod", "server", "--port=80", "--target-port=8080")
    _wait(cluster, "server", "{.status.phase}", "Running")
    _create(plane, _pod("asks", "until wget -q -O - http://server; do sleep 1; done", node="edge-2"))
    _wait(cluster, "asks", "{.status.phase}", "Succeeded")
    assert plane.did("logs", "asks").splitlines()[-1] == "found"


def test_a_node_that_lost_its_power_comes_back_with_its_pods(cluster: Cluster) -> None:
    """The same pod object runs again after the boot, restarted once; the other node never noticed."""
    (node,) = (one for one in cluster.nodes if one.name == "edge-2")
    _create(cluster.plane, _pod("survives", "sleep 1000", node=node.name, restart="Always"))
    _wait(cluster, "survives", "{.status.phase}", "Running")
    before = cluster.plane.got("pod", "survives")["metadata"]["uid"]
    node.cut()
    assert processes_of(f"ms-{node.name}") == []
    cluster.plane.processes.wait_until("edge-2 is NotReady", lambda: cluster.ready() == {"edge-1"})
    node.boot()
    _wait(cluster, "survives", "{.status.containerStatuses[0].restartCount}", "1")
    _wait(cluster, "survives", "{.status.phase}", "Running")
    assert cluster.plane.got("pod", "survives")["metadata"]["uid"] == before
    _until_ready(cluster)


def test_a_node_without_network_runs_on(cluster: Cluster) -> None:
    """NotReady while the cable is out; its pod is the same afterwards, and was not restarted."""
    (node,) = (one for one in cluster.nodes if one.name == "edge-1")
    _create(cluster.plane, _pod("goes-on", "sleep 1000", node=node.name))
    _wait(cluster, "goes-on", "{.status.phase}", "Running")
    node.unplug()
    cluster.plane.processes.wait_until("edge-1 is NotReady", lambda: cluster.ready() == {"edge-2"})
    node.plug()
    _until_ready(cluster)
    (status,) = cluster.plane.got("pod", "goes-on")["status"]["containerStatuses"]
    assert (status["restartCount"], list(status["state"])) == (0, ["running"])


def _until_ready(cluster: Cluster) -> None:
    names = {node.name for node in cluster.nodes}
    cluster.plane.processes.wait_until("all nodes are Ready", lambda: cluster.ready() == names)
