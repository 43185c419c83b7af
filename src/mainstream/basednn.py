"""BaseDnn: a pre-trained network as a chain of segments, cut at every legal branchpoint (paper section 5; formats, Base DNN).

The identity of a base DNN is the digest of its OCI manifest. Two applications can share a stem if and only if they were
trained on the same base DNN, because then their stems are the same blobs.
"""

from typing import Annotated, Literal

from pydantic import Field

from mainstream.documents import Digest, Document, Number

INPUT = "input"
"""The branchpoint before the first layer: everything is specialized, nothing can be shared."""

Size = Annotated[int, Field(ge=1, le=1 << 32)]

Precision = Literal["f32", "int8"]
"""Of a base DNN's segments, and of a branch: 32-bit floating point, or 8-bit integers."""


class Preprocessing(Document):
    """What turns pixels into the network's input: ``(pixel - mean[channel]) / divisor``, channels in ``colour_order``.

    Pixels are uint8 (0 to 255); the result is float32, NHWC.
    """

    colour_order: Literal["RGB", "BGR"] = "RGB"
    mean: tuple[Number, Number, Number]
    divisor: Annotated[Number, Field(gt=0)]


class Segment(Document):
    """Layers between two neighbouring branchpoints: a ``.tflite`` blob from the previous cut to ``end``."""

    end: Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[A-Za-z0-9_.-]+$")]
    output_shape: Annotated[tuple[Size, ...], Field(min_length=1, max_length=4)]  # without the batch
    digest: Digest
    size: Size


class Quantization(Document):
    """How an int8 base DNN was made of the f32 network: by which method, with how many calibration pictures, and which.

    ``PostTraining``: weights with a scale for each channel, activations with one scale and zero point, from the least and the
    greatest value on the pictures. ``digest`` is of the pictures that were used.
    """

    method: Literal["PostTraining"] = "PostTraining"
    pictures: Annotated[int, Field(ge=1)]
    digest: Digest


class BaseDnnConfig(Document):
    """The config blob of a base DNN's artifact. ``segments`` chain from the input to the pooled features.

    With ``precision`` int8 they take f32 pixels (the first segment quantises them) and hand each other int8 features.
    """

    schema_version: Literal[1] = 1
    architecture: Annotated[str, Field(min_length=1, max_length=63)]
    alpha: Number | None = None
    input_shape: tuple[Size, Size, Size]  # height, width, channels
    preprocessing: Preprocessing
    precision: Precision = "f32"
    quantization: Quantization | None = None
    segments: Annotated[tuple[Segment, ...], Field(min_length=1, max_length=1000)]
    weights_digest: Digest
    weights_name: Annotated[str, Field(max_length=255)]  # "imagenet", or the digest of the file that it came from
    made_by: dict[str, str]

    @property
    def branchpoints(self) -> tuple[str, ...]:
        """All legal branchpoints from ``input`` to the deepest; a branchpoint's place is the number of its segments."""
        return (INPUT, *(segment.end for segment in self.segments))

    def depth(self, branchpoint: str) -> int:
        """How many segments the stem up to ``branchpoint`` has; ``KeyError`` if it is not a legal cut."""
        try:
            return self.branchpoints.index(branchpoint)
        except ValueError:
            raise KeyError(branchpoint) from None

    def stem(self, branchpoint: str) -> tuple[Segment, ...]:
        """The segments before ``branchpoint``, in order."""
        return self.segments[: self.depth(branchpoint)]


class BaseDnn(Document):
    """A base DNN in a store: its manifest's digest (its identity) and its config."""

    digest: Digest
    config: BaseDnnConfig
