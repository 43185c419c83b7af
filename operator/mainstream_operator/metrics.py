"""What the operator counts, for Prometheus: names begin with ``mainstream_``, reasons are those of the conditions."""

from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from mainstream_operator.decisions import Decisions

LOOK_BUCKETS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
REFUSED = ("RejectedByPriority", "MinF1Unreachable")


class Meter:
    """See the module; ``registry`` is the process's own."""

    def __init__(self, decisions: Decisions) -> None:
        self.registry = CollectorRegistry()
        self._looks = Histogram(
            "mainstream_reconcile_seconds", "Looks at an object, by kind.", ["kind"],
            buckets=LOOK_BUCKETS, registry=self.registry,
        )  # fmt: skip
        self._failures = Counter(
            "mainstream_reconcile_errors_total", "Looks that failed, by kind and outcome.", ["kind", "outcome"],
            registry=self.registry,
        )  # fmt: skip
        self._solving = Histogram(
            "mainstream_solve_seconds", "Solving one edge node's problem.", buckets=LOOK_BUCKETS, registry=self.registry
        )
        self._writes = Counter(
            "mainstream_writes_total", "Objects and statuses written, by kind.", ["kind"], registry=self.registry
        )
        self._calls = Counter(
            "mainstream_api_calls_total", "Calls of the API server, by what right they need.",
            ["verb", "group", "resource"], registry=self.registry,
        )  # fmt: skip
        self.waiting = Gauge(
            "mainstream_reconcile_waiting", "Objects that changed and wait for their look, or are looked at.",
            registry=self.registry,
        )  # fmt: skip
        """Its function is to be set."""
        self.leader = Gauge("mainstream_leader", "1 while this replica decides.", registry=self.registry)
        self.registry.register(_Plans(decisions))

    def looked(self, kind: str, seconds: float, outcome: str) -> None:
        """A look ended."""
        self._looks.labels(kind).observe(seconds)
        if outcome != "done":
            self._failures.labels(kind, outcome).inc()

    def solved(self, seconds: float) -> None:
        """A problem was solved."""
        self._solving.observe(seconds)

    def wrote(self, kind: str) -> None:
        """Something was written."""
        self._writes.labels(kind).inc()

    def called(self, verb: str, group: str, resource: str) -> None:
        """The API server was asked."""
        self._calls.labels(verb, group, resource).inc()


class _Plans(Collector):
    """Gauges of what is planned, read when somebody asks."""

    def __init__(self, decisions: Decisions) -> None:
        self._decisions = decisions

    def describe(self) -> Iterable[Any]:
        """Nothing in advance."""
        return ()

    def collect(self) -> Iterator[Any]:
        """Of every EdgeNode."""
        f1 = GaugeMetricFamily("mainstream_planned_mean_f1", "Mean expected F1 of the apps.", labels=["edge_node"])
        apps = GaugeMetricFamily("mainstream_planned_apps", "Apps in the schedule.", labels=["edge_node"])
        rejected = GaugeMetricFamily(
            "mainstream_rejected_apps", "Apps that do not fit.", labels=["edge_node", "reason"]
        )
        reporting = GaugeMetricFamily(
            "mainstream_runner_reporting", "1 while the runner reports.", labels=["edge_node"]
        )
        for name, outcome in sorted(self._decisions.known_outcomes().items()):
            scores = [app.expected_f1 for app in outcome.assignments.values()]
            f1.add_metric([name], sum(scores) / len(scores) if scores else 0.0)
            apps.add_metric([name], len(scores))
            for reason in REFUSED:
                count = sum(finding.reason == reason for finding in outcome.refused.values())
                rejected.add_metric([name, reason], count)
            reporting.add_metric([name], float(outcome.reachable))
        yield from (f1, apps, rejected, reporting)
