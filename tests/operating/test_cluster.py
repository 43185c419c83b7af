"""The copy of the cluster: who is concerned by what, and who is not."""

from typing import Any

import pytest

from mainstream.resources.names import runner_name
from mainstream_operator import kinds
from mainstream_operator.client import ObjectKey, Plain, Selection
from mainstream_operator.cluster import Cluster
from mainstream_operator.known import Key
from mainstream_operator.made import APPLIED, Made, MadeObjects
from mainstream_operator.values import Invalid

from .conftest import Clock, app, edge_node

Versions = iter(range(1, 1_000_000))


def _body(plain: Plain, *, generation: int = 1, uid: str = "1", **more: Any) -> Plain:
    metadata = {
        **plain["metadata"], "uid": uid, "generation": generation, "resourceVersion": str(next(Versions)),
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    return {**plain, "metadata": metadata, **more}


def _node(name: str = "gate-3", *, labels: dict[str, str] | None = None, status: Any = None, **more: Any) -> Plain:
    plain = edge_node(name).plain()
    plain["metadata"] = {"name": name, "labels": labels or {}}
    return _body(plain, **more) | ({"status": status} if status else {})


def _app(name: str = "red-car", *, generation: int = 1, **spec: Any) -> Plain:
    return _body(app(name, **spec).plain(), generation=generation)


@pytest.fixture
def cluster(clock: Clock) -> Cluster:
    """An empty one."""
    return Cluster(now=clock.now)


BOX, RED = Key("EdgeNode", "gate-3"), Key("MainstreamApp", "traffic/red-car")


def test_a_new_app_concerns_itself_and_its_edge_nodes(cluster: Cluster) -> None:
    """Others hear nothing."""
    cluster.put(kinds.EDGE_NODE, _node())
    cluster.put(kinds.EDGE_NODE, _node("gate-4"))
    assert cluster.put(kinds.APP, _app()) == {BOX, RED}
    assert cluster.members("gate-3") == ["traffic/red-car"]
    assert cluster.members("gate-4") == []


def test_an_app_that_came_before_its_edge_node_is_found(cluster: Cluster) -> None:
    """In either order."""
    cluster.put(kinds.APP, _app())
    assert cluster.put(kinds.EDGE_NODE, _node()) == {BOX, RED}
    assert cluster.selected_by("traffic/red-car") == ("gate-3",)


def test_apps_by_label_follow_the_labels(cluster: Cluster) -> None:
    """A box that gets the label gets the app; one that loses it loses it."""
    cluster.put(kinds.APP, _app(edgeNodes={"matchLabels": {"site": "a"}}))
    cluster.put(kinds.EDGE_NODE, _node())
    assert cluster.selected_by("traffic/red-car") == ()
    assert cluster.put(kinds.EDGE_NODE, _node(labels={"site": "a"})) == {BOX, RED}
    assert cluster.put(kinds.EDGE_NODE, _node(labels={"site": "b"})) == {BOX, RED}
    assert cluster.members("gate-3") == []


def test_what_carries_no_decision_concerns_nobody(cluster: Cluster) -> None:
    """A status that we wrote, a report that says the same with another rate or utilization."""
    cluster.put(kinds.EDGE_NODE, _node(status={"runner": {"utilization": "0.5"}}))
    assert cluster.put(kinds.EDGE_NODE, _node(status={"runner": {"utilization": "0.6"}})) == set()
    assert cluster.put(kinds.EDGE_NODE, _node(status={"nodeName": "x"})) == set()
    assert cluster.put(kinds.EDGE_NODE, _node(status={"runner": {"scheduleDigest": "sha256:1"}})) == {BOX}
    cluster.put(kinds.APP, _app())
    assert cluster.put(kinds.APP, {**_app(), "status": {"summary": {}}}) == set()


def test_an_older_version_is_left_alone(cluster: Cluster) -> None:
    """Watches and our own writes overtake each other."""
    old = _app(priority=1)
    cluster.put(kinds.APP, _app(generation=2, priority=2))
    assert cluster.put(kinds.APP, old) == set()
    spec = cluster.apps["traffic/red-car"].spec
    assert not isinstance(spec, Invalid)
    assert spec.spec.priority == 2  # type: ignore[union-attr]


def test_what_was_deleted_unheard_is_forgotten_by_the_next_sweep(cluster: Cluster) -> None:
    """And its boxes are looked at."""
    cluster.put(kinds.EDGE_NODE, _node())
    cluster.put(kinds.APP, _app())
    cluster.put(kinds.APP, _app("blue-car"))
    assert cluster.keep_only(kinds.APP, ["traffic/blue-car"]) == {BOX, RED}
    assert cluster.members("gate-3") == ["traffic/blue-car"]
    assert cluster.gone(kinds.APP, "traffic/red-car") == set()


def test_a_node_concerns_the_edge_nodes_on_it_when_it_turns(cluster: Cluster) -> None:
    """Heartbeats do not."""

    def host(status: str) -> Plain:
        return _body({"metadata": {"name": "gate-3"}, "status": {"conditions": [{"type": "Ready", "status": status}]}})

    cluster.put(kinds.EDGE_NODE, _node())
    assert cluster.put(kinds.NODE, host("True")) == {BOX}
    assert cluster.put(kinds.NODE, host("True")) == set()
    assert cluster.put(kinds.NODE, host("Unknown")) == {BOX}
    assert cluster.gone(kinds.NODE, "gate-3") == {BOX}


def test_a_namespace_concerns_its_apps_and_their_boxes(cluster: Cluster) -> None:
    """Its labels decide what its apps may use; in one that ends nothing is made."""
    cluster.put(kinds.EDGE_NODE, _node())
    cluster.put(kinds.APP, _app())
    space = {"metadata": {"name": "traffic", "labels": {"tenant": "yes"}}}
    assert cluster.put(kinds.NAMESPACE, space) == {BOX, RED}
    assert not cluster.ending("traffic")
    ending = {"metadata": {**space["metadata"], "deletionTimestamp": "now"}}
    assert cluster.put(kinds.NAMESPACE, ending) == {BOX, RED}
    assert cluster.ending("traffic")
    assert cluster.ending("never-there")


def test_an_object_that_cannot_be_read_is_known_as_such(cluster: Cluster) -> None:
    """A fraction that the CRD lets through, for one; it is no app of any box."""
    broken = _app()
    broken["spec"]["eventProfile"] = {"lengthSeconds": "no"}
    cluster.put(kinds.EDGE_NODE, _node())
    assert RED in cluster.put(kinds.APP, broken)
    spec = cluster.apps["traffic/red-car"].spec
    assert isinstance(spec, Invalid)
    assert "lengthSeconds" in spec.message
    assert cluster.members("gate-3") == []


# What the operator made

LEASES = Selection(kind=kinds.LEASE, namespace="mainstream")
MAPS = Selection(kind=kinds.CONFIG_MAP, namespace="mainstream")


@pytest.fixture
def told() -> list[Made]:
    """Who has to be looked at."""
    return []


@pytest.fixture
def made(clock: Clock, told: list[Made]) -> MadeObjects:
    """Nothing yet."""
    return MadeObjects(clock.now, told.append)


def _map(name: str = "m", **more: Any) -> Plain:
    labels = {"mainstream.dev/edge-node": "gate-3", "app.kubernetes.io/component": "runner"}
    metadata = {"name": name, "namespace": "mainstream", "labels": labels, "annotations": {APPLIED: "sha256:1"}}
    return _body({"metadata": metadata, "data": {"a": "b"}}, **more)


def _lease(renewed: str) -> Plain:
    metadata = {"name": runner_name("gate-3"), "namespace": "mainstream"}
    return _body({"metadata": metadata, "spec": {"renewTime": renewed}})


def test_what_somebody_else_changed_is_applied_again(made: MadeObjects, told: list[Made]) -> None:
    """Our own write is not told; a stranger's is, once."""
    made.wrote(kinds.CONFIG_MAP, _map())
    key = ObjectKey(kinds.CONFIG_MAP, "mainstream", "m")
    found = made.get(key)
    assert found is not None
    assert found.trusted
    made.change(MAPS, _map(), gone=False)
    found = made.get(key)
    assert found is not None
    assert not found.trusted
    assert [one.key for one in told] == [key]


def test_objects_that_are_gone_from_the_list_are_told(made: MadeObjects, told: list[Made]) -> None:
    """After a watch that broke for long."""
    made.replace(MAPS, [_map("a"), _map("b")])
    told.clear()
    made.replace(MAPS, [_map("b")])
    assert [one.key.name for one in told if one.key.name == "a"] == ["a"]
    assert [one.key.name for one in made.of_edge_node(kinds.CONFIG_MAP, "runner", "gate-3")] == ["b"]


def test_a_lease_counts_from_when_we_saw_it_change(made: MadeObjects, told: list[Made], clock: Clock) -> None:
    """A box's clock may be hours off; its renewals are told to nobody."""
    name = runner_name("gate-3")
    made.change(LEASES, _lease("2025-12-31T20:00:00.000000Z"), gone=False)
    first = made.renewed(name)
    assert first is not None
    assert (clock.now() - first).total_seconds() == 4 * 3600
    told.clear()
    clock.forward(10)
    made.change(LEASES, _lease("2025-12-31T20:00:10.000000Z"), gone=False)
    assert made.renewed(name) == clock.now()
    clock.forward(10)
    made.change(LEASES, _lease("2025-12-31T20:00:10.000000Z"), gone=False)
    assert made.renewed(name) != clock.now()
    assert told == []
