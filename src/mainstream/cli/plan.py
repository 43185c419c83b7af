"""``mainstream plan``: what would run, how well and at what cost; nothing is run.

Exit status: 0 if some app is admitted, 1 if none is (the answer is printed all the same, a schedule is not written).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainstream.cli.output import DEFAULT_STORE, FilesOption, Format, Output, OutputOption, StoreOption
from mainstream.errors import InputError

if TYPE_CHECKING:
    from mainstream.quality import Model
    from mainstream.scheduling.assemble import Assembled
    from mainstream.scheduling.decide import Plan

NOTHING_FITS = 1


def register(app: typer.Typer) -> None:
    """Add the verb ``plan``."""

    @app.command("plan")
    def command(
        *,
        filename: FilesOption,
        node: Annotated[
            str | None, typer.Option("--node", help="Only this EdgeNode; default: all of the manifests.")
        ] = None,
        utilization: Annotated[
            float | None,
            typer.Option(
                "--utilization", help="Per cent of the engine's time to plan with, instead of the EdgeNode's."
            ),
        ] = None,
        objective: Annotated[
            str | None,
            typer.Option("--objective", help="MeanF1, MaxMinF1 or MaxMinThenMeanF1, instead of the EdgeNode's."),
        ] = None,
        solver: Annotated[str | None, typer.Option("--solver", help="The scheduler.")] = None,
        sharing: Annotated[
            str, typer.Option("--sharing", help="Mainstream, or a baseline: MaxSharing, NoSharing.")
        ] = "Mainstream",
        model: Annotated[
            str, typer.Option("--model", help="F1 model: corrected, or legacy (the paper's published code).")
        ] = "corrected",
        compare: Annotated[
            bool,
            typer.Option(
                "--compare",
                help="Beside it what the baselines, and the same apps on the base DNN of the other precision, would reach.",
            ),
        ] = False,
        sweep: Annotated[
            str | None,
            typer.Option(
                "--sweep",
                help="F1 over a range, beside greedy and the baselines: utilization=10..100, apps, apps=2..8.",
            ),
        ] = None,
        figure: Annotated[
            Path | None, typer.Option("--figure", help="With --sweep: a PNG, SVG or PDF to draw.")
        ] = None,
        explain: Annotated[
            str | None,
            typer.Option("--explain", help="Why this app got its branchpoint and rate, and what others would cost."),
        ] = None,
        schedule_out: Annotated[
            Path | None,
            typer.Option("--schedule-out", help="Write the schedule here: `mainstream run --schedule FILE`."),
        ] = None,
        store: StoreOption = DEFAULT_STORE,
        output: OutputOption = Format.TABLE,
    ) -> None:
        """Decide branchpoint, rate, votes and threshold of every app, for the best F1 within the budget."""
        from mainstream.cli.plan_view import view
        from mainstream.packages.files import write_whole
        from mainstream.packages.folder import StoreFolder
        from mainstream.resources.manifests import load
        from mainstream.scheduling.beside import Box, compared, plain_beside
        from mainstream.scheduling.planning import choose_edge_node, decide, prepare
        from mainstream.scheduling.solve import DEFAULT_SOLVER
        from mainstream.scheduling.summary import plain_box, plain_plan

        out = Output(output)
        manifests = load(filename)
        if node is None and manifests.edge_nodes and schedule_out is None:
            nodes = manifests.edge_nodes
        else:
            nodes = (choose_edge_node(manifests, node),)
        if figure is not None and sweep is None:
            raise InputError(
                "--figure: there is nothing to draw", remedy="Say what to sweep: --sweep utilization=10..100"
            )
        if sweep is not None:
            (edge_node,) = nodes if len(nodes) == 1 else (choose_edge_node(manifests, node),)
            assembled = prepare(manifests, StoreFolder(store), edge_node, utilization=utilization, model=_model(model))
            _sweep(out, assembled, sweep, objective=objective, figure=figure)
            return

        def decided(problem: "Assembled", way: str) -> "Plan":
            return decide(problem, manifests, objective=objective, solver=solver or DEFAULT_SOLVER, sharing=way)

        boxes = []
        for edge_node in nodes:
            assembled = prepare(manifests, StoreFolder(store), edge_node, utilization=utilization, model=_model(model))
            box = Box(plans=(decided(assembled, sharing),))
            boxes.append(compared(box, manifests, StoreFolder(store), decided, model=_model(model)) if compare else box)
        chosen = [box.plans[0] for box in boxes]
        if explain is not None:
            _explain(out, chosen, explain)
            return
        out.result(
            {
                "edgeNodes": [
                    {
                        **plain_box(box.plans[0]),
                        "plans": {plan.sharing: plain_plan(plan) for plan in box.plans},
                        **plain_beside(box),
                    }
                    for box in boxes
                ]
            },
            lambda: view(boxes),
        )
        for note in manifests.notes:
            out.say(f"note: {note}")
        if schedule_out is not None and chosen[0].schedule.apps:
            write_whole(schedule_out, chosen[0].schedule.to_json() + b"\n")
            out.say(f"schedule written: {schedule_out}")
        _say_if_nothing_fits(out, chosen)


def _sweep(out: Output, assembled: "Assembled", text: str, *, objective: str | None, figure: Path | None) -> None:
    from mainstream.cli.plan_sweep import draw_sweep, sweep_table
    from mainstream.scheduling.planning import objective_of
    from mainstream.scheduling.sweep import Range, plain_steps
    from mainstream.scheduling.sweep import sweep as swept

    over = Range.parse(text, apps=len(assembled.problem.apps))
    with out.progress() as progress:
        advance = progress.start(f"sweeping {over.what}", len(over.values))
        steps = swept(assembled, over, objective_of(assembled, objective), done=advance)
    if figure is not None:
        draw_sweep(figure, over, steps)
    plain = {"edgeNode": assembled.edge_node.metadata.name, "sweep": over.what, "steps": plain_steps(steps)}
    out.result(plain, lambda: sweep_table(assembled, over, steps))
    if figure is not None:
        out.say(f"figure: {figure}")


def _explain(out: Output, plans: "list[Plan]", name: str) -> None:
    from mainstream.scheduling.explain import explain, plain_explanation

    if len(plans) > 1:
        raise InputError("--explain: the manifests hold several EdgeNodes", remedy="Choose one: --node NAME")
    found = explain(plans[0], name)
    out.result(plain_explanation(found), lambda: "\n".join((f"{found.app}:", *found.sentences)))


def _model(text: str) -> "Model":
    if text == "legacy":
        return "legacy"
    if text == "corrected":
        return "corrected"
    raise InputError(f"--model: unknown value {text!r}; known: corrected, legacy")


def _say_if_nothing_fits(out: Output, plans: "list[Plan]") -> None:
    nothing = [plan for plan in plans if not plan.schedule.apps]
    for plan in nothing:
        name = plan.assembled.edge_node.metadata.name
        out.say(
            f"EdgeNode {name}: no app can be admitted (budget {plan.assembled.problem.budget:.4f}, "
            f"{plan.assembled.utilization:g} % of the engine's time); reasons and remedies are above, no schedule"
        )
    if len(nothing) == len(plans):
        raise typer.Exit(NOTHING_FITS)
