"""Attacks on the layout: files below ``blobs``, ``index.json`` and ``oci-layout`` that are not what they should be."""

import json
import os
from collections.abc import Callable
from typing import Any

import pytest

from mainstream.errors import InputError, PackageError
from mainstream.packages.contents import contents, verify

Attack = Callable[[Any], str]
"""Spoils a sample; returns what the message must name."""

APPLE = "mpackage/default/apple"
NAME = "org.opencontainers.image.ref.name"
OTHER = "sha256:" + "0" * 64


def _flip(sample: Any) -> str:
    file = sample.file(sample.branch())
    data = bytearray(file.read_bytes())
    data[3] ^= 1
    file.write_bytes(data)
    return str(sample.branch())


def _cut_off(sample: Any) -> str:
    file = sample.file(sample.branch())
    file.write_bytes(file.read_bytes()[:-1])
    return str(sample.branch())


def _empty(sample: Any) -> str:
    sample.file(sample.branch()).write_bytes(b"")
    return str(sample.branch())


def _longer(sample: Any) -> str:
    with sample.file(sample.branch()).open("ab") as file:
        file.write(b"more")
    return str(sample.branch())


def _missing(sample: Any) -> str:
    sample.file(sample.branch()).unlink()
    return str(sample.branch())


def _replaced(sample: Any) -> str:
    """A true blob of the store under another one's digest."""
    first, second = sample.package.config.candidates
    sample.file(second.branch_digest).write_bytes(sample.file(first.branch_digest).read_bytes())
    return str(second.branch_digest)


def _symbolic_link(sample: Any) -> str:
    """Even to the right bytes: what a link points to can change after it was verified."""
    file = sample.file(sample.branch())
    elsewhere = sample.root.parent / "elsewhere"
    file.rename(elsewhere)
    file.symlink_to(elsewhere)
    return str(sample.branch())


def _named_pipe(sample: Any) -> str:
    file = sample.file(sample.branch())
    file.unlink()
    os.mkfifo(file)
    return str(sample.branch())


def _folder(sample: Any) -> str:
    file = sample.file(sample.branch())
    file.unlink()
    file.mkdir()
    return str(sample.branch())


def _segment_of_the_base(sample: Any) -> str:
    digest = sample.package.config.segments[0].digest
    sample.file(digest).write_bytes(b"x" * len(sample.file(digest).read_bytes()))
    return str(digest)


def _manifest_altered(sample: Any) -> str:
    file = sample.file(sample.package.digest)
    file.write_bytes(file.read_bytes().replace(b"vnd.mainstream", b"vnd.meanstream"))
    return str(sample.package.digest)


def _config_altered(sample: Any) -> str:
    digest = sample.manifest()["config"]["digest"]
    file = sample.file(digest)
    file.write_bytes(file.read_bytes().replace(b'"seed":7', b'"seed":8'))
    return str(digest)


def _index(change: Callable[[Any], Any], expected: str) -> Attack:
    def attack(sample: Any) -> str:
        sample.change_index(change)
        return expected

    return attack


def _entries(**fields: Any) -> Callable[[Any], Any]:
    return lambda index: {**index, "manifests": [{**entry, **fields} for entry in index["manifests"]]}


def _index_is_a_link(sample: Any) -> str:
    (sample.root / "index.json").rename(sample.root / "other.json")
    (sample.root / "index.json").symlink_to("other.json")
    return "index.json: the index is a symbolic link"


def _index_is_a_pipe(sample: Any) -> str:
    (sample.root / "index.json").unlink()
    os.mkfifo(sample.root / "index.json")
    return "index.json: the index is not a regular file"


def _layout(data: bytes, expected: str) -> Attack:
    def attack(sample: Any) -> str:
        (sample.root / "oci-layout").write_bytes(data)
        return expected

    return attack


def _no_layout(sample: Any) -> str:
    (sample.root / "oci-layout").unlink()
    return "oci-layout is missing"


def _two_of_one_name(index: Any) -> Any:
    first = next(entry for entry in index["manifests"] if entry["annotations"][NAME] == APPLE)
    return {**index, "manifests": [*index["manifests"], {**first, "digest": OTHER}]}


