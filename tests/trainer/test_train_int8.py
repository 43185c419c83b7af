"""From an int8 base DNN to events: train, profile, plan and run one app as a person does."""

import json
from pathlib import Path

import pytest

from mainstream.packages.artifacts import read_base_dnn, read_mpackage
from mainstream.packages.folder import StoreFolder
from mainstream_trainer.quantise import border_of

from .conftest import EDGE_NODE, CommandLine, manifest


@pytest.mark.slow
def test_an_app_on_an_int8_base_dnn_from_training_to_events(
    tmp_path: Path, red_and_blue: Path, command_line: CommandLine
) -> None:
    """Both precisions of each branch are measured and offered, on features kept as int8; the plan's choice runs."""
    (tmp_path / "camera.mp4").write_bytes((red_and_blue / "a.mp4").read_bytes())
    (tmp_path / "box.yaml").write_text(EDGE_NODE)
    text = manifest(red_and_blue).replace("weights: random", "weights: random, precision: int8")
    (tmp_path / "red.yaml").write_text(text)
    done = command_line("train", "-f", ".", "--store", "store", "--output", "json")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["apps"]
    assert row["trained"] == ["pooled", "conv_pw_11"]
    layout = StoreFolder(tmp_path / "store").layout
    package = read_mpackage(layout, "mpackage/default/red/int8").config
    base = read_base_dnn(layout, package.base_dnn).config
    assert base.precision == "int8"
    assert package.segments == base.segments[: len(package.segments)]
    offered = {(one.branchpoint, one.precision) for one in package.candidates}
    assert {("pooled", "f32"), ("pooled", "int8")} <= offered
    for one in package.candidates:
        assert one.event_frames + one.background_frames == sum(map(sum, one.confusion))
    (cache,) = (tmp_path / "store" / "features").glob("*/conv_pw_11.npy")
    assert b"'descr': '|i1'" in cache.read_bytes()[:128]
    assert border_of(layout.read_blob(base.stem("conv_pw_11")[-1].digest)).scale > 0
    again = command_line("train", "-f", ".", "--store", "store")
    assert "already trained" in again.stderr

    assert command_line("profile", "-f", ".", "--store", "store").returncode == 0
    planned = command_line("plan", "-f", ".", "--store", "store", "--output", "json")
    assert planned.returncode == 0, planned.stderr
    (app,) = json.loads(planned.stdout)["edgeNodes"][0]["plans"]["Mainstream"]["apps"]
    assert (app["branchpoint"], app["precision"]) in offered
    ran = command_line("run", "-f", ".", "--store", "store", "--until-end", "--fast", "--events", "events.jsonl")
    assert ran.returncode == 0, ran.stderr
    records = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert records[0]["data"]["apps"][0]["precision"] == app["precision"]
    assert any(record["type"] == "dev.mainstream.event.ended" for record in records)

    (tmp_path / "box.yaml").write_text(EDGE_NODE + "  runtime: {engine: OpenVINO}\n")
    refused = command_line("profile", "-f", ".", "--store", "store")
    assert refused.returncode == 2
    assert "OpenVINO computes other numbers with int8 base DNNs" in refused.stderr
    assert "LiteRT" in refused.stderr
