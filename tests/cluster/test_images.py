"""What is in the images, and what is not: sizes, libraries, user, and nothing of the machine that built them."""

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from .built_images import built_images

pytestmark = pytest.mark.cluster

MB = 1_000_000
PACKAGES = "/site-packages/"


@dataclass(frozen=True)
class Image:
    """An image as an OCI layout: its configuration, and its files by path with their sizes in bytes."""

    config: Any
    files: dict[str, int]

    @property
    def libraries(self) -> set[str]:
        """Top-level packages of Python."""
        return {path.partition(PACKAGES)[2].partition("/")[0] for path in self.files if PACKAGES in path}


@cache
def image(name: str) -> Image:
    """One of ours, built if need be."""
    layout = Path(built_images([name])[name])

    def blob(digest: str) -> Path:
        return layout / "blobs" / "sha256" / digest.removeprefix("sha256:")

    index = json.loads((layout / "index.json").read_text())
    manifest = json.loads(blob(index["manifests"][0]["digest"]).read_text())
    files: dict[str, int] = {}
    for layer in manifest["layers"]:
        files |= dict(_members(blob(layer["digest"])))
    return Image(json.loads(blob(manifest["config"]["digest"]).read_text()), files)


def _members(layer: Path) -> Iterator[tuple[str, int]]:
    with tarfile.open(layer) as tar:
        for member in tar:
            yield member.name, member.size


@pytest.mark.parametrize(
    ("name", "limit", "absent"),
    [
        ("operator", 250 * MB, {"tensorflow", "matplotlib", "ai_edge_litert", "av"}),
        ("runner", 400 * MB, {"tensorflow", "keras", "matplotlib", "kopf", "kubernetes"}),
    ],
)
def test_an_image_is_small_and_holds_what_it_needs(name: str, limit: int, absent: set[str]) -> None:
    """Uncompressed, with the base that stands in for python:3.11-slim here."""
    found = image(name)
    assert sum(found.files.values()) <= limit
    assert found.libraries & absent == set()
    assert {"numpy", "pydantic"} <= found.libraries


@pytest.mark.parametrize(
    ("name", "entry"), [("operator", ["python", "-m", "mainstream_operator"]), ("runner", ["mainstream"])]
)
def test_nobody_is_root_in_it(name: str, entry: list[str]) -> None:
    """It starts its program as a user who owns nothing."""
    config = image(name).config["config"]
    assert (config["User"], config["Entrypoint"]) == ("65532:65532", entry)


@pytest.mark.parametrize("name", ["operator", "runner"])
def test_nothing_of_the_machine_that_built_it_is_left(name: str) -> None:
    """No setting of pip, no folder of wheels, no pip, no cache; no time of the build."""
    found = image(name)
    names = {Path(path).name for path in found.files}
    assert names & {"pip.conf", "sources.list", "RECORD.jws"} == set()
    assert "pip" not in found.libraries
    assert [path for path in found.files if path.startswith(("wheels", "wheel/", "build/", "root/.cache"))] == []
    assert [step for step in found.config["history"] if "PIP_" in step.get("created_by", "")] == []
    assert found.config["created"] == "1970-01-01T00:00:00Z"


@pytest.mark.parametrize("name", ["operator", "runner"])
def test_its_program_is_compiled(name: str) -> None:
    """The root is read-only: what is not compiled here is compiled at each start."""
    files = {path for path in image(name).files if path.startswith("opt/program/mainstream")}
    sources = {path for path in files if path.endswith(".py")}
    compiled = {path for path in files if path.endswith(".pyc")}
    assert sources
    assert len(compiled) == len(sources)
