"""A real control plane: etcd and kube-apiserver, with controllers and scheduler where there are nodes."""

import json
import socket
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from mainstream.kubectl.calls import Kubectl

from .binaries import binary
from .certificates import Authority
from .hosts import SERVICES
from .processes import Processes


@dataclass(frozen=True, kw_only=True)
class ControlPlane:
    """A running API server. ``kubeconfig`` is its administrator's."""

    authority: Authority
    kubeconfig: Path
    processes: Processes

    def kubectl(self, *arguments: object, stdin: str | None = None) -> "subprocess.CompletedProcess[str]":
        """Run kubectl as the administrator; its exit status is the caller's to look at."""
        return subprocess.run(
            [binary("kubectl"), "--kubeconfig", self.kubeconfig, *map(str, arguments)],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
            cwd=self.authority.folder,
        )

    def did(self, *arguments: object, stdin: str | None = None) -> str:
        """What kubectl prints; fails with what it says when it fails."""
        done = self.kubectl(*arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def got(self, *arguments: object) -> Any:
        """What ``kubectl get ARGUMENTS`` prints as JSON."""
        return json.loads(self.did("get", *arguments, "--output=json"))

    @property
    def plugin(self) -> Kubectl:
        """What our kubectl plugin calls it by; ``forwarded`` leads into a pod, past its NetworkPolicies."""
        return Kubectl(program=str(binary("kubectl")), kubeconfig=str(self.kubeconfig))

    def client(self) -> httpx.Client:
        """An HTTPS client with the administrator's rights, for what would take hundreds of kubectl processes."""
        trusted = ssl.create_default_context(cafile=str(self.authority.ca))
        trusted.load_cert_chain(self.authority.folder / "admin.crt", self.authority.folder / "admin.key")
        return httpx.Client(base_url=self.authority.server, verify=trusted, timeout=60, trust_env=False)


def free_port() -> int:
    """A port of this machine that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def start_control_plane(state: Path, *, address: str = "127.0.0.1", controllers: bool = False) -> ControlPlane:
    """Start etcd and kube-apiserver at ``address``, with everything that they write in ``state``; returns when it is ready.

    With ``controllers`` also kube-controller-manager and kube-scheduler. ``processes.stop()`` ends it.
    """
    port = free_port()
    authority = Authority(folder=state / "pki", server=f"https://{address}:{port}")
    authority.create()
    plane = ControlPlane(
        authority=authority,
        kubeconfig=authority.kubeconfig("admin", "admin", group="system:masters"),
        processes=Processes(state / "logs"),
    )
    try:
        _start_api_server(plane, state, address=address, port=port)
        if controllers:
            _start_controllers(plane)
    except BaseException:
        plane.processes.stop()
        raise
    return plane


def _start_api_server(plane: ControlPlane, state: Path, *, address: str, port: int) -> None:
    etcd = f"http://127.0.0.1:{free_port()}"
    plane.processes.start(
        "etcd",
        binary("etcd"),
        f"--data-dir={state / 'etcd'}",
        "--unsafe-no-fsync",
        f"--listen-client-urls={etcd}",
        f"--advertise-client-urls={etcd}",
        "--listen-peer-urls=http://127.0.0.1:0",
    )
    names = "DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,IP:127.0.0.1,IP:10.96.0.1"
    certificate, key = plane.authority.certificate("apiserver", "kube-apiserver", names=f"{names},IP:{address}")
    kubelet_certificate, kubelet_key = plane.authority.certificate("to-kubelets", "apiserver", group="system:masters")
    folder = plane.authority.folder
    plane.processes.start(
        "kube-apiserver",
        binary("kube-apiserver"),
        f"--etcd-servers={etcd}",
        f"--advertise-address={address}",
        f"--bind-address={address}",
        f"--secure-port={port}",
        f"--cert-dir={state / 'certificates'}",
        f"--tls-cert-file={certificate}",
        f"--tls-private-key-file={key}",
        f"--client-ca-file={plane.authority.ca}",
        f"--service-cluster-ip-range={SERVICES}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={folder / 'service-accounts.pub'}",
        f"--service-account-signing-key-file={folder / 'service-accounts.key'}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--kubelet-client-certificate={kubelet_certificate}",
        f"--kubelet-client-key={kubelet_key}",
        "--kubelet-preferred-address-types=InternalIP",
    )
    with plane.client() as client:
        plane.processes.wait_until("kube-apiserver", lambda: _ready(client), seconds=400)


def _start_controllers(plane: ControlPlane) -> None:
    authority = plane.authority
    kubeconfig = authority.kubeconfig("controllers", "system:kube-controller-manager")
    plane.processes.start(
        "kube-controller-manager",
        binary("kube-controller-manager"),
        f"--kubeconfig={kubeconfig}",
        f"--root-ca-file={authority.ca}",
        f"--service-account-private-key-file={authority.folder / 'service-accounts.key'}",
        "--use-service-account-credentials",
        "--leader-elect=false",
        "--node-monitor-grace-period=16s",
        "--bind-address=127.0.0.1",
        f"--secure-port={free_port()}",
    )
    kubeconfig = authority.kubeconfig("scheduler", "system:kube-scheduler")
    plane.processes.start(
        "kube-scheduler",
        binary("kube-scheduler"),
        f"--kubeconfig={kubeconfig}",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        f"--secure-port={free_port()}",
    )


def _ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
