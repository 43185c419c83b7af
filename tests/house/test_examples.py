"""Examples are tests: every manifest in examples/ is valid and names only streams and nodes that it has."""

from pathlib import Path

import pytest

from mainstream.resources.manifests import load

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(folder for folder in (ROOT / "examples").iterdir() if folder.is_dir())


def test_there_are_examples() -> None:
    """The folder is not empty by accident."""
    assert EXAMPLES


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_example_is_valid(folder: Path) -> None:
    """Each example has an edge node and at least one app."""
    manifests = load(folder)
    assert manifests.edge_nodes
    assert manifests.apps
