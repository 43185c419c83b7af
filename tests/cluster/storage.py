"""Volumes of the test cluster: folders of its nodes, bound when a pod is placed, as k3s' local-path does for its users."""

import json

from .nodes import Cluster

CLASS = "local"
_SIZE = "20Gi"


def add_storage(cluster: Cluster, *, volumes: int = 4) -> None:
    """Make ``CLASS`` the default class, with so many volumes on each node."""
    documents: list[dict[str, object]] = [
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
            "provisioner": "kubernetes.io/no-provisioner",
            "volumeBindingMode": "WaitForFirstConsumer",
        }
    ]
    for node in cluster.nodes:
        for number in range(volumes):
            folder = node.files.home / "volumes" / str(number)
            folder.mkdir(parents=True, exist_ok=True)
            documents.append(_volume(f"{node.name}-{number}", str(folder), node.name))
    cluster.plane.did(
        "apply", "--filename", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": documents})
    )


def remove_storage(cluster: Cluster) -> None:
    """Take all of it away again."""
    cluster.plane.did("delete", "storageclass", CLASS)
    cluster.plane.did("delete", "persistentvolume", "--all", "--wait=false")


def _volume(name: str, folder: str, node: str) -> dict[str, object]:
    on_node = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": _SIZE},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": CLASS,
            "local": {"path": folder},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [on_node]}]}},
        },
    }
