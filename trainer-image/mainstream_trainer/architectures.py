"""The architectures that a base DNN can have: their Keras models, preprocessing and legal branchpoints (formats, Base DNN).

A cut is legal where exactly one tensor crosses it. Each architecture lists the layers that end a block; ``check_cuts`` proves
for the graph at hand that nothing else crosses.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mainstream.basednn import Preprocessing
from mainstream.errors import InputError
from mainstream_trainer.keras_runtime import keras

POOLED = "pooled"
"""The deepest branchpoint: after global average pooling, only a classifier is specialized."""

_UNIT = Preprocessing(mean=(127.5, 127.5, 127.5), divisor=127.5)
_CAFFE = Preprocessing(colour_order="BGR", mean=(103.939, 116.779, 123.68), divisor=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """One of Keras' applications. ``cuts`` maps branchpoints to the layers whose output crosses there, in order."""

    name: str
    default_size: int
    smallest_size: int
    has_alpha: bool
    preprocessing: Preprocessing
    cuts: tuple[tuple[str, str], ...]
    make: Callable[..., Any]


def _mobilenet(size: int, alpha: float | None, weights: str | None) -> Any:
    return keras().applications.MobileNet(
        weights=weights, include_top=False, input_shape=(size, size, 3), alpha=alpha or 1.0, pooling="avg"
    )


def _resnet50(size: int, alpha: float | None, weights: str | None) -> Any:  # noqa: ARG001
    return keras().applications.ResNet50(weights=weights, include_top=False, input_shape=(size, size, 3), pooling="avg")


def _inception(size: int, alpha: float | None, weights: str | None) -> Any:  # noqa: ARG001
    return keras().applications.InceptionV3(
        weights=weights, include_top=False, input_shape=(size, size, 3), pooling="avg"
    )


_RESNET_BLOCKS = tuple(
    f"conv{stage}_block{block}" for stage, blocks in ((2, 3), (3, 4), (4, 6), (5, 3)) for block in range(1, blocks + 1)
)

ARCHITECTURES = {
    architecture.name: architecture
    for architecture in (
        Architecture(
            name="MobileNet",
            default_size=224,
            smallest_size=32,
            has_alpha=True,
            preprocessing=_UNIT,
            cuts=(
                ("conv1", "conv1_relu"),
                *((f"conv_pw_{block}", f"conv_pw_{block}_relu") for block in range(1, 14)),
                (POOLED, "global_average_pooling2d"),
            ),
            make=_mobilenet,
        ),
        Architecture(
            name="ResNet50",
            default_size=224,
            smallest_size=32,
            has_alpha=False,
            preprocessing=_CAFFE,
            cuts=(("pool1", "pool1_pool"), *((b, f"{b}_out") for b in _RESNET_BLOCKS), (POOLED, "avg_pool")),
            make=_resnet50,
        ),
        Architecture(
            name="InceptionV3",
            default_size=299,
            smallest_size=75,
            has_alpha=False,
            preprocessing=_UNIT,
            cuts=(*((f"mixed{block}", f"mixed{block}") for block in range(11)), (POOLED, "global_average_pooling2d")),
            make=_inception,
        ),
    )
}


def architecture(name: str) -> Architecture:
    """The architecture of that name (``InputError``)."""
    if name not in ARCHITECTURES:
        raise InputError(f"architecture: expected one of {', '.join(ARCHITECTURES)}, got {name!r}")
    return ARCHITECTURES[name]


def cut_layers(kind: Architecture, model: Any) -> tuple[tuple[str, int], ...]:
    """``(branchpoint, index of the layer whose output crosses)`` in ``model.layers``, after checking that each is legal.

    Layers whose names Keras numbers through the process (pooling) are found by their place: the last layer.
    """
    places = {layer.name: place for place, layer in enumerate(model.layers)}
    cuts = []
    for branchpoint, layer in kind.cuts:
        cuts.append((branchpoint, len(model.layers) - 1 if branchpoint == POOLED else places[layer]))
    for branchpoint, place in cuts:
        crossing = crossing_layers(model, place)
        if crossing != {model.layers[place].name}:
            raise InputError(f"branchpoint {branchpoint}: more than one tensor crosses here: {sorted(crossing)}")
    return tuple(cuts)


def crossing_layers(model: Any, place: int) -> set[str]:
    """Names of the layers up to ``place`` (inclusive) whose outputs layers after it use, or that are the model's output."""
    before = {layer.name for layer in model.layers[: place + 1]}
    crossing = {tensor._keras_history.operation.name for tensor in model.outputs} & before  # noqa: SLF001
    for layer in model.layers[place + 1 :]:
        for source in sources(layer):
            if source in before:
                crossing.add(source)
    return crossing


def sources(layer: Any) -> list[str]:
    """Names of the layers whose outputs a layer takes, in order, in the network that it was first made for."""
    return [
        tensor._keras_history.operation.name  # noqa: SLF001
        for node in layer._inbound_nodes[:1]  # noqa: SLF001
        for tensor in node.input_tensors
    ]
