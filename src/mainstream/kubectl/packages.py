"""M-Packages of a cluster's apps, read from where the cluster has them: a registry inside it is reached by a forwarded port."""

import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Self

from mainstream.basednn import BaseDnn
from mainstream.errors import InputError, MainstreamError
from mainstream.kubectl.calls import Kubectl
from mainstream.packages.layout import OciLayout
from mainstream.packages.mpackage import MPackage
from mainstream.packages.registry.client import RegistryClient
from mainstream.packages.registry.configs import ConfigReader
from mainstream.packages.registry.credentials import default_credentials
from mainstream.packages.registry.reference import Reference, parse_reference

_SERVICE = re.compile(r"(?P<name>[a-z0-9-]+)\.(?P<namespace>[a-z0-9-]+)\.svc(\.[a-z0-9.-]+)?:(?P<port>[0-9]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Packaged:
    """An M-Package and its base DNN."""

    package: MPackage
    base_dnn: BaseDnn

    def for_events(self, events: Sequence[str]) -> "Packaged":
        """As if it had been measured for other events: an assumption."""
        config = self.package.config.model_copy(update={"events": tuple(events)})
        return Packaged(package=self.package.model_copy(update={"config": config}), base_dnn=self.base_dnn)


class ClusterPackages:
    """Reads configs, never layers; each once. ``folder`` is for what is read."""

    def __init__(self, kubectl: Kubectl, folder: Path) -> None:
        self._kubectl = kubectl
        self._layout = OciLayout(folder)
        self._open = ExitStack()
        self._ports: dict[str, int] = {}
        self._known: dict[str, Packaged] = {}

    def __enter__(self) -> Self:
        """Ports are forwarded as long as the block runs."""
        return self

    def __exit__(self, *_error: object) -> None:
        self._open.close()

    def read(self, reference: str, *, where: str) -> Packaged:
        """The package (``InputError``, ``OperationError``)."""
        if reference not in self._known:
            self._known[reference] = self._read(parse_reference(reference, where=where), where)
        return self._known[reference]

    def _read(self, place: Reference, where: str) -> Packaged:
        stop = Event()
        service = _SERVICE.fullmatch(place.registry)
        if service is None:
            client = RegistryClient(place.registry, credentials=default_credentials().find(place), pause=stop.wait)
        else:
            client = RegistryClient(f"127.0.0.1:{self._port(service)}", pause=stop.wait)
        try:
            package, base = ConfigReader(self._layout, client, stop=stop).mpackage(place)
        except MainstreamError as error:
            raise type(error)(f"{place}: {error.problem}", where=where, remedy=error.remedy) from None
        finally:
            client.close()
        return Packaged(package=package, base_dnn=base)

    def _port(self, service: "re.Match[str]") -> int:
        name, namespace, port = service["name"], service["namespace"], int(service["port"])
        if service[0] not in self._ports:
            found = self._kubectl.get("services", name, namespace=namespace)
            if found is None:
                raise InputError(f"there is no Service {namespace}/{name}, where packages are said to be")
            forwarded = self._kubectl.forwarded(f"service/{name}", port, namespace=namespace)
            self._ports[service[0]] = self._open.enter_context(forwarded)
        return self._ports[service[0]]
