"""Base DNN artifacts: a pre-trained network cut at every legal branchpoint, once (formats, Base DNN)."""

from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainstream.basednn import BaseDnn, BaseDnnConfig, Precision, Quantization, Segment
from mainstream.documents import number_text, sha256
from mainstream.errors import InputError, PackageError
from mainstream.packages.artifacts import artifact_of, read_base_dnn, write_base_dnn
from mainstream.packages.layout import MANIFEST_LIMIT, OciLayout, check_name
from mainstream.pixels import normalise
from mainstream_trainer.architectures import Architecture, architecture, cut_layers
from mainstream_trainer.calibration import SHIPPED, Calibration, blank_warning, calibration_of
from mainstream_trainer.keras_runtime import tensorflow
from mainstream_trainer.networks import layers_between
from mainstream_trainer.pretrained import IMAGENET, pretrained, weights_name
from mainstream_trainer.quantise import quantised_segments
from mainstream_trainer.tflite import export_tflite
from mainstream_trainer.weights import pack, unpack

LARGEST_SIZE = 1024
"""Pixels of an input's side; as in manifests."""

IMAGENET_ALPHAS = (0.25, 0.5, 0.75, 1.0)
"""Widths of MobileNet that Keras has imagenet weights for (keras.applications, mobilenet.py)."""

Start = Callable[[str, int], Callable[..., None]]
"""Starts a progress bar: ``start(description, total)`` returns its ``advance``."""


def import_base_dnn(
    layout: OciLayout,
    *,
    name: str,
    alpha: float | None = None,
    input_size: int | None = None,
    weights: str | Path = IMAGENET,
    precision: Precision = "f32",
    calibration: Path | None = None,
    reference: str | None = None,
    where: str | None = None,
    start: Start,
    warn: Callable[[str], None] = lambda _text: None,
) -> tuple[BaseDnn, bool]:
    """The base DNN of that architecture and weights, and whether it was made now; one that is there is not made again.

    ``weights`` is ``imagenet`` (Keras downloads them), ``random`` or a weights file; ``calibration`` a folder of pictures to
    quantise with (None: those that ship); ``reference`` the name in the store; ``where`` is what messages name where something
    is wrong with these (``InputError``). ``warn`` is told what is doubtful.
    """
    try:
        kind = architecture(name)
        size = _checked_size(kind, input_size)
        alpha = _checked_alpha(kind, alpha, weights)
        known_weights = weights_name(weights)
        pictures = _pictures(precision, calibration)
        if reference is not None:
            check_name(reference)
    except InputError as error:
        raise InputError(error.problem, where=error.where or where, remedy=error.remedy) from None
    quantization = None if pictures is None else Quantization(pictures=pictures.pictures, digest=pictures.digest)
    known = _already_there(layout, name, alpha, size, known_weights, quantization)
    wanted_name = reference or default_name(name, alpha, size, known_weights, pictures)
    if reference is not None or known is None:
        _check_free(layout, wanted_name, known)
    if known is not None:
        if reference is not None and reference not in layout.names():
            layout.put_manifest(layout.read_json(known.digest, limit=MANIFEST_LIMIT), name=reference)
        return known, False
    model = pretrained(kind, size, alpha, weights)
    segments, blobs = _segments(kind, model, pictures, start, warn)
    keras_weights = pack(model)
    blobs[sha256(keras_weights)] = keras_weights
    config = BaseDnnConfig(
        architecture=name,
        alpha=alpha,
        input_shape=(size, size, 3),
        preprocessing=kind.preprocessing,
        precision=precision,
        quantization=quantization,
        segments=segments,
        weights_digest=sha256(keras_weights),
        weights_name=known_weights,
        made_by={
            "keras": version("keras"),
            "mainstream-edge": version("mainstream-edge"),
            "tensorflow": str(tensorflow().__version__),
        },
    )
    return write_base_dnn(layout, config, blobs, name=wanted_name), True


def _pictures(precision: Precision, calibration: Path | None) -> Calibration | None:
    if precision == "int8":
        return calibration_of(calibration)
    if calibration is not None:
        raise InputError("calibration pictures are for --precision int8", remedy="Add it, or leave --calibration out.")
    return None


def _segments(
    kind: Architecture, model: Any, pictures: Calibration | None, start: Start, warn: Callable[[str], None]
) -> tuple[tuple[Segment, ...], dict[str, bytes]]:
    """The chain of segments and their blobs by digest; quantised if there are pictures to do so."""
    cuts = cut_layers(kind, model)
    graphs = (
        _exported(kind, model, cuts, start)
        if pictures is None
        else _quantised(kind, model, cuts, pictures, start, warn)
    )
    segments, blobs = [], {}
    for (branchpoint, place), data in zip(cuts, graphs, strict=True):
        shape = tuple(int(size) for size in model.layers[place].output.shape[1:])
        segments.append(Segment(end=branchpoint, output_shape=shape, digest=sha256(data), size=len(data)))
        blobs[sha256(data)] = data
    return tuple(segments), blobs


def _exported(kind: Architecture, model: Any, cuts: Sequence[tuple[str, int]], start: Start) -> Iterator[bytes]:
    advance = start(f"{kind.name}: segments", len(cuts))
    before = None
    for _, place in cuts:
        yield export_tflite(layers_between(model, before, place, name="segment"))
        before = place
        advance()


