"""Base DNNs: cut where one tensor crosses, exported so that the same weights give the same bytes, made once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mainstream.basednn import BaseDnn
from mainstream.errors import InputError, PackageError
from mainstream.packages.folder import StoreFolder
from mainstream.packages.layout import OciLayout
from mainstream_trainer.architectures import ARCHITECTURES, crossing_layers, cut_layers
from mainstream_trainer.basednn import import_base_dnn, known_base_dnns, load_keras
from mainstream_trainer.keras_runtime import keras
from mainstream_trainer.tflite import Chain
from mainstream_trainer.weights import count_parameters

SIZE = 64
"""Of ``tiny_base``."""


def started(_description: str, _total: int) -> Callable[..., None]:
    """A progress bar that nobody sees."""
    return lambda _steps=1: None


def never_started(description: str, _total: int) -> Callable[..., None]:
    """Fails if any work begins."""
    raise AssertionError(description)


def tiny(layout: OciLayout, **changes: Any) -> tuple[BaseDnn, bool]:
    """Import ``tiny_base``'s network."""
    arguments: dict[str, Any] = {
        "name": "MobileNet", "alpha": 0.25, "input_size": SIZE, "weights": "random", "start": started, **changes,
    }  # fmt: skip
    return import_base_dnn(layout, **arguments)


