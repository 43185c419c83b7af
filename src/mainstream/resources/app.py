"""MainstreamApp: one event-detection application (``mainstream.dev/v1alpha1``)."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mainstream.documents import Digest, Document, Number, Rate
from mainstream.events import EventProfile
from mainstream.packages.mpackage import Label
from mainstream.resources.edgenode import FULL
from mainstream.resources.metadata import ApiVersion, Metadata, Name, PlainUrl, SecretRef, SubdomainName

Auto = Literal["Auto"]


class EdgeNodeSelector(Document):
    """Exactly one of names and labels."""

    match_names: Annotated[tuple[SubdomainName, ...], Field(min_length=1, max_length=1000)] | None = None
    match_labels: dict[str, str] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.match_names is None) == (self.match_labels is None):
            raise ValueError("give exactly one of matchNames and matchLabels")
        return self

    def selects(self, metadata: Metadata) -> bool:
        """Whether the EdgeNode of that metadata is selected."""
        return self.matches(metadata.name, metadata.labels)

    def matches(self, name: str, labels: Mapping[str, str]) -> bool:
        """Whether an EdgeNode of that name and with those labels would be selected."""
        if self.match_names is not None:
            return name in self.match_names
        return all(labels.get(key) == value for key, value in (self.match_labels or {}).items())


class BaseDnnRef(Document):
    """A base DNN in a store (``reference``), or what to import it from."""

    reference: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    architecture: Literal["MobileNet", "ResNet50", "InceptionV3"] | None = None
    alpha: Annotated[Number, Field(gt=0, le=4)] | None = None
    input_size: Annotated[int, Field(ge=32, le=1024)] | None = None
    weights: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    precision: Literal["f32", "int8"] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.reference is None) == (self.architecture is None):
            raise ValueError("give exactly one of reference and architecture")
        details = (self.alpha, self.input_size, self.weights, self.precision)
        if self.reference is not None and any(detail is not None for detail in details):
            raise ValueError("a reference says everything: leave alpha, inputSize, weights and precision out")
        return self


class Dataset(Document):
    uri: Annotated[str, Field(min_length=1, max_length=4096)]
    secret_ref: SecretRef | None = None


class Training(Document):
    base_dnn: BaseDnnRef
    dataset: Dataset
    branchpoints: Auto | Annotated[tuple[str, ...], Field(min_length=1, max_length=1000)] = "Auto"
    epochs: Annotated[int, Field(ge=1, le=10_000)] = 40
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    parallelism: Annotated[int, Field(ge=1, le=64)] = 1
    resources: dict[str, object] | None = None
    node_selector: dict[str, str] | None = None
    tolerations: list[dict[str, object]] | None = None
    priority_class_name: str | None = None


class Package(Document):
    reference: Annotated[str, Field(min_length=1, max_length=1024)]
    pull_secret_ref: SecretRef | None = None


class Mqtt(Document):
    url: Annotated[PlainUrl, Field(pattern=r"^mqtts?://")]
    topic: Annotated[str, Field(min_length=1, max_length=1024)]
    secret_ref: SecretRef | None = None
    home_assistant: bool = False


class Webhook(Document):
    url: Annotated[PlainUrl, Field(pattern=r"^https?://")]
    secret_ref: SecretRef | None = None


class Sink(Document):
    mqtt: Mqtt | None = None
    webhook: Webhook | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.mqtt is None) == (self.webhook is None):
            raise ValueError("give exactly one of mqtt and webhook")
        return self


class Snapshots(Document):
    enabled: bool = False
    max_bytes: Annotated[int, Field(ge=1, le=10_000_000)] = 200_000
    quality: Annotated[int, Field(ge=1, le=100)] = 80


class AppSpec(Document):
    edge_nodes: EdgeNodeSelector
    stream: Name
    view: Name = FULL
    suspend: bool = False
    threshold: Auto | Annotated[int, Field(ge=1, le=9)] = "Auto"
    events: Annotated[tuple[Label, ...], Field(min_length=1, max_length=999)]
    training: Training | None = None
    package: Package | None = None
    event_profile: EventProfile | None = None
    votes: Auto | Annotated[int, Field(ge=1, le=100)] = "Auto"
    end_after_seconds: Annotated[Rate, Field(gt=0)] | None = None
    priority: int = 0
    weight: Annotated[Number, Field(gt=0, le=1_000_000)] = 1.0
    min_f1: Annotated[Number, Field(ge=0, le=1)] = 0.0
    sinks: Annotated[tuple[Sink, ...], Field(max_length=16)] = ()
    snapshots: Snapshots = Snapshots()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.training is None) == (self.package is None):
            raise ValueError("give exactly one of training and package")
        for event in self.events:
            if self.events.count(event) > 1:
                raise ValueError(f"the event {event!r} is named twice in events")
        if BACKGROUND in self.events:
            raise ValueError(f"{BACKGROUND!r} is the label of everything that is no event; it cannot be an event")
        return self


BACKGROUND = "background"


class MainstreamApp(Document):
    api_version: ApiVersion
    kind: Literal["MainstreamApp"]
    metadata: Metadata
    spec: AppSpec
    status: dict[str, object] | None = None

    @property
    def key(self) -> str:
        """``namespace/name``."""
        return f"{self.metadata.namespace}/{self.metadata.name}"


__all__ = ["BACKGROUND", "AppSpec", "BaseDnnRef", "Digest", "MainstreamApp", "Training"]
