"""A damaged M-Package is trained anew, as the messages of ``packages verify`` advise."""

from pathlib import Path

import pytest

from mainstream.packages.artifacts import read_mpackage
from mainstream.packages.folder import StoreFolder

from .conftest import EDGE_NODE, CommandLine, manifest


@pytest.mark.slow
def test_a_damaged_branch_is_trained_again(tmp_path: Path, red_and_blue: Path, command_line: CommandLine) -> None:
    """``verify`` finds a branch of the right size with wrong bytes; ``train`` replaces it without being asked twice."""
    (tmp_path / "box.yaml").write_text(EDGE_NODE)
    (tmp_path / "red.yaml").write_text(manifest(red_and_blue))
    train = ("train", "-f", ".", "--store", "store")
    assert command_line(*train).returncode == 0
    layout = StoreFolder(tmp_path / "store").layout
    branch = layout.blob_path(read_mpackage(layout, "mpackage/default/red").config.candidates[0].branch_digest)
    branch.write_bytes(bytes(branch.stat().st_size))
    verify = ("packages", "verify", "--store", "store")
    found = command_line(*verify)
    assert found.returncode == 1
    assert branch.name in found.stderr
    again = command_line(*train)
    assert again.returncode == 0, again.stderr
    assert "already trained" not in again.stderr
    assert command_line(*verify).returncode == 0
