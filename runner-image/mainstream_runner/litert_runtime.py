"""LiteRT's C interface, as far as the runner needs it.

LiteRT's own Python binding keeps Python's lock while the engine computes and while it loads a graph: no stream is decoded
meanwhile, and no frame analysed while another schedule's graphs are loaded. Called by ``ctypes`` it computes without the lock.

Declared as in ``litert/c/*.h`` of LiteRT 2.3. What a function takes may change with a minor version, which is why
``pyproject.toml`` holds LiteRT at this one; ``tests/runner/test_engine.py`` compares results with LiteRT's own interpreter.
"""

import ctypes
from collections.abc import Callable, Sequence
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    byref,
    c_bool,
    c_char_p,
    c_float,
    c_int,
    c_int32,
    c_size_t,
    c_uint32,
    c_void_p,
)
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

import ai_edge_litert
import numpy as np
from numpy.typing import NDArray

_CPU = 1
_HOST_MEMORY = 1
_FLOAT32 = 1
_RANK_BITS = 0x7F
"""``LiteRtLayout`` begins with a rank of seven bits; the eighth says whether strides are given."""

_CPU_OPTIONS = b"xnnpack"
"""Under this name the processor's options are looked for; they are TOML."""


class LiteRTError(Exception):
    """A call failed. The reason stands in LiteRT's log."""


class _Layout(Structure):
    _fields_ = (("rank", c_uint32), ("dimensions", c_int32 * 8), ("strides", c_uint32 * 8))


class _TensorType(Structure):
    _fields_ = (("element", c_int), ("layout", _Layout))


_KEPT = CFUNCTYPE(None, c_void_p)(lambda _settings: None)
"""Called when LiteRT has done with a text that is not its own."""

_HANDLE = POINTER(c_void_p)  # where a handle is put

_ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "LiteRtCreateEnvironment": (c_int, c_void_p, _HANDLE),
    "LiteRtCreateModelFromFile": (c_void_p, c_char_p, _HANDLE),
    "LiteRtCreateOptions": (_HANDLE,),
    "LiteRtSetOptionsHardwareAccelerators": (c_void_p, c_int),
    "LiteRtCreateOpaqueOptions": (c_char_p, c_void_p, c_void_p, _HANDLE),
    "LiteRtAddOpaqueOptions": (c_void_p, c_void_p),
    "LiteRtCreateCompiledModel": (c_void_p, c_void_p, c_void_p, _HANDLE),
    "LiteRtGetModelSignature": (c_void_p, c_size_t, _HANDLE),
    "LiteRtGetNumSignatureOutputs": (c_void_p, POINTER(c_size_t)),
    "LiteRtGetCompiledModelInputTensorLayout": (c_void_p, c_size_t, c_size_t, POINTER(_Layout)),
    "LiteRtGetCompiledModelOutputTensorLayouts": (c_void_p, c_size_t, c_size_t, POINTER(_Layout), c_bool),
    "LiteRtCreateManagedTensorBuffer": (c_void_p, c_int, POINTER(_TensorType), c_size_t, _HANDLE),
    "LiteRtGetTensorBufferHostMemory": (c_void_p, _HANDLE),
    "LiteRtRunCompiledModel": (c_void_p, c_size_t, c_size_t, _HANDLE, c_size_t, _HANDLE),
}
_DESTROY = (
    "LiteRtDestroyModel",
    "LiteRtDestroyOptions",
    "LiteRtDestroyCompiledModel",
    "LiteRtDestroyTensorBuffer",
)


@cache
def _library() -> Any:
    library = ctypes.CDLL(str(Path(ai_edge_litert.__file__).with_name("libLiteRt.so")))
    for name, arguments in _ARGUMENTS.items():
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, c_int
    for name in _DESTROY:
        function = getattr(library, name)
        function.argtypes, function.restype = (c_void_p,), None
    return library


def _call(name: str, *arguments: Any) -> None:
    status = getattr(_library(), name)(*arguments)
    if status:
        raise LiteRTError(f"{name} gives status {status}")


def _made(name: str, *arguments: Any) -> c_void_p:
    """The handle that a function gives by its last argument."""
    handle = c_void_p()
    _call(name, *arguments, byref(handle))
    return handle


@cache
def _environment() -> c_void_p:
    """One serves all models of the process, and lives as long."""
    return _made("LiteRtCreateEnvironment", 0, None)


