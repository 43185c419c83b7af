"""Parts that the pods of Jobs and runners have in common: security, volumes of streams, environment."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from mainstream.documents import sha256
from mainstream.jobs import CA_FILE, CREDENTIALS_FOLDER, WORK_FOLDER
from mainstream.resources.edgenode import Source, Stream
from mainstream.resources.metadata import SecretRef
from mainstream.resources.names import COMPONENT, MANAGED_BY, OPERATOR, REGISTRY_SECRET, stream_secret
from mainstream_operator.settings import Settings

Plain = dict[str, Any]

USER = 65532
FILES_FOLDER = "/srv/mainstream"
"""Where volumes and folders with video files are mounted."""
CA_CONFIG_MAP = "mainstream-registry-ca"

POD_SECURITY: Plain = {
    "runAsNonRoot": True,
    "runAsUser": USER,
    "runAsGroup": USER,
    "fsGroup": USER,
    "fsGroupChangePolicy": "OnRootMismatch",
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONTAINER_SECURITY: Plain = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
ANYWHERE: list[Plain] = [{"operator": "Exists"}]
"""Tolerates every taint, without limit: a box that is unreachable keeps its pods."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mounts:
    """Volumes of a pod, and where its one container has them."""

    volumes: tuple[Plain, ...] = ()
    mounts: tuple[Plain, ...] = ()

    def __add__(self, other: "Mounts") -> "Mounts":
        """Both."""
        return Mounts(volumes=self.volumes + other.volumes, mounts=self.mounts + other.mounts)


def mount(name: str, path: str, volume: Plain, *, read_only: bool = True) -> Mounts:
    """One volume at one place."""
    at: Plain = {"name": name, "mountPath": path} | ({"readOnly": True} if read_only else {})
    return Mounts(volumes=({"name": name, **volume},), mounts=(at,))


def scratch(size: str = "2Gi") -> Mounts:
    """A writable ``/tmp``: the root is read-only. Who writes more is evicted: a profile's merged graphs are some 100 MB."""
    return mount("tmp", "/tmp", {"emptyDir": {"sizeLimit": size}}, read_only=False)  # noqa: S108 - in the pod


def work(size: str) -> Mounts:
    """A writable folder for what a Job makes."""
    return mount("work", WORK_FOLDER, {"emptyDir": {"sizeLimit": size}}, read_only=False)


def registry_access(settings: Settings, *, secret: str = REGISTRY_SECRET) -> Mounts:
    """Credentials and CA of the registries, as far as they are there."""
    found = mount("registry", CREDENTIALS_FOLDER, {"secret": {"secretName": secret, "optional": True}})
    if settings.registry.ca_config_map is None:
        return found
    ca: Plain = {"configMap": {"name": CA_CONFIG_MAP, "optional": True}}
    return found + mount("registry-ca", str(PurePosixPath(CA_FILE).parent), ca)


def stream_files(streams: Sequence[Stream]) -> Mounts:
    """Claims and folders with the video files of streams; device files too."""
    found: dict[str, Mounts] = {}
    for stream in streams:
        source = stream.source
        if source.file is not None and source.file.pvc is not None:
            claim = source.file.pvc.partition("/")[0]
            name = f"claim-{_mark(claim)}"
            volume: Plain = {"persistentVolumeClaim": {"claimName": claim, "readOnly": True}}
            found[name] = mount(name, f"{FILES_FOLDER}/{name}", volume)
        elif source.file is not None and source.file.path is not None:
            folder = str(PurePosixPath(source.file.path).parent)
            name = f"folder-{_mark(folder)}"
            found[name] = mount(name, f"{FILES_FOLDER}/{name}", {"hostPath": {"path": folder, "type": "Directory"}})
        elif source.device is not None:
            name = f"device-{_mark(source.device.path)}"
            volume = {"hostPath": {"path": source.device.path, "type": "CharDevice"}}
            found[name] = mount(name, source.device.path, volume, read_only=False)
    together = Mounts()
    for name in sorted(found):
        together += found[name]
    return together


def container_security(streams: Sequence[Stream]) -> Plain:
    """Of the container that opens the streams: a device file can be used by a privileged one only."""
    if any(stream.source.device is not None for stream in streams):
        return {"privileged": True, "readOnlyRootFilesystem": True, "runAsUser": 0, "runAsNonRoot": False}
    return CONTAINER_SECURITY


def inside(source: Source) -> Source:
    """A stream's source as the pod has it: files where they are mounted, the Secret under its name in the runner's."""
    file = source.file
    if file is not None:
        place, rest = file.path, ""
        if file.pvc is not None:
            claim, _, rest = file.pvc.partition("/")
            place = f"{FILES_FOLDER}/claim-{_mark(claim)}/{rest}"
        elif file.path is not None:
            path = PurePosixPath(file.path)
            place = f"{FILES_FOLDER}/folder-{_mark(str(path.parent))}/{path.name}"
        return source.model_copy(update={"file": file.model_copy(update={"path": place, "pvc": None})})
    for name in ("rtsp", "http"):
        kind = getattr(source, name)
        if kind is not None and kind.credentials_secret_ref is not None:
            ref = SecretRef.model_construct(name=stream_secret(kind.credentials_secret_ref.name))
            return source.model_copy(update={name: kind.model_copy(update={"credentials_secret_ref": ref})})
    return source


def on_node(node: str) -> Plain:
    """Affinity to one node by its name."""
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    terms = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


def pull_secrets(settings: Settings) -> Plain:
    """``imagePullSecrets``, where there are any."""
    names = settings.images.pull_secrets
    return {"imagePullSecrets": [{"name": name} for name in names]} if names else {}


def managed(labels: Plain) -> Plain:
    """Labels of what the operator made."""
    return {MANAGED_BY: OPERATOR, **labels}


def owner(body_kind: str, name: str, uid: str) -> list[Plain]:
    """Owner references to one of our objects: with it, the garbage collector removes what it owns."""
    return [{"apiVersion": "mainstream.dev/v1alpha1", "kind": body_kind, "name": name, "uid": uid, "controller": True}]


def _mark(text: str) -> str:
    return sha256(text.encode())[7:17]


def copied_ca(namespace: str, certificate: str) -> Plain:
    """The registries' CA, where a Job can mount it."""
    metadata = {
        "name": CA_CONFIG_MAP, "namespace": namespace, "labels": managed({COMPONENT: "registry-ca"})
    }  # fmt: skip
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"ca.crt": certificate}}
