"""Removing what no owner takes along: what several apps or boxes shared and nobody needs any more.

Everything else has an owner (an EdgeNode or an app), and Kubernetes' garbage collector removes it with that.
"""

from mainstream.errors import InputError
from mainstream.resources.app import MainstreamApp
from mainstream.resources.edgenode import EdgeNode
from mainstream_operator import kinds
from mainstream_operator.jobs import base_job
from mainstream_operator.made import Made
from mainstream_operator.profiling import read_costs
from mainstream_operator.tools import Tools

AGAIN_SECONDS = 60.0
SHARED = "what is shared"
"""The name of what is looked at."""


class Tidying:
    """A look at all that is shared."""

    def __init__(self, tools: Tools) -> None:
        self._t = tools

    def __call__(self, name: str) -> float:
        del name
        t = self._t
        bases, trains = self._wanted()
        unwanted = [one.key for one in t.made.of_component(kinds.CONFIG_MAP, "costs") if not self._is_useful(one)]
        for kind in (kinds.CONFIG_MAP, kinds.JOB):
            unwanted += [one.key for one in t.made.of_component(kind, "base-dnn") if one.key.name not in bases]
        unwanted += [
            one.key
            for one in t.made.of_component(kinds.CONFIG_MAP, "registry-ca")
            if one.key.namespace not in trains
            and not (one.key.namespace == t.settings.namespace and (t.cluster.edge_nodes or bases))
        ]
        t.writer.delete(unwanted)
        t.packages.forget_unused()
        t.secrets.forget_old()
        return AGAIN_SECONDS

    def _wanted(self) -> tuple[set[str], set[str | None]]:
        """Names of the imports that some app needs, and namespaces in which something is trained."""
        bases: set[str] = set()
        trains: set[str | None] = set()
        for known in list(self._t.cluster.apps.values()):
            spec = known.spec
            if isinstance(spec, MainstreamApp) and spec.spec.training is not None:
                trains.add(spec.metadata.namespace)
                base = spec.spec.training.base_dnn
                if base.architecture is not None:
                    bases.add(base_job(base, self._t.settings)["metadata"]["name"])
        return bases, trains

    def _is_useful(self, one: Made) -> bool:
        """Whether some box has the hardware that the costs were measured on, or does not know yet what it has."""
        try:
            costs, _ = read_costs(one.body or {"metadata": {"name": one.key.name}})
        except (InputError, ValueError):
            return False
        for known in list(self._t.cluster.edge_nodes.values()):
            hardware = (known.status.get("profile") or {}).get("hardware")
            if isinstance(known.spec, EdgeNode) and hardware in (None, costs.hardware):
                return True
        return False
