"""int8 base DNNs: quantised as a whole and cut in the graph, so that the chain is the network, bit by bit."""

import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mainstream.basednn import BaseDnn
from mainstream.errors import InputError
from mainstream.packages.artifacts import read_base_dnn
from mainstream.packages.folder import StoreFolder
from mainstream.pixels import normalise
from mainstream_trainer.basednn import import_base_dnn, load_keras
from mainstream_trainer.calibration import FEWEST, Calibration, calibration_of
from mainstream_trainer.finetune import branch_model
from mainstream_trainer.keras_runtime import keras, tensorflow
from mainstream_trainer.quantise import Border, border_of, float_branch, quantised_branch
from mainstream_trainer.tflite import Chain, export_tflite, run_tflite

from .conftest import CommandLine

TINY = ("--architecture", "MobileNet", "--alpha", "0.25", "--input-size", "64", "--weights", "random")


def no_progress(_description: str, _total: int) -> Callable[..., None]:
    return lambda _steps=1: None


@pytest.fixture(scope="module")
def pictures(tiny_int8_base: BaseDnn) -> list[NDArray[np.float32]]:
    """The calibration pictures that ship, as the network sees them."""
    pixels = calibration_of(None).pixels((64, 64))
    return [normalise(picture, tiny_int8_base.config.preprocessing)[None] for picture in pixels]


@pytest.fixture(scope="module")
def network(tiny_int8_base: BaseDnn, tiny_store: StoreFolder) -> Any:
    return load_keras(tiny_int8_base, tiny_store.layout)


def test_the_chain_is_the_uncut_int8_network_bit_by_bit(
    network: Any, tiny_int8_segments: list[bytes], pictures: list[NDArray[np.float32]]
) -> None:
    """Against the converter's own int8 network, made without a thought of cuts, on pictures and on noise."""
    tf = tensorflow()
    graph = tf.function(lambda values: network(values, training=False))
    traced = graph.get_concrete_function(tf.TensorSpec((1, *network.input_shape[1:]), tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([picture] for picture in pictures)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_output_type = tf.int8
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        whole = converter.convert()
    chain = Chain(tiny_int8_segments)
    noise = np.random.default_rng(0).uniform(-1, 1, (3, *pictures[0].shape)).astype(np.float32)
    for given in (*pictures[::8], *noise):
        expected = run_tflite(whole, given)
        assert expected.dtype == np.int8
        np.testing.assert_array_equal(chain(given)[-1], expected)
        assert expected.std() > 0


def test_neighbours_have_the_same_tensor_at_their_border(tiny_int8_segments: list[bytes]) -> None:
    """Scale and zero point; only the first segment takes f32."""
    from ai_edge_litert.interpreter import Interpreter

    given, gives = [], []
    for segment in tiny_int8_segments:
        interpreter = Interpreter(model_content=segment)
        given.append(interpreter.get_input_details()[0])
        gives.append(interpreter.get_output_details()[0])
    assert given[0]["dtype"] == np.float32
    for before, after in zip(gives[:-1], given[1:], strict=True):
        assert after["dtype"] == before["dtype"] == np.int8
        assert after["quantization"] == before["quantization"]
        assert before["quantization"][0] > 0


def test_it_is_a_base_dnn_of_its_own(tiny_base: BaseDnn, tiny_int8_base: BaseDnn, tiny_store: StoreFolder) -> None:
    """Its own digest and name; the same cuts, shapes and Keras weights; the config says how it was quantised."""
    plain, int8 = tiny_base.config, tiny_int8_base.config
    assert tiny_int8_base.digest != tiny_base.digest
    assert tiny_store.layout.names()["base/mobilenet-0.25-64-random-int8"] == tiny_int8_base.digest
    assert (int8.precision, plain.precision, plain.quantization) == ("int8", "f32", None)
    assert int8.quantization is not None
    assert (int8.quantization.pictures, int8.quantization.method) == (48, "PostTraining")
    assert int8.weights_digest == plain.weights_digest
    assert [(one.end, one.output_shape) for one in int8.segments] == [
        (one.end, one.output_shape) for one in plain.segments
    ]
    assert sum(one.size for one in int8.segments) < 0.5 * sum(one.size for one in plain.segments)
    assert read_base_dnn(tiny_store.layout, tiny_int8_base.digest) == tiny_int8_base


def test_another_process_gives_the_same_digest(
    tiny_int8_base: BaseDnn, tmp_path: Path, command_line: CommandLine
) -> None:
    """And says what it made; a second time there is nothing to do, and f32 is imported beside it."""
    done = command_line("base", "import", *TINY, "--precision", "int8", "--output", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["digest"] == tiny_int8_base.digest
    assert "warning" not in done.stderr
    again = command_line("base", "import", *TINY, "--precision", "int8")
    assert "already there: base/mobilenet-0.25-64-random-int8" in again.stderr
    assert StoreFolder(tmp_path / ".mainstream").layout.names().keys() == {"base/mobilenet-0.25-64-random-int8"}


def write_pictures(folder: Path, count: int, *, black: bool = False) -> Path:
    """Different pictures of noise, or black ones, as PNG (which keeps each pixel)."""
    folder.mkdir()
    for number in range(count):
        rng = np.random.default_rng(number)
        pixels = np.zeros((24, 24, 3), np.uint8) if black else rng.integers(0, 256, (24, 24, 3)).astype(np.uint8)
        pixels[0, 0] = number  # so that the files differ
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def test_pictures_count_by_what_they_show(tmp_path: Path) -> None:
    """Names and folders do not matter, copies count once."""
    one, other = write_pictures(tmp_path / "one", FEWEST), write_pictures(tmp_path / "other", FEWEST)
    (other / "more").mkdir()
    (other / "3.png").rename(other / "more" / "renamed.png")
    (other / "copy.png").write_bytes((other / "5.png").read_bytes())
    assert calibration_of(one).digest == calibration_of(other).digest
    assert calibration_of(other).pictures == FEWEST


def test_no_too_few_and_unreadable_pictures(tmp_path: Path, command_line: CommandLine) -> None:
    """Each message names the folder or file, the figures and the remedy; nothing is imported."""
    (tmp_path / "empty").mkdir()
    broken = write_pictures(tmp_path / "broken", FEWEST)
    (broken / "7.png").write_text("no picture")
    write_pictures(tmp_path / "few", 3)
    cases = {
        "nowhere": ["nowhere: no such folder of calibration pictures", "Give a folder"],
        "empty": ["empty: the folder holds no calibration picture", f"{FEWEST} to 256 pictures"],
        "few": ["few: 3 calibration pictures are too few", f"at least {FEWEST}", "leave --calibration out"],
        "broken": ["7.png: not readable as a picture", "Repair or remove"],
    }
    for name, says in cases.items():
        done = command_line("base", "import", *TINY, "--precision", "int8", "--calibration", name)
        assert done.returncode == 2, done.stderr
        assert "Traceback" not in done.stderr
        for part in says:
            assert part in done.stderr
    assert not (tmp_path / ".mainstream").exists()


def test_precision_and_pictures_go_together(tmp_path: Path, tiny_store: StoreFolder) -> None:
    """Pictures for an f32 base DNN are a mistake; so is a precision that there is not."""
    with pytest.raises(InputError, match="calibration pictures are for --precision int8"):
        import_base_dnn(tiny_store.layout, name="MobileNet", weights="random", calibration=tmp_path, start=no_progress)


def test_an_unknown_precision(command_line: CommandLine) -> None:
    done = command_line("base", "import", *TINY, "--precision", "int4")
    assert done.returncode == 2
    assert "--precision: expected one of f32, int8, got 'int4'" in done.stderr


def test_black_pictures_are_warned_of_with_figures(tmp_path: Path) -> None:
    """The base DNN is made all the same, under a name with the pictures' digest."""
    store = StoreFolder(tmp_path / "store")
    folder = write_pictures(tmp_path / "black", FEWEST, black=True)
    warnings: list[str] = []
    base, made = import_base_dnn(
        store.layout,
        name="MobileNet",
        alpha=0.25,
        input_size=32,
        weights="random",
        precision="int8",
        calibration=folder,
        start=no_progress,
        warn=warnings.append,
    )
    (warning,) = warnings
    assert "16 of 16 calibration pictures show nothing (brightness 0." in warning
    assert str(folder) in warning
    assert made
    digits = calibration_of(folder).digest.removeprefix("sha256:")[:8]
    assert store.layout.names() == {f"base/mobilenet-0.25-32-random-int8-{digits}": base.digest}


def test_real_pictures_give_no_warning(tmp_path: Path) -> None:
    """The set that ships shows something in every picture."""
    from mainstream_trainer.calibration import blank_warning

    shipped = calibration_of(None)
    assert isinstance(shipped, Calibration)
    assert blank_warning(np.stack(list(shipped.pixels((32, 32)))), tmp_path) is None


def test_branches_take_the_borders_integers(
    network: Any,
    tiny_int8_base: BaseDnn,
    tiny_int8_segments: list[bytes],
    pictures: list[NDArray[np.float32]],
) -> None:
    """In f32 a branch computes what Keras does with the values; in int8 about that, from the very same integers."""
    depth = tiny_int8_base.config.depth("conv_pw_9")
    border = border_of(tiny_int8_segments[depth - 1])
    stem = Chain(tiny_int8_segments[:depth])
    integers = [stem(picture)[-1] for picture in pictures]
    keras().utils.set_random_seed(1)
    model = branch_model(network, tiny_int8_base, "conv_pw_9", 3)
    weights = model.get_weights()
    weights[-2] = np.random.default_rng(2).normal(0, 0.1, weights[-2].shape)
    model.set_weights(weights)

    def samples() -> Iterator[NDArray[np.float32]]:
        return (border.values(one) for one in integers)

    floats = float_branch(export_tflite(model), border)
    int8 = quantised_branch(model, border, samples)
    assert len(int8) < 0.5 * len(floats)
    for one in integers[::8]:
        expected = np.asarray(model(border.values(one), training=False))
        np.testing.assert_allclose(run_tflite(floats, one), expected, atol=1e-5)
        got = run_tflite(int8, one)
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, expected, atol=0.15)


def test_values_are_those_of_the_graphs_dequantize() -> None:
    """In 32 bits, as the engine computes them."""
    border = Border(scale=6 / 255, zero_point=-128)
    values = border.values(np.array([-128, 127, 0], np.int8))
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, np.float32([0, 255, 128]) * np.float32(6 / 255))
