"""What the chart renders: its settings are the operator's, its rights those that are needed, and an API server takes it all."""

import json
import re
import runpy
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mainstream_operator.rights import RIGHTS
from mainstream_operator.settings import Settings

from .binaries import binary
from .chart_tools import chart_tool, monitoring_crds
from .control_plane import ControlPlane
from .releases import CHART, Values

pytestmark = pytest.mark.cluster

ROOT = CHART.parents[1]
NAMESPACE = "boxes"
CA = {"registry": {"caConfigMap": "our-ca"}}
LIMITED = {"watchNamespaces": ["traffic", "parking"], "rbac": {"secretNamespaces": ["traffic"]}, **CA}
EVERYTHING: Values = {
    "fullnameOverride": "ms",
    "commonLabels": {"team": "edge"},
    "images": {
        "registry": "registry.example/team",
        "tag": "v2",
        "pullSecrets": ["pull"],
        "runner": {"digest": f"sha256:{'a' * 64}"},
    },
    "watchNamespaces": ["traffic"],
    "operator": {
        "replicas": 2,
        "leaderElection": True,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
        ],
        "priorityClassName": "system-cluster-critical",
        "podAnnotations": {"a": "b"},
        "podLabels": {"c": "d"},
        "logLevel": "debug",
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy.example:3128"}],
        "podDisruptionBudget": {"maxUnavailable": "50%"},
        "batching": {"idleSeconds": 0.25, "maxSeconds": 2},
        "maxBoxes": 1_000_000,
    },
    "runner": {"priorityClassName": "edge", "reportSeconds": 60},
    "cache": {"storageClass": "local-path", "size": "16Gi"},
    "trainer": {"cpu": "500m", "memory": "2Gi", "retries": 1},
    "registry": {
        "caConfigMap": "our-ca",
        "plainHttp": ["old.example:5000"],
        "inCluster": {
            "persistence": {"storageClass": "-", "keep": True},
            "cleanUp": {"dryRun": True, "afterDays": 7},
            "nodeSelector": {"disk": "big"},
            "tolerations": [{"operator": "Exists"}],
        },
    },
    "networkPolicy": {"metricsFrom": [{"namespaceSelector": {"matchLabels": {"monitoring": "yes"}}}]},
    "metrics": {
        "grafanaDashboard": {"enabled": True},
        "serviceMonitor": {"enabled": True, "interval": "1m", "labels": {"release": "prometheus"}},
    },
}
VALUES = {"the defaults": {}, "limited to namespaces": LIMITED, "all that can be said": EVERYTHING}


