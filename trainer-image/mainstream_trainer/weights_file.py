"""Files of Keras weights (HDF5), read by content: what Keras 3 writes (``.weights.h5``) and what it wrote before (``.h5``).

Keras' own readers may keep a network's random weights where a file has none, and say so in passing. Here every weight must be
there, of the right shape and finite, and nothing may be left over. Any float type is taken; weights become float32.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mainstream.errors import InputError

_REMEDY = (
    "Check architecture and alpha; the file must come from the network without its classifier (include_top=False): "
    "model.save_weights('NAME.weights.h5')."
)


def load_file(model: Any, path: Path, *, what: str) -> None:
    """Set the weights of ``model`` (in words: ``what``); ``InputError`` names the file and what does not match."""
    import h5py

    if not path.is_file():
        raise InputError("no such weights file", where=path, remedy="Give the path of a .weights.h5 file, or imagenet.")
    layers = [(key, layer) for key, layer in _keys(model) if layer.weights]
    try:
        with h5py.File(path, "r") as file:
            stored = _stored(file, [key for key, _ in layers])
            if len(stored) != len(layers):
                raise _mismatch(path, what, f"it has {len(layers)} layers with weights, the file {len(stored)}")
            read = [(layer, _weights(layer, stored.get(key, ()), path=path, what=what)) for key, layer in layers]
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
        raise InputError(
            f"not readable as a file of Keras weights (HDF5): {error}", where=path, remedy=_REMEDY
        ) from None
    for layer, weights in read:
        layer.set_weights(weights)


def _keys(model: Any) -> Iterator[tuple[str, Any]]:
    """Layers by the names that Keras 3 files give them: their class's, numbered in the network's order."""
    seen: dict[str, int] = {}
    for layer in model.layers:
        name = _snake_case(type(layer).__name__)
        number = seen.get(name, 0)
        seen[name] = number + 1
        yield (f"{name}_{number}" if number else name), layer


def _snake_case(name: str) -> str:
    """As Keras does it: ``Conv2D`` is ``conv2d``, ``BatchNormalization`` is ``batch_normalization``."""
    parted = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", parted).lower()


def _stored(file: Any, keys: Sequence[str]) -> Mapping[str, Sequence[Any]]:
    """The file's data sets by layer; older files name layers as they like, so there the order counts."""
    if "layers" in file:
        groups = {name: group["vars"] for name, group in file["layers"].items() if "vars" in group}
        return {name: [group[str(n)] for n in range(len(group))] for name, group in groups.items() if len(group)}
    root = file.get("model_weights", file)
    if "layer_names" not in root.attrs:
        raise ValueError("it holds neither 'layers' nor 'layer_names'")
    layers = [root[name] for name in root.attrs["layer_names"]]
    weights = [[layer[name] for name in layer.attrs["weight_names"]] for layer in layers]
    filled = [sets for sets in weights if sets]
    names = [*keys, *(f"beyond {number}" for number in range(len(filled) - len(keys)))]
    return dict(zip(names, filled, strict=False))


def _weights(layer: Any, sets: Sequence[Any], *, path: Path, what: str) -> list[np.ndarray[Any, np.dtype[np.float32]]]:
    expected = [tuple(weight.shape) for weight in layer.weights]
    given = [tuple(data.shape) for data in sets]
    if expected != given:
        raise _mismatch(
            path, what, f"layer {layer.name} has weights of shapes {_listed(expected)}, not {_listed(given)}"
        )
    weights = []
    for data in sets:
        if data.dtype.kind != "f":
            raise _mismatch(path, what, f"layer {layer.name} has weights of type {data.dtype}, not of a float type")
        weights.append(np.asarray(data[()], np.float32))
        if not np.isfinite(weights[-1]).all():
            raise InputError(f"layer {layer.name} has weights that are no finite numbers", where=path, remedy=_REMEDY)
    return weights


def _listed(shapes: Sequence[tuple[int, ...]]) -> str:
    return ", ".join("x".join(str(size) for size in shape) for shape in shapes) or "none"


def _mismatch(path: Path, what: str, how: str) -> InputError:
    return InputError(f"not the weights of {what}: {how}", where=path, remedy=_REMEDY)
