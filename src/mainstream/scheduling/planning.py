"""Planning from files: what ``plan``, ``run`` and the demo call.

``prepare`` reads the M-Packages, base DNNs and profiles that an edge node's apps need from a store; ``decide`` solves and
renders, as often as there are budgets or ways of sharing to compare.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar, get_args

from mainstream.basednn import BaseDnn
from mainstream.errors import InputError
from mainstream.packages.artifacts import read_base_dnn, read_mpackage
from mainstream.packages.folder import StoreFolder
from mainstream.packages.layout import OciLayout
from mainstream.packages.local import other_precision, trained_name, trained_precision
from mainstream.packages.mpackage import MPackage
from mainstream.packages.profiles import require_costs, require_ingest
from mainstream.quality import Model
from mainstream.resources.app import MainstreamApp
from mainstream.resources.edgenode import EdgeNode, Source
from mainstream.resources.faults import meant
from mainstream.resources.manifests import Manifests
from mainstream.scheduling.assemble import Assembled, PackagedApp, assemble, budget, engine_suits
from mainstream.scheduling.decide import Plan, decide_schedule
from mainstream.scheduling.problem import Objective, Sharing
from mainstream.scheduling.render import engine
from mainstream.scheduling.solve import DEFAULT_SOLVER, SOLVERS


def choose_edge_node(manifests: Manifests, name: str | None = None) -> EdgeNode:
    """The edge node of that name, or the only one (``InputError``)."""
    names = [node.metadata.name for node in manifests.edge_nodes]
    if not names:
        raise InputError(
            "holds no EdgeNode",
            where=manifests.path,
            remedy="Add one: it says which streams and which budget there are.",
        )
    if name is None and len(names) > 1:
        raise InputError(
            f"holds {len(names)} EdgeNodes: {', '.join(names)}", where=manifests.path, remedy="Choose one: --node NAME"
        )
    for node in manifests.edge_nodes:
        if name in (None, node.metadata.name):
            return node
    raise InputError(f"--node: no EdgeNode {name!r}{meant(str(name), names)}", where=manifests.path)


def prepare(
    manifests: Manifests,
    store: StoreFolder,
    edge_node: EdgeNode,
    *,
    utilization: float | None = None,
    model: Model = "corrected",
) -> Assembled:
    """The problem of the edge node's apps (``InputError`` says which M-Package or profile is missing and how to get it)."""
    if utilization is not None and not 0 < utilization <= 100:
        raise InputError(f"--utilization: expected more than 0 and at most 100 per cent, got {utilization:g}")
    apps = [app for app in manifests.apps_of(edge_node) if not app.spec.suspend]
    if not apps:
        raise InputError(
            f"EdgeNode {edge_node.metadata.name!r}: no MainstreamApp selects it",
            where=manifests.where(edge_node, "metadata", "name"),
            remedy="Name it in an app's spec.edgeNodes.matchNames; apps with suspend: true take no part.",
        )
    packaged = _packaged(manifests, store.layout, apps)
    spec = edge_node.spec
    costs = {
        base.digest: require_costs(
            store,
            base_dnn=base.digest,
            engine=engine(spec),
            threads=spec.threads,
            manifests=manifests.path,
        )
        for base in {one.base_dnn.digest: one.base_dnn for one in packaged}.values()
        if engine_suits(spec, base)
    }
    ingest = {
        stream: require_ingest(store, edge_node=edge_node.metadata.name, stream=stream, manifests=manifests.path)
        for stream in sorted({app.spec.stream for app in apps})
    }
    return assemble(edge_node, packaged, costs=costs, ingest=ingest, utilization=utilization, model=model)


def with_utilization(assembled: Assembled, utilization: float) -> Assembled:
    """The same apps under another budget (per cent), without computing their F1 anew."""
    spec = assembled.edge_node.spec
    seconds = budget(spec, ingest_cores=assembled.ingest_cores, utilization=utilization)
    return replace(assembled, problem=replace(assembled.problem, budget=seconds), utilization=utilization)


def one_per_cent(assembled: Assembled) -> float:
    """Engine seconds per second that one more per cent of utilization adds to the budget."""
    return assembled.problem.budget / assembled.utilization


def decide(
    assembled: Assembled,
    manifests: Manifests,
    *,
    objective: str | None = None,
    solver: str = DEFAULT_SOLVER,
    sharing: str = "Mainstream",
) -> Plan:
    """The best schedule that the solver finds; ``objective`` replaces the edge node's. Names as a person wrote them."""
    return decide_schedule(
        assembled,
        objective_of(assembled, objective),
        solver=_named("--solver", solver, tuple(SOLVERS)),
        sharing=_named("--sharing", sharing, SHARINGS),
        source=_resolved(manifests, assembled.edge_node),
    )


def objective_of(assembled: Assembled, text: str | None) -> Objective:
    """The edge node's objective, or the one that a person named instead (``InputError``)."""
    return assembled.edge_node.spec.objective if text is None else _named("--objective", text, OBJECTIVES)


