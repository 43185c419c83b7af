"""Whether apps name edge nodes, streams and views that the manifests have."""

from collections.abc import Iterator, Sequence

from mainstream.resources.app import MainstreamApp
from mainstream.resources.edgenode import FULL, EdgeNode
from mainstream.resources.faults import meant
from mainstream.resources.located import FieldPath


def reference_faults(
    edge_nodes: Sequence[EdgeNode], apps: Sequence[MainstreamApp]
) -> Iterator[tuple[MainstreamApp, FieldPath, str]]:
    """Each reference that leads nowhere: the app, the field, what to say. Without any edge node there is nothing to check."""
    if edge_nodes:
        for app in apps:
            yield from _app_faults(app, edge_nodes)


def _app_faults(app: MainstreamApp, edge_nodes: Sequence[EdgeNode]) -> Iterator[tuple[MainstreamApp, FieldPath, str]]:
    names = [node.metadata.name for node in edge_nodes]
    selector = app.spec.edge_nodes
    for place, name in enumerate(selector.match_names or ()):
        if name not in names:
            text = f"spec.edgeNodes.matchNames[{place}]: no EdgeNode {name!r}{meant(name, names)}"
            yield app, ("spec", "edgeNodes", "matchNames", place), text
    selected = [node for node in edge_nodes if selector.selects(node.metadata)]
    if selector.match_labels is not None and not selected:
        wanted = ", ".join(f"{key}={value}" for key, value in selector.match_labels.items())
        text = f"spec.edgeNodes.matchLabels: no EdgeNode has the labels {wanted}; known: {', '.join(names)}"
        yield app, ("spec", "edgeNodes", "matchLabels"), text
    for node in selected:
        streams = {stream.name: stream for stream in node.spec.streams}
        stream = streams.get(app.spec.stream)
        if stream is None:
            known = meant(app.spec.stream, list(streams)) or "; it has no streams"
            text = f"spec.stream: EdgeNode {node.metadata.name!r} has no stream {app.spec.stream!r}{known}"
            yield app, ("spec", "stream"), text
        elif stream.view(app.spec.view) is None:
            views = sorted({FULL, *(view.name for view in stream.views)})
            text = f"spec.view: stream {stream.name!r} has no view {app.spec.view!r}{meant(app.spec.view, views)}"
            yield app, ("spec", "view"), text
