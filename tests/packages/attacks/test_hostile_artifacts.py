"""Attacks with correct digests: manifests and configs that a stranger made."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from mainstream.errors import PackageError
from mainstream.packages.artifacts import read_base_dnn, read_mpackage
from mainstream.packages.contents import contents, verify

APPLE = "mpackage/default/apple"
OTHER = "sha256:" + "0" * 64

Change = Callable[[Any], Any]


def _layer(**fields: Any) -> Change:
    """Change the last layer, the branch at conv_pw_1."""

    def change(manifest: Any) -> Any:
        *others, last = manifest["layers"]
        return {**manifest, "layers": [*others, {**last, **fields}]}

    return change


def _config_descriptor(**fields: Any) -> Change:
    return lambda manifest: {**manifest, "config": {**manifest["config"], **fields}}


def _with(**fields: Any) -> Change:
    return lambda plain: {**plain, **fields}


def _candidates(**fields: Any) -> Change:
    return lambda config: {**config, "candidates": [{**one, **fields} for one in config["candidates"]]}


def _profile(**fields: Any) -> Change:
    return lambda config: {**config, "eventProfile": {**config["eventProfile"], **fields}}


def _without(field: str) -> Change:
    return lambda plain: {key: value for key, value in plain.items() if key != field}


def _segments(change: Callable[[list[Any]], list[Any]]) -> Change:
    return lambda config: {**config, "segments": change(config["segments"])}


MANIFESTS: dict[str, tuple[Change, str]] = {
    "a manifest that is huge": (_with(pad="x" * (1 << 20)), "more than the 1048576 that it may have"),
    "a manifest that is deep": (lambda _: b"[" * 300_000, "is not readable as JSON"),
    "a manifest that is no JSON": (lambda _: b"\x7fELF", "is not readable as JSON"),
    "a manifest that is a list": (lambda _: [], "not an OCI image manifest"),
    "a manifest without layers": (_without("layers"), "not an OCI image manifest"),
    "a manifest whose layers are a number": (_with(layers=5), "not an OCI image manifest"),
    "a manifest whose layers are numbers": (_with(layers=[5]), "layers[0]: expected a descriptor"),
    "a manifest without config": (_without("config"), "config: expected a descriptor"),
    "a manifest of another schema version": (_with(schemaVersion=3), "schemaVersion 2, got"),
    "a manifest of another media type": (_with(mediaType="application/x"), "got 'application/x'"),
    "an artifact of another type": (_with(artifactType="application/x"), "expected an artifact of type"),
    "an artifact type that is a list": (_with(artifactType=[]), "expected an artifact of type"),
    "a config of another media type": (_config_descriptor(mediaType="text/x"), "config: expected the media type"),
    "a config whose digest is a path": (_config_descriptor(digest="sha256:/etc/passwd"), "config.digest"),
    "a config whose size is a lie": (_config_descriptor(size=3), "bytes instead of 3: it was replaced"),
    "a config whose size is far too large": (_config_descriptor(size=1 << 40), "it is cut off"),
    "a config that is not there": (_config_descriptor(digest=OTHER), f"blob {OTHER} is missing"),
    "a layer whose size is a lie": (_layer(size=1), "but no layer of the manifest is it"),
    "a layer whose size is NaN": (_layer(size=float("nan")), "size: expected a number of bytes, got nan"),
    "a layer whose size is infinite": (_layer(size=float("inf")), "size: expected a number of bytes, got inf"),
    "a layer whose size is true": (_layer(size=True), "size: expected a number of bytes, got True"),
    "a layer whose digest is a path": (_layer(digest="../../../etc/passwd"), "digest: expected sha256:"),
    "a layer of an unknown media type that the config needs": (_layer(mediaType="a/b"), "no layer of the manifest is"),
    "a layer that is missing": (lambda m: {**m, "layers": m["layers"][:-1]}, "no layer of the manifest is it"),
    "no layers at all": (_with(layers=[]), "no layer of the manifest is it"),
}

CONFIGS: dict[str, tuple[Change, str]] = {
    "a config that is huge": (_with(pad="x" * (16 << 20)), "more than the 16777216 that it may have"),
    "a config of millions of values": (_candidates(history=[1] * 1_000_000), "more than the 500000 values"),
    "a config of thousands of faults": (_candidates(history=[1] * 100_000), "fields are wrong"),
    "a config that is deep": (lambda _: b"[" * 300_000, "is not readable as JSON"),
    "a config that is no object": (lambda _: [], "schemaVersion: this program reads version 1, got None"),
    "a config of an unknown schema version": (_with(schemaVersion=2), "this program reads version 1, got 2"),
    "a config with an unknown field": (_with(run="rm -rf /"), "run: unknown field"),
    "a config with a terminal's escapes": (
        _with(**{"\x1b[2J\x1b]0;x\x07": 1}),
        "\\x1b[2J\\x1b]0;x\\x07: unknown field",
    ),
    "a config without candidates": (_with(candidates=[]), "candidates"),
    "a config with half a character": (_with(classes=["\ud800", "apple"]), "classes.0"),
    "a branch that is no layer": (_candidates(branchDigest=OTHER), f"blob {OTHER}"),
    "a branch of another size": (_candidates(branchSize=5), "of 5 bytes, but no layer of the manifest is it"),
    "a branch whose digest is a path": (_candidates(branchDigest="sha256:../x"), "branchDigest"),
    "a branchpoint that the chain lacks": (_candidates(branchpoint="pooled"), "'pooled' is there twice"),
    "a chain that is too short": (_segments(lambda s: s[:1]), "'conv_pw_1' branches at none of the chain's"),
    "a chain that is too long": (
        _segments(lambda s: [*s, {**s[1], "end": "more"}]),
        "the deepest candidate branches at",
    ),
    "a chain that ends twice at one place": (_segments(lambda s: [s[1], s[1]]), "'conv_pw_1' is there twice"),
    "a segment that is called input": (_segments(lambda s: [{**s[0], "end": "input"}, s[1]]), "'input' is there twice"),
    "a segment whose end is a path": (_segments(lambda s: [{**s[0], "end": "../../x"}, s[1]]), "segments.0.end"),
    "a segment that is no layer": (_segments(lambda s: [{**s[0], "digest": OTHER}, s[1]]), f"blob {OTHER}"),
    "an event that is no class": (_with(events=["pear"]), "'pear' is none of the classes 'apple', 'background'"),
    "events only": (_with(events=["apple", "background"]), "nothing is background"),
    "one class twice": (_with(classes=["apple", "background", "apple"]), "classes: 'apple' is there twice"),
    "one event twice": (_with(events=["apple", "apple"]), "events: 'apple' is there twice"),
    "a confusion matrix of another size": (_candidates(confusion=[[1]]), "expected 2 rows and columns"),
    "eight thresholds": (_candidates(truePositiveRate=["0.5"] * 8), "truePositiveRate"),
    "a rate above one": (_candidates(falsePositiveRate=["1.5"] * 9), "falsePositiveRate"),
    "a rate that is NaN": (_candidates(truePositiveRate=["NaN"] * 9), "expected a finite number"),
    "a bare NaN": (_candidates(interval=float("nan")), "expected a finite number"),
    "a mean that is infinite": (
        lambda config: {**config, "preprocessing": {**config["preprocessing"], "mean": ["1e999", "0", "0"]}},
        "expected a finite number, got '1e999'",
    ),
    "an exponent that fills the memory": (_profile(lengthSeconds="1e999999999"), "eventProfile.lengthSeconds"),
    "a division by zero": (_profile(lengthSeconds="1/0"), "eventProfile.lengthSeconds"),
    "an event of no length": (_profile(lengthSeconds="0"), "eventProfile.lengthSeconds"),
    "an input of no size": (_with(inputShape=[0, 32, 3]), "inputShape.0"),
    "an input larger than any memory": (_with(inputShape=[1 << 40, 1 << 40, 3]), "inputShape.0"),
}


@pytest.mark.parametrize("name", [*MANIFESTS, *CONFIGS])
def test_a_hostile_artifact_is_refused(sample: Any, name: str):
    """Reading says what is wrong and where, soon, without what a terminal would obey; ``verify`` says so, too."""
    change, expected = MANIFESTS.get(name) or CONFIGS[name]
    begin = time.monotonic()
    (sample.change_manifest if name in MANIFESTS else sample.change_config)(change)
    with pytest.raises(PackageError) as error:
        read_mpackage(sample.layout, APPLE)
    text = str(error.value)
    assert expected in text
    assert str(sample.root) in text
    assert len(text) < 2000
    assert "\x1b" not in text
    faults = [one.faults for one in verify(sample.layout, contents(sample.layout)) if one.content.name == APPLE]
    other_kind = "artifact of type" in expected
    assert len(faults) == 1
    assert other_kind or faults[0]
    assert time.monotonic() - begin < 20


@pytest.mark.parametrize("name", CONFIGS)
def test_a_message_names_the_blob(sample: Any, name: str):
    """A fault of the config names the config's blob, the blob that is missing, or the M-Package."""
    digest = sample.change_config(CONFIGS[name][0])
    with pytest.raises(PackageError) as error:
        read_mpackage(sample.layout, APPLE)
    assert digest in str(error.value) or OTHER in str(error.value) or f"M-Package {APPLE}" in str(error.value)


