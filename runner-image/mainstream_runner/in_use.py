"""What an edge node's apps use of this machine: base DNNs, and of each stream the views and network inputs."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from mainstream.basednn import BaseDnn
from mainstream.errors import InputError
from mainstream.packages.artifacts import list_artifacts, read_base_dnn, read_mpackage
from mainstream.packages.layout import OciLayout
from mainstream.packages.local import trained_name
from mainstream.resources.app import BaseDnnRef, MainstreamApp
from mainstream.resources.edgenode import EdgeNode
from mainstream.resources.manifests import Manifests
from mainstream_runner.plans import NetworkInput


@dataclass(frozen=True, slots=True, kw_only=True)
class InUse:
    """Of the apps that take part; ``inputs`` by stream."""

    base_dnns: tuple[BaseDnn, ...]
    inputs: Mapping[str, tuple[NetworkInput, ...]]


def in_use(manifests: Manifests, layout: OciLayout, edge_node: EdgeNode) -> InUse:
    """What the edge node's apps use; ``InputError`` names an app of which the store has neither package nor base DNN."""
    base_dnns: dict[str, BaseDnn] = {}
    inputs: dict[str, dict[NetworkInput, None]] = {}
    for app in manifests.apps_of(edge_node):
        if app.spec.suspend:
            continue
        stream = next(stream for stream in edge_node.spec.streams if stream.name == app.spec.stream)
        view = stream.view(app.spec.view)
        if view is None:  # the manifests were checked
            raise ValueError(f"Expected a view of stream {stream.name}, got {app.spec.view}")
        for base in _base_dnns(manifests, layout, app):
            base_dnns[base.digest] = base
            wanted = NetworkInput(view, base.config.input_shape, base.config.preprocessing)
            inputs.setdefault(stream.name, {})[wanted] = None
    if not base_dnns:
        raise InputError(
            f"EdgeNode {edge_node.metadata.name!r}: no MainstreamApp selects it, so there is nothing to profile",
            where=manifests.where(edge_node, "metadata", "name"),
            remedy="Name it in an app's spec.edgeNodes.matchNames; apps with suspend: true take no part.",
        )
    return InUse(
        base_dnns=tuple(base_dnns.values()), inputs={stream: tuple(wanted) for stream, wanted in inputs.items()}
    )


def _base_dnns(manifests: Manifests, layout: OciLayout, app: MainstreamApp) -> tuple[BaseDnn, ...]:
    """That of the app's package; before it is trained, that which it will be trained on, if the store has it."""
    if app.spec.package is not None:
        where = manifests.where(app, "spec", "package", "reference")
        with _named("spec.package.reference", where, "Name an M-Package of the store: mainstream packages list"):
            return (read_base_dnn(layout, read_mpackage(layout, app.spec.package.reference).config.base_dnn),)
    trained = trained_name(layout, app)
    if trained in layout.names():
        return (read_base_dnn(layout, read_mpackage(layout, trained).config.base_dnn),)
    wanted = app.spec.training.base_dnn if app.spec.training is not None else None
    if wanted is not None and wanted.reference is not None:
        where = manifests.where(app, "spec", "training", "baseDnn", "reference")
        with _named("spec.training.baseDnn.reference", where, "Import it: mainstream base import"):
            return (read_base_dnn(layout, wanted.reference),)
    imported = [read_base_dnn(layout, item.digest) for item in list_artifacts(layout) if item.kind == "base DNN"]
    fitting = tuple(base for base in imported if wanted is not None and _fits(base, wanted))
    if not fitting:
        raise InputError(
            f"no M-Package yet of {app.key}, and no base DNN that it could be trained on",
            where=layout.root,
            remedy=f"Train first: mainstream train -f {manifests.path} --store {layout.root.parent}",
        )
    return fitting


@contextmanager
def _named(field: str, where: str, remedy: str) -> Iterator[None]:
    """Say which field of which manifest named an artifact that cannot be read."""
    try:
        yield
    except InputError as error:
        raise type(error)(f"{field}: {error.problem}", where=where, remedy=remedy) from None


def _fits(base: BaseDnn, wanted: BaseDnnRef) -> bool:
    """Whether costs measured for the one are those of the other: same shapes, whatever the weights."""
    config = base.config
    return (
        config.architecture == wanted.architecture
        and wanted.alpha in (None, config.alpha)
        and wanted.input_size in (None, config.input_shape[0])
        and (wanted.precision or "f32") == config.precision
    )
