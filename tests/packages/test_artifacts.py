"""What artifacts are made of: golden bytes, names, and what is refused before anything is written."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mainstream.documents import sha256
from mainstream.errors import InputError, PackageError
from mainstream.packages.artifacts import (
    list_artifacts,
    mpackage_name,
    read_base_dnn,
    read_mpackage,
    write_base_dnn,
    write_mpackage,
)
from mainstream.packages.layout import OciLayout, check_name

GOLDEN = Path(__file__).parent / "golden"
APPLE = "mpackage/default/apple"
BASE = "base/mobilenet-0.25-32"


@pytest.mark.parametrize("what", ["manifest", "config", "index", "base-manifest", "base-config"])
def test_golden_bytes(sample: Any, what: str):
    """The bytes of documents never change unnoticed: a digest is an identity, and other programs read these."""
    layout = sample.layout
    base = layout.read_json(sample.base.digest, limit=1 << 20)
    found = {
        "manifest": layout.read_blob(sample.package.digest),
        "config": layout.read_blob(sample.manifest()["config"]["digest"]),
        "index": (sample.root / "index.json").read_bytes(),
        "base-manifest": layout.read_blob(sample.base.digest),
        "base-config": layout.read_blob(base["config"]["digest"]),
    }[what]
    assert found == (GOLDEN / f"{what}.json").read_bytes()


def test_what_was_written_is_read(sample: Any):
    """By name, by digest, and by a reference with both."""
    for reference in (APPLE, sample.package.digest, f"anything@{sample.package.digest}"):
        assert read_mpackage(sample.layout, reference) == sample.package
    assert read_base_dnn(sample.layout, BASE) == sample.base


def test_the_same_config_and_blobs_have_the_same_digest(sample: Any, tmp_path: Path):
    """In another folder, under another name, in another order."""
    other = OciLayout(tmp_path / "other")
    blobs = {digest: sample.layout.read_blob(digest) for digest in reversed(sample.layout.stored())}
    base = write_base_dnn(other, sample.base.config, blobs, name="base/other")
    package = write_mpackage(other, sample.package.config, blobs, name="mpackage/other/app")
    assert (base.digest, package.digest) == (sample.base.digest, sample.package.digest)


def test_a_name_points_to_the_latest(sample: Any):
    """Writing under a name again moves it; the earlier artifact can still be read by digest."""
    config = sample.package.config.model_copy(update={"seed": 8})
    package = write_mpackage(sample.layout, config, {}, name=APPLE)
    assert read_mpackage(sample.layout, APPLE) == package != sample.package
    assert read_mpackage(sample.layout, sample.package.digest) == sample.package
    assert [one.name for one in list_artifacts(sample.layout)] == [BASE, APPLE]


def test_layers_are_named_by_annotations(sample: Any):
    """Each layer says what it is and where it is cut: the chain, then the branches."""
    package = next(one for one in list_artifacts(sample.layout) if one.name == APPLE)
    assert package.kind == "M-Package"
    assert [(layer.piece, layer.branchpoint) for layer in package.layers] == [
        ("segment", "conv1"),
        ("segment", "conv_pw_1"),
        ("branch", "input"),
        ("branch", "conv_pw_1"),
    ]


NAMES = ("base/mobilenet-1.0-224", "mpackage/default/apple", "mpackage/a-b/c--d", "base/a.b_c", "x", "0/1")
NO_NAMES = ("", "/a", "a/", "a//b", "a---b", "a..b", "a/../b", "A", "a b", "a:b", "a@b", "-a", "a-", "a\n", "x" * 256)


def test_names(sample: Any):
    """Names that skopeo and registries take are taken; the message of the others says what is expected."""
    for name in NAMES:
        check_name(name)
    for name in NO_NAMES:
        with pytest.raises(InputError, match="name of an artifact: expected"):
            write_mpackage(sample.layout, sample.package.config, {}, name=name)
    assert mpackage_name("default", "red-car") == "mpackage/default/red-car"


def _other_stem(config: Any) -> Any:
    first, second = config.segments
    return {"segments": (first.model_copy(update={"digest": config.candidates[0].branch_digest, "size": 15}), second)}


REFUSED: dict[str, tuple[Callable[[Any], dict[str, Any]], str]] = {
    "a chain beyond the deepest candidate": (
        lambda c: {"candidates": c.candidates[:1]},
        "the deepest candidate branches",
    ),
    "a branch that nobody has": (
        lambda c: {"candidates": (c.candidates[1].model_copy(update={"branch_digest": sha256(b"nobody's")}),)},
        f"blob {sha256(b'nobody')[:7]}",
    ),
    "a stem that is not its base DNN's": (_other_stem, "is not the base DNN's 'conv1'"),
    "other pictures than its base DNN's": (lambda _: {"input_shape": (64, 64, 3)}, "are not those of its base DNN"),
    "events that are no classes": (lambda _: {"events": ("pear",)}, "'pear' is none of the classes"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_makes_no_sense_is_not_written(sample: Any, name: str):
    """Writing refuses what reading would refuse, and the index stays as it was."""
    update, message = REFUSED[name]
    before = sample.index()
    config = sample.package.config.model_copy(update=update(sample.package.config))
    with pytest.raises(PackageError, match=message):
        write_mpackage(sample.layout, config, {}, name="mpackage/default/new")
    assert sample.index() == before


def test_bytes_that_are_not_the_configs_are_not_written(sample: Any):
    """A branch whose bytes have another digest than the config says."""
    digest = sample.branch()
    with pytest.raises(PackageError, match=f"branch 'conv_pw_1': expected 19 bytes of digest {digest}, got 5 of"):
        write_mpackage(sample.layout, sample.package.config, {digest: b"other"}, name=APPLE)


def test_a_damaged_segment_is_not_shared(sample: Any):
    """An M-Package is not written on a base DNN's blob that was damaged since."""
    segment = sample.package.config.segments[0]
    sample.file(segment.digest).write_bytes(bytes(segment.size))
    with pytest.raises(PackageError, match=f"blob {segment.digest} holds other bytes"):
        write_mpackage(sample.layout, sample.package.config, {}, name="mpackage/default/new")


def test_a_store_can_be_moved_and_copied(sample: Any, tmp_path: Path):
    """No document holds a path; a copy of the folder is a store."""
    shutil.copytree(sample.folder.root, tmp_path / "copy")
    assert read_mpackage(OciLayout(tmp_path / "copy" / "oci"), APPLE) == sample.package
    for path in sample.root.rglob("*"):
        if path.is_file():
            assert os.fsencode(tmp_path) not in path.read_bytes()


def test_files_can_be_read_by_others(sample: Any):
    """Blobs and documents have the rights that the user's mask leaves, as files that a program writes have."""
    mask = os.umask(0)
    os.umask(mask)
    for path in sample.root.rglob("*"):
        if path.is_file():
            assert path.stat().st_mode & 0o777 == 0o666 & ~mask
