"""``mainstream packages push`` and ``pull`` against a real registry."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mainstream.packages.artifacts import read_base_dnn, read_mpackage
from mainstream.packages.folder import StoreFolder

APPLE, BUS = "mpackage/default/apple", "mpackage/default/bus"


def result(done: "subprocess.CompletedProcess[str]") -> Any:
    """What a verb printed as JSON."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def store(make_store: Any) -> Any:
    """A base DNN and two M-Packages."""
    made = make_store()
    made.add(APPLE)
    made.add(BUS)
    return made


def push(run: Any, store: Any, *arguments: object) -> Any:
    """Push, and read what it says."""
    return result(run("push", *arguments, "--store", store.folder.root, "-o", "json"))


def test_a_package_and_its_base_dnn_come_back_as_they_went(store: Any, registry: Any, run: Any, tmp_path: Path):
    """Same digests, same configs, every blob sound; each blob was sent once."""
    package = read_mpackage(store.layout, APPLE)
    pushed = push(run, store, APPLE, "--to", f"{registry.address}/team/apple:v1")["artifacts"]
    assert [one["kind"] for one in pushed] == ["base DNN", "M-Package"]
    assert pushed[1]["reference"] == f"{registry.address}/team/apple@{package.digest}"
    shared = sum(segment.size for segment in package.config.segments)
    assert (pushed[0]["thereBytes"], pushed[1]["thereBytes"]) == (0, shared)

    other = tmp_path / "other"
    pulled = result(run("pull", f"{registry.address}/team/apple:v1", "--store", other, "-o", "json"))
    assert [one["name"] for one in pulled["artifacts"]] == [
        "team/apple",
        f"base/pulled-{store.base.digest[7:19]}",
    ]
    assert pulled["baseDnnMissing"] is None
    assert pulled["artifacts"][0]["reference"] == pushed[1]["reference"]
    layout = StoreFolder(other).layout
    assert read_mpackage(layout, "team/apple") == package
    assert read_base_dnn(layout, store.base.digest) == store.base
    verified = result(run("verify", "--store", other, "-o", "json"))["artifacts"]
    assert [one["sound"] for one in verified] == [True, True]
    assert not list(other.rglob(".fetching/blobs/sha256/*"))

    again = result(run("pull", f"{registry.address}/team/apple@{package.digest}", "--store", other, "-o", "json"))
    assert [one["receivedBytes"] for one in again["artifacts"]] == [0]


def test_a_second_push_sends_nothing(store: Any, line: Any, run: Any):
    """Blobs and manifests that are there are asked for, not sent: a fraction of their bytes goes over the line."""
    first = push(run, store, APPLE, "--to", f"{line.address}/team/apple:v1")["artifacts"]
    sent, line.from_client = line.from_client, 0
    assert sent > sum(one["sentBytes"] for one in first) > 10_000
    again = push(run, store, APPLE, "--to", f"{line.address}/team/apple:v1")["artifacts"]
    assert [(one["sentBytes"], one["mountedBytes"]) for one in again] == [(0, 0), (0, 0)]
    assert line.from_client < 6_000  # requests without bodies


def test_several_packages_share_their_blobs_by_mounting(store: Any, registry: Any, run: Any):
    """Below one place each gets a repository; what one has, the others take over without sending."""
    pushed = push(run, store, APPLE, BUS, "--to", f"{registry.address}/team/")["artifacts"]
    assert [one["reference"].partition("@")[0].partition("/")[2] for one in pushed] == [
        "team/default/apple",
        "team/default/apple",
        "team/default/bus",
        "team/default/bus",
    ]
    config = read_base_dnn(store.layout, store.base.digest).config
    assert pushed[2]["sentBytes"] == 0
    assert pushed[2]["mountedBytes"] > sum(segment.size for segment in config.segments)
    kept = [path for path in registry.data.rglob("data") if "/blobs/" in str(path)]
    assert len(kept) == len({path.parent.name for path in kept}) == len(store.layout.stored())


def test_a_base_dnn_of_another_repository_is_mounted_from_there(store: Any, registry: Any, run: Any):
    """The trainer pulled it from there, so its segments need not be sent again."""
    push(run, store, "base/mobilenet", "--to", f"{registry.address}/base/mobilenet")
    pushed = push(run, store, APPLE, "--to", f"{registry.address}/team/apple", "--mount-from", "base/mobilenet")[
        "artifacts"
    ]
    assert pushed[0]["sentBytes"] == 0
    assert pushed[0]["mountedBytes"] > 0


