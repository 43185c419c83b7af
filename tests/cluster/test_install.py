"""The chart's life on a real cluster, with the real images: install, upgrade, roll back, uninstall; with Helm 4 and Helm 3.

The tests of this file are one story, in their order.
"""

import json
import re
import textwrap
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml

from .built_images import IN_CLUSTER_REGISTRY, Registry
from .chart_tools import chart_tool
from .control_plane import ControlPlane
from .nodes import Cluster
from .releases import Release, Values, usual_values

pytestmark = pytest.mark.cluster

USER = 65532
LEFT_ALONE = {"ConfigMap/kube-root-ca.crt", "ServiceAccount/default"}
"""What every namespace has."""


def values(registry: Registry) -> Values:
    """With a registry in the cluster, on a volume that ``_volume`` made."""
    repository, _, tag = IN_CLUSTER_REGISTRY.rpartition(":")
    in_cluster = {
        "enabled": True,
        "image": {"repository": repository, "tag": tag},
        "persistence": {"storageClass": "-"},
    }
    return {**usual_values(registry), "registry": {"inCluster": in_cluster}}


@pytest.fixture(scope="module")
def release(cluster: Cluster, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    """The chart, installed into a namespace that takes no pod with rights it need not have."""
    registry.push(["operator"])
    release = Release(plane=cluster.plane)
    cluster.plane.did("delete", "namespace", release.namespace, "--ignore-not-found")
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    _apply(
        cluster.plane,
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": release.namespace, "labels": labels}},
    )
    folder = tmp_path_factory.mktemp("packages")
    folder.chmod(0o777)
    volume = _volume(str(folder), cluster.nodes[0].name, release)
    _apply(cluster.plane, volume)
    release.install(values(registry))
    yield release
    if release.tried("status", release.name).returncode == 0:
        release.uninstall()
    cluster.plane.did("delete", "persistentvolume", volume["metadata"]["name"])
    cluster.plane.did("delete", "namespace", release.namespace)
    cluster.plane.did("delete", "customresourcedefinition", "--selector=app.kubernetes.io/part-of=mainstream")


def test_everything_runs_with_the_least_rights(release: Release) -> None:
    """Ready means for the operator: it has read its settings and everything that it watches."""
    assert _ready(release) == {"mainstream-operator": 1, "mainstream-registry": 1}


def test_the_crds_are_there(release: Release) -> None:
    """And are served."""
    assert release.plane.did("get", "edgenodes,mainstreamapps", "--all-namespaces") == ""


def test_notes_say_what_to_do_next(release: Release) -> None:
    """With the names of this very release, and an EdgeNode that the API server takes."""
    notes = release.tried("get", "notes", release.name).stdout
    edge_node = textwrap.dedent(notes.partition("<<EOF\n")[2].partition("   EOF")[0])
    edge_node = re.sub(r"\$\(.*\)", "edge-1", edge_node)
    assert release.plane.did("apply", "--dry-run=server", "--filename=-", stdin=edge_node).startswith("edgenode")
    assert f"mainstream-registry.{release.namespace}.svc:5000/mainstream" in notes


def test_nothing_can_be_deleted_through_the_registry(release: Release) -> None:
    """Not even by those who reach it."""
    selector = "--selector=app.kubernetes.io/component=registry"
    (pod,) = release.plane.got("pods", f"--namespace={release.namespace}", selector)["items"]
    path = f"v2/some/thing/manifests/sha256:{'0' * 64}"
    with pytest.raises(httpx.TransportError):  # nobody comes in but by the policy
        httpx.delete(f"http://{pod['status']['podIP']}:5000/{path}", trust_env=False)
    with release.plane.plugin.forwarded(f"pod/{pod['metadata']['name']}", 5000, namespace=release.namespace) as port:
        answer = httpx.delete(f"http://127.0.0.1:{port}/{path}", trust_env=False)
    assert answer.status_code == httpx.codes.METHOD_NOT_ALLOWED


def test_the_clean_up_reads_the_cluster_and_the_volume(release: Release) -> None:
    """It finds nothing to remove, and says so."""
    here = f"--namespace={release.namespace}"
    release.plane.did("create", "job", "try", here, "--from=cronjob/mainstream-registry-cleanup")
    waited = release.plane.kubectl("wait", "job/try", here, "--for=condition=Complete", "--timeout=90s")
    assert waited.returncode == 0, release.plane.kubectl("describe", "pods", here, "--selector=job-name=try").stdout
    assert release.plane.did("logs", "job/try", here).startswith("removed 0 manifests and 0 blobs, 0.0 MB")
    release.plane.did("delete", "job", "try", here)


def test_an_upgrade_restarts_the_operator_with_its_new_settings(release: Release, registry: Registry) -> None:
    """Here to two that elect one: both are ready, one leads."""
    before = _operators(release)
    operator = {"replicas": 2, "leaderElection": True, "resyncSeconds": 77, **values(registry)["operator"]}
    release.upgrade({**values(registry), "operator": operator})
    assert _settings(release)["resyncSeconds"] == 77
    assert _ready(release) == {"mainstream-operator": 2, "mainstream-registry": 1}
    release.plane.processes.wait_until("the old pod is gone", lambda: not before & _operators(release))


def test_a_rollback_brings_the_old_settings_back(release: Release) -> None:
    """And one operator."""
    release.rollback(1)
    assert (_settings(release)["resyncSeconds"], _settings(release)["leaderElection"]) == (300, False)
    assert _ready(release)["mainstream-operator"] == 1


def test_an_uninstalled_release_leaves_the_crds_alone(release: Release) -> None:
    """Nothing else of it is there: not in its namespace, and not outside."""
    release.uninstall()
    _until_only_these_are_left(
        release,
        {
            "CustomResourceDefinition/edgenodes.mainstream.dev",
            "CustomResourceDefinition/mainstreamapps.mainstream.dev",
        },
    )


def test_helm_3_installs_it_again_and_removes_all_of_it(release: Release, registry: Registry) -> None:
    """The CRDs that were kept are taken over; this time they go, too."""
    old = Release(plane=release.plane, helm=chart_tool("helm"))
    old.install({**usual_values(registry), "crds": {"keep": False}})
    assert _ready(old) == {"mainstream-operator": 1}
    old.uninstall()
    _until_only_these_are_left(old, set())


def _apply(plane: ControlPlane, body: dict[str, Any]) -> None:
    plane.did("apply", "--filename=-", stdin=json.dumps(body))


def _volume(folder: str, node: str, release: Release) -> dict[str, Any]:
    """For the registry's claim; the cluster of the tests makes none by itself."""
    expression = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "packages"},
        "spec": {
            "capacity": {"storage": "20Gi"},
            "accessModes": ["ReadWriteOnce"],
            "claimRef": {"namespace": release.namespace, "name": "mainstream-registry"},
            "persistentVolumeReclaimPolicy": "Retain",
            "local": {"path": folder},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}},
        },
    }


