"""From a decoded frame to a network's input: crop, shrink, normalise (the rule is ``mainstream.pixels``').

swscale does the work: a whole picture is shrunk and made RGB in one step; of a crop the picture is made RGB first, because a
box may begin at an odd pixel, where YUV 4:2:0 has no colour of its own.
"""

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from mainstream.pixels import crop_box, normalise
from mainstream_runner.engine import Pixels
from mainstream_runner.plans import NetworkInput


class SwscaleConvert:
    """Converts one stream's frames; keeps swscale's tables between frames. Used by one thread."""

    def __init__(self) -> None:
        self._reformatters: dict[NetworkInput, VideoReformatter] = {}

    def __call__(self, picture: av.VideoFrame, wanted: NetworkInput) -> Pixels:
        """``(1, height, width, 3)`` float32, normalised, in the network's colour order."""
        height, width, _ = wanted.shape
        left, top, box_width, box_height = crop_box(picture.width, picture.height, wanted.view.crop)
        if (box_width, box_height) != (picture.width, picture.height):
            pixels = picture.to_ndarray(format="rgb24")[top : top + box_height, left : left + box_width]
            picture = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        reformatter = self._reformatters.setdefault(wanted, VideoReformatter())
        small = reformatter.reformat(picture, width, height, "rgb24", interpolation=Interpolation.AREA)
        return normalise(small.to_ndarray().astype(np.uint8, copy=False), wanted.preprocessing)[None]
