"""Stand-in branches: the rest of a network with a head of its own, as the trainer makes it, with weights that nobody trained.

Fine-tuning changes weights, not shapes, so what such a branch takes is what any app's branch after that cut takes: a profile
needs no app, and no training framework.
"""

from collections.abc import Sequence
from math import prod

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from mainstream.basednn import Precision
from mainstream_runner.floats import as_float, dequantised, requantised
from mainstream_runner.graph import Graph, Level, Operator, Tensor, read
from mainstream_runner.graph_file import write
from mainstream_runner.merge import chain


def stand_ins(segments: Sequence[bytes], depth: int, features: Sequence[int]) -> dict[Precision, bytes]:
    """The branches after ``depth`` of a network's segments, in each precision that there is; the base DNN's own is first.

    ``features`` is the shape that the last segment of the whole network gives, without the batch. An int8 branch's head is
    computed in f32 here: next to nothing either way.
    """
    last = read(segments[-1])
    border = last.tensors[last.output]
    if border.type == schema.TensorType.FLOAT32:
        return {"f32": stand_in(segments[depth:], features)}
    head = _written(dequantised(read(dense_head(features)), border))
    rest = read(chain([*segments[depth:], head]) if depth < len(segments) else head)
    return {"int8": _written(requantised(rest) if 0 < depth < len(segments) else rest), "f32": _written(as_float(rest))}


def stand_in(segments: Sequence[bytes], features: Sequence[int], *, classes: int = 2) -> bytes:
    """The branch after a cut: ``segments`` (those behind it, perhaps none), then a dense layer and softmax.

    ``features`` is the shape that the last segment of the whole network gives, without the batch.
    """
    head = dense_head(features, classes=classes)
    return chain([*segments, head]) if segments else head


def _written(graph: Graph) -> bytes:
    return write(graph, [Level(tensors=len(graph.tensors), operators=len(graph.operators), outputs=(graph.output,))])


def dense_head(features: Sequence[int], *, classes: int = 2, seed: int = 0) -> bytes:
    """A ``.tflite`` of a dense layer and softmax; a feature map ``(h, w, c)`` is averaged over h and w before."""
    generator = np.random.default_rng(seed)
    channels = features[-1]
    tensors = [_computed((1, *features))]
    operators = []
    buffers = []
    if len(features) == 3:
        buffers.append(np.array([1, 2], "<i4").view(np.uint8))
        tensors += [Tensor(shape=(2,), type=schema.TensorType.INT32, buffer=0), _computed((1, channels))]
        operators.append(
            _operator(
                schema.BuiltinOperator.MEAN, schema.BuiltinOptions.ReducerOptions, schema.ReducerOptionsT(), (0, 1), 2
            )
        )
    pooled = len(tensors) - 1
    for shape in ((classes, channels), (classes,)):
        weights = generator.normal(0, 1 / np.sqrt(channels), shape).astype("<f4")
        tensors.append(Tensor(shape=shape, type=schema.TensorType.FLOAT32, buffer=len(buffers)))
        buffers.append(np.frombuffer(weights.tobytes(), np.uint8))
    tensors += [_computed((1, classes)), _computed((1, classes))]
    operators += [
        _operator(
            schema.BuiltinOperator.FULLY_CONNECTED,
            schema.BuiltinOptions.FullyConnectedOptions,
            schema.FullyConnectedOptionsT(),
            (pooled, pooled + 1, pooled + 2),
            pooled + 3,
        ),
        _operator(
            schema.BuiltinOperator.SOFTMAX,
            schema.BuiltinOptions.SoftmaxOptions,
            schema.SoftmaxOptionsT(beta=1.0),
            (pooled + 3,),
            pooled + 4,
        ),
    ]
    graph = Graph(
        tensors=tuple(tensors), operators=tuple(operators), buffers=tuple(buffers), input=0, output=pooled + 4
    )
    return _written(graph)


def _computed(shape: Sequence[int]) -> Tensor:
    if prod(shape) < 1:
        raise ValueError(f"Expected a shape of positive extents, got {tuple(shape)}")
    return Tensor(shape=tuple(int(extent) for extent in shape), type=schema.TensorType.FLOAT32)


def _operator(code: int, options_type: int, options: object, inputs: tuple[int, ...], output: int) -> Operator:
    return Operator(code=code, version=1, options_type=options_type, options=options, inputs=inputs, output=output)