def difference(base: BaseDnn, layout: OciLayout) -> float:
    """The largest difference between the chain of segments and the whole Keras network, over two pictures."""
    network = load_keras(base, layout)
    chain = Chain([layout.read_blob(segment.digest) for segment in base.config.segments])
    rng = np.random.default_rng(1)
    worst = 0.0
    for _ in range(2):
        colours = rng.uniform(0, 255, (1, 4, 4, 3)).repeat(base.config.input_shape[0] // 4 + 1, 1)
        pixels = colours.repeat(base.config.input_shape[1] // 4 + 1, 2)
        pixels = pixels[:, : base.config.input_shape[0], : base.config.input_shape[1]]
        given = ((pixels - base.config.preprocessing.mean) / base.config.preprocessing.divisor).astype(np.float32)
        outputs = chain(given)
        assert [output.shape[1:] for output in outputs[1:]] == [s.output_shape for s in base.config.segments]
        worst = max(worst, float(np.abs(np.asarray(network(given, training=False)) - outputs[-1]).max()))
    return worst


def test_mobilenet_is_cut_after_every_block(tiny_base: BaseDnn) -> None:
    """The branchpoints of MobileNet are the sixteen of the formats, from the input to the pooled features."""
    expected = ("input", "conv1", *(f"conv_pw_{block}" for block in range(1, 14)), "pooled")
    assert tiny_base.config.branchpoints == expected


def test_the_chain_of_segments_computes_the_network(tiny_base: BaseDnn, tiny_store: StoreFolder) -> None:
    """MobileNet's segments, one after the other, give the whole Keras network's output."""
    assert difference(tiny_base, tiny_store.layout) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size", "branchpoints"),
    [("ResNet50", 64, ("pool1", "conv2_block1", "conv5_block3")), ("InceptionV3", 75, ("mixed0", "mixed10"))],
)
def test_the_chain_of_segments_computes_larger_networks(
    tmp_path: Path, name: str, size: int, branchpoints: tuple[str, ...]
) -> None:
    """The same for networks whose blocks have branches of their own; their blocks' ends are branchpoints."""
    base, _ = import_base_dnn(OciLayout(tmp_path), name=name, input_size=size, weights="random", start=started)
    assert set(branchpoints) < set(base.config.branchpoints)
    assert base.config.branchpoints[-1] == "pooled"
    assert difference(base, OciLayout(tmp_path)) < 1e-4


def test_importing_after_other_work_gives_the_same_digest(tiny_base: BaseDnn, tmp_path: Path) -> None:
    """Keras numbers layers through the process; a base DNN's bytes do not know."""
    layers = keras().layers
    keras().Sequential([layers.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.GlobalAveragePooling2D()])
    again, made = tiny(OciLayout(tmp_path))
    assert made
    assert again == tiny_base


def test_what_is_there_is_not_made_again(tiny_base: BaseDnn, tiny_store: StoreFolder) -> None:
    """The second import finds the first one's artifact and begins no work."""
    assert tiny(tiny_store.layout, start=never_started) == (tiny_base, False)


def test_another_name_points_to_the_same_artifact(tiny_base: BaseDnn, tmp_path: Path) -> None:
    """Asked for under a name of one's own, the artifact that is there gets that name too."""
    layout = OciLayout(tmp_path)
    tiny(layout)
    assert tiny(layout, reference="base/mine", start=never_started) == (tiny_base, False)
    assert layout.resolve("base/mine") == tiny_base.digest
    assert known_base_dnns(layout) == [tiny_base]


def test_a_damaged_artifact_is_made_again(tiny_base: BaseDnn, tmp_path: Path) -> None:
    """A segment whose bytes changed on disk is noticed and replaced."""
    layout = OciLayout(tmp_path)
    tiny(layout)
    path = layout.blob_path(tiny_base.config.segments[3].digest)
    path.write_bytes(bytes(path.stat().st_size))
    again, made = tiny(layout)
    assert made
    assert again == tiny_base
    layout.blob_path(tiny_base.config.segments[3].digest)


def test_the_weights_blob_holds_every_parameter(tiny_base: BaseDnn, tiny_store: StoreFolder) -> None:
    """As many numbers as Keras counts."""
    data = tiny_store.layout.read_blob(tiny_base.config.weights_digest)
    assert count_parameters(data) == load_keras(tiny_base, tiny_store.layout).count_params()


@pytest.mark.parametrize(
    "damage", [b"", b"\xff" * 64, (2).to_bytes(8, "little") + b"{}", (4).to_bytes(8, "little") + b"[[]]"]
)
def test_a_foreign_weights_blob_is_refused(
    tiny_base: BaseDnn, tiny_store: StoreFolder, tmp_path: Path, damage: bytes
) -> None:
    """A blob that is none of ours, or of another network, gives a message that names it."""
    layout = OciLayout(tmp_path)
    config = tiny_base.config.model_copy(update={"weights_digest": layout.put_blob(damage)})
    with pytest.raises(PackageError, match="weights blob"):
        load_keras(BaseDnn(digest=tiny_base.digest, config=config), layout)
    other = layout.put_blob(tiny_store.layout.read_blob(tiny_base.config.weights_digest))
    wider = tiny_base.config.model_copy(update={"weights_digest": other, "alpha": 0.5})
    with pytest.raises(PackageError, match="layer conv1 expects"):
        load_keras(BaseDnn(digest=tiny_base.digest, config=wider), layout)


def test_a_cut_inside_a_residual_block_is_illegal() -> None:
    """Where a shortcut runs beside a layer, two tensors cross."""
    layers = keras().layers
    inputs = layers.Input((4, 4, 3), name="start")
    inside = layers.Conv2D(3, 1, name="inside")(inputs)
    joined = layers.Add(name="joined")([inside, inputs])
    model = keras().Model(inputs, layers.GlobalAveragePooling2D()(joined))
    places = [layer.name for layer in model.layers]
    assert crossing_layers(model, places.index("inside")) == {"start", "inside"}
    assert crossing_layers(model, places.index("joined")) == {"joined"}


def test_an_architecture_that_names_an_illegal_cut_is_refused() -> None:
    """The cuts that an architecture lists are proved for the graph at hand."""
    kind = ARCHITECTURES["ResNet50"]
    layers = keras().layers
    inputs = layers.Input((4, 4, 3), name="start")
    inside = layers.ReLU(name="pool1_pool")(inputs)
    joined = layers.Add(name="joined")([inside, inputs])
    model = keras().Model(inputs, layers.GlobalAveragePooling2D()(joined))
    shortened = type(kind)(
        name=kind.name, default_size=224, smallest_size=32, has_alpha=False, preprocessing=kind.preprocessing,
        cuts=kind.cuts[:1], make=kind.make,
    )  # fmt: skip
    with pytest.raises(InputError, match="pool1: more than one tensor crosses"):
        cut_layers(shortened, model)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "LeNet"}, "expected one of MobileNet, ResNet50, InceptionV3, got 'LeNet'"),
        ({"name": "ResNet50"}, "ResNet50 has none, got 0.25"),
        ({"alpha": 0.01}, "expected a number from 0.03125 to 4, got 0.01"),
        ({"alpha": float("nan")}, "expected a number from 0.03125 to 4, got nan"),
        ({"alpha": 0.3, "weights": "imagenet"}, "Keras has imagenet weights for 0.25, 0.5, 0.75, 1, got 0.3"),
        ({"input_size": 31}, "MobileNet takes 32 to 1024 pixels, got 31"),
        ({"input_size": 0}, "MobileNet takes 32 to 1024 pixels, got 0"),
        ({"name": "InceptionV3", "alpha": None}, "InceptionV3 takes 75 to 1024 pixels, got 64"),
        ({"reference": "Base/Über"}, "name of an artifact"),
        ({"weights": "missing.weights.h5"}, "missing.weights.h5: no such weights file"),
    ],
)
def test_wrong_wishes_are_refused_before_any_work(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    """What cannot be made is said at once, with the place that asked for it, and nothing is written."""
    with pytest.raises(InputError, match=message) as caught:
        tiny(OciLayout(tmp_path / "store"), where="app.yaml:7", start=never_started, **changes)
    assert caught.value.where in {"app.yaml:7", "missing.weights.h5"}
    assert not (tmp_path / "store").exists()


def test_a_name_in_use_is_not_taken_away(tiny_base: BaseDnn, tiny_store: StoreFolder, tmp_path: Path) -> None:
    """Another network under a base DNN's name would change what refers to it; so would one under an M-Package's."""
    layout = OciLayout(tmp_path)
    _, made = tiny(layout, reference="base/one")
    assert made
    manifest = layout.read_json(tiny_base.digest, limit=1 << 20)
    layout.put_manifest(manifest, name="mpackage/default/apple")
    for name in ("base/one", "mpackage/default/apple"):
        with pytest.raises(InputError, match=f"the name '{name}' belongs to another artifact"):
            tiny(layout, input_size=32, reference=name, start=never_started)
    assert tiny_store.layout.resolve(tiny_base.digest) == layout.resolve("base/one")
