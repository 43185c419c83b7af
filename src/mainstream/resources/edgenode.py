"""EdgeNode: one box, its streams and its budget (``mainstream.dev/v1alpha1``)."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mainstream.documents import Document, Number, Rate
from mainstream.resources.metadata import ApiVersion, Metadata, Name, PlainUrl, SecretRef
from mainstream.resources.quantities import Cores, MemoryBytes

FULL = "full"
"""The view that every stream has: the whole picture."""

Fraction01 = Annotated[Number, Field(ge=0, le=1)]


class Rtsp(Document):
    url: Annotated[PlainUrl, Field(pattern=r"^rtsps?://")]
    transport: Literal["Tcp", "Udp"] = "Tcp"
    credentials_secret_ref: SecretRef | None = None


class Http(Document):
    url: Annotated[PlainUrl, Field(pattern=r"^https?://")]
    credentials_secret_ref: SecretRef | None = None


class File(Document):
    """A video file. On the command line ``path`` is relative to the manifest; ``pvc`` is ``claim/path``."""

    path: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    pvc: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    loop: bool = False
    real_time: bool = False

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.path is None) == (self.pvc is None):
            raise ValueError("give exactly one of path and pvc")
        return self


class Device(Document):
    path: Annotated[str, Field(min_length=1, max_length=4096)]


class Source(Document):
    """Exactly one of rtsp, http, file and device."""

    rtsp: Rtsp | None = None
    http: Http | None = None
    file: File | None = None
    device: Device | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [name for name in ("rtsp", "http", "file", "device") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of rtsp, http, file and device, got {', '.join(given) or 'none'}")
        return self


class View(Document):
    """A part of the picture: left, top, width and height as fractions of it."""

    name: Name
    crop: tuple[Fraction01, Fraction01, Fraction01, Fraction01]

    @model_validator(mode="after")
    def _inside(self) -> Self:
        left, top, width, height = self.crop
        if width <= 0 or height <= 0:
            raise ValueError("the crop's width and height must be positive")
        if left + width > 1 + 1e-9 or top + height > 1 + 1e-9:
            raise ValueError("the crop reaches past the picture: left + width and top + height must be at most 1")
        return self


class Stream(Document):
    name: Name
    source: Source
    capture_fps: Annotated[Rate, Field(gt=0, le=1000)]
    views: Annotated[tuple[View, ...], Field(max_length=64)] = ()

    @model_validator(mode="after")
    def _unique(self) -> Self:
        names = [view.name for view in self.views]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two views of one stream have the same name, {name!r}")
        return self

    def view(self, name: str) -> View | None:
        """The view of that name; ``full`` always is one; None if there is none."""
        for view in self.views:
            if view.name == name:
                return view
        return View(name=FULL, crop=(0.0, 0.0, 1.0, 1.0)) if name == FULL else None


class Budget(Document):
    """The runner's limits; ``utilization`` is per cent of the engine's time, after ingest, that may be planned."""

    cpu: Cores = 2.0
    utilization: Annotated[Number, Field(gt=0, le=100)] = 85.0
    memory: MemoryBytes = 1 << 30


class Runtime(Document):
    """Threads default to max(1, floor(budget.cpu))."""

    engine: Literal["Auto", "LiteRT", "OpenVINO"] = "Auto"
    threads: Annotated[int, Field(ge=1, le=256)] | None = None


class EdgeNodeSpec(Document):
    node_name: Annotated[str, Field(max_length=253)] | None = None
    budget: Budget = Budget()
    streams: Annotated[tuple[Stream, ...], Field(max_length=64)] = ()
    objective: Literal["MeanF1", "MaxMinF1", "MaxMinThenMeanF1"] = "MeanF1"
    runtime: Runtime = Runtime()
    allowed_namespaces: dict[str, object] | None = None

    @model_validator(mode="after")
    def _unique(self) -> Self:
        names = [stream.name for stream in self.streams]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two streams have the same name, {name!r}")
        return self

    @property
    def threads(self) -> int:
        """Threads of the runner's engine instance."""
        return self.runtime.threads or max(1, int(self.budget.cpu))


class EdgeNode(Document):
    api_version: ApiVersion
    kind: Literal["EdgeNode"]
    metadata: Metadata
    spec: EdgeNodeSpec
    status: dict[str, object] | None = None
