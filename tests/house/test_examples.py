"""Examples are tests: every manifest in examples/ is valid and names only streams and nodes that it has."""

from pathlib import Path

import pytest

from mainstream.resources.manifests import load

ROOT = Path(__file__).resolve().parents[2]
IMAGE = ROOT / "examples" / "image"
EXAMPLES = sorted(folder for folder in (ROOT / "examples").iterdir() if folder.is_dir() and folder != IMAGE)


def test_there_are_examples() -> None:
    """The folder is not empty by accident."""
    assert EXAMPLES


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_example_is_valid(folder: Path) -> None:
    """Each example has an edge node and at least one app."""
    manifests = load(folder)
    assert manifests.edge_nodes
    assert manifests.apps


def test_the_image_trains_what_the_belt_brings() -> None:
    """Each package that an app of examples/belt refers to is made in the image, for the same events, on the same base DNN."""
    trained = {app.metadata.name: app for app in load(IMAGE / "packages.yaml").apps}
    belt = [*load(ROOT / "examples" / "belt").apps, *load(ROOT / "examples" / "belt" / "more").apps]
    brought = {
        app.spec.package.reference.rpartition("/")[2].removesuffix(":v1"): app for app in belt if app.spec.package
    }
    assert set(brought) == set(trained)
    assert {name: app.spec.events for name, app in brought.items()} == {
        name: app.spec.events for name, app in trained.items()
    }
    asked = [app.spec.training.base_dnn for app in (*belt, *trained.values()) if app.spec.training]
    assert len({(one.architecture, one.alpha, one.input_size) for one in asked}) == 1
