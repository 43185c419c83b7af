"""The files of a node: configuration of containerd, kubelet, kube-proxy, kube-router and CNI, and what happens at its boot."""

import json
from dataclasses import dataclass
from pathlib import Path

from .binaries import binary, program
from .certificates import Authority
from .hosts import PODS, SERVICES, address, controllers, node_name

PAUSE = "registry.k8s.io/pause:3.10"
"""The image that holds a pod's namespaces."""

POLICIES_USER = "kube-router"
"""As whom kube-router, which holds pods to NetworkPolicies, asks the API server."""


@dataclass(frozen=True, kw_only=True)
class NodeFiles:
    """Node ``number``'s files in ``home``; they stay while its power is off."""

    number: int
    home: Path
    authority: Authority

    @property
    def socket(self) -> Path:
        """Where containerd is asked."""
        return self.home / "run" / "containerd.sock"

    @property
    def registries(self) -> Path:
        """How registries are asked (``HOST/hosts.toml``), the same for all nodes; read anew at each pull."""
        return self.home.parent / "registries"

    @property
    def power_on(self) -> Path:
        """The script that boots the node; it runs until the power is cut."""
        return self.home / "power-on.sh"

    def write(self) -> None:
        """Write all of them, with the node's certificate."""
        for folder in ("kubelet", "containerd", "run", "cni-conf", "cni-lib", "pod-logs", "logs"):
            (self.home / folder).mkdir(parents=True)
        name, at = node_name(self.number), address(self.number)
        kubelet = self.authority.kubeconfig(
            name, f"system:node:{name}", group="system:nodes", names=f"DNS:{name},IP:{at}"
        )
        proxy = self.authority.kubeconfig(f"{name}-proxy", "system:kube-proxy")
        (self.home / "resolv.conf").write_text("search .\n")
        (self.home / "cni-conf" / "10-net.conflist").write_text(json.dumps(self._cni()))
        (self.home / "containerd.toml").write_text(self._containerd())
        (self.home / "kubelet.json").write_text(json.dumps(self._kubelet(name)))
        (self.home / "proxy.json").write_text(json.dumps(self._proxy(name, proxy)))
        policies = self.authority.kubeconfig(f"{name}-policies", POLICIES_USER)
        (self.home / "init.sh").write_text(self._init(name, at, kubelet, policies))
        self.power_on.write_text(self._power_on(name))

    def _cni(self) -> dict[str, object]:
        subnet = [[{"subnet": f"{PODS}.{self.number}.0/24"}]]
        # Not masqueraded: a NetworkPolicy on another node has to see whose packet it is, and every host has a route back.
        bridge = {"type": "bridge", "bridge": "cni0", "isDefaultGateway": True, "ipMasq": False, "hairpinMode": True}
        return {
            "cniVersion": "0.4.0",
            "name": "test",
            "plugins": [
                {**bridge, "ipam": {"type": "host-local", "ranges": subnet}},
                {"type": "portmap", "capabilities": {"portMappings": True}},
            ],
        }

    def _containerd(self) -> str:
        # Without restrict_oom_score_adj no container starts where the machine lacks CAP_SYS_RESOURCE.
        return f"""version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "{self.socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{self.registries}"
"""

    def _kubelet(self, name: str) -> dict[str, object]:
        pki = self.authority.folder
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "cgroupDriver": "cgroupfs",
            "failSwapOn": False,
            "oomScoreAdj": 0,
            "maxOpenFiles": 20000,
            "containerRuntimeEndpoint": f"unix://{self.socket}",
            "authentication": {"anonymous": {"enabled": False}, "x509": {"clientCAFile": f"{self.authority.ca}"}},
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": f"{pki / name}.crt",
            "tlsPrivateKeyFile": f"{pki / name}.key",
            "clusterDNS": ["10.96.0.10"],
            "clusterDomain": "cluster.local",
            "resolvConf": f"{self.home / 'resolv.conf'}",
            "nodeStatusUpdateFrequency": "4s",
            "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
            "imageGCHighThresholdPercent": 100,
            "imageGCLowThresholdPercent": 99,
        }

    def _proxy(self, name: str, kubeconfig: Path) -> dict[str, object]:
        return {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "iptables",
            "clusterCIDR": f"{PODS}.0.0/16",
            "clientConnection": {"kubeconfig": str(kubeconfig)},
            "conntrack": {"maxPerCore": 0, "min": 0},
            "hostnameOverride": name,
            "oomScoreAdj": 0,
        }

    def _init(self, name: str, at: str, kubeconfig: Path, policies: Path) -> str:
        """What the node's first process does."""
        home, logs = self.home, self.home / "logs"
        return f"""set -e
mount --make-rprivate /; mount --make-rshared /
mount -t sysfs sysfs /sys; mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
for c in {" ".join(controllers())}; do
  mkdir /sys/fs/cgroup/$c
  if [ $c = systemd ]; then options=none,name=systemd; else options=$c; fi
  mount -t cgroup -o $options cgroup /sys/fs/cgroup/$c
done
mkdir -p /run/containerd /run/netns /var/lib/kubelet /var/log/pods /var/log/containers /etc/cni/net.d /var/lib/cni \\
  /var/lib/containerd
mount -t tmpfs tmpfs /run/containerd; mount -t tmpfs tmpfs /run/netns; mount --make-shared /run/netns
mount -t tmpfs tmpfs /var/log/containers
mount --bind {home}/kubelet /var/lib/kubelet; mount --make-shared /var/lib/kubelet
mount --bind {home}/pod-logs /var/log/pods; mount --bind {home}/containerd /var/lib/containerd
mount --bind {home}/cni-conf /etc/cni/net.d; mount --bind {home}/cni-lib /var/lib/cni
hostname {name}; rm -f {self.socket}
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
{program("containerd", "containerd")} -c {home}/containerd.toml >> {logs}/containerd.log 2>&1 &
while [ ! -S {self.socket} ]; do sleep .1; done
{binary("kube-proxy")} --config {home}/proxy.json >> {logs}/proxy.log 2>&1 &
{binary("kubelet")} --config {home}/kubelet.json --kubeconfig {kubeconfig} --hostname-override {name} --node-ip {at} \\
  >> {logs}/kubelet.log 2>&1 &
# It ends where the node is not registered yet.
while true; do {binary("kube-router")} --run-firewall --run-router=false --run-service-proxy=false --enable-cni=false \\
  --kubeconfig {policies} --hostname-override {name} --service-cluster-ip-range {SERVICES} --health-port 0 || sleep 1; done \\
  >> {logs}/policies.log 2>&1 &
exec sleep infinity
"""

    def _power_on(self, name: str) -> str:
        """A process that is to be on the node joins its cgroups first, then its namespaces."""
        joins = "".join(f"echo $$ > /sys/fs/cgroup/{c}/ms-{name}/cgroup.procs\n" for c in controllers())
        own = "--mount --uts --ipc --cgroup --pid --fork --kill-child --mount-proc"
        return f"{joins}exec nsenter --net=/run/netns/ms-{name} unshare {own} bash {self.home}/init.sh\n"
