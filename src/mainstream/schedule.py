"""Schedule: all that a runner needs to run an edge node's applications (formats, Schedule).

The document is canonical JSON; its ``digest`` is the SHA-256 of the rest. A *stem* is a chain of segments that one engine
call computes for all apps of a view and base DNN; under No-Sharing every app has a stem of its own.
"""

import json
import sys
from typing import Annotated, Any, Literal, Self

from pydantic import Field

from mainstream.basednn import Precision, Preprocessing, Size
from mainstream.cost import Seconds
from mainstream.documents import Digest, Document, Number, Rate, canonical_json, sha256
from mainstream.errors import InputError
from mainstream.packages.mpackage import Label
from mainstream.resources.app import Sink, Snapshots
from mainstream.resources.edgenode import Source, View


class Assignment(Document):
    """What the solver decides for an app: branchpoint, precision, rate, votes, threshold; and the F1 that it expects."""

    app: str  # namespace/name
    branchpoint: str
    precision: Precision = "f32"  # of the branch
    fps: Rate
    votes: Annotated[int, Field(ge=1)]
    threshold: Annotated[int, Field(ge=1, le=9)]
    expected_f1: Annotated[Number, Field(ge=0, le=1)]


class ScheduledStream(Document):
    """A stream as the runner opens it; file paths are absolute or relative to the working directory."""

    name: str
    source: Source
    capture_fps: Rate
    views: tuple[View, ...]  # those in use, ``full`` among them if an app uses it


class StemSegment(Document):
    end: str
    digest: Digest
    fps: Rate  # the highest rate of the apps that need it
    planned_seconds: Seconds  # per frame


class Stem(Document):
    """The segments of a view and base DNN that some app needs, in order, up to the deepest branchpoint in use."""

    name: str  # "stream/view/<12 digits of the base DNN>", under No-Sharing followed by "/namespace/app"
    stream: str
    view: str
    base_dnn: Digest
    input_shape: tuple[Size, Size, Size]
    preprocessing: Preprocessing
    segments: tuple[StemSegment, ...]


class ScheduledApp(Document):
    """One app: where it hangs, how often it looks, how it decides, whom it tells."""

    app: str  # namespace/name
    stem: str
    package: str  # reference of the M-Package: "<repository>@sha256:..." or "sha256:..." in the local store
    branchpoint: str
    precision: Precision = "f32"  # of the branch
    depth: Annotated[int, Field(ge=0)]  # number of the stem's segments before the branch
    branch_digest: Digest
    planned_seconds: Seconds  # of the branch, per frame
    fps: Annotated[Rate, Field(gt=0)]
    votes: Annotated[int, Field(ge=1)]
    threshold: Annotated[int, Field(ge=1, le=9)]
    expected_f1: Annotated[Number, Field(ge=0, le=1)]
    classes: tuple[Label, ...]  # the branch's outputs, in order
    events: tuple[Label, ...]
    end_after_seconds: Rate | None = None
    event_length_seconds: Rate | None = None
    sinks: tuple[Sink, ...] = ()
    snapshots: Snapshots = Snapshots()


class Schedule(Document):
    """See the module. ``cost`` and ``budget`` are wall seconds of the engine instance per second."""

    schema_version: Literal[1] = 1
    edge_node: str
    engine: Literal["LiteRT", "OpenVINO"]
    threads: Annotated[int, Field(ge=1)]
    memory_bytes: Annotated[int, Field(ge=1)]
    cost: Seconds
    budget: Seconds
    streams: tuple[ScheduledStream, ...]
    stems: tuple[Stem, ...]
    apps: tuple[ScheduledApp, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical document without its digest."""
        return sha256(self.canonical())

    def to_json(self) -> bytes:
        """The document with its digest, canonical."""
        return canonical_json({**self.plain(), "digest": self.digest})

    @classmethod
    def from_json(cls, data: bytes | str, *, where: object) -> Self:
        """Read and verify a schedule; ``InputError`` if a field or the digest is wrong."""
        document = _Digested.parse(data, where=where)
        schedule = cls.from_plain(document.model_extra, where=where)
        if schedule.digest != document.digest:
            raise InputError(f"digest: is {document.digest}, but the schedule's is {schedule.digest}", where=where)
        return schedule

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """The JSON Schema (2020-12) of what ``to_json`` writes."""
        schema = _Digested.model_json_schema(mode="serialization")
        rest = cls.model_json_schema(mode="serialization")
        rest["properties"]["digest"] = schema["properties"]["digest"]
        rest["required"] = sorted({*rest["required"], "digest"})
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **rest}


class _Digested(Document, extra="allow"):
    digest: Digest


if __name__ == "__main__":
    json.dump(Schedule.json_schema(), sys.stdout, indent=1, sort_keys=True)
    sys.stdout.write("\n")
