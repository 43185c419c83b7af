"""LayerCosts: seconds per frame of each segment and branch on one kind of hardware; ingest of a stream (paper section 6).

The unit of cost and budget is wall seconds per second of the one engine instance that a runner has.
"""

from typing import Annotated, Literal, Self

from pydantic import Field

from mainstream.basednn import Precision
from mainstream.documents import Digest, Document, Number

Seconds = Annotated[Number, Field(ge=0)]


class LayerCosts(Document):
    """What the profiler measured for one base DNN: medians, in wall seconds per frame.

    ``segment_seconds`` holds an entry for each segment, in the chain's order; ``branch_seconds[b]`` is the rest of the
    network with a head after branchpoint number ``b`` (0 is ``input``), so it has one entry more. On an int8 base DNN that is
    the branch in f32, and ``int8_branch_seconds[b]`` is the one in int8; ``whole_seconds`` is the int8 network.
    ``spread`` is the relative range of the batches; above 0.1 the profile is unsure and holds the slower batch.
    """

    schema_version: Literal[1] = 1
    base_dnn: Digest
    engine: Literal["LiteRT", "OpenVINO"]
    engine_version: str
    threads: Annotated[int, Field(ge=1)]
    hardware: str
    segment_seconds: tuple[Seconds, ...]
    branch_seconds: tuple[Seconds, ...]
    int8_branch_seconds: tuple[Seconds, ...] | None = None
    whole_seconds: Seconds
    spread: Annotated[Number, Field(ge=0)]
    runs: Annotated[int, Field(ge=1)]

    def branch(self, branchpoint: int, precision: Precision) -> float:
        """Seconds per frame of a branch in that precision; ``KeyError`` if none was measured."""
        seconds = self.branch_seconds if precision == "f32" else self.int8_branch_seconds
        if seconds is None:
            raise KeyError(precision)
        return seconds[branchpoint]

    def scaled(self, factor: float) -> Self:
        """The costs on a box that is slower by that factor (architecture, decision 8)."""
        if factor == 1.0:
            return self
        int8 = self.int8_branch_seconds
        return self.model_copy(
            update={
                "segment_seconds": tuple(seconds * factor for seconds in self.segment_seconds),
                "branch_seconds": tuple(seconds * factor for seconds in self.branch_seconds),
                "int8_branch_seconds": int8 and tuple(seconds * factor for seconds in int8),
                "whole_seconds": self.whole_seconds * factor,
            }
        )


class StreamIngest(Document):
    """What decoding, cropping, resizing and conversion of a stream take: core seconds per second of stream."""

    stream: str
    cores: Seconds
    spread: Annotated[Number, Field(ge=0)]
