"""LayerCosts: seconds per frame of each segment and branch on one kind of hardware; ingest of a stream (paper section 6).

The unit of cost and budget is wall seconds per second of the one engine instance that a runner has.
"""

from typing import Annotated, Literal, Self

from pydantic import Field

from mainstream.documents import Digest, Document, Number

Seconds = Annotated[Number, Field(ge=0)]


class LayerCosts(Document):
    """What the profiler measured for one base DNN: medians, in wall seconds per frame.

    ``segment_seconds`` holds an entry for each segment, in the chain's order; ``branch_seconds[b]`` is the rest of the
    network with a head after branchpoint number ``b`` (0 is ``input``), so it has one entry more.
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
    whole_seconds: Seconds
    spread: Annotated[Number, Field(ge=0)]
    runs: Annotated[int, Field(ge=1)]

    def scaled(self, factor: float) -> Self:
        """The costs on a box that is slower by that factor (architecture, decision 8)."""
        if factor == 1.0:
            return self
        return self.model_copy(
            update={
                "segment_seconds": tuple(seconds * factor for seconds in self.segment_seconds),
                "branch_seconds": tuple(seconds * factor for seconds in self.branch_seconds),
                "whole_seconds": self.whole_seconds * factor,
            }
        )


class StreamIngest(Document):
    """What decoding, cropping, resizing and conversion of a stream take: core seconds per second of stream."""

    stream: str
    cores: Seconds
    spread: Annotated[Number, Field(ge=0)]
