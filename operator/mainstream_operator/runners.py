"""The objects of an edge node's runner: its Deployment, schedule, credentials, cache and rights. Pure."""

import base64
from collections.abc import Mapping
from typing import Any

from mainstream.jobs import CA_FILE, SECRETS_FOLDER, WORK_FOLDER
from mainstream.resources.edgenode import EdgeNode
from mainstream.resources.names import (
    COMPONENT,
    EDGE_NODE,
    PROBES_PORT,
    SCHEDULE_FILE,
    WEB_PORT,
    cache_name,
    label_value,
    runner_name,
    schedule_name,
)
from mainstream.schedule import Schedule
from mainstream_operator import pods
from mainstream_operator.pods import Mounts, Plain
from mainstream_operator.settings import Settings

SCHEDULE_FOLDER = "/etc/mainstream/schedule"
CACHE_FOLDER = f"{WORK_FOLDER}/cache"
EDGE_NODE_ANNOTATION = "mainstream.dev/edge-node-name"
"""The edge node's whole name, where a label's value would be too long for it."""
GRAPHS_SIZE = "2Gi"
"""Of ``/tmp``, where graphs are joined: two schedules' at a time, each with packed weights. Too small evicts the pod."""
END_SECONDS = 20
"""Open events are ended and handed to the queue within a second; sinks get the rest."""


def runner_objects(
    edge_node: EdgeNode,
    uid: str,
    host: str,
    schedule: Schedule,
    credentials: Mapping[str, bytes],
    settings: Settings,
) -> tuple[Plain, ...]:
    """All objects, in the order in which they are applied: what the pod needs is there before it."""
    build = _Builder(edge_node, uid, settings)
    return (
        build.schedule(schedule),
        build.credentials(credentials),
        *(() if settings.cache.host_path else (build.cache(),)),
        *build.rights(),
        build.lease(),
        build.deployment(host),
    )


def credentials_object(edge_node: EdgeNode, uid: str, credentials: Mapping[str, bytes], settings: Settings) -> Plain:
    """The runner's Secret alone: measuring needs it before there is a runner."""
    return _Builder(edge_node, uid, settings).credentials(credentials)


