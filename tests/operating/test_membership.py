"""Who selects whom, kept by changes: always what a look at everything would find."""

from hypothesis import given
from hypothesis import strategies as st

from mainstream.resources.app import EdgeNodeSelector
from mainstream_operator.membership import Membership

NODES, APPS = ("gate-1", "gate-2", "gate-3"), ("a/red", "a/blue", "b/red")

labels = st.dictionaries(st.sampled_from(("site", "zone")), st.sampled_from(("x", "y")))
selectors = st.one_of(
    st.lists(st.sampled_from((*NODES, "nowhere")), min_size=1).map(
        lambda names: EdgeNodeSelector(match_names=tuple(names))
    ),
    labels.map(lambda wanted: EdgeNodeSelector(match_labels=wanted)),
)
changes = st.one_of(
    st.tuples(st.just("app"), st.sampled_from(APPS), st.none() | selectors),
    st.tuples(st.just("edge_node"), st.sampled_from(NODES), st.none() | labels),
)


@given(st.lists(changes, max_size=30))
def test_it_is_what_a_look_at_everything_would_find(steps: list[tuple[str, str, object]]) -> None:
    """After every change, in both directions; and a change tells of those whom it concerns, and of nobody else."""
    kept = Membership()
    apps: dict[str, EdgeNodeSelector] = {}
    nodes: dict[str, dict[str, str]] = {}
    found: set[tuple[str, str]] = set()
    for kind, name, value in steps:
        told = getattr(kept, kind)(name, value)
        there: dict[str, object] = apps if kind == "app" else nodes  # type: ignore[assignment]
        there.pop(name, None)
        if value is not None:
            there[name] = value
        before, found = (
            found,
            {(app, node) for app, one in apps.items() for node, has in nodes.items() if one.matches(node, has)},
        )
        assert told == {node if kind == "app" else app for app, node in before ^ found}
        for node in NODES:
            assert kept.apps_of(node) == sorted(app for app, one in found if one == node)
        for app in APPS:
            assert kept.selected.get(app, ()) == tuple(sorted(node for one, node in found if one == app))
