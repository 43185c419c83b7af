"""The seam between the runner and an inference engine: load a ``.tflite``, run it.

An engine is an instance of its own with a fixed number of threads; its models are not called at the same time.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]
"""``(1, height, width, channels)`` float32: a network's input."""

Output = NDArray[np.float32]


class Model(Protocol):
    """A loaded graph with one input and one or more outputs."""

    output_shapes: Sequence[tuple[int, ...]]

    def run(self, pixels: Pixels) -> list[Output]:
        """The graph's outputs in order, new arrays; ``ValueError`` if ``pixels`` has another shape or type."""
        ...

    def close(self) -> None:
        """Give back the model's memory; it cannot run any more."""
        ...


class Engine(Protocol):
    """What loads models. ``name`` and ``version`` are part of a profile's key."""

    name: Literal["LiteRT", "OpenVINO"]
    version: str

    def load(self, path: Path, *, threads: int, weight_cache: Path | None = None) -> Model:
        """Load a ``.tflite`` file; it must stay where it is while the model lives.

        Models that are given the same ``weight_cache`` share their weights: the buffers of each must be the first buffers
        of the one that was loaded first. ``PackageError`` if the engine refuses the graph.
        """
        ...
