"""``mainstream evaluate``: event recall, precision and F1 per app and on average, against a CSV of true events."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from mainstream.cli.output import FilesOption, Format, Output, OutputOption
from mainstream.errors import InputError
from mainstream.evaluation.records import read_run
from mainstream.evaluation.score import Evaluation, evaluate
from mainstream.events_csv import read_events_csv
from mainstream.resources.manifests import load


def register(app: typer.Typer) -> None:
    """Add the verb ``evaluate``."""

    @app.command("evaluate")
    def command(
        filename: FilesOption,
        events: Annotated[Path, typer.Option("--events", help="What `mainstream run --events FILE` wrote.")],
        truth: Annotated[Path, typer.Option("--truth", help="CSV of true events: video,label,start_frame,end_frame.")],
        stream: Annotated[
            list[str] | None,
            typer.Option("--stream", help="NAME=VIDEO: which video of the CSV a stream showed. Default: by file name."),
        ] = None,
        output: OutputOption = Format.TABLE,
    ) -> None:
        """Score a run's events: emitted and true events are matched one to one.

        F1 counts every false event; F1 (model) at most one for each gap between true events, as the plan predicts it.
        """
        out = Output(output)
        manifests = load(filename)
        run = read_run(events)
        wanted = [
            app
            for app in manifests.apps
            if not app.spec.suspend
            and (not manifests.edge_nodes or run.edge_node in {n.metadata.name for n in manifests.edge_nodes_of(app)})
        ]
        files = {
            one.name: one.source.file.path
            for node in manifests.edge_nodes
            if node.metadata.name == run.edge_node
            for one in node.spec.streams
            if one.source.file is not None and one.source.file.path is not None
        }
        videos = dict(_pair(text) for text in stream or ())
        result = evaluate(run, wanted, read_events_csv(truth), truth_path=truth, videos=videos, files=files)
        out.result(result.plain(), lambda: table(result))
        for warning in result.warnings:
            out.warn(warning)


def _pair(text: str) -> tuple[str, str]:
    name, equals, video = text.partition("=")
    if not (name and equals and video):
        raise InputError(f"--stream: expected NAME=VIDEO, got {text!r}")
    return name, video


def table(result: Evaluation) -> Table:
    """For people: a row for each app, and the mean."""
    shown = Table(caption="merged: covered only by an event matched elsewhere; fragments are no errors", box=None)
    for heading in ("app", "stream"):
        shown.add_column(heading, overflow="fold")
    for heading in (
        *("F1", "F1 (model)", "expected F1", "recall", "precision"),
        *("true", "found", "merged", "emitted", "false", "fragments"),
    ):
        shown.add_column(heading, justify="right")
    plain = result.plain()
    for app in plain["apps"]:
        counts = (str(app[key]) for key in ("true_events", "found", "merged", "emitted", "false", "fragments"))
        shown.add_row(app["app"], app["stream"], *_scores(app), *counts)
    shown.add_section()
    shown.add_row(f"mean of {plain['mean']['apps']}", "", *_scores(plain["mean"]))
    return shown


def _scores(row: dict[str, float | None]) -> list[str]:
    values = (row.get(key) for key in ("f1", "f1_model", "expected_f1", "recall", "precision"))
    return ["-" if value is None else f"{value:.3f}" for value in values]
