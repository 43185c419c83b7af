"""Finished candidates of a training, in the registry: each an M-Package of its own, under a tag that everybody can work out.

A share leaves its candidates there for the Job that assembles; a Job that was killed finds there what it need not train again.
What is used of it must be of this very training: the M-Package says of which (``trainingHash``).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mainstream.documents import canonical_json, sha256
from mainstream.errors import PackageError
from mainstream.jobs import TrainTask
from mainstream.packages.artifacts import read_mpackage, write_mpackage
from mainstream.packages.layout import OciLayout
from mainstream.packages.mpackage import MPackage, MPackageConfig
from mainstream.packages.registry.client import RegistryClient
from mainstream.packages.registry.failures import NotThereError
from mainstream.packages.registry.pull import Puller
from mainstream.packages.registry.push import Pusher
from mainstream.packages.registry.reference import Reference, parse_reference
from mainstream_trainer.basednn import Start


def training_mark(task: TrainTask) -> str:
    """Of what a training is told, 16 digits: the same for all of its shares, and however many there are."""
    training = task.training
    told = {
        "app": task.app,
        "events": task.events,
        "branchpoints": training.branchpoints,
        "epochs": training.epochs,
        "seed": training.seed,
        "baseDnn": task.base_dnn,
        "dataset": task.dataset,
        "crop": [format(edge, ".9g") for edge in task.crop],
    }
    return sha256(canonical_json(told)).removeprefix("sha256:")[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """An app's repository as a training uses it; ``base`` is the repository of the base DNN where the registry is the same."""

    layout: OciLayout
    client: RegistryClient
    puller: Puller
    pusher: Pusher
    place: Reference
    mark: str

    @classmethod
    def of(
        cls, task: TrainTask, layout: OciLayout, client: RegistryClient, puller: Puller, *, start: Start
    ) -> "Repository":
        """For the task's ``push``; blobs of the base DNN are mounted from its repository."""
        place = parse_reference(task.push, where="push")
        base = parse_reference(task.base_dnn, where="baseDnn")
        mount_from = base.repository if base.registry == place.registry else None
        return cls(
            layout=layout,
            client=client,
            puller=puller,
            pusher=Pusher(layout, client, start=start, mount_from=mount_from),
            place=place,
            mark=training_mark(task),
        )

    def whole(self) -> MPackage | None:
        """The finished M-Package under this training's tag; None if there is none."""
        return self._pulled(f"trained-{self.mark}")

    def part(self, depth: int) -> MPackage | None:
        """The candidates at the branchpoint of that depth (one in each precision) as an M-Package; None if it is not there."""
        return self._pulled(f"part-{self.mark}-{depth}")

    def push_part(self, config: MPackageConfig, branches: Mapping[str, bytes], depth: int) -> str:
        """Push a cut's candidates, with their branches by digest; the reference by digest."""
        package = write_mpackage(self.layout, config, branches, name=f"part/{self.mark}/{depth}")
        return self._push(package.digest, f"part-{self.mark}-{depth}")

    def push_whole(self, package: MPackage) -> str:
        """Push the M-Package; its reference by digest."""
        return self._push(package.digest, f"trained-{self.mark}")

    def _push(self, digest: str, tag: str) -> str:
        return self.pusher.push(digest, self._tagged(tag))[-1].reference

    def _pulled(self, tag: str) -> MPackage | None:
        try:
            result = self.puller.pull(self._tagged(tag), name=f"pulled/{tag}")
        except (NotThereError, PackageError):  # damaged is as good as not there: it is trained again
            return None
        return read_mpackage(self.layout, result.artifact.reference)

    def _tagged(self, tag: str) -> Reference:
        return Reference(registry=self.place.registry, repository=self.place.repository, tag=tag)
