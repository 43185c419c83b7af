"""What looks at objects use, and what an app's look and its Jobs have in common: how its package is read."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mainstream.resources.app import MainstreamApp
from mainstream_operator.apply import Writer
from mainstream_operator.cluster import Cluster
from mainstream_operator.credentials import pull_secret
from mainstream_operator.decisions import Decisions
from mainstream_operator.known import Key
from mainstream_operator.made import MadeObjects
from mainstream_operator.packages import PackageReader
from mainstream_operator.secret_reader import SecretReader
from mainstream_operator.settings import Settings
from mainstream_operator.training import Wait
from mainstream_operator.values import PackageInUse

READING = Wait(reason="PackagePending", message="its package is being read from the registry")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What looks at objects use. ``ca`` is the registries' own CA, where there is one."""

    cluster: Cluster
    made: MadeObjects
    decisions: Decisions
    packages: PackageReader
    secrets: SecretReader
    writer: Writer
    settings: Settings
    now_text: Callable[[], str]
    changed: Callable[[Iterable[Key]], None]
    follows: Callable[[Iterable[Key]], None]
    ca: Callable[[], str | None]

    def package(self, reference: str, app: MainstreamApp) -> PackageInUse | Wait:
        """A package as its registry has it; ``READING`` while that is not known yet."""
        values = self.secrets.values(pull_secret(app))
        return self.packages.package(reference, values, Key("MainstreamApp", app.key)) or READING
