"""Which EdgeNodes each app selects, and which apps select each EdgeNode: kept both ways, by what changes.

A change costs as much as there are EdgeNodes (of an app) or apps (of an EdgeNode), not their product. Not for several threads.
"""

from collections.abc import Mapping

from mainstream.resources.app import EdgeNodeSelector

Labels = Mapping[str, str]


class Membership:
    """See the module. EdgeNodes are by name, apps by ``namespace/name``."""

    def __init__(self) -> None:
        self.selected: dict[str, tuple[str, ...]] = {}
        """By app, the EdgeNodes that exist and that it selects, sorted; apps that select none may be left out."""
        self._selectors: dict[str, EdgeNodeSelector] = {}
        self._labels: dict[str, Labels] = {}
        self._apps: dict[str, set[str]] = {}

    def apps_of(self, edge_node: str) -> list[str]:
        """The apps that select an EdgeNode, sorted."""
        return sorted(self._apps.get(edge_node, ()))

    def app(self, name: str, selector: EdgeNodeSelector | None) -> set[str]:
        """An app selects so now (None: nothing, or it is gone): the EdgeNodes that it came to or left."""
        before = set(self.selected.pop(name, ()))
        self._selectors.pop(name, None)
        now: set[str] = set()
        if selector is not None:
            self._selectors[name] = selector
            names = self._labels if selector.match_names is None else set(selector.match_names) & self._labels.keys()
            now = {node for node in names if selector.matches(node, self._labels[node])}
            self.selected[name] = tuple(sorted(now))
        for node in before - now:
            self._apps[node].discard(name)
        for node in now - before:
            self._apps[node].add(name)
        return before ^ now

    def edge_node(self, name: str, labels: Labels | None) -> set[str]:
        """An EdgeNode has these labels now (None: it is gone): the apps that came to it or left it."""
        if labels is None:
            self._labels.pop(name, None)
            now = set()
        else:
            self._labels[name] = labels
            now = {app for app, selector in self._selectors.items() if selector.matches(name, labels)}
        before = self._apps.pop(name, set())
        if labels is not None:
            self._apps[name] = now
        for app in before - now:
            self.selected[app] = tuple(node for node in self.selected[app] if node != name)
        for app in now - before:
            self.selected[app] = tuple(sorted({*self.selected[app], name}))
        return before ^ now
