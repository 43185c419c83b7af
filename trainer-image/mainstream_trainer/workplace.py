"""What every training Job begins with: its base DNN in a store of its own, and the app's repository."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mainstream.basednn import BaseDnn
from mainstream.job_program import Surroundings, failing
from mainstream.jobs import JobResult, TrainTask
from mainstream.packages.artifacts import read_base_dnn
from mainstream.packages.folder import StoreFolder
from mainstream.packages.mpackage import MPackage
from mainstream.packages.registry.pull import Puller
from mainstream.packages.registry.reference import parse_reference
from mainstream_trainer.basednn import load_keras
from mainstream_trainer.branchpoints import chosen_branchpoints
from mainstream_trainer.parts import Repository

BASE_NAME = "base/pulled"


@dataclass(frozen=True, kw_only=True)
class Workplace:
    """``where`` names the app in messages."""

    task: TrainTask
    surroundings: Surroundings
    store: StoreFolder
    base: BaseDnn
    repository: Repository

    @property
    def where(self) -> str:
        """As a user finds it."""
        return f"MainstreamApp {self.task.app}: spec.training"

    @cached_property
    def network(self) -> Any:
        """The base DNN's Keras network."""
        return load_keras(self.base, self.store.layout)

    @cached_property
    def branchpoints(self) -> tuple[str, ...]:
        """All that the Model Set tries, deepest first (``InputError`` for one that is no legal cut)."""
        return chosen_branchpoints(self.base, lambda: self.network, self.task.training.branchpoints, where=self.where)


@contextmanager
def workplace(task: TrainTask, surroundings: Surroundings) -> Iterator[Workplace]:
    """Pull the base DNN and open the repository (``JobFailedError``, ``InputError``)."""
    store = StoreFolder(surroundings.work / "store")
    access, start, stop = surroundings.access(task.registries), surroundings.steps.start, surroundings.stop
    base_place = parse_reference(task.base_dnn, where="baseDnn")
    base_client = access.client(base_place, stop=stop)
    try:
        with failing("BaseDnnFailed"):
            pulled = Puller(store.layout, base_client, start=start, stop=stop).pull(base_place, name=BASE_NAME)
            base = read_base_dnn(store.layout, pulled.artifact.reference)
    finally:
        base_client.close()
    place = parse_reference(task.push, where="push")
    client = access.client(place, stop=stop)
    try:
        puller = Puller(store.layout, client, start=start, stop=stop)
        repository = Repository.of(task, store.layout, client, puller, start=start)
        yield Workplace(task=task, surroundings=surroundings, store=store, base=base, repository=repository)
    finally:
        client.close()


def told(package: MPackage, reference: str) -> JobResult:
    """The result of a whole training."""
    best = max(
        p - q
        for one in package.config.candidates
        for p, q in zip(one.true_positive_rate, one.false_positive_rate, strict=True)
    )
    return JobResult(reference=reference, best_p_minus_q=round(best, 4), candidates=len(package.config.candidates))
