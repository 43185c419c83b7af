"""Whether the CRDs that are served are new enough; whoever is told knows what to do."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from mainstream_operator.served import NEEDED, shortcomings

CRDS = Path(__file__).resolve().parents[2] / "crds"


@pytest.fixture
def crds() -> dict[str, Any]:
    """Ours."""
    return {name: yaml.safe_load((CRDS / f"{name}.yaml").read_text()) for name in NEEDED}


def test_ours_fit(crds: dict[str, Any]) -> None:
    """Every field that is asked for is there."""
    assert shortcomings(crds) == []


def test_a_missing_one_and_an_old_one_are_named(crds: dict[str, Any]) -> None:
    """With the fields that an old one would lose."""
    old = copy.deepcopy(crds["mainstreamapps.mainstream.dev"])
    schema = old["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    del schema["properties"]["status"]["properties"]["heldPackage"]
    first, second = shortcomings({"edgenodes.mainstream.dev": None, "mainstreamapps.mainstream.dev": old})
    assert first == "the CustomResourceDefinition edgenodes.mainstream.dev is missing"
    assert second.endswith("is too old: it has no status.heldPackage")


def test_another_version_is_not_ours(crds: dict[str, Any]) -> None:
    """One that is not served any more counts as none."""
    crds["edgenodes.mainstream.dev"]["spec"]["versions"][0]["served"] = False
    assert shortcomings(crds) == [
        "the CustomResourceDefinition edgenodes.mainstream.dev does not serve version v1alpha1"
    ]
