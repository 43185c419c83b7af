"""MPackage: an application's Model Set and metadata, as one artifact (paper section 5; formats, M-Package)."""

from typing import Annotated, Literal

from pydantic import Field

from mainstream.basednn import Precision, Preprocessing, Segment, Size
from mainstream.documents import Digest, Document, Number
from mainstream.events import EventProfile

THRESHOLDS = tuple(range(1, 10))
"""Tenths that the summed probability of an application's events must reach; number 5 is one half."""

Label = Annotated[str, Field(min_length=1, max_length=63)]
Probability = Annotated[Number, Field(ge=0, le=1)]
Nine = Annotated[tuple[Probability, ...], Field(min_length=9, max_length=9)]


class Candidate(Document):
    """One fine-tuned model: where it branches, its branch's blob and precision, its measured per-frame accuracy.

    ``true_positive_rate[t]`` (p) and ``false_positive_rate[t]`` (q) belong to ``THRESHOLDS[t]`` and were measured on
    ``event_frames`` and ``background_frames`` held-out frames.
    """

    branchpoint: Annotated[str, Field(min_length=1, max_length=63)]
    precision: Precision = "f32"  # of the branch; int8 ones hang on int8 base DNNs only
    branch_digest: Digest
    branch_size: Size
    true_positive_rate: Nine
    false_positive_rate: Nine
    event_frames: Annotated[int, Field(ge=1)]
    background_frames: Annotated[int, Field(ge=1)]
    interval: Annotated[Number, Field(ge=0, le=1)]  # half width of the 95 % interval of p - q at one half
    correlation: Annotated[Number, Field(ge=0, lt=1)]  # of its own verdicts inside events
    background_correlation: Annotated[Number, Field(ge=0, lt=1)] | None = (
        None  # outside events; None: too few positives
    )
    confusion: tuple[tuple[int, ...], ...]  # rows: true class, columns: predicted class, in the order of `classes`
    history: tuple[dict[str, Number], ...]  # an entry for each epoch
    trainable_parameters: Annotated[int, Field(ge=1)]


class MPackageConfig(Document):
    """The config blob of an M-Package. ``segments`` is the base DNN's chain up to the deepest candidate."""

    schema_version: Literal[1] = 1
    base_dnn: Digest
    input_shape: tuple[Size, Size, Size]
    preprocessing: Preprocessing
    segments: Annotated[tuple[Segment, ...], Field(max_length=1000)]
    classes: Annotated[tuple[Label, ...], Field(min_length=2, max_length=1000)]
    events: Annotated[tuple[Label, ...], Field(min_length=1, max_length=999)]
    event_profile: EventProfile | None = None
    event_profile_measured: str = ""  # in words: on which videos and how many events, or "given"
    candidates: Annotated[tuple[Candidate, ...], Field(min_length=1, max_length=1000)]
    measured_by: Literal["HeldOut", "CrossValidation"] = "HeldOut"
    dataset_digest: Digest
    training_hash: Digest  # of everything that training depends on: the same hash need not be trained again
    seed: int
    made_by: dict[str, str]


class MPackage(Document):
    """An M-Package in a store: its manifest's digest and its config."""

    digest: Digest
    config: MPackageConfig
