"""Where the cluster's programs come from: built by ``tools/cluster-tools.sh`` or from Debian."""

import hashlib
import os
import shutil
from pathlib import Path

SOURCES = Path(__file__).parent / "kubernetes"
"""The Go module that the programs are built from: versions are in its go.mod and modules.txt."""

PROGRAMS = (
    *("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubectl"),
    *("coredns", "helm", "kube-router"),
)


def cache() -> Path:
    """The folder of everything that is built once, outside of the tree."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mainstream" / "cluster"


def built() -> Path:
    """The folder of the programs that are built from these very sources."""
    files = ("go.mod", "go.sum", "kube.go", "modules.txt")
    key = hashlib.sha256(b"".join((SOURCES / name).read_bytes() for name in files))
    return cache() / f"bin-{key.hexdigest()[:12]}"


def binary(name: str) -> Path:
    """One of ``PROGRAMS``."""
    path = built() / name
    assert path.exists(), f"{path} is not there: run `sh tools/cluster-tools.sh` (twelve minutes, once)"
    return path


def program(name: str, package: str) -> str:
    """A program of Debian."""
    path = shutil.which(name)
    assert path is not None, f"{name} is not there: apt-get install {package}"
    return path
