"""LiteRT as the engine: f32 and int8 on the processor by XNNPACK.

All levels of a joined graph are one file with a subgraph for each, loaded as one ``CompiledModel`` with an XNNPACK weight cache
on disk: weights are packed once, mapped from that file, and shared by the levels. (Eight levels of MobileNet: 62 MB of private
memory for the whole process, where an interpreter for each level takes 373.)
"""

import atexit
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np

from mainstream.errors import OperationError, PackageError
from mainstream_runner import litert_runtime
from mainstream_runner.engine import Output, Pixels, Turn
from mainstream_runner.litert_runtime import CompiledGraph, LiteRTError
from mainstream_runner.merge import Joined

GRAPH_FILE = "levels.tflite"
WEIGHT_CACHE_FILE = "weights.xnnpack"

_STANDARD_ERROR = 2


class LiteRT:
    """The engine. One environment serves all models of the process."""

    name: Literal["LiteRT", "OpenVINO"] = "LiteRT"

    def __init__(self) -> None:
        self.version = version("ai-edge-litert")
        _start()

    def write(self, joined: Joined, *, levels: Sequence[int], folder: Path) -> None:
        """See ``Engine.write``."""
        path = folder / GRAPH_FILE
        try:
            with path.open("wb") as file:
                file.writelines(joined.parts(levels))
        except OSError as error:
            raise OperationError(f"cannot write the merged graph: {error.strerror}", where=path) from None

    def open(
        self,
        folder: Path,
        *,
        levels: int,
        input_shape: Sequence[int],
        threads: int,
        runs: int | None = None,
        turn: Turn = nullcontext,
    ) -> "LiteRTModel":
        """See ``Engine.open``. The first time it packs the weights into a file beside the graph; later ones map that."""
        with _quiet() as said:
            try:
                compiled = CompiledGraph(folder / GRAPH_FILE, threads=threads, weight_cache=folder / WEIGHT_CACHE_FILE)
            except LiteRTError as error:
                raise self._refused(error, said()) from None
        model = LiteRTModel(compiled)
        try:
            for level in range(
                levels if runs is None else runs
            ):  # memory is allocated by the first run, which may fail
                with turn():
                    model.run(np.zeros(input_shape, np.float32), level)
        except (LiteRTError, ValueError) as error:
            model.close()
            raise self._refused(error, "it was loaded, but does not run") from None
        return model

    def _refused(self, error: Exception, reason: str) -> PackageError:
        return PackageError(f"LiteRT {self.version} refuses the merged graph: {error}; {reason}")


class LiteRTModel:
    """A graph that LiteRT has loaded."""

    def __init__(self, graph: CompiledGraph) -> None:
        self._graph = graph

    def run(self, pixels: Pixels, level: int = 0) -> list[Output]:
        """See ``Model.run``."""
        shape = self._graph.input_shape(level)
        if pixels.shape != shape or pixels.dtype != np.float32:
            raise ValueError(f"Expected float32 pixels of shape {shape}, got {pixels.dtype} {pixels.shape}")
        return self._graph.run(level, pixels)

    def close(self) -> None:
        """See ``Model.close``."""
        self._graph.close()


@contextmanager
def _quiet() -> Iterator[Callable[[], str]]:
    """Keep LiteRT's log of loading from the screen; gives what tells its last line. It knows no switch to turn it off."""
    try:
        screen = os.dup(_STANDARD_ERROR)
    except OSError:  # there is no standard error to be kept clean
        yield lambda: ""
        return
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), _STANDARD_ERROR)

        def said() -> str:
            log.seek(0)
            lines = log.read().decode(errors="replace").strip().splitlines()
            return lines[-1] if lines else ""

        try:
            yield said
        finally:
            os.dup2(screen, _STANDARD_ERROR)
            os.close(screen)


@cache
def _start() -> None:
    """Once in a process. LiteRT logs once more at its very end, after all that Python has to say."""
    with _quiet():
        litert_runtime.start()
    atexit.register(lambda: os.dup2(os.open(os.devnull, os.O_WRONLY), _STANDARD_ERROR))
