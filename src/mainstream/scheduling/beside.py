"""The same applications on the base DNN of the other precision, where the store has them (``plan --compare``)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from mainstream.basednn import BaseDnn, Precision
from mainstream.cost import LayerCosts
from mainstream.packages.artifacts import read_base_dnn, read_mpackage
from mainstream.packages.folder import StoreFolder
from mainstream.packages.layout import OciLayout
from mainstream.packages.local import other_precision, trained_name
from mainstream.packages.profiles import load_costs
from mainstream.quality import Model
from mainstream.resources.app import MainstreamApp
from mainstream.resources.manifests import Manifests
from mainstream.scheduling.assemble import Assembled, PackagedApp, assemble, engine_suits
from mainstream.scheduling.decide import Plan
from mainstream.scheduling.problem import Sharing
from mainstream.scheduling.render import engine
from mainstream.scheduling.summary import plain_plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """The problem with the base DNNs of that precision, or why there is none."""

    precision: Precision
    assembled: Assembled | None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """An edge node's plans, the one asked for first; with ``--compare`` those on the other base DNN, in the same order."""

    plans: tuple[Plan, ...]
    beside: Beside | None = None
    beside_plans: tuple[Plan, ...] = ()


def compared(
    box: Box, manifests: Manifests, store: StoreFolder, decided: Callable[[Assembled, Sharing], Plan], *, model: Model
) -> Box:
    """The box's first plan, beside it the other ways of sharing, and all of them on the other base DNN."""
    plan = box.plans[0]
    other = beside(manifests, store, plan.assembled, model=model)
    ways = (plan.sharing, *(way for way in get_args(Sharing) if way != plan.sharing))
    again = other.assembled if other is not None else None
    return Box(
        plans=(plan, *(decided(plan.assembled, way) for way in ways[1:])),
        beside=other,
        beside_plans=() if again is None else tuple(decided(again, way) for way in ways),
    )


def plain_beside(box: Box) -> dict[str, Any]:
    """What is set beside as plain values: an entry ``beside``, or none where the store has nothing to set there."""
    if box.beside is None:
        return {}
    plans = {plan.sharing: plain_plan(plan) for plan in box.beside_plans}
    return {"beside": {"precision": box.beside.precision, "problem": box.beside.problem, "plans": plans}}


def beside(
    manifests: Manifests, store: StoreFolder, assembled: Assembled, *, model: Model = "corrected"
) -> Beside | None:
    """The edge node's apps with their M-Packages of the other precision; None where no app has one.

    ``PackageError`` for one that is broken.
    """
    layout, edge_node = store.layout, assembled.edge_node
    apps = [app for app in manifests.apps_of(edge_node) if not app.spec.suspend]
    names = layout.names()
    others = {app.key: _other_name(layout, app) for app in apps}
    there = {key: name for key, name in others.items() if name is not None and name in names}
    if not there:
        return None
    precision: Precision = "int8" if next(iter(there.values())).endswith("/int8") else "f32"
    missing = [key for key in others if key not in there]
    if missing:
        listed = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if missing[5:] else "")
        return Beside(precision=precision, assembled=None, problem=f"not all apps are trained on it: {listed}")
    packaged, bases = _packaged(layout, manifests, apps, there)
    costs: dict[str, LayerCosts] = {}
    for base in bases.values():
        if not engine_suits(edge_node.spec, base):
            return Beside(precision=precision, assembled=None, problem=f"{engine(edge_node.spec)} does not run it")
        found = load_costs(store, base_dnn=base.digest, engine=engine(edge_node.spec), threads=edge_node.spec.threads)
        if found is None:
            return Beside(precision=precision, assembled=None, problem=f"base DNN {base.digest[:19]}... has no profile")
        costs[base.digest] = found
    return Beside(
        precision=precision,
        assembled=assemble(
            edge_node,
            packaged,
            costs=costs,
            ingest=assembled.ingest,
            utilization=assembled.utilization,
            model=model,
        ),
    )


def _other_name(layout: OciLayout, app: MainstreamApp) -> str | None:
    """The name of the app's M-Package on the other base DNN; None where its package is named by digest or lies elsewhere."""
    return other_precision(trained_name(layout, app) if app.spec.package is None else app.spec.package.reference)


def _packaged(
    layout: OciLayout, manifests: Manifests, apps: Sequence[MainstreamApp], names: Mapping[str, str]
) -> tuple[list[PackagedApp], dict[str, BaseDnn]]:
    bases: dict[str, BaseDnn] = {}
    packaged = []
    for app in apps:
        package = read_mpackage(layout, names[app.key])
        digest = package.config.base_dnn
        if digest not in bases:
            bases[digest] = read_base_dnn(layout, digest)
        where = manifests.where(app, "spec", "events")
        packaged.append(PackagedApp(app=app, package=package, base_dnn=bases[digest], where=where))
    return packaged, bases
