"""Having an edge node's costs measured: one Job at a time, what it found kept where equal boxes find it."""

from collections.abc import Sequence
from dataclasses import dataclass

from mainstream.cost import LayerCosts
from mainstream.documents import number_text
from mainstream.errors import InputError
from mainstream.jobs import JobResult
from mainstream.resources.edgenode import EdgeNode
from mainstream.resources.names import COMPONENT, label_value
from mainstream_operator import kinds, pods
from mainstream_operator.client import ObjectKey
from mainstream_operator.job_views import job_view
from mainstream_operator.jobs import CPU, profile_job
from mainstream_operator.made import Made
from mainstream_operator.profiling import COSTS_FILE, costs_name, read_costs
from mainstream_operator.scheduling import Scheduled
from mainstream_operator.tools import Tools
from mainstream_operator.values import Identity, JobView, Plain

COSTS = "costs"
"""Component of the ConfigMaps with shared costs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A box's Jobs, the oldest first, each with the CPU limit (cores) that it measured under."""

    jobs: Sequence[tuple[JobView, float]]

    @property
    def results(self) -> list[tuple[JobResult, float]]:
        """What those that ended left."""
        return [(job.result, cpu) for job, cpu in self.jobs if job.state != "Active" and job.result is not None]

    @property
    def active(self) -> JobView | None:
        """The one that runs."""
        return next((job for job, _ in self.jobs if job.state == "Active"), None)


class Measuring:
    """See the module."""

    def __init__(self, tools: Tools) -> None:
        self._t = tools
        self._parsed: dict[ObjectKey, tuple[str, tuple[LayerCosts, float] | None]] = {}

    def measured(self, edge_node: str) -> Measured:
        """What became of a box's Jobs."""
        made, label = self._t.made, label_value(edge_node)
        jobs = [job for job in made.of_edge_node(kinds.JOB, "profiler", label) if not job.ending]
        own_pods = made.of_edge_node(kinds.POD, "profiler", label)
        jobs.sort(key=lambda job: (job.created, job.key.name))
        return Measured(jobs=[(job_view(job, own_pods), float(job.labels.get(CPU, "0"))) for job in jobs])

    def catalogue(self) -> list[tuple[LayerCosts, float]]:
        """All shared costs that can be read, each ConfigMap parsed once."""
        found = []
        for one in self._t.made.of_component(kinds.CONFIG_MAP, COSTS):
            version, costs = self._parsed.get(one.key, ("", None))
            if version != one.version:
                costs = _readable(one)
                self._parsed[one.key] = (one.version, costs)
            if costs is not None:
                found.append(costs)
        return found

    def remember(self, measured: Measured) -> None:
        """Keep new costs where equal boxes find them."""
        for result, cpu in measured.results:
            if result.costs is not None:
                body = shared_costs(result.costs, cpu, self._t.settings.namespace)
                if self._t.made.get(ObjectKey.of(body, kinds.CONFIG_MAP)) is None:
                    self._t.writer.apply([body])

    def start(
        self, edge_node: EdgeNode, identity: Identity, host: str, decided: Scheduled, measured: Measured
    ) -> JobView | None:
        """Have measured what is lacking; the Job that says how that goes, None if nothing is lacking."""
        t = self._t
        if measured.active is not None or decided.task is None:
            return measured.active
        job = profile_job(edge_node, identity.uid, host, decided.task, t.settings)
        same = next((view for view, _ in measured.jobs if view.name == job["metadata"]["name"]), None)
        if same is not None or host not in t.cluster.hosts:
            return same
        ca = t.ca()
        if ca is not None:
            t.writer.apply([pods.copied_ca(t.settings.namespace, ca)])
        t.writer.create(job)
        return JobView(name=job["metadata"]["name"], state="Active")


def shared_costs(costs: LayerCosts, cpu: float, namespace: str) -> Plain:
    """The ConfigMap with costs that boxes of the same hardware share."""
    metadata = {"name": costs_name(costs, cpu), "namespace": namespace, "labels": pods.managed({COMPONENT: COSTS})}
    data = {COSTS_FILE: costs.canonical().decode(), "cpu": number_text(cpu)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def _readable(one: Made) -> tuple[LayerCosts, float] | None:
    """None for one that somebody broke: it is measured again."""
    try:
        return read_costs(one.body or {"metadata": {"name": one.key.name}})
    except (InputError, ValueError):
        return None