def plan(
    manifests: Manifests,
    store: StoreFolder,
    *,
    edge_node: str | None = None,
    utilization: float | None = None,
    objective: str | None = None,
    solver: str = DEFAULT_SOLVER,
    sharing: str = "Mainstream",
    model: Model = "corrected",
) -> Plan:
    """``prepare`` and ``decide`` for the edge node of that name, or the only one."""
    node = choose_edge_node(manifests, edge_node)
    assembled = prepare(manifests, store, node, utilization=utilization, model=model)
    return decide(assembled, manifests, objective=objective, solver=solver, sharing=sharing)


OBJECTIVES: tuple[Objective, ...] = get_args(Objective)
SHARINGS: tuple[Sharing, ...] = get_args(Sharing)

Word = TypeVar("Word", bound=str)


def _named(option: str, text: str, known: tuple[Word, ...]) -> Word:
    """The known word, whatever its case and hyphens (``InputError``)."""
    for word in known:
        if word.lower() == text.lower().replace("-", ""):
            return word
    raise InputError(f"{option}: unknown value {text!r}{meant(text, known)}")


def _packaged(manifests: Manifests, layout: OciLayout, apps: list[MainstreamApp]) -> list[PackagedApp]:
    names = layout.names()
    missing = [app for app in apps if app.spec.training and trained_name(layout, app) not in names]
    if missing:
        _refuse_other_precision(manifests, layout, missing)
        listed = ", ".join(app.key for app in missing)
        raise InputError(
            f"no M-Package yet of {listed}",
            where=layout.root,
            remedy=f"Train: mainstream train -f {manifests.path} --store {layout.root.parent}",
        )
    bases: dict[str, BaseDnn] = {}
    packaged = []
    for app in apps:
        package = _package(manifests, layout, app)
        digest = package.config.base_dnn
        if digest not in bases:
            bases[digest] = _base(manifests, layout, app, digest)
        _check_base(manifests, layout, app, digest)
        where = manifests.where(app, "spec", "events")
        packaged.append(PackagedApp(app=app, package=package, base_dnn=bases[digest], where=where))
    return packaged


def _refuse_other_precision(manifests: Manifests, layout: OciLayout, missing: list[MainstreamApp]) -> None:
    """``InputError`` where an app has an M-Package, but on the base DNN of the other precision, which does not fit."""
    names = layout.names()
    for app in missing:
        there = other_precision(trained_name(layout, app))
        if there is None or there not in names:
            continue
        trained_on = read_mpackage(layout, there).config.base_dnn
        wanted = trained_precision(layout, app)
        reference = app.spec.training.base_dnn.reference if app.spec.training else None
        digest = "" if reference is None else f" ({layout.resolve(reference)})"
        raise InputError(
            f"spec.training.baseDnn: {app.key} is to use the {wanted} base DNN{digest}, but its M-Package that is there "
            f"({there}) was trained on {trained_on}, the one of the other precision, and its branches fit no other",
            where=manifests.where(app, "spec", "training", "baseDnn"),
            remedy=f"Train it: mainstream train -f {manifests.path} --app {app.metadata.name} --store {layout.root.parent}",
        )


def _package(manifests: Manifests, layout: OciLayout, app: MainstreamApp) -> MPackage:
    if app.spec.package is None:
        return read_mpackage(layout, trained_name(layout, app))
    try:
        return read_mpackage(layout, app.spec.package.reference)
    except InputError as error:
        raise type(error)(
            f"spec.package.reference: {error.problem} (in the store {layout.root})",
            where=manifests.where(app, "spec", "package", "reference"),
            remedy=error.remedy or "Name an M-Package of the store: mainstream packages list",
        ) from None


def _base(manifests: Manifests, layout: OciLayout, app: MainstreamApp, digest: str) -> BaseDnn:
    try:
        return read_base_dnn(layout, digest)
    except InputError as error:
        raise type(error)(
            f"the base DNN {digest} of app {app.key}'s M-Package is not in the store {layout.root}, or broken: {error.problem}",
            where=manifests.where(app),
            remedy="Import the base DNN that it was trained on: mainstream base import",
        ) from None


def _check_base(manifests: Manifests, layout: OciLayout, app: MainstreamApp, digest: str) -> None:
    """That a package was trained on the base DNN that the manifest names, if it names one by reference."""
    reference = app.spec.training.base_dnn.reference if app.spec.training else None
    if reference is None:
        return
    where = manifests.where(app, "spec", "training", "baseDnn", "reference")
    try:
        named = layout.resolve(reference)
    except InputError as error:
        raise InputError(
            f"spec.training.baseDnn.reference: {error.problem}", where=where, remedy=error.remedy
        ) from None
    if named != digest:
        raise InputError(
            f"spec.training.baseDnn.reference: {reference} is {named[:19]}..., but the M-Package of {app.key} was trained on "
            f"{digest[:19]}...",
            where=where,
            remedy=f"Train it again: mainstream train -f {manifests.path} --app {app.metadata.name}",
        )


def _resolved(manifests: Manifests, edge_node: EdgeNode) -> Callable[[Source], Source]:
    """Paths of files as seen from the working directory instead of from the manifest."""

    def source(original: Source) -> Source:
        file = original.file
        if file is None or file.path is None:
            return original
        path = str(manifests.resolve(edge_node, file.path))
        return original.model_copy(update={"file": file.model_copy(update={"path": path})})

    return source
