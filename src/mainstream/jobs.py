"""What a Job of the cluster is told and what it answers: the seam between the operator and the trainer and profiler.

A Job gets its task as one JSON document in the environment variable ``TASK_VARIABLE`` and leaves its result as one JSON
document in the container's termination message (``TERMINATION_FILE``), which the operator reads from the pod: no Job needs
a right in the cluster. Exit status: 0 done; 2 wrong input, a second try would fail alike (the Job fails at once); 1 anything
else (it is tried again).
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mainstream.cost import LayerCosts, StreamIngest
from mainstream.documents import Digest, Document, Number
from mainstream.packages.mpackage import Label
from mainstream.packages.profiles import Engine
from mainstream.resources.app import BaseDnnRef, Training
from mainstream.resources.edgenode import Stream

TASK_VARIABLE = "MAINSTREAM_TASK"
TERMINATION_FILE = "/dev/termination-log"
TERMINATION_LIMIT = 4096
"""Bytes that the kubelet keeps; a longer result is an error of the program that wrote it."""
MESSAGE_LIMIT = 700
"""Characters of a failure's message."""
WORK_FOLDER = "/var/lib/mainstream"
"""What a Job may write to beside ``/tmp``; gone with its pod."""
DATASET_FOLDER = "/var/lib/mainstream/dataset"
"""Where the volume of a dataset of the form ``pvc://claim/path`` is mounted, read-only."""
CREDENTIALS_FOLDER = "/etc/mainstream/registry"
"""Where the Secret with the registries' ``.dockerconfigjson`` is mounted, if there is one."""
CA_FILE = "/etc/mainstream/registry-ca/ca.crt"
"""Where the certificate of the registries' own CA is mounted, if there is one."""
SECRETS_FOLDER = "/etc/mainstream/secrets"
"""Where the Secret with the streams' and sinks' credentials is mounted: files ``NAME.KEY``."""


class Registries(Document):
    """How registries are asked; those named in ``plain_http`` (``host:port``) without TLS."""

    plain_http: tuple[str, ...] = ()


class BaseDnnTask(Document):
    """Import a base DNN and push it to the repository ``push`` (without tag or digest)."""

    kind: Literal["BaseDnn"] = "BaseDnn"
    base_dnn: BaseDnnRef
    push: str
    registries: Registries = Registries()


class TrainTask(Document):
    """Train an app's Model Set and push its M-Package, with its base DNN, to the repository ``push``.

    ``base_dnn`` is a reference by digest. ``dataset`` is a folder of the container (a mounted volume) or a URI. ``crop`` is
    the view's: left, top, width, height as fractions. With ``shares`` above 1 the pod trains only the branchpoints of share
    number ``JOB_COMPLETION_INDEX`` (every ``shares``-th) and pushes them as a part; a task with ``assemble`` makes one
    M-Package of the ``shares`` parts.
    """

    kind: Literal["Train"] = "Train"
    app: str  # namespace/name
    events: tuple[Label, ...]
    training: Training
    base_dnn: str
    dataset: str
    crop: tuple[Number, Number, Number, Number] = (0.0, 0.0, 1.0, 1.0)
    push: str
    shares: Annotated[int, Field(ge=1, le=64)] = 1
    assemble: bool = False
    registries: Registries = Registries()


class StreamTask(Document):
    """Measure what reading a stream takes for these network inputs; ``source_digest`` comes back with the answer."""

    stream: Stream
    inputs: Annotated[tuple["ViewInput", ...], Field(min_length=1)]
    source_digest: Digest


class ViewInput(Document):
    """A view of the stream and the base DNN whose input it is converted to, by reference."""

    view: str
    base_dnn: str


class ProfileTask(Document):
    """Measure a base DNN's segments and branches, streams' ingest, or both, with the edge node's engine and threads."""

    kind: Literal["Profile"] = "Profile"
    edge_node: str
    engine: Engine
    threads: Annotated[int, Field(ge=1)]
    base_dnn: str | None = None
    streams: Annotated[tuple[StreamTask, ...], Field(max_length=16)] = ()
    registries: Registries = Registries()


Reason = Literal[
    "BaseDnnFailed", "TrainingFailed", "DatasetInvalid", "PackageInvalid", "PackageNotFound",
    "RegistryCredentialsMissing", "ProfileFailed",
]  # fmt: skip


class Failure(Document):
    """Why there is no result; ``reason`` is one of the API's."""

    reason: Reason
    message: Annotated[str, Field(max_length=MESSAGE_LIMIT)]


class MeasuredStream(Document):
    """A stream's ingest, or why it could not be measured (its camera is away)."""

    source_digest: Digest
    stream: str
    ingest: StreamIngest | None = None
    failure: Annotated[str, Field(max_length=160)] | None = None


class JobResult(Document):
    """What a Job leaves: a reference by digest, measurements, or a failure.

    A share of a training leaves how many candidates it finished: none, where there are more shares than branchpoints.
    """

    schema_version: Literal[1] = 1
    reference: str | None = None
    best_p_minus_q: Number | None = None
    candidates: int | None = None
    costs: LayerCosts | None = None
    streams: tuple[MeasuredStream, ...] = ()
    failure: Failure | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.streams or any(one is not None for one in (self.failure, self.reference, self.candidates, self.costs)):
            return self
        raise ValueError("a result holds a reference, candidates, measurements or a failure")

    def termination_message(self) -> bytes:
        """At most ``TERMINATION_LIMIT`` bytes (``ValueError`` if they would be more)."""
        data = self.canonical()
        if len(data) > TERMINATION_LIMIT:
            raise ValueError(f"Expected a result of at most {TERMINATION_LIMIT} bytes, got {len(data)}")
        return data
