"""Which operators a segment or branch may use, and what shape each gives.

Packages may come from strangers, and an interpreter trusts a graph further than it should. So there is a list of what is
allowed, and every operator's inputs, parameters and output shape are checked here before an engine sees them. All rules are
those of the ``.tflite`` schema (https://github.com/google-ai-edge/LiteRT, ``schema.fbs``). A broken rule is a ``ValueError``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

Shape = tuple[int, ...]

MAX_EXTENT = 1 << 16
"""No dimension, window or stride of an image network is longer."""

ITEM_BYTES = {schema.TensorType.FLOAT32: 4, schema.TensorType.INT32: 4, schema.TensorType.INT8: 1}
"""The tensor types that are allowed, and the size of one element."""

_FLOAT, _INT8, _INT32 = schema.TensorType.FLOAT32, schema.TensorType.INT8, schema.TensorType.INT32
_ACTIVATIONS = (
    schema.ActivationFunctionType.NONE,
    schema.ActivationFunctionType.RELU,
    schema.ActivationFunctionType.RELU6,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operand:
    """A tensor as an operator sees it; ``data`` is there if it is a constant."""

    shape: Shape
    type: int
    data: NDArray[np.uint8] | None

    def integers(self) -> tuple[int, ...]:
        """The elements of an int32 constant."""
        _require(self.data is not None and self.type == _INT32, "a shape, axis or padding is no int32 constant")
        return tuple(int(value) for value in np.frombuffer(self.data, "<i4"))  # type: ignore[arg-type]


Rule = Callable[[Sequence[Operand | None], Any], tuple[Shape, int]]
"""From an operator's inputs and options to its output's shape and type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorRule:
    """``options`` is the schema's type of options; ``inputs`` the least and most number of inputs."""

    options: int
    inputs: tuple[int, int]
    rule: Rule
    options_needed: bool = True


def output_of(code: int, options_type: int, options: Any, inputs: Sequence[Operand | None]) -> tuple[Shape, int]:
    """The shape and type of an operator's one output; ``ValueError`` if the operator or anything about it is not allowed."""
    allowed = ALLOWED.get(code)
    if allowed is None:
        raise ValueError(f"operator {operator_name(code)} is not allowed")
    least, most = allowed.inputs
    _require(least <= len(inputs) <= most, f"{operator_name(code)} has {len(inputs)} inputs")
    _require(all(operand is not None for operand in inputs[:least]), f"{operator_name(code)} lacks an input")
    if options_type != allowed.options or options is None:
        absent = options_type == schema.BuiltinOptions.NONE and not allowed.options_needed
        _require(absent, f"{operator_name(code)} has options of another kind")
        options = None
    activation = getattr(options, "fusedActivationFunction", schema.ActivationFunctionType.NONE)
    _require(activation in _ACTIVATIONS, f"{operator_name(code)} has an activation that is not allowed")
    return allowed.rule(inputs, options)


def operator_name(code: int) -> str:
    """The schema's name of an operator."""
    return next((name for name, value in vars(schema.BuiltinOperator).items() if value == code), f"number {code}")


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise ValueError(problem)


def _given(operand: Operand | None) -> Operand:
    if operand is None:
        raise ValueError("an operator lacks an input")
    return operand


