"""The tests of this folder run where their tools are or where somebody asks for them; none is ever skipped."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import ROOT

pytestmark = pytest.mark.cluster


def _pytest(cache: Path, *arguments: str) -> str:
    """What pytest prints on a machine whose cache is that folder."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False).stdout


def test_a_plain_pytest_leaves_them_alone_where_nothing_is_built(tmp_path: Path) -> None:
    """A contributor without Go has a green suite; folders other than this one and a quick one are left out here."""
    plain = ("--collect-only", "--ignore-glob=*/tests/[abd-z]*", "tests")
    assert "tests/cluster" not in _pytest(tmp_path, *plain)
    assert "tests/cluster" in _pytest(tmp_path, *plain, "-m", "cluster")


def test_who_asks_for_them_is_told_what_to_build(tmp_path: Path) -> None:
    """They fail, with the command that builds what they need."""
    said = _pytest(tmp_path, "tests/cluster/test_crds_take.py", "-k", "device")
    assert "run `sh tools/cluster-tools.sh`" in said
    assert "1 error" in said
