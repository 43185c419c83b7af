"""``mainstream train`` as a person uses it: real training on real pixels, killed, continued, given wrong input."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mainstream.packages.artifacts import read_base_dnn, read_mpackage
from mainstream.packages.folder import StoreFolder

from .conftest import EDGE_NODE, CommandLine, manifest, write_events, write_video


@pytest.fixture
def world(tmp_path: Path, red_and_blue: Path) -> Path:
    """Manifests of one app on the dataset, and a store beside them."""
    (tmp_path / "box.yaml").write_text(EDGE_NODE)
    (tmp_path / "red.yaml").write_text(manifest(red_and_blue))
    return tmp_path


@pytest.mark.slow
def test_train_makes_a_package_whose_stem_is_the_base_dnns(world: Path, command_line: CommandLine) -> None:
    """The M-Package refers to the base DNN's own segments; trained again, there is nothing to do."""
    done = command_line("train", "-f", ".", "--store", "store", "--output", "json")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["apps"]
    assert row["trained"] == ["pooled", "conv_pw_11"]
    layout = StoreFolder(world / "store").layout
    package = read_mpackage(layout, "mpackage/default/red").config
    base = read_base_dnn(layout, package.base_dnn).config
    assert package.segments == base.segments[: len(package.segments)]
    assert package.classes == ("red", "background")
    assert package.event_profile is not None
    assert float(package.event_profile.length_seconds) == pytest.approx(1.0)
    for candidate in package.candidates:
        assert candidate.event_frames + candidate.background_frames == sum(map(sum, candidate.confusion))
        assert list(candidate.true_positive_rate) == sorted(candidate.true_positive_rate, reverse=True)
    again = command_line("train", "-f", ".", "--store", "store")
    assert again.returncode == 0
    assert "already trained" in again.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("how", "status"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)])
def test_stopped_in_the_middle_the_next_run_continues(
    world: Path, command_line: CommandLine, how: signal.Signals, status: int
) -> None:
    """Killed or Ctrl-C after the first finished candidate: no package is there; the next run trains only the other."""
    process = subprocess.Popen(
        [sys.executable, "-c", "from mainstream.cli.main import main; main()", "train", "-f", ".", "--store", "store"],
        cwd=world,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    finished = world / "store" / "training"
    while process.poll() is None and not list(finished.glob("*/pooled.json")):
        os.sched_yield()
    process.send_signal(how)
    assert process.wait() == status
    layout = StoreFolder(world / "store").layout
    assert "mpackage/default/red" not in layout.names()
    done = command_line("train", "-f", ".", "--store", "store", "--output", "json")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["apps"]
    assert row["resumed"] == ["pooled"]
    assert row["trained"] == ["conv_pw_11"]
    assert not list(finished.glob("*")), "what is finished is cleaned up"
    read_mpackage(layout, "mpackage/default/red")


@pytest.mark.slow
def test_pictures_in_folders_are_trained_without_an_event_profile(tmp_path: Path, command_line: CommandLine) -> None:
    """Pictures know nothing of time, so the package has no event profile."""
    rng = np.random.default_rng(0)
    for label, colour in (("red", (240, 30, 30)), ("background", (90, 90, 90))):
        folder = tmp_path / "data" / label
        folder.mkdir(parents=True)
        for number in range(12):
            pixels = rng.integers(60, 120, (40, 40, 3)).astype(np.uint8)
            pixels[10:30, 10:30] = colour
            Image.fromarray(pixels).save(folder / f"{number}.jpg")
    (tmp_path / "box.yaml").write_text(EDGE_NODE)
    (tmp_path / "red.yaml").write_text(manifest("data"))
    done = command_line("train", "-f", ".", "--store", "store", "--output", "json")
    assert done.returncode == 0, done.stderr
    package = read_mpackage(StoreFolder(tmp_path / "store").layout, "mpackage/default/red").config
    assert package.event_profile is None
    (tmp_path / "data" / "red" / "7.jpg").write_text("no picture")
    broken = command_line("train", "-f", ".", "--store", "other")
    assert broken.returncode == 2
    assert "7.jpg" in broken.stderr
    assert "Repair or remove" in broken.stderr
    assert "Traceback" not in broken.stderr


def test_wrong_labels_too_few_events_and_unknown_branchpoints(world: Path, command_line: CommandLine) -> None:
    """Each message names the manifest's file and line, the value, and the remedy; nothing is left behind."""
    write_video(world / "few.mp4", 30, [])
    (world / "few").mkdir()
    (world / "few.mp4").rename(world / "few" / "few.mp4")
    write_events(world / "few" / "events.csv", ["few.mp4,red,5,9"])
    cases = [
        (manifest("nowhere"), ["no such dataset", "nowhere"]),
        (manifest("few"), ["red.yaml:", "'red' has 1 event", "at least 2"]),
        (manifest("few", events=["rde"]), ["red.yaml:", "never shows 'rde'", "Its labels are: red"]),
        (
            manifest("few").replace("[conv_pw_11, pooled]", "[conv_pw_99]"),
            ["red.yaml:", "no branchpoint 'conv_pw_99'", "conv_pw_13"],
        ),
        (manifest("few").replace("epochs: 3", "epochs: 0"), ["red.yaml:", "epochs", "0"]),
        (manifest("few").replace("alpha:", "alhpa:"), ["red.yaml:", "alhpa", "unknown field"]),
        (manifest("few").replace("weights: random", "weights: no.h5"), ["no.h5", "no such weights file"]),
        (manifest("few").replace("weights: random", "weights: random, precision: int4"), ["precision", "int8", "f32"]),
    ]
    for text, says in cases:
        (world / "red.yaml").write_text(text)
        done = command_line("train", "-f", ".", "--store", "store")
        assert done.returncode == 2, done.stderr
        assert "Traceback" not in done.stderr
        for part in says:
            assert part in done.stderr, (part, done.stderr)
    assert not list(world.glob("store/training/*"))
