"""Whether the CRDs that the API server serves are those that this operator needs: an old one would lose what it writes."""

from collections.abc import Iterator, Mapping
from typing import Any

from mainstream_operator import kinds
from mainstream_operator.client import Plain

VERSION = "v1alpha1"
NEEDED: Mapping[str, tuple[str, ...]] = {
    "edgenodes.mainstream.dev": (
        "spec.streams", "spec.allowedNamespaces", "status.nodeName", "status.profile.hardware",
        "status.profile.streams.sourceDigest", "status.schedule.inputDigest", "status.schedule.costScale",
        "status.schedule.apps.precision", "status.schedule.rejected", "status.runner.refusal", "status.conditions",
    ),
    "mainstreamapps.mainstream.dev": (
        "spec.training", "spec.package", "status.package.trainingHash", "status.previousPackage", "status.heldPackage",
        "status.summary.branchpoint", "status.assignments", "status.conditions",
    ),
}  # fmt: skip
"""Fields of each CRD that the operator reads or writes; the newest ones of a release belong here."""
REMEDY = "kubectl apply --server-side -f crds/ (or helm upgrade with crds.enabled=true)"


def shortcomings(crds: Mapping[str, Plain | None]) -> list[str]:
    """What is wrong with the CRDs of those names, in sentences; empty if nothing is."""
    found = []
    for name, fields in NEEDED.items():
        crd = crds.get(name)
        schema = _schema(crd) if crd is not None else None
        if crd is None:
            found.append(f"the CustomResourceDefinition {name} is missing")
        elif schema is None:
            found.append(f"the CustomResourceDefinition {name} does not serve version {VERSION}")
        elif lacking := [field for field in fields if not _has(schema, field.split("."))]:
            found.append(f"the CustomResourceDefinition {name} is too old: it has no {', '.join(lacking)}")
    return found


def crd_keys() -> Iterator[tuple[str, kinds.Kind]]:
    """Those to ask for."""
    for name in NEEDED:
        yield name, kinds.CRD


def _schema(crd: Plain) -> Any:
    for version in crd["spec"].get("versions") or ():
        if version.get("name") == VERSION and version.get("served"):
            return (version.get("schema") or {}).get("openAPIV3Schema") or {}
    return None


def _has(schema: Any, path: list[str]) -> bool:
    for step in path:
        schema = (schema.get("items") or schema).get("properties", {}).get(step)
        if schema is None:
            return False
    return True
