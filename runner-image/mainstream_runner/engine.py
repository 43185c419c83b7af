"""The seam between the runner and an inference engine: load a joined graph, run one of its levels.

An engine's models each have a fixed number of threads and are not called at the same time.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from mainstream_runner.merge import Joined

Pixels = NDArray[np.float32]
"""``(1, height, width, channels)`` float32: a network's input."""

Output = NDArray[np.float32]


class Model(Protocol):
    """A loaded graph with one input and some levels."""

    def run(self, pixels: Pixels, level: int = 0) -> list[Output]:
        """The outputs of a level, in order, new arrays; one call of the engine.

        ``level`` is a place among the levels that were loaded. ``ValueError`` if ``pixels`` has another shape or type.
        """
        ...

    def close(self) -> None:
        """Give back the model's memory; it cannot run any more."""
        ...


class Engine(Protocol):
    """What loads graphs. ``name`` and ``version`` are part of a profile's key."""

    name: Literal["LiteRT", "OpenVINO"]
    version: str

    def load(self, joined: Joined, *, levels: Sequence[int], threads: int, folder: Path) -> Model:
        """Write the levels of a joined graph into ``folder``, load them and run each once; all share their weights.

        Each of ``levels`` is a number of apps, the greatest first. ``folder`` is empty, belongs to this model alone and must
        outlive it. ``PackageError`` if the engine refuses the graph, ``OperationError`` if the disk does not take it.
        """
        ...
