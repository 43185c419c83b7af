"""What both resources share: API version, names, references to Secrets."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from mainstream.documents import NOT_SHOWN, Document

API_VERSION = "mainstream.dev/v1alpha1"
ApiVersion = Literal["mainstream.dev/v1alpha1"]

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", min_length=1, max_length=63)]
"""A DNS label (RFC 1123): lower-case letters, digits and '-'."""


SubdomainName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)]
"""A DNS subdomain (RFC 1123): labels and dots."""


class Metadata(Document):
    """Name and namespace; everything else that Kubernetes allows is taken and left alone."""

    model_config = ConfigDict(extra="allow")

    name: SubdomainName
    namespace: Name = "default"
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


def without_credentials(url: str) -> str:
    """The URL; ``ValueError`` if it holds a user name or password: manifests are kept in repositories, and shown."""
    if "@" in urlsplit(url).netloc:
        raise PydanticCustomError(
            NOT_SHOWN, "the URL holds a user name or password: put them into a Secret and name that in a secretRef"
        )
    return url


PlainUrl = Annotated[str, StringConstraints(max_length=2048), AfterValidator(without_credentials)]


class SecretRef(Document):
    name: SubdomainName
