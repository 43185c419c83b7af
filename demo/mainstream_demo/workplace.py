"""The demo's directory: what lies where."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainstream.errors import InputError
from mainstream_demo.figures import Policy
from mainstream_demo.video import said, write_text

MARKER = ".mainstream-demo"
INT8_MANIFESTS = "manifests-int8"
PARTS = ("data", "manifests", INT8_MANIFESTS, "store", "results", ".steps", "report.html", "report.json", MARKER)
"""What the demo makes in its directory; ``--fresh`` removes these and nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The demo's directory, absolute."""

    root: Path

    @property
    def manifests(self) -> Path:
        """The manifests' folder."""
        return self.root / "manifests"

    @property
    def int8_manifests(self) -> Path:
        """The folder of the manifests that name the int8 base DNN."""
        return self.root / INT8_MANIFESTS

    @property
    def store(self) -> Path:
        """The package store."""
        return self.root / "store"

    @property
    def stamps(self) -> Path:
        """Which steps are done."""
        return self.root / ".steps"

    def result(self, name: str) -> Path:
        """A verb's JSON."""
        return self.root / "results" / f"{name}.json"

    def events(self, policy: Policy) -> Path:
        """The events that a run emitted."""
        return self.root / "results" / f"events-{policy}.jsonl"

    def read(self, name: str) -> Any:
        """A verb's JSON, read."""
        return json.loads(self.result(name).read_text(encoding="utf-8"))


def enter(directory: Path, *, fresh: bool) -> Place:
    """Make the directory, or take it as it is; ``fresh`` removes what a demo left there (``InputError`` if none did)."""
    root = directory.resolve()
    with said(root):
        root.mkdir(parents=True, exist_ok=True)
    if fresh:
        _clear(root)
    write_text(root / MARKER, "Made by `mainstream demo`; `mainstream demo --fresh` removes what is in here.\n")
    with said(root):
        (root / "results").mkdir(exist_ok=True)
    return Place(root=root)


def _clear(root: Path) -> None:
    if not (root / MARKER).exists() and any((root / part).exists() for part in PARTS):
        raise InputError(
            "--fresh removes only what the demo made, and this directory has no mark of it",
            where=root,
            remedy="Give an empty directory with --directory.",
        )
    with said(root):
        for part in PARTS:
            path = root / part
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