def _quantised(
    kind: Architecture,
    model: Any,
    cuts: Sequence[tuple[str, int]],
    pictures: Calibration,
    start: Start,
    warn: Callable[[str], None],
) -> list[bytes]:
    size = (int(model.input_shape[1]), int(model.input_shape[2]))
    pixels = np.stack(list(pictures.pixels(size)))
    warning = blank_warning(pixels, pictures.source)
    if warning is not None:
        warn(warning)
    advance = start(f"{kind.name}: quantising with {len(pixels)} pictures", len(pixels))

    def samples() -> Iterator[NDArray[np.float32]]:
        for picture in pixels:
            yield normalise(picture, kind.preprocessing)[None]
            advance()

    return quantised_segments(model, [place for _, place in cuts], samples)


def default_name(
    name: str, alpha: float | None, size: int, weights: str, calibration: Calibration | None = None
) -> str:
    """Such as ``base/mobilenet-1-224``, for weights of one's own ``base/mobilenet-1-224-1a2b3c4d``, in int8 ``...-int8``.

    Calibration pictures of one's own add their digest's first eight digits.
    """
    parts = [name.lower(), *([number_text(alpha)] if alpha is not None else []), str(size)]
    if weights != IMAGENET:
        parts.append(weights.removeprefix("sha256:")[:8])
    if calibration is not None:
        own = [] if calibration.source == SHIPPED else [calibration.digest.removeprefix("sha256:")[:8]]
        parts += ["int8", *own]
    return "base/" + "-".join(parts)


def known_base_dnns(layout: OciLayout) -> list[BaseDnn]:
    """The base DNNs of a store, each once; broken artifacts are left out (``mainstream packages verify`` finds them)."""
    known: dict[str, BaseDnn] = {}
    for entry in layout.entries():
        try:
            artifact = artifact_of(layout, entry)
            if artifact is not None and artifact.kind == "base DNN":
                known[entry.digest] = read_base_dnn(layout, entry.digest)
        except PackageError:
            continue
    return list(known.values())


def load_keras(base: BaseDnn, layout: OciLayout) -> Any:
    """The Keras network of a base DNN, up to the pooled features, with its weights (``PackageError``)."""
    config = base.config
    kind = architecture(config.architecture)
    model = kind.make(config.input_shape[0], config.alpha, None)
    try:
        unpack(layout.read_blob(config.weights_digest), model)
    except PackageError as error:
        raise PackageError(error.problem, where=error.where or f"base DNN {base.digest}", remedy=error.remedy) from None
    return model


def _already_there(
    layout: OciLayout, name: str, alpha: float | None, size: int, weights: str, quantization: Quantization | None
) -> BaseDnn | None:
    """The base DNN of the store that was made from these and is whole, if there is one."""
    for base in known_base_dnns(layout):
        config = base.config
        made_from = (config.architecture, config.alpha, config.input_shape[0], config.weights_name, config.quantization)
        if made_from == (name, alpha, size, weights, quantization) and _is_whole(layout, base):
            return base
    return None


def _is_whole(layout: OciLayout, base: BaseDnn) -> bool:
    """Whether all blobs have the bytes that their digests say."""
    try:
        for digest in (base.config.weights_digest, *(segment.digest for segment in base.config.segments)):
            layout.blob_path(digest)
    except PackageError:
        return False
    return True


def _check_free(layout: OciLayout, reference: str, known: BaseDnn | None) -> None:
    """``InputError`` if the name belongs to another artifact already: what refers to it by name would change.

    A base DNN that is damaged gives its name away: it is useless, and most likely about to be made again.
    """
    holder = layout.names().get(reference)
    if holder is None or (known is not None and holder == known.digest):
        return
    base = {base.digest: base for base in known_base_dnns(layout)}.get(holder)
    if (base is not None and _is_whole(layout, base)) or not reference.startswith("base/"):
        raise InputError(
            f"the name {reference!r} belongs to another artifact ({holder})",
            where=layout.root,
            remedy="Choose another name (--name NAME).",
        )


def _checked_size(kind: Architecture, size: int | None) -> int:
    size = kind.default_size if size is None else size
    if not kind.smallest_size <= size <= LARGEST_SIZE:
        raise InputError(
            f"input size: {kind.name} takes {kind.smallest_size} to {LARGEST_SIZE} pixels, got {size}",
            remedy=f"Leave it out for {kind.default_size}.",
        )
    return size


def _checked_alpha(kind: Architecture, alpha: float | None, weights: str | Path) -> float | None:
    if not kind.has_alpha:
        if alpha is not None:
            raise InputError(f"alpha: {kind.name} has none, got {number_text(alpha)}", remedy="Leave alpha out.")
        return None
    alpha = 1.0 if alpha is None else alpha
    if not 1 / 32 <= alpha <= 4:  # the first layer has 32 channels at alpha 1
        raise InputError(f"alpha: expected a number from 0.03125 to 4, got {alpha:g}")
    if weights == IMAGENET and alpha not in IMAGENET_ALPHAS:
        widths = ", ".join(number_text(width) for width in IMAGENET_ALPHAS)
        raise InputError(
            f"alpha: Keras has imagenet weights for {widths}, got {number_text(alpha)}",
            remedy="Choose one of these, or give a weights file.",
        )
    return alpha
