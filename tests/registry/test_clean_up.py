"""The clean-up of the chart's registry, on a real registry's files: what is referred to stays whole, the rest goes in time."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from mainstream.errors import InputError
from mainstream_operator.registry_cleanup import DAY_SECONDS, MARKS, run
from mainstream_operator.registry_files import RegistryFiles

APPLE, BUS = "mpackage/default/apple", "mpackage/default/bus"
NOW = 4e9
"""Unix time of the first round, long after anything was pushed."""


@pytest.fixture
def pushed(make_store: Any, registry: Any, run: Any) -> dict[str, str]:
    """References by name of two M-Packages, each in its repository with their one base DNN."""
    store = make_store()
    found = {}
    for name in (APPLE, BUS):
        store.add(name)
        place = f"{registry.address}/mainstream/{Path(name).name}:v1"
        done = run("push", name, "--to", place, "--store", store.folder.root, "-o", "json")
        assert done.returncode == 0, done.stderr
        found[name] = json.loads(done.stdout)["artifacts"][1]["reference"]
    return found


def app(reference: str) -> bytes:
    """An app that uses a package, as the cluster tells of it."""
    return json.dumps({"kind": "MainstreamApp", "status": {"package": {"reference": reference}}}).encode()


def clean(registry: Any, documents: list[bytes], *, day: float, dry_run: bool = False) -> str:
    """One round, so many days after the first."""
    now = NOW + day * DAY_SECONDS
    return run(RegistryFiles(registry.data), documents, now=now, after_days=30, dry_run=dry_run)


def files(registry: Any) -> set[Path]:
    """All files but the marks."""
    return {path for path in registry.data.rglob("*") if path.is_file() and path.name != MARKS}


def pulled(run: Any, registry: Any, reference: str, store: Path) -> Any:
    """Pull by digest from another registry process over the same files: it remembers nothing."""
    repository = reference.partition("/")[2]
    return run("pull", f"{registry.address}/{repository}", "--store", store)


def test_what_nothing_refers_to_goes_after_thirty_days(
    pushed: dict[str, str], registry: Any, start_registry: Any, run: Any, tmp_path: Path
):
    """Not before; the other package comes back whole afterwards, with the base DNN that both have."""
    before = files(registry)
    said = clean(registry, [app(pushed[BUS])], day=0)
    assert said.startswith("removed 0 manifests and 0 blobs")
    assert clean(registry, [app(pushed[BUS])], day=29.9).startswith("removed 0 manifests and 0 blobs")
    assert files(registry) == before
    said = clean(registry, [app(pushed[BUS])], day=30)
    assert said.splitlines()[0] == (
        f"removed mainstream/apple@{pushed[APPLE].partition('@')[2]}, not referred to since 2096-10-02"
    )
    assert said.splitlines()[1].startswith("removed 1 manifests and 4 blobs")  # its manifest, config and two branches
    again = start_registry()
    assert pulled(run, again, pushed[BUS], tmp_path / "bus").returncode == 0
    gone = pulled(run, again, pushed[APPLE], tmp_path / "apple")
    assert (gone.returncode, "has no such thing" in gone.stderr) == (2, True)


def test_a_package_that_is_wanted_again_begins_anew(pushed: dict[str, str], registry: Any):
    """Its mark goes while an app uses it."""
    both = [app(pushed[APPLE]), app(pushed[BUS])]
    clean(registry, both[1:], day=0)
    clean(registry, both, day=20)
    assert clean(registry, both[1:], day=31).startswith("removed 0 manifests")
    assert clean(registry, both[1:], day=60.5).startswith("removed 0 manifests")
    assert clean(registry, both[1:], day=61).splitlines()[-1].startswith("removed 1 manifests")


def test_a_dry_run_says_what_would_go_and_removes_nothing(pushed: dict[str, str], registry: Any):
    """It marks, so that it knows later."""
    before = files(registry)
    clean(registry, [app(pushed[BUS])], day=0, dry_run=True)
    said = clean(registry, [app(pushed[BUS])], day=30, dry_run=True)
    assert said.splitlines()[0].startswith(f"would remove mainstream/apple@{pushed[APPLE].partition('@')[2]}")
    assert files(registry) == before


def test_with_nothing_referred_to_the_base_dnn_goes_too(pushed: dict[str, str], registry: Any):
    """No blob and no repository's link is left, and the registry can be pushed to again."""
    clean(registry, [], day=0)
    said = clean(registry, [], day=30)
    assert said.splitlines()[-1].startswith("removed 4 manifests")  # two packages, the base DNN in two repositories
    assert [path for path in files(registry) if path.name in {"data", "link"}] == []
    assert pushed


def test_a_tag_that_an_app_names_keeps_its_package(pushed: dict[str, str], registry: Any):
    """Manifests may name a tag."""
    documents = [app(pushed[BUS]), app(f"{registry.address}/mainstream/apple:v1")]
    clean(registry, documents, day=0)
    assert clean(registry, documents, day=90).startswith("removed 0 manifests")


def test_what_was_pushed_again_is_young(pushed: dict[str, str], registry: Any):
    """A training that gives the same package again, after long, finds it there when its app is told."""
    clean(registry, [app(pushed[BUS])], day=0)
    digits = pushed[APPLE].partition("@sha256:")[2]
    (link,) = registry.data.glob(
        f"docker/registry/v2/repositories/mainstream/apple/_manifests/revisions/sha256/{digits}/link"
    )
    os.utime(link, (NOW + 29 * DAY_SECONDS,) * 2)
    assert clean(registry, [app(pushed[BUS])], day=30).startswith("removed 0 manifests and 0 blobs")


def test_wrong_input_is_named(tmp_path: Path):
    """The folder, and marks that are none."""
    with pytest.raises(InputError, match="there is no such folder"):
        RegistryFiles(tmp_path / "nowhere")
    (tmp_path / MARKS).write_text("[]")
    with pytest.raises(InputError, match="expected the marks of an earlier run"):
        run(RegistryFiles(tmp_path), [], now=NOW, after_days=30, dry_run=False)