def helm(
    *arguments: str, values: Values | None = None, program: Path | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run helm, without a cluster."""
    given = ("--values=-",) if values is not None else ()
    return subprocess.run(
        [program or binary("helm"), *arguments, *given],
        input=json.dumps(values),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def rendered(values: Values) -> list[dict[str, Any]]:
    """All objects of a release ``mainstream``."""
    done = helm("template", "mainstream", str(CHART), f"--namespace={NAMESPACE}", values=values)
    assert done.returncode == 0, done.stderr
    return [body for body in yaml.safe_load_all(done.stdout) if body]


def of_kind(bodies: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    """By ``namespace/name``, or name."""
    found = {}
    for body in bodies:
        if body["kind"] == kind:
            metadata = body["metadata"]
            found["/".join(filter(None, (metadata.get("namespace"), metadata["name"])))] = body
    return found


def settings(values: Values, folder: Path) -> Settings:
    """As the operator reads them."""
    maps = of_kind(rendered(values), "ConfigMap")
    (name,) = (name for name in maps if name.endswith("-settings"))
    file = folder / "settings.yaml"
    file.write_text(maps[name]["data"]["settings.yaml"])
    return Settings.load(file)


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_helm_has_nothing_to_say_against_it(values: Values) -> None:
    """Warnings count."""
    done = helm("lint", "--strict", str(CHART), values=values)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_helm_3_renders_the_same(values: Values) -> None:
    """And has nothing to say against it either."""
    old = chart_tool("helm")
    done = helm("lint", "--strict", str(CHART), values=values, program=old)
    assert done.returncode == 0, done.stdout
    template = ("template", "mainstream", str(CHART), f"--namespace={NAMESPACE}", "--kube-version=1.34.0")
    texts = (helm(*template, values=values, program=program).stdout for program in (old, None))
    olds, news = (sorted(map(json.dumps, filter(None, yaml.safe_load_all(text)))) for text in texts)
    assert olds == news  # in an order of their own


def test_the_charts_own_tests_pass() -> None:
    """helm-unittest: what each template does with its values."""
    done = subprocess.run([chart_tool("helm-unittest"), CHART], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_table_of_values_is_that_of_the_values() -> None:
    """``make reference`` writes it."""
    written = runpy.run_path(str(ROOT / "tools" / "chart_values.py"))["written"]
    readme = (CHART / "README.md").read_text()
    assert written(readme, (CHART / "values.yaml").read_text()) == readme


def test_the_dashboard_draws_metrics_that_there_are() -> None:
    """Each name is one that the runner or the operator writes, as Prometheus calls it."""
    sources = [ROOT / "runner-image/mainstream_runner/metrics.py", ROOT / "operator/mainstream_operator/metrics.py"]
    known = set(re.findall(r'"(mainstream_\w+)"', "".join(source.read_text() for source in sources)))
    (dashboard,) = of_kind(rendered({"metrics": {"grafanaDashboard": {"enabled": True}}}), "ConfigMap").keys() - {
        f"{NAMESPACE}/mainstream-settings",
        f"{NAMESPACE}/mainstream-registry",
    }
    held = of_kind(rendered({"metrics": {"grafanaDashboard": {"enabled": True}}}), "ConfigMap")[dashboard]
    drawn = json.loads(held["data"]["mainstream.json"])
    queries = [target["expr"] for panel in drawn["panels"] for target in panel.get("targets", [])]
    names = set(re.findall(r"mainstream_\w+", " ".join(queries)))
    assert len(names) > 15
    assert {name for name in names if not {name, re.sub(r"_(total|bucket|info)$", "", name)} & known} == set()


def test_the_operator_reads_the_settings_that_the_chart_writes(tmp_path: Path) -> None:
    """By default its own defaults, with the registry in the cluster."""
    read = settings({}, tmp_path)
    host = f"mainstream-registry.{NAMESPACE}.svc:5000"
    expected = Settings.from_plain(
        {
            "namespace": NAMESPACE,
            "images": {"runner": "mainstream-runner:0.1.0", "trainer": "mainstream-trainer:0.1.0"},
            "registry": {"prefix": f"{host}/mainstream", "plainHttp": [host]},
        },
        where=tmp_path,
    )
    assert read == expected


def test_every_setting_reaches_the_operator(tmp_path: Path) -> None:
    """Also numbers that YAML would write as 1e+06."""
    read = settings(EVERYTHING, tmp_path)
    assert read.images.runner == f"registry.example/team/mainstream-runner@sha256:{'a' * 64}"
    assert (read.images.trainer, read.images.pull_secrets) == ("registry.example/team/mainstream-trainer:v2", ("pull",))
    assert read.watch_namespaces == ("traffic",)
    assert read.registry.plain_http == (f"ms-registry.{NAMESPACE}.svc:5000", "old.example:5000")
    assert read.registry.ca_config_map == "our-ca"
    assert (read.cache.storage_class, read.cache.size, read.cache.host_path) == ("local-path", "16Gi", None)
    assert (read.runner.priority_class, read.runner.report_seconds) == ("edge", 60)
    assert (read.trainer.cpu, read.trainer.memory, read.trainer.retries) == ("500m", "2Gi", 1)
    assert (read.batching.idle_seconds, read.batching.max_seconds) == (0.25, 2.0)
    assert (read.max_boxes, read.leader_election) == (1_000_000, True)


def granted(bodies: list[dict[str, Any]], account: str) -> dict[str | None, dict[tuple[str, str], set[str]]]:
    """Verbs by namespace (None: everywhere) and by API group and resource, of all roles that are bound to an account."""
    found: dict[str | None, dict[tuple[str, str], set[str]]] = defaultdict(lambda: defaultdict(set))
    for kind in ("ClusterRole", "Role"):
        roles = of_kind(bodies, kind)
        for name, binding in of_kind(bodies, f"{kind}Binding").items():
            if any(subject["name"] == account for subject in binding["subjects"]):
                for rule in roles[name]["rules"]:
                    assert set(rule) == {"apiGroups", "resources", "verbs"}
                    for group in rule["apiGroups"]:
                        for resource in rule["resources"]:
                            place = binding["metadata"].get("namespace")
                            found[place][group, resource] |= set(rule["verbs"])
    return found


def needed(*scopes: str) -> dict[tuple[str, str], set[str]]:
    """What the operator's own list says."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for scope in scopes:
        for key, verbs in RIGHTS[scope].items():  # type: ignore[index]
            found[key] |= verbs
    return found


def test_the_operator_has_the_rights_that_it_needs_and_no_others() -> None:
    """Everywhere what may be anywhere, the rest in its own namespace."""
    assert granted(rendered(CA), "mainstream-operator") == {
        None: needed("cluster", "apps", "secrets"),
        NAMESPACE: needed("own"),
    }


def test_without_an_authority_it_has_no_right_to_the_config_maps_of_apps() -> None:
    """They hold the registries' CA, and nothing else of ours."""
    assert ("", "configmaps") not in granted(rendered({}), "mainstream-operator")[None]


def test_limited_to_namespaces_it_has_rights_there_alone() -> None:
    """Secrets can be read in fewer of them."""
    assert granted(rendered(LIMITED), "mainstream-operator") == {
        None: needed("cluster"),
        NAMESPACE: needed("own"),
        "traffic": needed("apps", "secrets"),
        "parking": needed("apps"),
    }


def test_the_clean_up_reads_and_no_more() -> None:
    """What may refer to a package."""
    assert granted(rendered({}), "mainstream-registry-cleanup") == {
        None: {("mainstream.dev", "edgenodes"): {"list"}, ("mainstream.dev", "mainstreamapps"): {"list"}},
        NAMESPACE: {("", "configmaps"): {"list"}},
    }


def test_whoever_may_edit_a_namespace_may_edit_its_apps() -> None:
    """By aggregation to the roles that clusters have; it can be switched off."""
    roles = of_kind(rendered({}), "ClusterRole")
    label = "rbac.authorization.k8s.io/aggregate-to-edit"
    (edit, view) = (roles[f"mainstream-apps-{verb}"] for verb in ("edit", "view"))
    assert edit["metadata"]["labels"][label] == view["metadata"]["labels"][label] == "true"
    assert edit["rules"][0]["resources"] == view["rules"][0]["resources"] == ["mainstreamapps"]
    assert set(of_kind(rendered({"rbac": {"aggregate": False}}), "ClusterRole")) == {
        "mainstream-operator",
        "mainstream-registry-cleanup",
    }


@pytest.mark.parametrize("keep", [True, False])
def test_the_crds_are_those_of_the_folder(keep: bool) -> None:
    """With Helm's mark, where they shall stay, and with nothing else changed; ``make reference`` copies them."""
    ours = [yaml.safe_load(file.read_text()) for file in sorted((ROOT / "crds").glob("*.yaml"))]
    for crd in ours:
        if keep:
            crd["metadata"]["annotations"] = {"helm.sh/resource-policy": "keep"}
    assert list(of_kind(rendered({"crds": {"keep": keep}}), "CustomResourceDefinition").values()) == ours
    assert of_kind(rendered({"crds": {"enabled": False}}), "CustomResourceDefinition") == {}


def pods(bodies: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The pods' specs of all that makes pods."""
    for body in bodies:
        if body["kind"] == "Deployment":
            yield body["metadata"]["name"], body["spec"]["template"]["spec"]
        if body["kind"] == "CronJob":
            yield body["metadata"]["name"], body["spec"]["jobTemplate"]["spec"]["template"]["spec"]


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_no_pod_can_do_more_than_it_must(values: Values) -> None:
    """The restricted standard, and a root that cannot be written."""
    found = dict(pods(rendered(values)))
    assert len(found) == 3
    for name, pod in found.items():
        assert pod["securityContext"]["runAsNonRoot"], name
        assert pod["securityContext"]["runAsUser"] > 0, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert container["resources"]["limits"]["memory"], name


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_an_api_server_takes_all_of_it(apiserver: ControlPlane, values: Values) -> None:
    """Without a warning, and in namespaces that enforce the restricted standard, beside the Prometheus operator's CRDs."""
    for crd in monitoring_crds():
        apiserver.did("apply", "--server-side", "--filename", crd)
        apiserver.did("wait", "--for=condition=Established", "--timeout=30s", "--filename", crd)
    for name in (NAMESPACE, "traffic", "parking"):
        labels = {"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted"}
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        apiserver.did("apply", "--filename=-", stdin=json.dumps(body))
    text = yaml.safe_dump_all(rendered(values))
    done = apiserver.kubectl(
        "apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f-", stdin=text
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"operater": {}}, "operater"),
        ({"operator": {"replica": 2}}, "replica"),
        ({"images": {"pullPolicy": "Sometimes"}}, "pullPolicy"),
        ({"images": {"runner": {"digest": "sha256:12"}}}, "digest"),
        ({"registry": {"inCluster": {"cleanUp": {"afterDays": 0}}}}, "afterDays"),
        ({"registry": {"inCluster": {"enabled": False}}}, "registry.prefix: say where packages are pushed"),
        ({"operator": {"replicas": 2}}, "operator.replicas: more than one takes operator.leaderElection"),
        ({"cache": {"storageClass": "x", "hostPath": "/srv"}}, "cache: give at most one of storageClass and hostPath"),
        ({"serviceAccount": {"create": False}}, "serviceAccount.name: name the ServiceAccount that is there"),
        ({"watchNamespaces": ["Traffic"]}, "watchNamespaces"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_wrong_values_are_refused_by_name(values: Values, said: str) -> None:
    """What Helm prints names the value, or says what to do."""
    done = helm("template", "mainstream", str(CHART), values=values)
    assert done.returncode != 0
    assert said in done.stderr