def start() -> None:
    """Load the library and make its environment, which it logs."""
    _environment()


def _destroyer(name: str, handle: c_void_p) -> Callable[[], None]:
    return lambda: getattr(_library(), name)(handle)


class CompiledGraph:
    """A ``.tflite`` that is loaded for the processor, with buffers for its signatures' one input and their outputs."""

    def __init__(self, path: Path, *, threads: int, weight_cache: Path) -> None:
        """``LiteRTError`` if LiteRT refuses the graph. Weights are packed into ``weight_cache``, or mapped if it is there."""
        self._closing: list[Callable[[], None]] = []
        try:
            self._load(path, f'num_threads = {threads}\nweight_cache_file_path = "{weight_cache}"\n')
        except LiteRTError:
            self.close()
            raise
        self._signatures: dict[int, _Signature] = {}

    def _load(self, path: Path, settings: str) -> None:
        self._model = self._owned("LiteRtDestroyModel", _made("LiteRtCreateModelFromFile", _environment(), bytes(path)))
        options = self._owned("LiteRtDestroyOptions", _made("LiteRtCreateOptions"))
        _call("LiteRtSetOptionsHardwareAccelerators", options, _CPU)
        self._settings = ctypes.create_string_buffer(settings.encode())
        of_processor = _made("LiteRtCreateOpaqueOptions", _CPU_OPTIONS, self._settings, _KEPT)
        _call("LiteRtAddOpaqueOptions", options, of_processor)  # which owns them now
        compiled = _made("LiteRtCreateCompiledModel", _environment(), self._model, options)
        self._compiled = self._owned("LiteRtDestroyCompiledModel", compiled)

    def _owned(self, destroy: str, handle: c_void_p) -> c_void_p:
        self._closing.append(_destroyer(destroy, handle))
        return handle

    def input_shape(self, signature: int) -> tuple[int, ...]:
        """With its batch."""
        return self._signature(signature).input.shape

    def run(self, signature: int, pixels: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The signature's outputs, copied; ``pixels`` must be of its input's shape. ``LiteRTError`` if it fails."""
        buffers = self._signature(signature)
        np.copyto(buffers.input, pixels)
        _call(
            "LiteRtRunCompiledModel", self._compiled, signature, 1, buffers.inputs, len(buffers.outputs), buffers.given
        )
        return [output.copy() for output in buffers.outputs]

    def close(self) -> None:
        """Give all memory back; the graph cannot run any more. May be called again."""
        self._signatures = {}
        while self._closing:
            self._closing.pop()()

    def _signature(self, number: int) -> "_Signature":
        """Its buffers, made when they are first asked for."""
        if number not in self._signatures:
            count = c_size_t()
            _call("LiteRtGetNumSignatureOutputs", _made("LiteRtGetModelSignature", self._model, number), byref(count))
            taken, given = _Layout(), (_Layout * count.value)()
            _call("LiteRtGetCompiledModelInputTensorLayout", self._compiled, number, 0, byref(taken))
            _call("LiteRtGetCompiledModelOutputTensorLayouts", self._compiled, number, count.value, given, False)
            self._signatures[number] = _Signature(self._buffer(taken), [self._buffer(layout) for layout in given])
        return self._signatures[number]

    def _buffer(self, layout: _Layout) -> tuple[c_void_p, NDArray[np.float32]]:
        shape = tuple(layout.dimensions[: layout.rank & _RANK_BITS])
        described = _TensorType(element=_FLOAT32, layout=layout)
        size = prod(shape) * ctypes.sizeof(c_float)
        made = _made("LiteRtCreateManagedTensorBuffer", _environment(), _HOST_MEMORY, byref(described), size)
        buffer = self._owned("LiteRtDestroyTensorBuffer", made)
        address = _made("LiteRtGetTensorBufferHostMemory", buffer)
        return buffer, np.ctypeslib.as_array(ctypes.cast(address, POINTER(c_float)), shape=shape)


class _Signature:
    """A signature's buffers, as LiteRT wants them and as arrays over the same memory."""

    def __init__(
        self,
        taken: tuple[c_void_p, NDArray[np.float32]],
        given: Sequence[tuple[c_void_p, NDArray[np.float32]]],
    ) -> None:
        self.input = taken[1]
        self.inputs = (c_void_p * 1)(taken[0])
        self.outputs = [output for _, output in given]
        self.given = (c_void_p * len(given))(*(buffer for buffer, _ in given))
