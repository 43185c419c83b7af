"""Images made of files of this machine, without a registry or a builder: OCI layouts of one layer, as tar archives."""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

from .binaries import binary, program
from .node_files import PAUSE

COREDNS = "registry.k8s.io/coredns:v1.15.0"
"""As coredns.yaml names it."""

BUSYBOX = "mainstream.test/busybox:1"
"""A shell and the usual small programs."""

_PROGRAMS = ("sh", "cat", "echo", "sleep", "true", "false", "wget", "nslookup", "nc", "httpd", "date", "ls")
_ANY_TIME = "2026-01-01T00:00:00Z"


def write_images(folder: Path) -> list[Path]:
    """Archives of the images that every node has: the pause image, ``COREDNS`` and ``BUSYBOX``."""
    busybox = {"bin/busybox": Path(program("busybox", "busybox-static"))}
    links = {f"bin/{name}": "busybox" for name in _PROGRAMS}
    forever = ("/bin/busybox", "sleep", "2147483647")
    coredns = {"coredns": binary("coredns")}
    return [
        write_image(folder / "coredns.tar", COREDNS, files=coredns, links={}, entrypoint=("/coredns",)),
        write_image(folder / "pause.tar", PAUSE, files=busybox, links={}, entrypoint=forever),
        write_image(folder / "busybox.tar", BUSYBOX, files=busybox, links=links, entrypoint=()),
    ]


def write_image(
    archive: Path, name: str, *, files: Mapping[str, Path], links: Mapping[str, str], entrypoint: tuple[str, ...]
) -> Path:
    """Write an image of these files and symbolic links, by their paths in it, with its full name."""
    layer = _layer(files, links)
    system = {"architecture": _architecture(), "os": "linux"}
    config = json.dumps(
        {
            **system,
            "created": _ANY_TIME,
            "config": {"Entrypoint": list(entrypoint), "Env": ["PATH=/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }
    ).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": _descriptor("application/vnd.oci.image.config.v1+json", config),
            "layers": [_descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
        }
    ).encode()
    listed = {
        **_descriptor("application/vnd.oci.image.manifest.v1+json", manifest),
        "platform": system,
        "annotations": {"io.containerd.image.name": name},
    }
    with tarfile.open(archive, "w") as tar:
        _add(tar, "oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}).encode())
        _add(tar, "index.json", json.dumps({"schemaVersion": 2, "manifests": [listed]}).encode())
        for blob in (layer, config, manifest):
            _add(tar, f"blobs/sha256/{_digest(blob).removeprefix('sha256:')}", blob)
    return archive


def _layer(files: Mapping[str, Path], links: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, source in files.items():
            _add(tar, path, source.read_bytes(), mode=0o755)
        for path, target in links.items():
            link = tarfile.TarInfo(path)
            link.type, link.linkname = tarfile.SYMTYPE, target
            tar.addfile(link)
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, path: str, content: bytes, *, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(path)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))


def _digest(blob: bytes) -> str:
    return "sha256:" + hashlib.sha256(blob).hexdigest()


def _descriptor(media_type: str, blob: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": _digest(blob), "size": len(blob)}


def _architecture() -> str:
    import platform

    return {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
