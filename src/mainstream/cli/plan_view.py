"""A plan for people: a table of the apps, the tree of what they share, figures, and the apps that were not admitted."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import groupby

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from mainstream.documents import fraction_text
from mainstream.memory import mebibytes
from mainstream.schedule import Schedule, ScheduledApp, Stem, StemSegment
from mainstream.scheduling.beside import Box
from mainstream.scheduling.caveats import caveats, needed_for_all, needed_utilization, rejected
from mainstream.scheduling.decide import Plan
from mainstream.scheduling.explain import branch_text
from mainstream.scheduling.planning import one_per_cent
from mainstream.scheduling.summary import plain_plan

NAMES = {"Mainstream": "Mainstream", "MaxSharing": "Max-Sharing", "NoSharing": "No-Sharing"}


def view(boxes: Sequence[Box]) -> RenderableType:
    """The plans of each edge node; the first of each is shown in full, the others are compared with it."""
    return Group(*(part for box in boxes for part in _box(box)))


def _box(box: Box) -> Iterator[RenderableType]:
    plans, plan = box.plans, box.plans[0]
    node = plan.assembled.edge_node.metadata.name
    if plan.schedule.apps:
        yield _apps(plan, f"EdgeNode {node}: {NAMES[plan.sharing]}, {plan.objective}")
        yield tree(plan.schedule)
    yield Text(_figures(plan))
    without = rejected(plan)
    if without:
        table = Table(title=f"EdgeNode {node}: not admitted", title_justify="left")
        for heading in ("app", "reason", "why", "what to do"):
            table.add_column(heading, overflow="fold")
        for one in without:
            table.add_row(one.app, one.reason, one.message, one.remedy)
        yield table
        if plan.result.rejected:
            yield Text(_needed(plan))
    if len(plans) > 1:
        yield _comparison(box)
        if box.beside is not None and box.beside.problem:
            yield Text(f"not compared with the {box.beside.precision} base DNN: {box.beside.problem}")
    for caveat in caveats(plan):
        yield Text.assemble(("warning: ", "yellow"), caveat)


def _apps(plan: Plan, title: str) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in ("app", "stream", "branchpoint"):
        table.add_column(heading, overflow="fold")
    for heading in ("fps", "votes", "threshold", "expected F1", "p", "q", "branch cost"):
        table.add_column(heading, justify="right")
    for app in plain_plan(plan)["apps"]:
        table.add_row(
            app["app"],
            app["stream"] if app["view"] == "full" else f"{app['stream']}/{app['view']}",
            branch_text(app["branchpoint"], app["precision"]),
            app["fps"],
            str(app["votes"]),
            f"0.{app['threshold']}",
            f"{app['expectedF1']:.3f}",
            f"{app['p']:.3f}",
            f"{app['q']:.3f}",
            f"{app['branchCost']:.4f}",
        )
    return table


def _figures(plan: Plan) -> str:
    assembled, result = plan.assembled, plan.result
    box = assembled.edge_node.spec
    if result.proven:
        proof = "proven best"
    elif result.bound is not None:
        proof = f"not proven: no schedule reaches more than {result.bound:.4f}"
    else:
        proof = "nothing proven"
    count = len(assembled.problem.apps) + len(assembled.unplannable)
    admitted = f"{len(plan.schedule.apps)} of {count} apps; one not admitted counts as 0"
    threads = "thread" if box.threads == 1 else "threads"
    left = f"what {assembled.ingest_cores:.2f} cores of ingest leave of {box.budget.cpu:g} for {box.threads} {threads}"
    share = f"engine seconds per second: {assembled.utilization:g} % of {left}"
    lines = [
        f"mean F1 {plan.mean_f1:.3f}, min F1 {plan.min_f1:.3f} ({admitted})",
        f"cost {result.cost:.4f} of budget {assembled.problem.budget:.4f} ({share})",
        f"memory about {mebibytes(plan.planned_bytes)} of {mebibytes(box.budget.memory)}",
        f"solver {result.solver}: {proof}",
    ]
    if result.price is not None:
        worth = result.price * one_per_cent(plan.assembled)
        lines.append(f"one more per cent of utilization is worth about {worth:.4f} of the mean F1")
    lines += [
        f"profile: base DNN {costs.base_dnn[7:19]}, {costs.whole_seconds * 1000:.1f} ms a frame for the whole network, batches "
        f"within {costs.spread:.0%}; {costs.engine} {costs.engine_version} on {costs.hardware}"
        for costs in assembled.costs.values()
    ]
    return "\n".join(lines)


def _needed(plan: Plan) -> str:
    cost = needed_for_all(plan)
    enough = needed_utilization(plan, cost)
    how = "more than all of this engine's time" if enough is None else f"budget.utilization {enough:g}"
    return f"all apps that can reach their minF1 need a cost of {cost:.4f} together: {how}"


def _comparison(box: Box) -> Table:
    """A row for each way of sharing, and for each base DNN where there are two."""
    plans = box.plans
    rows = [(plan, "") for plan in plans]
    if box.beside is not None and box.beside_plans:
        here = "f32" if box.beside.precision == "int8" else "int8"
        rows = [(plan, f", {here} base DNN") for plan in plans]
        rows += [(plan, f", {box.beside.precision} base DNN") for plan in box.beside_plans]
    table = Table(title=f"At the same budget, {plans[0].assembled.problem.budget:.4f}", title_justify="left")
    table.add_column("sharing")
    for heading in ("mean F1", "min F1", "cost", "mean fps", "admitted"):
        table.add_column(heading, justify="right")
    for plan, base in rows:
        table.add_row(
            NAMES[plan.sharing] + base,
            f"{plan.mean_f1:.3f}",
            f"{plan.min_f1:.3f}",
            f"{plan.result.cost:.4f}",
            f"{plan.mean_fps:.2f}",
            f"{len(plan.schedule.apps)} of {len(plan.assembled.problem.apps)}",
        )
    return table


def tree(schedule: Schedule) -> Tree:
    """What is computed once for whom: stream, view, runs of segments at one rate, branches where they hang."""
    root = Tree(f"EdgeNode {schedule.edge_node}", guide_style="dim")
    for name, stems in groupby(sorted(schedule.stems, key=lambda stem: stem.stream), key=lambda stem: stem.stream):
        stream = root.add(f"stream {name}")
        for stem in stems:
            apps = [app for app in schedule.apps if app.stem == stem.name]
            alone = f" for {apps[0].app} alone" if stem.name.endswith(f"/{apps[0].app}") else ""
            _grow(stream.add(f"view {stem.view}, base DNN {stem.base_dnn[7:19]}{alone}"), stem, apps)
    return root


def _grow(node: Tree, stem: Stem, apps: Sequence[ScheduledApp]) -> None:
    """Hang the branches of each cut, then the segments up to the next cut at which the rate changes or a branch hangs."""
    _hang(node, [app for app in apps if app.depth == 0])
    start = 0
    for depth, segment in enumerate(stem.segments, start=1):
        here = [app for app in apps if app.depth == depth]
        last = depth == len(stem.segments)
        if here or last or stem.segments[depth].fps != segment.fps:
            node = node.add(_run(stem.segments[start:depth]))
            _hang(node, here)
            start = depth


def _run(segments: Sequence[StemSegment]) -> str:
    seconds = sum(segment.planned_seconds for segment in segments)
    ends = segments[0].end if len(segments) == 1 else f"{segments[0].end} … {segments[-1].end}"
    return f"{ends}  {_rate(segments[0].fps)}, {seconds * 1000:.2f} ms"


def _hang(node: Tree, apps: Sequence[ScheduledApp]) -> None:
    for app in apps:
        votes = "1 vote" if app.votes == 1 else f"{app.votes} votes"
        milliseconds = app.planned_seconds * 1000
        branch = "" if app.precision == "f32" else f"{app.precision}, "
        node.add(
            f"[bold]{app.app}[/bold]  {branch}{_rate(app.fps)}, {votes}, {milliseconds:.2f} ms, F1 {app.expected_f1:.2f}"
        )


def _rate(fps: Fraction) -> str:
    return f"{fraction_text(fps)} fps"
