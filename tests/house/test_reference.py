"""Documents that are made of something are what it makes of them; and every reason is in the table of reasons."""

import re
import subprocess
import sys
from pathlib import Path

from mainstream.resources import reasons

ROOT = Path(__file__).resolve().parents[2]


def test_the_reference_of_the_api_is_that_of_the_crds() -> None:
    """docs/api.md is not stale."""
    made = subprocess.run(
        [sys.executable, ROOT / "tools" / "api_reference.py"], capture_output=True, text=True, check=True
    ).stdout
    assert (ROOT / "docs" / "api.md").read_text(encoding="utf-8") == made, "docs/api.md is stale: make reference"


def test_the_page_of_reasons_is_that_of_the_table() -> None:
    """docs/reasons.md is not stale."""
    page = (ROOT / "docs" / "reasons.md").read_text(encoding="utf-8")
    assert page == reasons.page(), "docs/reasons.md is stale: make reference"


def test_every_reason_that_the_operator_gives_is_explained() -> None:
    """No word in a condition that nobody can look up."""
    given: set[str] = set()
    for file in (ROOT / "operator" / "mainstream_operator").glob("*.py"):
        given |= set(re.findall(r'reason="([A-Z][A-Za-z0-9]+)"', file.read_text(encoding="utf-8")))
    assert {"Ready", "NoApps", "Infeasible"} <= given
    assert given <= set(reasons.REASONS)


def test_every_metric_of_the_operator_is_explained() -> None:
    """By its name, in docs/metrics.md."""
    source = (ROOT / "operator" / "mainstream_operator" / "metrics.py").read_text(encoding="utf-8")
    given = set(re.findall(r'"(mainstream_\w+)"', source))
    assert {"mainstream_leader", "mainstream_reconcile_waiting"} <= given
    assert given <= set(re.findall(r"`(mainstream_\w+)`", (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")))
