"""Profiles in a store: kept whole, found by base DNN, engine and threads, the latest of several."""

import os
from pathlib import Path
from typing import Any

import pytest

from mainstream.cost import LayerCosts, StreamIngest
from mainstream.errors import InputError
from mainstream.packages.folder import StoreFolder
from mainstream.packages.profiles import load_costs, load_ingest, save_costs, save_ingest


@pytest.fixture
def costs(empty_world: Any) -> LayerCosts:
    """What the world's profiler measured."""
    found = load_costs(empty_world.store, base_dnn=empty_world.base.digest, engine="LiteRT", threads=2)
    assert found is not None
    return found


def test_costs_come_back_as_they_were(tmp_path: Path, costs: LayerCosts) -> None:
    """By base DNN, engine and threads."""
    folder = StoreFolder(tmp_path / "other")
    save_costs(folder, costs)
    assert load_costs(folder, base_dnn=costs.base_dnn, engine="LiteRT", threads=2) == costs
    assert load_costs(folder, base_dnn=costs.base_dnn, engine="LiteRT", threads=1) is None
    assert load_costs(folder, base_dnn=costs.base_dnn, engine="OpenVINO", threads=2) is None
    assert load_costs(folder, base_dnn="sha256:" + "0" * 64, engine="LiteRT", threads=2) is None


def test_measuring_again_replaces_and_another_machine_does_not(tmp_path: Path, costs: LayerCosts) -> None:
    """Of two machines' profiles in one store the latest counts."""
    folder = StoreFolder(tmp_path / "other")
    first = save_costs(folder, costs)
    again = costs.model_copy(update={"spread": 0.05})
    assert save_costs(folder, again) == first
    elsewhere = costs.model_copy(update={"hardware": "another machine"})
    second = save_costs(folder, elsewhere)
    assert second != first
    os.utime(first, (1, 1))
    os.utime(second, (2, 2))
    assert load_costs(folder, base_dnn=costs.base_dnn, engine="LiteRT", threads=2) == elsewhere


def test_a_renamed_profile_is_not_taken(tmp_path: Path, costs: LayerCosts) -> None:
    """The name must be what is inside."""
    folder = StoreFolder(tmp_path / "other")
    path = save_costs(folder, costs)
    path.rename(path.with_name(path.name.replace("2threads", "4threads")))
    with pytest.raises(InputError, match="something else than its name says"):
        load_costs(folder, base_dnn=costs.base_dnn, engine="LiteRT", threads=4)


def test_ingest_is_kept_for_each_stream_of_each_edge_node(tmp_path: Path) -> None:
    """Names that would lead out of the folder are refused."""
    folder = StoreFolder(tmp_path)
    ingest = StreamIngest(stream="north", cores=0.25, spread=0.01)
    save_ingest(folder, ingest, edge_node="box")
    assert load_ingest(folder, edge_node="box", stream="north") == ingest
    assert load_ingest(folder, edge_node="barn", stream="north") is None
    with pytest.raises(ValueError, match="name of an edge node"):
        load_ingest(folder, edge_node="..", stream="north")
