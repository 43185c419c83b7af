"""Files of weights: what Keras writes is read exactly, what does not fit is named."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from mainstream.errors import InputError
from mainstream_trainer.architectures import ARCHITECTURES
from mainstream_trainer.pretrained import weights_name
from mainstream_trainer.weights import pack
from mainstream_trainer.weights_file import load_file

WHAT = "MobileNet (alpha 0.25)"
ASSET = "demo/mainstream_demo/assets/mobilenet_1.0_224_no_top.float16.weights.h5"

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras' save_weights

Write = Callable[[Path], None]


def mobilenet(alpha: float = 0.25) -> Any:
    """The network with new random weights."""
    return ARCHITECTURES["MobileNet"].make(32, alpha, None)


@pytest.fixture(scope="module")
def network() -> Any:
    """The network whose weights the files hold."""
    return mobilenet()


@pytest.fixture
def saved(network: Any, tmp_path: Path) -> Path:
    """Its weights, as Keras 3 writes them."""
    path = tmp_path / "net.weights.h5"
    network.save_weights(path)
    return path


def write_old(network: Any, path: Path) -> None:
    """Weights as Keras 2 wrote them: layers by their own names, in the network's order."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name for layer in network.layers]
        for layer in network.layers:
            group = file.create_group(layer.name)
            names = [f"{layer.name}/{weight.name}:0" for weight in layer.weights]
            group.attrs["weight_names"] = names
            for name, value in zip(names, layer.get_weights(), strict=True):
                group[name] = value


def test_weights_are_read_as_keras_wrote_them(network: Any, saved: Path) -> None:
    """Every weight of the file is in the network."""
    other = mobilenet()
    assert pack(other) != pack(network)
    load_file(other, saved, what=WHAT)
    assert pack(other) == pack(network)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ResNet50", "InceptionV3"])
def test_weights_of_larger_networks_are_read_in_order(name: str, tmp_path: Path) -> None:
    """Files number layers by class in an order that is Keras' own; ours is the same."""
    kind = ARCHITECTURES[name]
    one, other = (kind.make(kind.smallest_size, None, None) for _ in range(2))
    one.save_weights(tmp_path / "net.weights.h5")
    load_file(other, tmp_path / "net.weights.h5", what=name)
    assert pack(other) == pack(one)


def test_weights_of_older_files_are_read_too(network: Any, tmp_path: Path) -> None:
    """The format of Keras' imagenet files, by itself and inside a file of a whole model."""
    write_old(network, tmp_path / "net.h5")
    with h5py.File(tmp_path / "whole.h5", "w") as whole, h5py.File(tmp_path / "net.h5") as part:
        part.copy(part, whole, "model_weights")
    for name in ("net.h5", "whole.h5"):
        other = mobilenet()
        load_file(other, tmp_path / name, what=WHAT)
        assert pack(other) == pack(network)


def test_half_precision_becomes_single(saved: Path) -> None:
    """float16 data sets are read as the nearest float32."""
    with h5py.File(saved, "r+") as file:
        kernel = file["layers/conv2d/vars/0"][()]
        del file["layers/conv2d/vars/0"]
        file["layers/conv2d/vars/0"] = kernel.astype(np.float16)
    other = mobilenet()
    load_file(other, saved, what=WHAT)
    assert np.array_equal(other.layers[1].get_weights()[0], kernel.astype(np.float16).astype(np.float32))


def test_the_weights_that_ship_with_the_demo_fit() -> None:
    """The demo's file holds MobileNet, alpha 1.0, whole."""
    path = Path(__file__).resolve().parents[2] / ASSET
    network = mobilenet(1.0)
    before = pack(network)
    load_file(network, path, what="MobileNet (alpha 1)")
    assert pack(network) != before


def not_hdf5(path: Path) -> None:
    path.write_text("hello")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def something_else(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["numbers"] = [1, 2, 3]


def a_layer_less(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["layers/conv2d_7"]


def a_layer_more(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["layers/dense/vars/0"] = np.zeros((3, 3), np.float32)


def a_layer_renamed(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.move("layers/conv2d_7", "layers/dense")


def a_weight_less(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["layers/batch_normalization/vars/3"]


def integers(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        shape = file["layers/conv2d/vars/0"].shape
        del file["layers/conv2d/vars/0"]
        file["layers/conv2d/vars/0"] = np.zeros(shape, np.int32)


def not_a_number(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["layers/conv2d/vars/0"][0, 0, 0, 0] = np.nan


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (not_hdf5, "not readable as a file of Keras weights"),
        (empty, "not readable as a file of Keras weights"),
        (cut_off, "not readable as a file of Keras weights"),
        (something_else, "neither 'layers' nor 'layer_names'"),
        (a_layer_less, "it has 54 layers with weights, the file 53"),
        (a_layer_more, "it has 54 layers with weights, the file 55"),
        (a_layer_renamed, r"layer conv_pw_7 has weights of shapes 1x1x128x128, not none"),
        (a_weight_less, "layer conv1_bn has weights of shapes 8, 8, 8, 8, not 8, 8, 8$"),
        (integers, "layer conv1 has weights of type int32"),
        (not_a_number, "layer conv1 has weights that are no finite numbers"),
    ],
)
def test_a_file_that_does_not_fit_is_named(saved: Path, damage: Write, message: str) -> None:
    """The message has the file and what is wrong with it; the network keeps the weights that it had."""
    damage(saved)
    network = mobilenet()
    before = pack(network)
    with pytest.raises(InputError) as caught:
        load_file(network, saved, what=WHAT)
    assert caught.value.where == str(saved)
    assert re.search(message, caught.value.problem)
    assert pack(network) == before


def test_weights_of_another_width_are_named(saved: Path) -> None:
    """The first layer that differs is named, with both shapes."""
    with pytest.raises(InputError, match=r"not the weights of MobileNet .*layer conv1 .*3x3x3x16, not 3x3x3x8"):
        load_file(mobilenet(0.5), saved, what="MobileNet (alpha 0.5)")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A path that leads nowhere, or to a folder."""
    for path in (tmp_path / "none.weights.h5", tmp_path):
        with pytest.raises(InputError, match="no such weights file"):
            weights_name(path)
        with pytest.raises(InputError, match="no such weights file"):
            load_file(None, path, what=WHAT)


def test_a_file_is_known_by_its_bytes(saved: Path, tmp_path: Path) -> None:
    """A copy under another name is the same weights."""
    copy = tmp_path / "copy.h5"
    copy.write_bytes(saved.read_bytes())
    assert weights_name(copy) == weights_name(saved)
    assert weights_name("imagenet") == "imagenet"