def _window(extent: int, size: int, stride: int, dilation: int, padding: int) -> int:
    _require(1 <= size <= MAX_EXTENT and 1 <= stride <= MAX_EXTENT and 1 <= dilation <= MAX_EXTENT, "a bad window")
    if padding == schema.Padding.SAME:
        return -(-extent // stride)
    _require(padding == schema.Padding.VALID, f"padding {padding} is unknown")
    covered = (size - 1) * dilation + 1
    _require(extent >= covered, "a window is larger than its input")
    return (extent - covered) // stride + 1


def _weighted(data: Operand, weights: Operand, bias: Operand | None, channels: int) -> None:
    _require(weights.data is not None, "weights are no constant")
    types = (data.type, weights.type)
    _require(types in ((_FLOAT, _FLOAT), (_INT8, _INT8)), "weights and input have types that do not go together")
    if bias is not None:
        _require(bias.data is not None and bias.shape == (channels,), "a bias does not fit its weights")
        _require(bias.type == (_FLOAT if data.type == _FLOAT else _INT32), "a bias has the wrong type")


def _convolution(inputs: Sequence[Operand | None], options: Any) -> tuple[Shape, int]:
    data, weights = _given(inputs[0]), _given(inputs[1])
    bias = inputs[2] if len(inputs) > 2 else None
    _require(len(data.shape) == 4 and len(weights.shape) == 4, "a convolution is not two-dimensional")
    depthwise = isinstance(options, schema.DepthwiseConv2DOptionsT)
    channels = weights.shape[3] if depthwise else weights.shape[0]
    if depthwise:
        fits = weights.shape[0] == 1 and options.depthMultiplier * data.shape[3] == channels
    else:
        fits = weights.shape[3] == data.shape[3]
    _require(fits, "a convolution's weights do not fit its input")
    _weighted(data, weights, bias, channels)
    height = _window(data.shape[1], weights.shape[1], options.strideH, options.dilationHFactor, options.padding)
    width = _window(data.shape[2], weights.shape[2], options.strideW, options.dilationWFactor, options.padding)
    return (data.shape[0], height, width, channels), data.type


def _pool(inputs: Sequence[Operand | None], options: Any) -> tuple[Shape, int]:
    data = _given(inputs[0])
    _require(len(data.shape) == 4, "a pooling is not two-dimensional")
    height = _window(data.shape[1], options.filterHeight, options.strideH, 1, options.padding)
    width = _window(data.shape[2], options.filterWidth, options.strideW, 1, options.padding)
    return (data.shape[0], height, width, data.shape[3]), data.type


def _mean(inputs: Sequence[Operand | None], options: Any) -> tuple[Shape, int]:
    data, rank = _given(inputs[0]), len(_given(inputs[0]).shape)
    axes = _given(inputs[1]).integers()
    _require(all(-rank <= axis < rank for axis in axes), "an axis is out of range")
    gone = {axis % rank for axis in axes}
    kept = [
        1 if axis in gone else extent for axis, extent in enumerate(data.shape) if options.keepDims or axis not in gone
    ]
    return tuple(kept), data.type


def _fully_connected(inputs: Sequence[Operand | None], options: Any) -> tuple[Shape, int]:
    data, weights = _given(inputs[0]), _given(inputs[1])
    bias = inputs[2] if len(inputs) > 2 else None
    _require(len(weights.shape) == 2 and len(data.shape) >= 1, "a fully connected layer's weights are no matrix")
    _require(options.weightsFormat == 0, "a fully connected layer's weights are shuffled")
    units, depth = weights.shape
    _require(data.shape[-1] == depth, "a fully connected layer's weights do not fit its input")
    _weighted(data, weights, bias, units)
    rows = data.shape[:-1] if options.keepNumDims else (prod(data.shape) // depth,)
    return (*rows, units), data.type


def _same(inputs: Sequence[Operand | None], _options: Any) -> tuple[Shape, int]:
    return _given(inputs[0]).shape, _given(inputs[0]).type


def _elementwise(inputs: Sequence[Operand | None], _options: Any) -> tuple[Shape, int]:
    left, right = _given(inputs[0]), _given(inputs[1])
    _require(left.type == right.type, "two operands have different types")
    return tuple(int(extent) for extent in np.broadcast_shapes(left.shape, right.shape)), left.type


def _pad(inputs: Sequence[Operand | None], _options: Any) -> tuple[Shape, int]:
    data, paddings = _given(inputs[0]), _given(inputs[1])
    _require(paddings.shape == (len(data.shape), 2), "a padding does not fit its input")
    if len(inputs) > 2:
        value = _given(inputs[2])
        _require(value.data is not None and prod(value.shape) == 1 and value.type == data.type, "a bad padding value")
    amounts = paddings.integers()
    _require(all(0 <= amount <= MAX_EXTENT for amount in amounts), "a padding is out of range")
    return tuple(
        extent + before + after for extent, before, after in zip(data.shape, amounts[::2], amounts[1::2], strict=True)
    ), data.type


def _reshape(inputs: Sequence[Operand | None], options: Any) -> tuple[Shape, int]:
    data = _given(inputs[0])
    if len(inputs) > 1:
        wanted = list(_given(inputs[1]).integers())
    else:
        _require(options is not None and options.newShape is not None, "a reshape names no shape")
        wanted = [int(extent) for extent in options.newShape]
    _require(len(wanted) <= 6 and wanted.count(-1) <= 1 and all(n == -1 or n >= 1 for n in wanted), "a bad new shape")
    if -1 in wanted:
        wanted[wanted.index(-1)] = prod(data.shape) // prod(extent for extent in wanted if extent != -1)
    _require(prod(wanted) == prod(data.shape), "a reshape changes the number of elements")
    return tuple(wanted), data.type


def _concatenation(inputs: Sequence[Operand | None], options: Any) -> tuple[Shape, int]:
    parts = [_given(operand) for operand in inputs]
    first, rank = parts[0], len(parts[0].shape)
    _require(-rank <= options.axis < rank, "an axis is out of range")
    axis = options.axis % rank
    for part in parts:
        others = part.shape[:axis] + part.shape[axis + 1 :]
        _require(others == first.shape[:axis] + first.shape[axis + 1 :] and part.type == first.type, "parts do not fit")
    return (*first.shape[:axis], sum(part.shape[axis] for part in parts), *first.shape[axis + 1 :]), first.type


def _quantize(inputs: Sequence[Operand | None], _options: Any) -> tuple[Shape, int]:
    data = _given(inputs[0])
    _require(data.type in (_FLOAT, _INT8), "a quantisation of another type")
    return data.shape, _INT8


def _dequantize(inputs: Sequence[Operand | None], _options: Any) -> tuple[Shape, int]:
    data = _given(inputs[0])
    _require(data.type == _INT8, "a dequantisation of another type")
    return data.shape, _FLOAT


_OPERATOR, _OPTIONS = schema.BuiltinOperator, schema.BuiltinOptions
MAX_PARTS = 64

ALLOWED = {
    _OPERATOR.CONV_2D: OperatorRule(options=_OPTIONS.Conv2DOptions, inputs=(3, 3), rule=_convolution),
    _OPERATOR.DEPTHWISE_CONV_2D: OperatorRule(
        options=_OPTIONS.DepthwiseConv2DOptions, inputs=(2, 3), rule=_convolution
    ),
    _OPERATOR.AVERAGE_POOL_2D: OperatorRule(options=_OPTIONS.Pool2DOptions, inputs=(1, 1), rule=_pool),
    _OPERATOR.MAX_POOL_2D: OperatorRule(options=_OPTIONS.Pool2DOptions, inputs=(1, 1), rule=_pool),
    _OPERATOR.MEAN: OperatorRule(options=_OPTIONS.ReducerOptions, inputs=(2, 2), rule=_mean),
    _OPERATOR.FULLY_CONNECTED: OperatorRule(
        options=_OPTIONS.FullyConnectedOptions, inputs=(2, 3), rule=_fully_connected
    ),
    _OPERATOR.SOFTMAX: OperatorRule(options=_OPTIONS.SoftmaxOptions, inputs=(1, 1), rule=_same),
    _OPERATOR.LOGISTIC: OperatorRule(options=_OPTIONS.NONE, inputs=(1, 1), rule=_same, options_needed=False),
    _OPERATOR.RELU: OperatorRule(options=_OPTIONS.NONE, inputs=(1, 1), rule=_same, options_needed=False),
    _OPERATOR.RELU6: OperatorRule(options=_OPTIONS.NONE, inputs=(1, 1), rule=_same, options_needed=False),
    _OPERATOR.ADD: OperatorRule(options=_OPTIONS.AddOptions, inputs=(2, 2), rule=_elementwise),
    _OPERATOR.SUB: OperatorRule(options=_OPTIONS.SubOptions, inputs=(2, 2), rule=_elementwise),
    _OPERATOR.MUL: OperatorRule(options=_OPTIONS.MulOptions, inputs=(2, 2), rule=_elementwise),
    _OPERATOR.PAD: OperatorRule(options=_OPTIONS.PadOptions, inputs=(2, 2), rule=_pad, options_needed=False),
    _OPERATOR.PADV2: OperatorRule(options=_OPTIONS.PadV2Options, inputs=(3, 3), rule=_pad, options_needed=False),
    _OPERATOR.RESHAPE: OperatorRule(
        options=_OPTIONS.ReshapeOptions, inputs=(1, 2), rule=_reshape, options_needed=False
    ),
    _OPERATOR.CONCATENATION: OperatorRule(
        options=_OPTIONS.ConcatenationOptions, inputs=(1, MAX_PARTS), rule=_concatenation
    ),
    _OPERATOR.QUANTIZE: OperatorRule(
        options=_OPTIONS.QuantizeOptions, inputs=(1, 1), rule=_quantize, options_needed=False
    ),
    _OPERATOR.DEQUANTIZE: OperatorRule(
        options=_OPTIONS.DequantizeOptions, inputs=(1, 1), rule=_dequantize, options_needed=False
    ),
}
"""What MobileNet, ResNet50, InceptionV3 and their branches are made of, in f32 and int8."""