ATTACKS: dict[str, Attack] = {
    "a bit of a blob is flipped": _flip,
    "a blob is cut off": _cut_off,
    "a blob is empty": _empty,
    "a blob has more bytes": _longer,
    "a blob is missing": _missing,
    "a blob is replaced by another after writing": _replaced,
    "a blob is a symbolic link": _symbolic_link,
    "a blob is a named pipe": _named_pipe,
    "a blob is a folder": _folder,
    "a segment of the base DNN is replaced": _segment_of_the_base,
    "the manifest is altered": _manifest_altered,
    "the config is altered": _config_altered,
    "the index is not JSON": _index(lambda _: b"PK\x03\x04", "the index is not readable as JSON"),
    "the index is not UTF-8": _index(lambda _: b'{"manifests":"\xff\xfe"}', "the index is not readable as JSON"),
    "the index is empty": _index(lambda _: b"", "the index is not readable as JSON"),
    "the index is a list": _index(lambda _: [], "not an OCI image index"),
    "the index has no manifests": _index(lambda _: {"schemaVersion": 2}, "not an OCI image index"),
    "the index's manifests are a number": _index(lambda i: {**i, "manifests": 5}, "not an OCI image index"),
    "the index's entries are numbers": _index(lambda i: {**i, "manifests": [5]}, "manifests[0]: expected a descriptor"),
    "the index is of another schema version": _index(lambda i: {**i, "schemaVersion": 3}, "schemaVersion 2"),
    "the index is huge": _index(lambda i: {**i, "pad": "x" * (1 << 20)}, "more than the 1048576 that it may have"),
    "the index is deep": _index(lambda _: b'{"manifests":' + b"[" * 200_000, "the index is not readable as JSON"),
    "the index is a symbolic link": _index_is_a_link,
    "the index is a named pipe": _index_is_a_pipe,
    "the index's size of the manifest is a lie": _index(_entries(size=17), "bytes instead of 17"),
    "the index's size is huge": _index(_entries(size=1 << 60), "manifests[0].size"),
    "the index's size is negative": _index(_entries(size=-1), "manifests[0].size"),
    "the index's size is a text": _index(_entries(size="12"), "manifests[0].size"),
    "a digest is a path": _index(_entries(digest="sha256:../../../../../../etc/passwd"), "manifests[0].digest"),
    "a digest has a line end": _index(_entries(digest=OTHER + "\n"), "manifests[0].digest"),
    "a digest is of an unknown kind": _index(_entries(digest="md5:" + "0" * 32), "manifests[0].digest"),
    "a digest is a list": _index(_entries(digest=[OTHER]), "manifests[0].digest"),
    "a media type is missing": _index(_entries(mediaType=None), "manifests[0].mediaType"),
    "annotations are a text": _index(_entries(annotations="x"), "manifests[0].annotations"),
    "a name is a number": _index(_entries(annotations={NAME: 5}), "manifests[0].annotations"),
    "two artifacts have one name": _index(_two_of_one_name, "the index names several artifacts"),
    "the layout's version is unknown": _layout(b'{"imageLayoutVersion":"2.0.0"}', "reads 1.0.0, got '2.0.0'"),
    "the layout's version is no JSON": _layout(b"1.0.0\n{", "oci-layout is not readable as JSON"),
    "the layout's version is missing": _no_layout,
}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_hostile_layout_is_refused(sample: Any, name: str):
    """Whoever reads the M-Package and its blobs gets a PackageError that names the blob or the file, nothing else."""
    assert sample.use() == b"segment to conv1segment to conv_pw_1branch at inputbranch at conv_pw_1"
    expected = ATTACKS[name](sample)
    with pytest.raises(PackageError) as error:
        sample.use()
    assert expected in str(error.value)
    assert str(sample.root) in str(error.value)


@pytest.mark.parametrize("name", ATTACKS)
def test_verify_finds_a_hostile_layout(sample: Any, name: str):
    """``verify`` says the same, for each artifact that has the fault."""
    expected = ATTACKS[name](sample)
    try:
        checked = verify(sample.layout, contents(sample.layout))
    except PackageError as error:
        faults = [str(error)]
    else:
        faults = [fault for one in checked for fault in one.faults]
        if name == "two artifacts have one name":
            expected = OTHER
    assert any(expected in fault or expected.partition(": ")[2] in fault for fault in faults), faults


def test_a_name_that_is_a_path_names_nothing(sample: Any):
    """A name that no artifact can have is no name: nothing resolves it, and nobody can make a path of it."""
    path = "../../../../etc/passwd"
    sample.change_index(_entries(annotations={NAME: path}))
    assert sample.layout.names() == {}
    with pytest.raises(InputError, match="no artifact is named"):
        sample.layout.resolve(path)
    assert all(one.name is None for one in contents(sample.layout))


def test_a_reference_that_is_a_path_is_refused(sample: Any):
    """Neither a digest nor a name of a reference becomes a path before it was checked."""
    for reference in ("sha256:../../../../etc/passwd", "x@sha256:..", "../x", "", "/etc/passwd", "a\0b"):
        with pytest.raises(InputError):
            sample.layout.resolve(reference)


def test_a_lock_that_is_a_link_is_not_followed(sample: Any, tmp_path: Any):
    """A stranger's layout whose lock file points elsewhere does not make the library write there."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (sample.root / ".lock").unlink()
    (sample.root / ".lock").symlink_to(victim)
    with pytest.raises(Exception, match="cannot lock the store"):
        sample.layout.put_manifest({"artifactType": "a/b", "layers": []}, name="x")
    assert victim.read_text() == "precious"


def test_a_damaged_blob_is_replaced_when_it_is_written_again(sample: Any):
    """Making the artifact again, as messages advise, repairs it."""
    data = sample.file(sample.branch()).read_bytes()
    _flip(sample)
    assert sample.layout.put_blob(data) == sample.branch()
    assert sample.layout.read_blob(sample.branch()) == data


def test_other_programs_entries_stay_in_the_index(sample: Any):
    """Writing keeps what other programs listed, names that Mainstream would not give included."""
    foreign = {
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "digest": OTHER,
        "size": 5,
        "annotations": {NAME: "Their:Tag"},
    }
    sample.change_index(lambda index: {**index, "manifests": [*index["manifests"], foreign]})
    sample.layout.put_manifest({"artifactType": "a/b", "layers": []}, name="x")
    assert foreign in json.loads((sample.root / "index.json").read_bytes())["manifests"]
    assert len(sample.index()["manifests"]) == 4
