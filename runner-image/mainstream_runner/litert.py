"""LiteRT as the engine: f32 and int8 on the processor by XNNPACK.

All levels of a joined graph are one file with a subgraph for each, loaded as one ``CompiledModel`` with an XNNPACK weight cache
on disk: weights are packed once, mapped from that file, and shared by the levels. (Eight levels of MobileNet: 62 MB of private
memory for the whole process, where an interpreter for each level takes 373.)
"""

import atexit
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
from ai_edge_litert.compiled_model import CompiledModel, Environment, EnvironmentOptions
from ai_edge_litert.hardware_accelerator import HardwareAccelerator
from ai_edge_litert.options import CpuOptions, Options

from mainstream.errors import OperationError, PackageError
from mainstream_runner.engine import Output, Pixels
from mainstream_runner.merge import Joined

GRAPH_FILE = "levels.tflite"
WEIGHT_CACHE_FILE = "weights.xnnpack"

_STANDARD_ERROR = 2


class LiteRT:
    """The engine. One environment serves all models of the process."""

    name: Literal["LiteRT", "OpenVINO"] = "LiteRT"

    def __init__(self) -> None:
        self.version = version("ai-edge-litert")
        self._environment = _environment()

    def write(self, joined: Joined, *, levels: Sequence[int], folder: Path) -> None:
        """See ``Engine.write``."""
        path = folder / GRAPH_FILE
        try:
            path.write_bytes(joined.write(levels))
        except OSError as error:
            raise OperationError(f"cannot write the merged graph: {error.strerror}", where=path) from None

    def open(self, folder: Path, *, levels: int, input_shape: Sequence[int], threads: int) -> "LiteRTModel":
        """See ``Engine.open``. The first time it packs the weights into a file beside the graph; later ones map that."""
        cpu = CpuOptions(num_threads=threads, xnnpack_weight_cache_path=str(folder / WEIGHT_CACHE_FILE))
        options = Options(hardware_accelerators=HardwareAccelerator.CPU, cpu_options=cpu)
        with _quiet() as said:
            try:
                compiled = CompiledModel.from_file(
                    str(folder / GRAPH_FILE), environment=self._environment, options=options
                )
                model = LiteRTModel(compiled, levels)
                for level in range(levels):  # memory is allocated by the first run, which may fail
                    model.run(np.zeros(input_shape, np.float32), level)
            except (RuntimeError, ValueError) as error:
                problem = str(error).splitlines()[0]
                raise PackageError(f"LiteRT {self.version} refuses the merged graph: {problem}; {said()}") from None
        return model


class LiteRTModel:
    """A graph that LiteRT has loaded, with input and output buffers for each level."""

    def __init__(self, model: Any, levels: int) -> None:
        self._model = model
        self._levels = [_LevelBuffers(model, place) for place in range(levels)]

    def run(self, pixels: Pixels, level: int = 0) -> list[Output]:
        """See ``Model.run``."""
        buffers = self._levels[level]
        if pixels.shape != buffers.input_shape or pixels.dtype != np.float32:
            raise ValueError(
                f"Expected float32 pixels of shape {buffers.input_shape}, got {pixels.dtype} {pixels.shape}"
            )
        buffers.inputs[0].write(pixels)
        self._model.run_by_index(level, buffers.inputs, buffers.outputs)
        return [
            buffer.read(prod(shape), np.float32).reshape(shape)
            for buffer, shape in zip(buffers.outputs, buffers.output_shapes, strict=True)
        ]

    def close(self) -> None:
        """See ``Model.close``."""
        self._levels.clear()
        with _quiet():
            self._model.close()


class _LevelBuffers:
    """Input and output buffers of a level, used again for each frame."""

    def __init__(self, model: Any, level: int) -> None:
        self.inputs = model.create_input_buffers(level)
        self.outputs = model.create_output_buffers(level)
        self.input_shape = _shape(self.inputs[0])
        self.output_shapes = [_shape(buffer) for buffer in self.outputs]


def _shape(buffer: Any) -> tuple[int, ...]:
    return tuple(int(extent) for extent in buffer.get_tensor_details()["shape"])


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
def _environment() -> Environment:
    """Lives as long as the process. It logs once more at its very end, after all that Python has to say."""
    import ai_edge_litert

    with _quiet():
        made = Environment.create(options=EnvironmentOptions(runtime_path=str(Path(ai_edge_litert.__file__).parent)))
    atexit.register(lambda: os.dup2(os.open(os.devnull, os.O_WRONLY), _STANDARD_ERROR))
    return made
