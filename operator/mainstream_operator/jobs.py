"""The Jobs that the operator creates: base DNN import, training, assembling, profiling. Pure: objects from plain values."""

from collections.abc import Iterable, Sequence
from typing import Any

from mainstream.documents import canonical_json, sha256
from mainstream.jobs import (
    DATASET_FOLDER,
    SECRETS_FOLDER,
    TASK_VARIABLE,
    BaseDnnTask,
    ProfileTask,
    Registries,
    TrainTask,
)
from mainstream.resources.app import BaseDnnRef, MainstreamApp, Training
from mainstream.resources.edgenode import EdgeNode
from mainstream.resources.names import APP, COMPONENT, EDGE_NODE, label_value, runner_name, short
from mainstream_operator import pods
from mainstream_operator.pods import Mounts, Plain
from mainstream_operator.settings import Settings

HASH = "mainstream.dev/hash"
"""Label of a Job: of what it was made for."""
CPU = "mainstream.dev/cpu"
"""Label of a profiler's Job: the limit that it measures under, in cores."""
SHARES = "mainstream.dev/shares"
"""Label of a training Job: how many pods share the branchpoints; the spec may say another number by the time they are done."""
QUEUE_LABELS = ("kueue.x-k8s.io/queue-name", "kueue.x-k8s.io/priority-class")
"""Passed on from an app to its Jobs: Kueue admits them then."""
PVC = "pvc://"
WRONG_INPUT = 2
"""Exit status after which a second try would fail alike."""
PROFILE_SECONDS = 1800
BASE_SECONDS = 3600


def base_hash(base: BaseDnnRef, image: str) -> str:
    """Of a base DNN's import: what is imported and by which program, 16 digits."""
    return _hash(["base", base.plain(), image])


def training_hash(app: MainstreamApp, base_reference: str, crop: Sequence[float], image: str) -> str:
    """Of everything that an app's training depends on but the data themselves, 16 digits."""
    training = app.spec.training
    plain = training.plain() if training else {}
    asked = {name: plain[name] for name in ("dataset", "branchpoints", "epochs", "seed") if name in plain}
    return _hash(["train", asked, list(app.spec.events), base_reference, [format(edge, ".9g") for edge in crop], image])


def base_job(base: BaseDnnRef, settings: Settings) -> Plain:
    """Imports a base DNN, in the operator's namespace."""
    mark = base_hash(base, settings.images.trainer)
    name = f"{base.architecture}".lower()
    task = BaseDnnTask(
        base_dnn=base, push=f"{settings.registry.prefix}/base/{name}-{mark}", registries=_registries(settings)
    )
    return _job(
        settings,
        name=f"mainstream-base-{mark}",
        namespace=settings.namespace,
        labels={COMPONENT: "base-dnn", HASH: mark},
        image=settings.images.trainer,
        task=task.canonical(),
        mounts=pods.scratch() + pods.work("4Gi") + pods.registry_access(settings),
        resources=_trainer_resources(settings, None),
        pod={},
        seconds=BASE_SECONDS,
    )


def train_job(
    app: MainstreamApp,
    uid: str,
    *,
    base_reference: str,
    crop: tuple[float, float, float, float],
    settings: Settings,
    edge_hosts: Iterable[str],
    shares: int,
    assemble: bool = False,
) -> Plain:
    """Trains an app's Model Set in so many shares, or (``assemble``) makes one M-Package of their parts.

    In the app's namespace, owned by it.
    """
    training = app.spec.training
    if training is None:
        raise ValueError(f"Expected an app that asks for training, got {app.key}")
    mark = training_hash(app, base_reference, crop, settings.images.trainer)
    mounts = pods.scratch() + pods.work("20Gi") + pods.registry_access(settings)
    dataset = training.dataset.uri
    if dataset.startswith(PVC):
        claim, _, path = dataset.removeprefix(PVC).partition("/")
        dataset = f"{DATASET_FOLDER}/{path}".rstrip("/")
        volume = {"persistentVolumeClaim": {"claimName": claim, "readOnly": True}}
        mounts += pods.mount("dataset", DATASET_FOLDER, volume)
    task = TrainTask(
        app=app.key,
        events=app.spec.events,
        training=training,
        base_dnn=base_reference,
        dataset=dataset,
        crop=crop,
        push=f"{settings.registry.prefix}/{app.metadata.namespace}/{app.metadata.name}",
        shares=shares,
        assemble=assemble,
        registries=_registries(settings),
    )
    queues = {name: app.metadata.labels[name] for name in QUEUE_LABELS if name in app.metadata.labels}
    labels = {COMPONENT: "trainer", APP: label_value(app.metadata.name), HASH: mark, SHARES: str(shares), **queues}
    job = _job(
        settings,
        name=job_name(app, mark, assemble=assemble),
        namespace=app.metadata.namespace,
        labels=labels,
        image=settings.images.trainer,
        task=task.canonical(),
        mounts=mounts,
        resources=_trainer_resources(settings, training),
        pod=_placement(training, edge_hosts),
        secret=training.dataset.secret_ref.name if training.dataset.secret_ref else None,
        shares=1 if assemble else shares,
    )
    job["metadata"]["ownerReferences"] = pods.owner("MainstreamApp", app.metadata.name, uid)
    return job


