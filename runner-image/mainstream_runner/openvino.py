"""OpenVINO as the engine: the same files as LiteRT, read by its TensorFlow Lite frontend.

It knows no subgraphs that share weights, so each level is a file and a compiled model of its own: more memory for more levels
(``docs/design/engine.md``). Computed in f32 whatever the processor has, since accuracies were measured so. int8 graphs it reads
too, but computes other numbers (probabilities differ by up to 0.08, ``docs/design/int8.md``), so it refuses them.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal

import numpy as np
import openvino as ov

from mainstream.errors import OperationError, PackageError
from mainstream_runner.engine import Output, Pixels, Turn, check_precision
from mainstream_runner.merge import Joined


def _graph_file(level: int) -> str:
    return f"level-{level}.tflite"


class OpenVINO:
    """The engine."""

    name: Literal["LiteRT", "OpenVINO"] = "OpenVINO"

    def __init__(self) -> None:
        self.version = ov.__version__.partition("-")[0]
        self._core = ov.Core()

    def write(self, joined: Joined, *, levels: Sequence[int], folder: Path) -> None:
        """See ``Engine.write``. ``InputError`` for int8 graphs."""
        check_precision(self.name, quantised=joined.quantised)
        for place, level in enumerate(levels):
            path = folder / _graph_file(place)
            try:
                path.write_bytes(joined.write([level]))
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
    ) -> "OpenVINOModel":
        """See ``Engine.open``."""
        settings = {
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,
            "PERFORMANCE_HINT": "LATENCY",
        }
        try:
            compiled = [
                self._core.compile_model(str(folder / _graph_file(level)), "CPU", settings) for level in range(levels)
            ]
            model = OpenVINOModel(compiled, tuple(input_shape))
            for level in range(levels if runs is None else runs):
                with turn():
                    model.run(np.zeros(tuple(input_shape), np.float32), level)
        except RuntimeError as error:
            problem = str(error).strip().splitlines()[-1]
            raise PackageError(f"OpenVINO {self.version} refuses the merged graph: {problem}") from None
        return model


class OpenVINOModel:
    """A graph's levels, each compiled."""

    def __init__(self, compiled: Sequence[Any], input_shape: tuple[int, ...]) -> None:
        self._requests = [model.create_infer_request() for model in compiled]
        self._input_shape = input_shape

    def run(self, pixels: Pixels, level: int = 0) -> list[Output]:
        """See ``Model.run``."""
        if pixels.shape != self._input_shape or pixels.dtype != np.float32:
            raise ValueError(f"Expected float32 pixels of shape {self._input_shape}, got {pixels.dtype} {pixels.shape}")
        request = self._requests[level]
        request.infer([pixels])
        return [np.array(request.get_output_tensor(place).data) for place in range(len(request.model_outputs))]

    def close(self) -> None:
        """See ``Model.close``."""
        self._requests.clear()
