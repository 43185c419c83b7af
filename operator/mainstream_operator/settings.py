"""Settings: the one file that the chart writes and the operator reads at its start."""

from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import Field, model_validator

from mainstream.documents import Document
from mainstream.errors import InputError
from mainstream.resources.metadata import Name, SubdomainName

Seconds = Annotated[int, Field(ge=1, le=86_400)]
Quantity = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[0-9.]+([kMGTm]|[KMGT]i)?$")]
Image = Annotated[str, Field(min_length=1, max_length=1024)]


class Images(Document):
    """Images of the programs that the operator starts."""

    runner: Image
    trainer: Image
    pull_policy: Annotated[str, Field(pattern="^(Always|IfNotPresent|Never)$")] = "IfNotPresent"
    pull_secrets: tuple[SubdomainName, ...] = ()


class RegistrySettings(Document):
    """Where trainers push base DNNs and M-Packages, and how registries are asked."""

    prefix: Annotated[str, Field(min_length=1, max_length=512)]
    """``host:port/path`` below which repositories ``base/...`` and ``<namespace>/<app>`` are made."""
    plain_http: tuple[str, ...] = ()
    """Registries (``host:port``) that are asked without TLS: those inside the cluster."""
    ca_config_map: SubdomainName | None = None
    """In the operator's namespace, key ``ca.crt``; copied to where Jobs run."""


class CacheSettings(Document):
    """The packages on an edge node: a claim of that class and size, or a folder of the node."""

    size: Quantity = "8Gi"
    storage_class: SubdomainName | None = None
    host_path: Annotated[str, Field(pattern="^/", max_length=1024)] | None = None


class RunnerSettings(Document):
    """The runner's pod."""

    priority_class: SubdomainName | None = None
    report_seconds: Annotated[int, Field(ge=5, le=3600)] = 300
    lease_seconds: Annotated[int, Field(ge=5, le=600)] = 40
    """After which a runner whose Lease was not renewed counts as not reporting; it renews four times as often."""
    log_level: Annotated[str, Field(pattern="^(debug|info|warning)$")] = "info"


class TrainerSettings(Document):
    """What a trainer's pod asks for where the app says nothing, and how long its Job is kept."""

    cpu: Quantity = "1"
    memory: Quantity = "4Gi"
    finished_seconds: Seconds = 3600
    retries: Annotated[int, Field(ge=0, le=20)] = 3


class Batching(Document):
    """Changes that come together cause one schedule: wait for ``idle_seconds`` without one, at most ``max_seconds``."""

    idle_seconds: Annotated[float, Field(ge=0, le=60)] = 0.5
    max_seconds: Annotated[float, Field(ge=0, le=300)] = 5.0


class Settings(Document):
    """See the module."""

    namespace: Name
    watch_namespaces: tuple[Name, ...] = ()
    """Whose MainstreamApps are looked at; none named: all."""
    images: Images
    registry: RegistrySettings
    cache: CacheSettings = CacheSettings()
    runner: RunnerSettings = RunnerSettings()
    trainer: TrainerSettings = TrainerSettings()
    batching: Batching = Batching()
    resync_seconds: Seconds = 300
    leader_election: bool = False
    max_boxes: Annotated[int, Field(ge=1)] = 200_000
    """Of the exact solver for one edge node: its effort, the same on every machine."""
    solve_deadline_seconds: Annotated[int, Field(ge=1, le=600)] = 20

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.cache.host_path is not None and self.cache.storage_class is not None:
            raise ValueError("cache: give at most one of storageClass and hostPath")
        return self

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the file (``InputError`` names the file, the field and the value)."""
        try:
            plain = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"cannot read the settings: {error.strerror}", where=path) from None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise InputError(f"not readable as YAML: {error}", where=path) from None
        return cls.from_plain(plain, where=path)
