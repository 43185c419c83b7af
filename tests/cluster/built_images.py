"""The project's own images, built here, in a registry of this machine from which the nodes pull them."""

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .binaries import program
from .hosts import LAN
from .images import write_image
from .nodes import Cluster

HOST = f"{LAN}.1:5000"
"""The registry's address in the LAN: of this machine."""
TAG = "test"
IN_CLUSTER_REGISTRY = "mainstream.test/registry:1"
"""Debian's docker-registry as an image, for the registry that the chart runs."""

_ROOT = Path(__file__).resolve().parents[2]
_PREFIX = "mainstream"


@dataclass(frozen=True, kw_only=True)
class Registry:
    """A registry without TLS that nodes and pods reach. ``images`` are those that are in it, by name."""

    images: dict[str, str]

    @property
    def repository_prefix(self) -> str:
        """In front of images' names."""
        return f"{HOST}/{_PREFIX}"

    def push(self, names: Iterable[str]) -> None:
        """Have these images of ours in it (operator, runner, trainer, examples), built if need be."""
        missing = [name for name in names if name not in self.images]
        for name, layout in built_images(missing).items():
            image = f"{self.repository_prefix}/mainstream-{name}:{TAG}"
            _did("skopeo", "copy", "--quiet", "--dest-tls-verify=false", f"oci:{layout}", f"docker://{image}")
            self.images[name] = image


def built_images(names: Iterable[str]) -> dict[str, str]:
    """Folders of OCI layouts by name, of one image each; built if need be (``tools/images.sh``)."""
    wanted = list(names)
    if not wanted:
        return {}
    printed = _did("sh", str(_ROOT / "tools" / "images.sh"), *wanted)
    return dict(line.split(" ", 1) for line in printed.splitlines())


def start_registry(cluster: Cluster, folder: Path) -> Registry:
    """Start it; ``folder`` holds what is pushed, and is the caller's to remove."""
    config = folder / "config.yml"
    config.write_text(
        f"version: 0.1\nlog: {{accesslog: {{disabled: true}}}}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder / 'data'}}}}}\nhttp: {{addr: '{HOST}'}}\n"
    )
    for node in cluster.nodes:
        hosts = node.files.registries / HOST / "hosts.toml"
        hosts.parent.mkdir(parents=True, exist_ok=True)
        hosts.write_text(f'[host."http://{HOST}"]\n  capabilities = ["pull", "resolve"]\n')
    processes = cluster.plane.processes
    processes.start("registry", program("docker-registry", "docker-registry"), "serve", config)
    processes.wait_until("the registry answers", _answers)
    return Registry(images={})


def load_registry_image(cluster: Cluster, folder: Path) -> None:
    """Give the nodes ``IN_CLUSTER_REGISTRY``: the program and the two libraries that it is linked with."""
    server = Path(program("docker-registry", "docker-registry"))
    linked = [Path(word) for word in _did("ldd", str(server)).split() if word.startswith("/")]
    files = {str(path).lstrip("/"): path for path in (server, *linked)}
    archive = folder / "registry.tar"
    write_image(archive, IN_CLUSTER_REGISTRY, files=files, links={}, entrypoint=(str(server),))
    cluster.load(archive)


def _answers() -> bool:
    import httpx

    try:
        return httpx.get(f"http://{HOST}/v2/", trust_env=False).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def _did(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1800)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout
