"""Where a base DNN's weights come from: Keras' ``imagenet``, a weights file, or nowhere (``random``)."""

import hashlib
import sys
import warnings
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from mainstream.documents import number_text
from mainstream.errors import InputError, OperationError
from mainstream.pixels import normalise
from mainstream_trainer.architectures import Architecture, sources
from mainstream_trainer.keras_runtime import keras
from mainstream_trainer.weights_file import load_file

IMAGENET = "imagenet"
RANDOM = "random"
"""Weights that nobody trained: for trying out the machinery, never for applications."""

_PICTURES, _PATCHES = 8, 5


def weights_name(weights: str | Path) -> str:
    """``imagenet``, ``random``, or the digest of the file's bytes (``InputError`` if there is none)."""
    if weights in {IMAGENET, RANDOM}:
        return str(weights)
    path = Path(weights)
    if not path.is_file():
        raise InputError(
            "no such weights file", where=path, remedy=f"Give {IMAGENET}, or the path of a .weights.h5 file."
        )
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def pretrained(kind: Architecture, size: int, alpha: float | None, weights: str | Path) -> Any:
    """The Keras network with the given weights (``InputError``; ``OperationError`` where a download fails)."""
    if weights == IMAGENET:
        return _downloaded(kind, size, alpha)
    if weights == RANDOM:
        keras().utils.set_random_seed(0)
        model = kind.make(size, alpha, None)
        _settle(kind, model)
        return model
    model = kind.make(size, alpha, None)
    what = kind.name if alpha is None else f"{kind.name} (alpha {number_text(alpha)})"
    load_file(model, Path(weights), what=what)
    return model


def _downloaded(kind: Architecture, size: int, alpha: float | None) -> Any:
    try:
        # Keras shows its download on standard output, which belongs to results, and warns that the weights come from another
        # input size, which does not matter without the classifier.
        with redirect_stdout(sys.stderr), warnings.catch_warnings(action="ignore", category=UserWarning):
            return kind.make(size, alpha, IMAGENET)
    except Exception as error:  # Keras raises a bare Exception where its download fails
        if not isinstance(error, OSError) and "URL fetch failure" not in str(error):
            raise
        raise OperationError(
            f"cannot download Keras' imagenet weights of {kind.name}: {error}",
            remedy="Give a weights file instead: --weights FILE.weights.h5 (in a manifest: baseDnn.weights).",
        ) from None


def _settle(kind: Architecture, model: Any) -> None:
    """Give random weights' batch norms the statistics of pictures, so that activations neither vanish nor explode."""
    values: dict[str, Any] = {model.layers[0].name: _pictures(kind, model.input_shape[1])}
    for layer in model.layers[1:]:
        given = [values[source] for source in sources(layer)]
        if isinstance(layer, keras().layers.BatchNormalization):
            _normalise(layer, np.asarray(given[0]))
        values[layer.name] = layer(given[0] if len(given) == 1 else given)


def _pictures(kind: Architecture, size: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Random patches of colour with a little noise: plain noise looks the same everywhere to a deep layer."""
    rng = np.random.default_rng(0)
    colours = rng.uniform(0, 255, (_PICTURES, _PATCHES, _PATCHES, 3))
    places = np.arange(size) * _PATCHES // size
    pixels = colours[:, places][:, :, places] + rng.normal(0, 10, (_PICTURES, size, size, 3))
    return normalise(np.clip(pixels, 0, 255).astype(np.uint8), kind.preprocessing)


def _normalise(layer: Any, seen: np.ndarray[Any, Any]) -> None:
    """The mean of what the batch norm sees, four times its second moment for its variance, and an offset of one half.

    With the variance itself and no offset a random network is chaotic: a change in the seventh digit of a pixel is one in the
    third of the output, so that no two engines would agree.
    """
    axes = tuple(range(seen.ndim - 1))
    layer.moving_mean.assign(seen.mean(axes))
    layer.moving_variance.assign(4 * np.square(seen).mean(axes) + 1e-3)
    layer.beta.assign(np.full(layer.beta.shape, 0.5))
