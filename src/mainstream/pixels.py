"""How a decoded frame becomes a network's input: the rule that trainer and runner share (docs/design/preprocessing.md).

A frame is decoded, cropped to the view's box, shrunk to the input size by area averaging (both by swscale, in whichever
program), and normalised here. Same rule, same pixels, same verdicts: p and q as measured hold on the box.
"""

import numpy as np
from numpy.typing import NDArray

from mainstream.basednn import Preprocessing


def crop_box(width: int, height: int, crop: tuple[float, float, float, float]) -> tuple[int, int, int, int]:
    """The integer box (left, top, width, height) of a view in a picture of that size, at least one pixel each way.

    ``crop`` is left, top, width, height as fractions of the picture. Edges are rounded to the nearest pixel, halves up.
    """
    left, top = _pixel(crop[0] * width), _pixel(crop[1] * height)
    right, bottom = _pixel((crop[0] + crop[2]) * width), _pixel((crop[1] + crop[3]) * height)
    left, top = min(left, width - 1), min(top, height - 1)
    return left, top, max(1, min(right, width) - left), max(1, min(bottom, height) - top)


def _pixel(value: float) -> int:
    return int(value + 0.5)


def normalise(pixels: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.float32]:
    """``(..., 3)`` uint8 RGB to float32 in the network's colour order: ``(pixel - mean[channel]) / divisor``."""
    if pixels.dtype != np.uint8 or pixels.shape[-1] != 3:
        raise ValueError(f"Expected uint8 RGB pixels of shape (..., 3), got {pixels.dtype} {pixels.shape}")
    ordered = pixels if preprocessing.colour_order == "RGB" else pixels[..., ::-1]
    scaled = ordered.astype(np.float32)
    scaled -= np.asarray(preprocessing.mean, np.float32)
    scaled /= np.float32(preprocessing.divisor)
    return scaled
