"""The seam between the runner and an inference engine: load a joined graph, run one of its levels.

An engine's models each have a fixed number of threads and are not called at the same time.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from mainstream.errors import InputError
from mainstream_runner.merge import Joined

Pixels = NDArray[np.float32]
"""``(1, height, width, channels)`` float32: a network's input."""

Output = NDArray[np.float32]

Turn = Callable[[], AbstractContextManager[object]]
"""Makes a block in which the engine may be used: one that is busy with frames is left alone meanwhile."""


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
    """What loads graphs. ``name`` and ``version`` are part of a profile's key.

    ``write`` and ``open`` may happen in two processes: the one that prepares a schedule, and the one that runs it.
    """

    name: Literal["LiteRT", "OpenVINO"]
    version: str

    def write(self, joined: Joined, *, levels: Sequence[int], folder: Path) -> None:
        """Write the levels of a joined graph into ``folder``, which is empty and belongs to this model alone.

        Each of ``levels`` is a number of apps, the greatest first. ``OperationError`` if the disk does not take it.
        """
        ...

    def open(
        self,
        folder: Path,
        *,
        levels: int,
        input_shape: Sequence[int],
        threads: int,
        runs: int | None = None,
        turn: Turn = nullcontext,
    ) -> Model:
        """Load what was written and run the first ``runs`` levels once (None: all), each within a ``turn`` of its own.

        All levels share their weights where the engine can do that. ``folder`` must outlive the model.
        ``PackageError`` if the engine refuses the graph.
        """
        ...


def check_precision(engine: Literal["LiteRT", "OpenVINO"], *, quantised: bool) -> None:
    """``InputError`` for int8 graphs on OpenVINO."""
    if quantised and engine == "OpenVINO":
        raise InputError(
            "engine: OpenVINO computes other numbers with int8 base DNNs than those that accuracies were measured with",
            remedy="Set the EdgeNode's spec.runtime.engine to Auto or LiteRT, or use the f32 base DNN.",
        )


def load(engine: Engine, joined: Joined, *, levels: Sequence[int], threads: int, folder: Path) -> Model:
    """Write and open at once."""
    engine.write(joined, levels=levels, folder=folder)
    return engine.open(folder, levels=len(levels), input_shape=joined.input_shape, threads=threads)
