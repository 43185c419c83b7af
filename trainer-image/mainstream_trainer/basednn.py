"""Base DNN artifacts: a pre-trained network cut at every legal branchpoint, once (formats, Base DNN)."""

import hashlib
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from mainstream.basednn import BaseDnn, BaseDnnConfig, Segment
from mainstream.documents import number_text, sha256
from mainstream.errors import InputError, OperationError
from mainstream.packages.artifacts import list_artifacts, read_base_dnn, write_base_dnn
from mainstream.packages.layout import OciLayout
from mainstream_trainer.architectures import Architecture, architecture, cut_layers
from mainstream_trainer.keras_runtime import keras
from mainstream_trainer.networks import batch_one, layers_between
from mainstream_trainer.tflite import export_tflite
from mainstream_trainer.weights import load_file, pack, unpack

IMAGENET = "imagenet"
RANDOM = "random"
"""Weights that nobody trained: for trying out the machinery, never for applications."""

Start = Callable[[str, int], Callable[..., None]]
"""Starts a progress bar: ``start(description, total)`` returns its ``advance``."""


def import_base_dnn(
    layout: OciLayout,
    *,
    name: str,
    alpha: float | None = None,
    input_size: int | None = None,
    weights: str | Path = IMAGENET,
    reference: str | None = None,
    start: Start,
) -> tuple[BaseDnn, bool]:
    """The base DNN of that architecture and weights, and whether it was made now; one that is there is not made again.

    ``weights`` is ``imagenet`` (Keras downloads them), ``random`` or a weights file; ``reference`` the name in the store.
    """
    kind = architecture(name)
    size = input_size or kind.default_size
    alpha = _checked_alpha(kind, alpha)
    if size < kind.smallest_size:
        raise InputError(f"input size: {name} takes at least {kind.smallest_size} pixels, got {size}")
    weights_name = _weights_name(weights)
    for known in known_base_dnns(layout):
        config = known.config
        if (config.architecture, config.alpha, config.input_shape[0], config.weights_name) == (
            *(name, alpha, size, weights_name),
        ):
            return known, False
    model = make_model(kind, size, alpha, weights)
    cuts = cut_layers(kind, model)
    advance = start("exporting segments", len(cuts))
    segments, blobs, before = [], {}, None
    for branchpoint, place in cuts:
        data = export_tflite(batch_one(layers_between(model, before, place, name=f"segment_{branchpoint}")))
        shape = tuple(int(size) for size in model.layers[place].output.shape[1:])
        segments.append(Segment(end=branchpoint, output_shape=shape, digest=sha256(data), size=len(data)))
        blobs[sha256(data)] = data
        before = place
        advance()
    keras_weights = pack(model)
    blobs[sha256(keras_weights)] = keras_weights
    config = BaseDnnConfig(
        architecture=name,
        alpha=alpha,
        input_shape=(size, size, 3),
        preprocessing=kind.preprocessing,
        segments=tuple(segments),
        weights_digest=sha256(keras_weights),
        weights_name=weights_name,
        made_by={package: version(package) for package in ("keras", "mainstream-edge")},
    )
    return write_base_dnn(layout, config, blobs, name=reference or default_name(name, alpha, size, weights_name)), True


def default_name(name: str, alpha: float | None, size: int, weights_name: str) -> str:
    """Such as ``base/mobilenet-1-224`` and, for weights of one's own, ``base/mobilenet-1-224-1a2b3c4d``."""
    parts = [name.lower(), *([number_text(alpha)] if alpha is not None else []), str(size)]
    if weights_name != IMAGENET:
        parts.append(weights_name.removeprefix("sha256:")[:8])
    return "base/" + "-".join(parts)


def known_base_dnns(layout: OciLayout) -> list[BaseDnn]:
    """The base DNNs of a store."""
    return [read_base_dnn(layout, item.digest) for item in list_artifacts(layout) if item.kind == "base DNN"]


def load_keras(base: BaseDnn, layout: OciLayout) -> Any:
    """The Keras network of a base DNN, up to the pooled features, with its weights."""
    config = base.config
    kind = architecture(config.architecture)
    model = kind.make(config.input_shape[0], config.alpha, None)
    unpack(layout.read_blob(config.weights_digest), model)
    return model


def make_model(kind: Architecture, size: int, alpha: float | None, weights: str | Path) -> Any:
    """The Keras network with the given weights (``InputError``, ``OperationError`` where a download fails)."""
    if weights == IMAGENET:
        try:
            return kind.make(size, alpha, IMAGENET)
        except OSError as error:
            raise OperationError(
                f"cannot download Keras' imagenet weights of {kind.name}: {error}",
                remedy="Give a weights file instead: --weights FILE.weights.h5",
            ) from None
        except Exception as error:  # Keras raises a bare Exception where its download fails
            if "URL fetch failure" not in str(error):
                raise
            raise OperationError(
                f"cannot download Keras' imagenet weights of {kind.name}",
                remedy="Give a weights file instead: --weights FILE.weights.h5",
            ) from None
    if weights == RANDOM:
        keras().utils.set_random_seed(0)
        model = kind.make(size, alpha, None)
        _settle(model)
        return model
    model = kind.make(size, alpha, None)
    load_file(model, Path(weights))
    return model


def _settle(model: Any) -> None:
    """Give random weights' batch norms the statistics of noise, so that activations neither vanish nor explode."""
    layers = keras().layers
    noise = np.random.default_rng(0).uniform(-1, 1, (4, *model.input_shape[1:])).astype(np.float32)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            before = keras().Model(model.inputs[0], layer.input)(noise)
            axes = tuple(range(len(before.shape) - 1))
            values = np.asarray(before)
            weights = dict(zip([w.name for w in layer.weights], layer.get_weights(), strict=True))
            weights["moving_mean"], weights["moving_variance"] = values.mean(axes), values.var(axes) + 1e-3
            layer.set_weights(list(weights.values()))


def _weights_name(weights: str | Path) -> str:
    if weights in {IMAGENET, RANDOM}:
        return str(weights)
    path = Path(weights)
    if not path.is_file():
        raise InputError(
            "no such weights file", where=path, remedy=f"Give {IMAGENET}, or the path of a .weights.h5 file."
        )
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def _checked_alpha(kind: Architecture, alpha: float | None) -> float | None:
    if kind.has_alpha:
        return 1.0 if alpha is None else alpha
    if alpha is not None:
        raise InputError(f"alpha: {kind.name} has none, got {number_text(alpha)}", remedy="Leave alpha out.")
    return None