def test_unknown_media_types_are_ignored(sample: Any):
    """A layer that this version does not know needs not even be there."""
    unknown = {"mediaType": "application/vnd.somebody.else.v9", "digest": OTHER, "size": 1 << 45}
    digest = sample.change_manifest(lambda manifest: {**manifest, "layers": [unknown, *manifest["layers"]]})
    package = read_mpackage(sample.layout, APPLE)
    assert package.digest == digest
    assert package.config == sample.package.config


def test_unknown_fields_of_oci_documents_are_ignored(sample: Any):
    """OCI may add fields to manifests and descriptors; a config has only fields that its schema version knows."""
    sample.change_manifest(lambda manifest: {**manifest, "subject": {"x": 1}, "annotations": {"a": "b"}})
    sample.change_index(lambda index: {**index, "annotations": {"a": "b"}})
    assert read_mpackage(sample.layout, APPLE).config == sample.package.config


def test_an_m_package_is_no_base_dnn(sample: Any):
    """Asking for the other kind is refused, naming both."""
    with pytest.raises(PackageError, match=r"basednn\.v1, got 'application/vnd\.mainstream\.mpackage\.v1'"):
        read_base_dnn(sample.layout, APPLE)


def test_a_base_dnn_without_its_weights_is_broken(sample: Any):
    """Trainers start from the weights, so they belong to the artifact."""
    sample.file(sample.base.config.weights_digest).unlink()
    with pytest.raises(PackageError, match=f"weights: blob {sample.base.config.weights_digest} is missing"):
        read_base_dnn(sample.layout, sample.base.digest)


def test_a_stem_of_somebody_else_is_found(sample: Any):
    """``verify`` finds an M-Package whose segments are not those of the base DNN that it names."""
    placed = sample.put(b"a segment with a back door")
    segments = sample.package.config.plain()["segments"]
    config = {**sample.package.config.plain(), "segments": [{**segments[0], **placed}, segments[1]]}
    put = sample.put(json.dumps(config).encode())

    def change(manifest: Any) -> Any:
        layers = [{**manifest["layers"][0], **placed}, *manifest["layers"][1:]]
        return {**manifest, "config": {**manifest["config"], **put}, "layers": layers}

    sample.change_manifest(change)
    checked = {one.content.name: one.faults for one in verify(sample.layout, contents(sample.layout))}
    assert "is not the base DNN's 'conv1'" in checked[APPLE][0]
