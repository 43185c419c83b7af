"""The rights that the operator needs: each call of ``client`` and each watch of kopf, and what it grants to runners.

The chart's roles are these (a test compares), and the tests on an API server compare them with the calls that are counted in
``mainstream_api_calls_total``. ``python -m mainstream_operator.rights`` prints them.
"""

import json
import sys
from collections.abc import Mapping
from typing import Literal

Scope = Literal["cluster", "apps", "secrets", "own"]
"""Everywhere; where apps are; where Secrets that apps name are; the operator's namespace."""
Rights = Mapping[tuple[str, str], frozenset[str]]
"""Verbs by API group and resource."""


_READ = frozenset({"list", "watch"})
_KEPT = _READ | {"create", "patch"}
"""Applied, and left to the garbage collector, which deletes it with its owner."""
_MADE = _KEPT | {"delete"}

RIGHTS: Mapping[Scope, Rights] = {
    "cluster": {
        ("mainstream.dev", "edgenodes"): _READ,
        ("mainstream.dev", "edgenodes/status"): frozenset({"patch"}),
        ("", "nodes"): _READ,
        ("", "namespaces"): _READ,
        ("apiextensions.k8s.io", "customresourcedefinitions"): frozenset({"get"}),
        ("rbac.authorization.k8s.io", "clusterroles"): _KEPT,
        ("rbac.authorization.k8s.io", "clusterrolebindings"): _KEPT,
        ("events.k8s.io", "events"): frozenset({"create"}),
    },
    "apps": {
        ("mainstream.dev", "mainstreamapps"): _READ,
        ("mainstream.dev", "mainstreamapps/status"): frozenset({"patch"}),
        ("", "pods"): _READ,
        ("", "configmaps"): _MADE,  # only with a registry's CA (registry.caConfigMap)
        ("batch", "jobs"): _READ | {"create", "delete"},
    },
    "secrets": {("", "secrets"): frozenset({"get"})},
    "own": {
        ("", "configmaps"): _MADE | {"get"},
        ("", "secrets"): _MADE | {"get"},
        ("", "serviceaccounts"): _KEPT,
        ("", "persistentvolumeclaims"): _KEPT,
        ("", "pods"): _READ | {"patch"},
        ("apps", "deployments"): _MADE,
        ("batch", "jobs"): _READ | {"create", "delete"},
        ("coordination.k8s.io", "leases"): _MADE | {"get", "update"},
        ("rbac.authorization.k8s.io", "roles"): _KEPT,
        ("rbac.authorization.k8s.io", "rolebindings"): _KEPT,
    },
}
"""By scope. Runners get ``edgenodes/status`` (patch) and their Lease (get, patch, update): who grants must have."""


def everything() -> dict[tuple[str, str], frozenset[str]]:
    """All rights, whatever their scope."""
    found: dict[tuple[str, str], frozenset[str]] = {}
    for rights in RIGHTS.values():
        for key, verbs in rights.items():
            found[key] = found.get(key, frozenset()) | verbs
    return found


if __name__ == "__main__":
    rules = {
        scope: [
            {"apiGroups": [group], "resources": [resource], "verbs": sorted(verbs)}
            for (group, resource), verbs in rights.items()
        ]
        for scope, rights in RIGHTS.items()
    }
    json.dump(rules, sys.stdout, indent=1)
    sys.stdout.write("\n")