def _ready(release: Release) -> dict[str, int]:
    """How many pods of each Deployment are ready."""
    items = release.plane.got("deployments", f"--namespace={release.namespace}")["items"]
    return {item["metadata"]["name"]: item["status"].get("readyReplicas", 0) for item in items}


def _operators(release: Release) -> set[str]:
    selector = "--selector=app.kubernetes.io/component=operator"
    items = release.plane.got("pods", f"--namespace={release.namespace}", selector)["items"]
    return {item["metadata"]["name"] for item in items}


def _until_only_these_are_left(release: Release, expected: set[str]) -> None:
    """Helm waits for what it made; pods are their Deployments', and a Lease is its pod's."""
    found: set[str] = set()

    def is_so() -> bool:
        nonlocal found
        found = _left(release)
        return found <= expected

    release.plane.processes.wait_until("the rest is gone", is_so)
    assert found == expected


def _settings(release: Release) -> dict[str, Any]:
    held = release.plane.got("configmap", "mainstream-settings", f"--namespace={release.namespace}")
    read: dict[str, Any] = yaml.safe_load(held["data"]["settings.yaml"])
    return read


def _left(release: Release) -> set[str]:
    """Everything in the release's namespace, and everything of ours outside of namespaces."""
    listing = ("api-resources", "--verbs=list", "--output=name")
    inside = set(release.plane.did(*listing, "--namespaced=true").split()) - {"events", "events.events.k8s.io"}
    outside = release.plane.did(*listing, "--namespaced=false").split()
    ours = "--selector=app.kubernetes.io/part-of=mainstream"
    found = release.plane.got(",".join(sorted(inside)), f"--namespace={release.namespace}")["items"]
    found += release.plane.got(",".join(outside), ours)["items"]
    return {f"{body['kind']}/{body['metadata']['name']}" for body in found} - LEFT_ALONE
