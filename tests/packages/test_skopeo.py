"""Skopeo, Debian's package, reads the layout. ``skopeo inspect`` needs ``--raw``: without, it describes images only."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mainstream.packages.artifacts import read_base_dnn, read_mpackage
from mainstream.packages.descriptor import is_name
from mainstream.packages.layout import OciLayout

APPLE = "mpackage/default/apple"
BASE = "base/mobilenet-0.25-32"


def skopeo(*arguments: str) -> "subprocess.CompletedProcess[bytes]":
    """Run skopeo."""
    program = shutil.which("skopeo")
    assert program is not None, "skopeo is not installed: make tools (or apt-get install skopeo)"
    return subprocess.run([program, *arguments], capture_output=True, check=False, timeout=120)


@pytest.mark.parametrize("name", [APPLE, BASE])
def test_skopeo_inspects_both_kinds_of_artifact(sample: Any, name: str):
    """Manifest and config come out byte by byte, found by the name in the index."""
    digest = sample.layout.names()[name]
    manifest = skopeo("inspect", "--raw", f"oci:{sample.root}:{name}")
    assert (manifest.returncode, manifest.stdout) == (0, sample.layout.read_blob(digest)), manifest.stderr
    config = skopeo("inspect", "--config", "--raw", f"oci:{sample.root}:{name}")
    config_digest = json.loads(manifest.stdout)["config"]["digest"]
    assert (config.returncode, config.stdout) == (0, sample.layout.read_blob(config_digest)), config.stderr


def test_skopeo_copies_artifacts(sample: Any, tmp_path: Path):
    """Into a layout of its own, which Mainstream reads; and from there into a store that has other artifacts."""
    for name in (APPLE, BASE):
        done = skopeo("copy", f"oci:{sample.root}:{name}", f"oci:{tmp_path / 'theirs'}:{name}")
        assert done.returncode == 0, done.stderr
    theirs = OciLayout(tmp_path / "theirs")
    assert read_mpackage(theirs, APPLE) == sample.package
    assert read_base_dnn(theirs, BASE) == sample.base
    done = skopeo("copy", f"oci:{theirs.root}:{APPLE}", f"oci:{sample.root}:mpackage/other/copy")
    assert done.returncode == 0, done.stderr
    assert set(sample.layout.names()) == {APPLE, BASE, "mpackage/other/copy"}
    assert read_mpackage(sample.layout, "mpackage/other/copy") == sample.package


def test_skopeo_refuses_a_damaged_blob(sample: Any, tmp_path: Path):
    """The digests are the ones that others check, too."""
    file = sample.file(sample.branch())
    file.write_bytes(bytes(file.stat().st_size))
    assert skopeo("copy", f"oci:{sample.root}:{APPLE}", f"oci:{tmp_path / 'theirs'}:x").returncode != 0


@pytest.mark.parametrize("name", ["mpackage/a-b/c--d", "base/a.b_c", "x", "0/1"])
def test_skopeo_takes_the_names_that_mainstream_gives(sample: Any, name: str):
    """A name that an artifact can have can be said to skopeo."""
    assert is_name(name)
    sample.layout.put_manifest({**sample.manifest()}, name=name)
    assert skopeo("inspect", "--raw", f"oci:{sample.root}:{name}").returncode == 0
