"""Keras weights as one blob, and files of weights (formats, Base DNN: "one blob with the Keras weights").

The blob is the safetensors layout: eight bytes of header length, a JSON header (name, dtype, shape, offsets), then the bytes.
Its bytes depend on the weights alone; names are ``<layer's place>/<weight's place>``, so that they carry no process history.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from mainstream.documents import canonical_json
from mainstream.errors import InputError, PackageError


def pack(model: Any) -> bytes:
    """All weights of a model in the order of its layers, float32, little endian."""
    header: dict[str, Any] = {}
    chunks = []
    offset = 0
    for place, layer in enumerate(model.layers):
        for number, weight in enumerate(layer.get_weights()):
            data = np.ascontiguousarray(weight, "<f4").tobytes()
            header[f"{place:04}/{number}"] = {
                "dtype": "F32",
                "shape": list(weight.shape),
                "data_offsets": [offset, offset + len(data)],
            }
            chunks.append(data)
            offset += len(data)
    text = canonical_json(header)
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(chunks)


def unpack(data: bytes, model: Any) -> None:
    """Set the weights of a model of the same architecture (``PackageError`` if they are another's)."""
    try:
        length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + length])
        for place, layer in enumerate(model.layers):
            weights = []
            for number, weight in enumerate(layer.get_weights()):
                entry = header.pop(f"{place:04}/{number}")
                begin, end = entry["data_offsets"]
                array = np.frombuffer(data[8 + length + begin : 8 + length + end], "<f4").reshape(entry["shape"])
                if array.shape != weight.shape:
                    raise PackageError(f"weights blob: {layer.name} expects shape {weight.shape}, got {array.shape}")
                weights.append(array)
            layer.set_weights(weights)
    except (ValueError, KeyError, TypeError) as error:
        raise PackageError(f"the weights blob is not one of this architecture: {error}") from None
    if header:
        raise PackageError(f"the weights blob holds {len(header)} weights that this architecture does not have")


def load_file(model: Any, path: Path) -> None:
    """Load Keras weights (``.weights.h5`` or ``.h5``, without the classifier); ``InputError`` names what does not match."""
    if not path.is_file():
        raise InputError("no such weights file", where=path, remedy="Check --weights (or weights in the manifest).")
    if not path.name.endswith(".h5"):
        raise InputError(
            "expected a Keras weights file whose name ends in .weights.h5 or .h5", where=path,
            remedy="Save it with model.save_weights('NAME.weights.h5') from the model without its classifier.",
        )  # fmt: skip
    try:
        model.load_weights(path)
    except (ValueError, OSError, KeyError, TypeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(
            f"not the weights of this architecture: {reason:.300}",
            where=path,
            remedy="Check --architecture and --alpha; the file must come from the model without its classifier.",
        ) from None