def test_skopeo_reads_what_was_pushed(store: Any, registry: Any, run: Any):
    """The manifest is in the registry byte by byte."""
    push(run, store, APPLE, "--to", f"{registry.address}/team/apple:v1")
    program = shutil.which("skopeo")
    assert program is not None, "skopeo is not installed: make tools (or apt-get install skopeo)"
    place = f"docker://{registry.address}/team/apple:v1"
    done = subprocess.run(
        [program, "inspect", "--raw", "--tls-verify=false", place], capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == store.layout.read_blob(read_mpackage(store.layout, APPLE).digest)


def test_a_pulled_name_is_chosen(store: Any, registry: Any, run: Any, tmp_path: Path):
    """``--name`` is where ``mainstream plan`` looks for an app's package."""
    push(run, store, APPLE, "--to", f"{registry.address}/team/apple")
    digest = read_mpackage(store.layout, APPLE).digest
    reference = f"{registry.address}/team/apple@{digest}"
    result(run("pull", reference, "--name", BUS, "--store", tmp_path / "other", "-o", "json"))
    assert read_mpackage(StoreFolder(tmp_path / "other").layout, BUS).digest == digest


def test_a_base_dnn_that_is_nowhere_is_said(store: Any, registry: Any, run: Any, tmp_path: Path):
    """The package comes, and a warning says what cannot be done without the base DNN."""
    digest = read_mpackage(store.layout, APPLE).digest
    push(run, store, APPLE, "--to", f"{registry.address}/team/apple")
    for link in registry.data.rglob(f"**/team/apple/_manifests/revisions/sha256/{store.base.digest[7:]}/link"):
        link.unlink()
    done = run("pull", f"{registry.address}/team/apple@{digest}", "--store", tmp_path / "other", "-o", "json")
    assert result(done)["baseDnnMissing"] == store.base.digest
    assert "cannot be planned" in done.stderr


def test_nothing_else_is_pulled(store: Any, registry: Any, run: Any, tmp_path: Path):
    """An artifact of another kind is refused, and no name points to it."""
    manifest = json.loads(store.layout.read_blob(read_mpackage(store.layout, APPLE).digest))
    store.layout.put_manifest({**manifest, "artifactType": "application/x"}, name="stranger")
    done = run("push", "stranger", "--to", f"{registry.address}/team/x", "--store", store.folder.root)
    assert (done.returncode, "neither a base DNN nor an M-Package" in done.stderr) == (2, True)
    program = shutil.which("skopeo")
    assert program is not None, "skopeo is not installed: make tools (or apt-get install skopeo)"
    copy = [program, "copy", f"oci:{store.layout.root}:stranger", f"docker://{registry.address}/team/x:v1"]
    subprocess.run([*copy, "--dest-tls-verify=false"], check=True, capture_output=True, timeout=60)
    done = run("pull", f"{registry.address}/team/x:v1", "--store", tmp_path / "other")
    assert (done.returncode, "neither a base DNN nor an M-Package" in done.stderr) == (2, True)
    assert StoreFolder(tmp_path / "other").layout.names() == {}


def test_a_damaged_blob_is_not_pushed(store: Any, registry: Any, run: Any):
    """Nothing of the package is in the registry afterwards."""
    branch = read_mpackage(store.layout, APPLE).config.candidates[0]
    store.layout.blob_path(branch.branch_digest).write_bytes(bytes(branch.branch_size))
    done = run("push", APPLE, "--to", f"{registry.address}/team/apple:v1", "--store", store.folder.root)
    assert (done.returncode, f"blob {branch.branch_digest} holds other bytes" in done.stderr) == (2, True)
    missing = run("pull", f"{registry.address}/team/apple:v1", "--store", store.folder.root)
    assert (missing.returncode, "has no such thing" in missing.stderr) == (2, True)


def test_a_person_gets_lines_to_copy(store: Any, registry: Any, run: Any, tmp_path: Path):
    """The references by digest stand in lines of their own, whatever the width."""
    reference = f"{registry.address}/team/apple@{read_mpackage(store.layout, APPLE).digest}"
    pushed = run("push", APPLE, "--to", f"{registry.address}/team/apple:v1", "--store", store.folder.root)
    pulled = run("pull", f"{registry.address}/team/apple:v1", "--store", tmp_path / "other")
    for done in (pushed, pulled):
        assert done.returncode == 0, done.stderr
        assert reference in done.stdout.splitlines()
        assert f"{store.base.digest[:19]}" in done.stdout


@pytest.mark.parametrize(
    ("names", "to", "words"),
    [
        ([APPLE, BUS], "{}/team", "Write '/' at its end"),
        ([APPLE], "team/apple", "the registry with a dot or a port"),
        ([APPLE], "{}/Team", "no repository's name"),
        ([APPLE], "{}/team:a b", "no tag"),
        ([APPLE], "https://{}/team", "without 'https://'"),
        ([APPLE], "{}/team@sha256:" + "0" * 64, "leave it out"),
        (["mpackage/default/none"], "{}/team", "no artifact is named"),
    ],
)
def test_wrong_input_is_said(store: Any, registry: Any, run: Any, names: list[str], to: str, words: str):
    """Exit status 2, and what to write instead."""
    done = run("push", *names, "--to", to.format(registry.address), "--store", store.folder.root)
    assert (done.returncode, words in done.stderr, "Traceback" in done.stderr) == (2, True, False), done.stderr
