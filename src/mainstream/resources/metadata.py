"""What both resources share: API version, names, references to Secrets."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from mainstream.documents import Document

API_VERSION = "mainstream.dev/v1alpha1"
ApiVersion = Literal["mainstream.dev/v1alpha1"]

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", min_length=1, max_length=63)]
"""A DNS label (RFC 1123): lower-case letters, digits and '-'."""


class Metadata(Document):
    """Name and namespace; everything else that Kubernetes allows is taken and left alone."""

    model_config = ConfigDict(extra="allow")

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)]
    namespace: Name = "default"
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


class SecretRef(Document):
    name: Annotated[str, StringConstraints(min_length=1, max_length=253)]
