"""The blob of Keras weights that trainers start from (formats, Base DNN: "one blob with the Keras weights").

The blob is the safetensors layout: eight bytes of header length, a JSON header (name, dtype, shape, offsets), then the bytes.
Its bytes depend on the weights alone; names are ``<layer's place>/<weight's place>``, so that they carry no process history.
"""

import json
from math import prod
from typing import Any

import numpy as np

from mainstream.documents import canonical_json
from mainstream.errors import PackageError


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
        header, begin = _header(data)
        for place, layer in enumerate(model.layers):
            weights = []
            for number, weight in enumerate(layer.get_weights()):
                entry = header.pop(f"{place:04}/{number}")
                shape = tuple(entry["shape"])
                if (entry["dtype"], shape) != ("F32", weight.shape):
                    raise PackageError(
                        f"weights blob: layer {layer.name} expects F32 {weight.shape}, got {entry['dtype']!r:.20} {shape!r:.99}"
                    )
                first, last = entry["data_offsets"]
                weights.append(np.frombuffer(data[begin + first : begin + last], "<f4").reshape(shape))
            layer.set_weights(weights)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise PackageError(f"the weights blob is not one of this architecture: {error}") from None
    if header:
        raise PackageError(f"the weights blob holds {len(header)} weights that this architecture does not have")


def count_parameters(data: bytes) -> int:
    """How many numbers a blob of ours holds."""
    header, _ = _header(data)
    return sum(prod(entry["shape"]) for entry in header.values())


def _header(data: bytes) -> tuple[dict[str, Any], int]:
    """The header, and where the weights' bytes begin."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    if not isinstance(header, dict):
        raise TypeError("its header is no object")
    return header, 8 + length
