"""``mainstream packages list|inspect|verify``, as a person or a program calls it."""

import json
import shutil
from typing import Any

import pytest

from mainstream.packages.artifacts import write_mpackage

APPLE = "mpackage/default/apple"
BASE = "base/mobilenet-0.25-32"


def test_list_shows_sizes_and_what_is_shared(sample: Any):
    """Each blob counts once on disk; what two artifacts have in common is shared."""
    done = sample.run("list", "--output", "json")
    assert done.returncode == 0, done.stderr
    listed = json.loads(done.stdout)
    base, apple = listed["artifacts"]
    assert (base["name"], base["kind"], apple["name"], apple["kind"]) == (BASE, "base DNN", APPLE, "M-Package")
    assert (base["digest"], apple["digest"], apple["candidates"]) == (sample.base.digest, sample.package.digest, 2)
    shared = sum(segment.size for segment in sample.package.config.segments)
    assert base["sharedBytes"] == apple["sharedBytes"] == shared
    assert listed["sizeBytes"] == sum(sample.layout.stored().values()) == listed["unsharedBytes"] - shared
    assert listed["unlistedBytes"] == 0


def test_list_counts_what_was_replaced(sample: Any):
    """The blobs of an artifact whose name has moved on are still there."""
    write_mpackage(sample.layout, sample.package.config.model_copy(update={"seed": 8}), {}, name=APPLE)
    listed = json.loads(sample.run("list", "--output", "json").stdout)
    config = sample.layout.read_json(sample.package.digest, limit=1 << 20)["config"]
    assert listed["unlistedBytes"] == config["size"] + len(sample.layout.read_blob(sample.package.digest))


def test_the_table_says_the_same(sample: Any):
    """A person sees names, kinds and short digests."""
    done = sample.run("list")
    assert done.returncode == 0, done.stderr
    assert all(text in done.stdout for text in (APPLE, BASE, "M-Package", "base DNN", sample.package.digest[:19]))


def test_inspect_shows_candidates(sample: Any):
    """p and q at threshold 5, the best difference and where it is; whose segments they are."""
    done = sample.run("inspect", APPLE)
    assert done.returncode == 0, done.stderr
    row = next(line for line in done.stdout.splitlines() if "conv_pw_1" in line and "0.750" in line)
    assert [cell.strip() for cell in row.strip("│").split("│")] == [
        *("conv_pw_1", "f32", "0.750", "0.200", "0.020", "0.750", "1", "300", "2,700", "0.00")
    ]
    assert BASE in done.stdout
    assert "events 2 s, gaps 21.5 s" in done.stdout
    plain = json.loads(sample.run("inspect", sample.package.digest, "-o", "json").stdout)
    assert plain["name"] == APPLE
    assert plain["config"] == sample.package.config.plain()
    assert [blob["piece"] for blob in plain["blobs"]] == [
        "manifest",
        "config",
        "segment",
        "segment",
        "branch",
        "branch",
    ]
    assert [blob["sharedWith"] for blob in plain["blobs"]] == [[], [], [BASE], [BASE], [], []]


def test_inspect_shows_a_base_dnn(sample: Any):
    """Architecture, weights, branchpoints."""
    done = sample.run("inspect", BASE)
    assert done.returncode == 0, done.stderr
    assert all(text in done.stdout for text in ("MobileNet 0.25", "imagenet", "4, input to pooled", "pooled"))


def test_inspect_prints_strangers_words_as_words(sample: Any):
    """Labels that look like markup or a terminal's escapes are printed, not obeyed."""
    classes = ["[/red][bold]", "\x1b[2J"]
    sample.change_config(lambda config: {**config, "classes": classes, "events": classes[:1]})
    done = sample.run("inspect", APPLE)
    assert done.returncode == 0, done.stderr
    assert "[/red][bold], \\x1b[2J" in done.stdout
    assert "\x1b" not in done.stdout


def test_verify_is_content_with_a_sound_store(sample: Any):
    """Exit status 0, everything sound, every blob read."""
    done = sample.run("verify", "--output", "json")
    assert (done.returncode, done.stderr) == (0, "")
    rows = json.loads(done.stdout)["artifacts"]
    assert [(row["name"], row["sound"], row["blobs"], row["faults"]) for row in rows] == [
        (BASE, True, 6, []),
        (APPLE, True, 6, []),
    ]


def test_verify_names_blob_and_artifact(sample: Any):
    """A damaged segment breaks both artifacts that share it: exit status 1 and a message that names all three."""
    segment = sample.package.config.segments[0]
    sample.file(segment.digest).write_bytes(bytes(segment.size))
    done = sample.run("verify")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "broken artifacts: 2 of 2" in done.stderr
    for name in (BASE, APPLE):
        assert f"{name}: segment conv1: blob {segment.digest} holds other bytes" in done.stderr
    assert "make the artifacts again" in done.stderr
    one = sample.run("verify", BASE, "--output", "json")
    assert (one.returncode, json.loads(one.stdout)["artifacts"][0]["sound"]) == (1, False)


def test_one_broken_manifest_does_not_hide_the_others(sample: Any):
    """``list`` shows what is sound and says what is not."""
    sample.file(sample.package.digest).write_bytes(b"{}")
    rows = json.loads(sample.run("list", "--output", "json").stdout)["artifacts"]
    assert [(row["name"], row["kind"]) for row in rows] == [(BASE, "base DNN"), (APPLE, "broken")]
    assert sample.package.digest in rows[1]["fault"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("inspect", "mpackage/default/pear"), "no artifact is named 'mpackage/default/pear'"),
        (("inspect", "sha256:12"), "expected a digest (sha256: and 64 hexadecimal digits), got 'sha256:12'"),
        (("inspect", "sha256:" + "0" * 64), "is missing"),
        (("verify", "x"), "no artifact is named 'x'"),
    ],
)
def test_wrong_references_get_a_message(sample: Any, arguments: tuple[str, ...], message: str):
    """Exit status 2, the reference, no stack trace."""
    done = sample.run(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("verb", ["list", "verify"])
def test_a_folder_without_a_store_gets_a_message(sample: Any, verb: str):
    """A misspelt --store is not an empty store."""
    shutil.rmtree(sample.folder.root)
    done = sample.run(verb)
    assert done.returncode == 2
    assert f"{sample.root}: there is no store in this folder" in done.stderr
