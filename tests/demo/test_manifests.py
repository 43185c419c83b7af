"""The demo's manifests are valid, fit together and are those of examples/belt-laptop."""

from pathlib import Path

import pytest

from mainstream.resources.manifests import load
from mainstream_demo import manifests
from mainstream_demo.settings import APPS, DEMO

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "belt-laptop"
DATA = "../../build/demo/data"


@pytest.fixture
def folder(tmp_path):
    """The manifests as the demo writes them."""
    (tmp_path / "edge-node.yaml").write_text(manifests.edge_node(DEMO))
    for stream in DEMO.streams:
        (tmp_path / f"{stream}.yaml").write_text(manifests.applications(DEMO, stream))
    return tmp_path


def test_there_are_at_least_six_applications_on_two_streams_or_more(folder):
    """Every app is on every stream, and selects the one edge node."""
    read = load(folder)
    assert len(DEMO.streams) >= 2
    assert len(APPS) >= 6
    assert {app.key for app in read.apps} == {f"{stream}/{name}" for stream in DEMO.streams for name in APPS}
    assert len(read.apps_of(read.edge_nodes[0])) == len(read.apps)


def test_the_first_stream_trains_and_the_others_use_its_packages(folder):
    """Each app of another stream names the M-Package of the same app of the first."""
    first, *others = DEMO.streams
    for app in load(folder).apps:
        if app.metadata.namespace == first:
            assert app.spec.training is not None
            assert app.spec.training.branchpoints == DEMO.branchpoints
        else:
            assert app.metadata.namespace in others
            assert app.spec.package is not None
            assert app.spec.package.reference == f"mpackage/{first}/{app.metadata.name}"


def test_the_example_is_what_the_demo_writes():
    """examples/belt-laptop has the demo's manifests, with the data where `make demo` leaves it."""
    assert (EXAMPLE / "edge-node.yaml").read_text() == manifests.edge_node(DEMO, data=DATA)
    for stream in DEMO.streams:
        assert (EXAMPLE / f"{stream}.yaml").read_text() == manifests.applications(DEMO, stream, data=DATA)