def job_name(app: MainstreamApp, mark: str, *, assemble: bool = False) -> str:
    """Of an app's training with that hash."""
    return short(f"{app.metadata.name}-{'assemble' if assemble else 'train'}-{mark}")


def profile_job(edge_node: EdgeNode, uid: str, host: str, task: ProfileTask, settings: Settings) -> Plain:
    """Measures on the edge node, under the runner's limit and with a tiny request, so that it always finds room."""
    cpu = f"{edge_node.spec.budget.cpu:g}"
    mark = _hash(["profile", task.plain(), cpu, settings.images.runner])
    name = edge_node.metadata.name
    streams = [one.stream for one in task.streams]
    task = replace_sources(task)
    mounts = pods.scratch("4Gi") + pods.work("4Gi") + pods.stream_files(streams)
    mounts += pods.registry_access(settings, secret=runner_name(name))
    mounts += pods.mount("secrets", SECRETS_FOLDER, {"secret": {"secretName": runner_name(name), "optional": True}})
    job = _job(
        settings,
        name=short(f"{name}-{mark}", prefix="mainstream-profile-"),
        namespace=settings.namespace,
        labels={COMPONENT: "profiler", EDGE_NODE: label_value(name), HASH: mark, CPU: cpu},
        image=settings.images.runner,
        task=task.canonical(),
        mounts=mounts,
        resources={
            "requests": {"cpu": "10m", "memory": "64Mi"},
            "limits": {"cpu": cpu, "memory": str(edge_node.spec.budget.memory)},
        },
        pod={"affinity": pods.on_node(host), "tolerations": pods.ANYWHERE},
        command=["python", "-m", "mainstream_runner.job"],
        seconds=PROFILE_SECONDS,
    )
    job["metadata"]["ownerReferences"] = pods.owner("EdgeNode", name, uid)
    container = job["spec"]["template"]["spec"]["containers"][0]
    container["securityContext"] = pods.container_security(streams)
    return job


def replace_sources(task: ProfileTask) -> ProfileTask:
    """The task with its streams' sources as the pod has them."""
    streams = tuple(
        one.model_copy(
            update={"stream": one.stream.model_copy(update={"source": pods.inside(one.stream.source)})},
        )
        for one in task.streams
    )
    return task.model_copy(update={"streams": streams})


def _job(
    settings: Settings,
    *,
    name: str,
    namespace: str,
    labels: dict[str, str],
    image: str,
    task: bytes,
    mounts: Mounts,
    resources: Plain,
    pod: Plain,
    command: list[str] | None = None,
    secret: str | None = None,
    seconds: int | None = None,
    shares: int = 1,
) -> Plain:
    component = labels[COMPONENT]
    container: Plain = {
        "name": component,
        "image": image,
        "imagePullPolicy": settings.images.pull_policy,
        "env": [{"name": TASK_VARIABLE, "value": task.decode()}],
        "resources": resources,
        "securityContext": pods.CONTAINER_SECURITY,
        "volumeMounts": list(mounts.mounts),
        "terminationMessagePolicy": "File",
    }
    if command:
        container["command"] = command
    if secret:
        container["envFrom"] = [{"secretRef": {"name": secret}}]
    spec: Plain = {
        "backoffLimit": settings.trainer.retries,
        "ttlSecondsAfterFinished": settings.trainer.finished_seconds,
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": {
            "rules": [
                {
                    "action": "FailJob",
                    "onExitCodes": {"containerName": component, "operator": "In", "values": [WRONG_INPUT]},
                },
                {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            ]
        },
        "template": {
            "metadata": {"labels": pods.managed(labels)},
            "spec": {
                "restartPolicy": "Never",
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "securityContext": pods.POD_SECURITY,
                "containers": [container],
                "volumes": list(mounts.volumes),
                **pods.pull_secrets(settings),
                **pod,
            },
        },
    }
    if seconds is not None:
        spec["activeDeadlineSeconds"] = seconds
    if shares > 1:
        spec |= {"completionMode": "Indexed", "completions": shares, "parallelism": shares}
    metadata = {"name": name, "namespace": namespace, "labels": pods.managed(labels)}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


def _placement(training: Training, edge_hosts: Iterable[str]) -> Plain:
    """Where the app says, else preferably away from edge nodes: on a box that is all there is, training still runs."""
    placed: Plain = {}
    if training.node_selector:
        placed["nodeSelector"] = training.node_selector
    if training.tolerations:
        placed["tolerations"] = training.tolerations
    if training.priority_class_name:
        placed["priorityClassName"] = training.priority_class_name
    hosts = sorted(edge_hosts)
    if hosts and not training.node_selector:
        away = [{"key": "metadata.name", "operator": "NotIn", "values": [host]} for host in hosts]
        term = {"weight": 100, "preference": {"matchFields": away}}
        placed["affinity"] = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [term]}}
    return placed


def _trainer_resources(settings: Settings, training: Training | None) -> Plain:
    if training is not None and training.resources is not None:
        return dict(training.resources)
    cpu, memory = settings.trainer.cpu, settings.trainer.memory
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory}}


def _registries(settings: Settings) -> Registries:
    return Registries(plain_http=settings.registry.plain_http)


def _hash(parts: list[Any]) -> str:
    return sha256(canonical_json(parts))[7:23]