class _Builder:
    """For one edge node."""

    def __init__(self, edge_node: EdgeNode, uid: str, settings: Settings) -> None:
        self._node = edge_node
        self._settings = settings
        self._name = runner_name(edge_node.metadata.name)
        self._owner = pods.owner("EdgeNode", edge_node.metadata.name, uid)
        self._labels = pods.managed({COMPONENT: "runner", EDGE_NODE: label_value(edge_node.metadata.name)})

    def schedule(self, schedule: Schedule) -> Plain:
        """The ConfigMap that is mounted as a folder: the kubelet refreshes it in a running pod."""
        data = {SCHEDULE_FILE: schedule.to_json().decode()}
        return self._object("v1", "ConfigMap", schedule_name(self._node.metadata.name), data=data)

    def credentials(self, values: Mapping[str, bytes]) -> Plain:
        """The Secret with all that the box needs to log in anywhere."""
        data = {key: base64.b64encode(value).decode() for key, value in sorted(values.items())}
        return self._object("v1", "Secret", self._name, type="Opaque", data=data)

    def cache(self) -> Plain:
        """The claim that survives pods."""
        cache = self._settings.cache
        spec: Plain = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": cache.size}}}
        if cache.storage_class is not None:
            spec["storageClassName"] = cache.storage_class
        return self._object("v1", "PersistentVolumeClaim", cache_name(self._node.metadata.name), spec=spec)

    def rights(self) -> tuple[Plain, ...]:
        """One EdgeNode's status, one Lease; nothing else."""
        status = {
            "apiGroups": ["mainstream.dev"], "resources": ["edgenodes/status"],
            "resourceNames": [self._node.metadata.name], "verbs": ["patch"],
        }  # fmt: skip
        lease = {
            "apiGroups": ["coordination.k8s.io"], "resources": ["leases"],
            "resourceNames": [self._name], "verbs": ["get", "patch", "update"],
        }  # fmt: skip
        account = {"kind": "ServiceAccount", "name": self._name, "namespace": self._settings.namespace}
        group, version = "rbac.authorization.k8s.io", "rbac.authorization.k8s.io/v1"

        def bound(kind: str) -> Plain:
            return {"roleRef": {"apiGroup": group, "kind": kind, "name": self._name}, "subjects": [account]}

        return (
            self._object("v1", "ServiceAccount", self._name, automountServiceAccountToken=False),
            self._object(version, "ClusterRole", self._name, rules=[status]),
            self._object(version, "ClusterRoleBinding", self._name, **bound("ClusterRole")),
            self._object(version, "Role", self._name, rules=[lease]),
            self._object(version, "RoleBinding", self._name, **bound("Role")),
        )

    def lease(self) -> Plain:
        """The runner renews it; it is made here because its right to create one could not be limited to a name."""
        return self._object("coordination.k8s.io/v1", "Lease", self._name)

    def deployment(self, host: str) -> Plain:
        """One pod on that node; nothing in it depends on the schedule, so a new schedule restarts nothing."""
        spec = self._node.spec
        mounts = self._mounts()
        security = pods.container_security(spec.streams)
        pod: Plain = {
            "serviceAccountName": self._name,
            "automountServiceAccountToken": True,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": END_SECONDS,
            "securityContext": pods.POD_SECURITY,
            "affinity": pods.on_node(host),
            "tolerations": pods.ANYWHERE,
            "containers": [
                {
                    "name": "runner",
                    "image": self._settings.images.runner,
                    "imagePullPolicy": self._settings.images.pull_policy,
                    "args": self._arguments(),
                    "env": [{"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}],
                    "resources": {
                        "requests": {"cpu": "100m", "memory": "128Mi"},
                        "limits": {"cpu": f"{spec.budget.cpu:g}", "memory": str(spec.budget.memory)},
                    },
                    "ports": [{"name": "probes", "containerPort": PROBES_PORT}],
                    "startupProbe": _probe("/healthz", period=5, failures=60),
                    "livenessProbe": _probe("/healthz", period=20, failures=3),
                    "readinessProbe": _probe("/readyz", period=10, failures=3),
                    "terminationMessagePolicy": "FallbackToLogsOnError",
                    "securityContext": security,
                    "volumeMounts": list(mounts.mounts),
                }
            ],
            "volumes": list(mounts.volumes),
            **pods.pull_secrets(self._settings),
        }
        if self._settings.runner.priority_class is not None:
            pod["priorityClassName"] = self._settings.runner.priority_class
        annotations = {EDGE_NODE_ANNOTATION: self._node.metadata.name}
        selector = {COMPONENT: "runner", EDGE_NODE: label_value(self._node.metadata.name)}
        return self._object(
            "apps/v1",
            "Deployment",
            self._name,
            spec={
                "replicas": 1,
                "revisionHistoryLimit": 2,
                "strategy": {"type": "Recreate"},
                "selector": {"matchLabels": selector},
                "template": {"metadata": {"labels": self._labels, "annotations": annotations}, "spec": pod},
            },
        )

    def _arguments(self) -> list[str]:
        settings = self._settings
        arguments = [
            *("run", "--schedule", f"{SCHEDULE_FOLDER}/{SCHEDULE_FILE}", "--secrets", SECRETS_FOLDER),
            *("--cache", CACHE_FOLDER, "--cache-limit", settings.cache.size, "--store", f"{CACHE_FOLDER}/store"),
            *("--registry-credentials", SECRETS_FOLDER, "--no-events", "--logs", "json"),
            *("--probes", f":{PROBES_PORT}", "--web", f"127.0.0.1:{WEB_PORT}"),
            *("--report", self._node.metadata.name),
            *("--report-seconds", str(settings.runner.report_seconds)),
            *("--lease-seconds", str(settings.runner.lease_seconds)),
        ]
        for registry in settings.registry.plain_http:
            arguments += ["--plain-http", registry]
        if settings.registry.ca_config_map is not None:
            arguments += ["--registry-ca", CA_FILE]
        return arguments

    def _mounts(self) -> Mounts:
        name, cache = self._node.metadata.name, self._settings.cache
        kept: Plain = (
            {"hostPath": {"path": cache.host_path, "type": "Directory"}}  # one that the kubelet made would be root's
            if cache.host_path
            else {"persistentVolumeClaim": {"claimName": cache_name(name)}}
        )
        mounts = (
            pods.scratch(GRAPHS_SIZE)
            + pods.mount("schedule", SCHEDULE_FOLDER, {"configMap": {"name": schedule_name(name)}})
            + pods.mount("secrets", SECRETS_FOLDER, {"secret": {"secretName": self._name, "optional": True}})
            + pods.mount("cache", CACHE_FOLDER, kept, read_only=False)
            + pods.stream_files(self._node.spec.streams)
        )
        if self._settings.registry.ca_config_map is not None:
            ca: Plain = {"configMap": {"name": self._settings.registry.ca_config_map}}
            mounts += pods.mount("registry-ca", CA_FILE.rpartition("/")[0], ca)
        return mounts

    def _object(self, version: str, kind: str, name: str, **rest: Any) -> Plain:
        metadata: Plain = {"name": name, "labels": self._labels, "ownerReferences": self._owner}
        if not kind.startswith("Cluster"):
            metadata["namespace"] = self._settings.namespace
        return {"apiVersion": version, "kind": kind, "metadata": metadata, **rest}


def _probe(path: str, *, period: int, failures: int) -> Plain:
    return {
        "httpGet": {"path": path, "port": "probes"},
        "periodSeconds": period,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }
