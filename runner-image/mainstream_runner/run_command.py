"""``mainstream run``: plan (or read a schedule), open the streams, merge the graphs, run, sum up.

Exit status: 0 when all streams were read to their end; 1 if one was cut off (what could be read was analysed) or an operation
failed; 2 for wrong input; 130 and 143 after Ctrl-C and SIGTERM, with the summary so far and whole event records.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mainstream.cli.main import require
from mainstream.cli.output import DEFAULT_STORE, Format, Output, OutputOption, StoreOption
from mainstream.errors import InputError
from mainstream_runner.options import SecretsOption

if TYPE_CHECKING:
    from mainstream.schedule import Schedule
    from mainstream_runner.sinks.jsonl import Sink
    from mainstream_runner.sources.source import Connection, FrameSource
    from mainstream_runner.summary import Summary

FAILED = 1


# mainstream.scheduling.problem's, written out: a verb's module is imported for `mainstream --help`, so it stays light
ObjectiveName = Literal["MeanF1", "MaxMinF1", "MaxMinThenMeanF1"]
SharingName = Literal["Mainstream", "MaxSharing", "NoSharing"]


def run(app: typer.Typer) -> None:
    """Add the verb ``run``."""

    @app.command("run")
    def command(
        *,
        filename: Annotated[
            Path | None,
            typer.Option("--filename", "-f", help="Manifest file, or a folder with manifests: plan, then run."),
        ] = None,
        schedule: Annotated[
            Path | None,
            typer.Option(
                "--schedule",
                help="Run a schedule that `mainstream plan` wrote; when the file changes, go on with the new one.",
            ),
        ] = None,
        node: Annotated[str | None, typer.Option("--node", help="Which EdgeNode to run, if there are several.")] = None,
        events: Annotated[
            Path | None, typer.Option("--events", help="File for the events; standard output otherwise.")
        ] = None,
        until_end: Annotated[
            bool, typer.Option("--until-end", help="Play files that loop once; stop when all streams ended.")
        ] = False,
        real_time: Annotated[
            bool | None,
            typer.Option(
                "--real-time/--fast", help="At the streams' own pace, or as fast as possible. Default: file.realTime."
            ),
        ] = None,
        utilization: Annotated[
            float | None, typer.Option("--utilization", help="Per cent of the engine's time to plan with.")
        ] = None,
        objective: Annotated[
            ObjectiveName | None, typer.Option("--objective", help="What to plan for; default: the EdgeNode's.")
        ] = None,
        sharing: Annotated[
            SharingName, typer.Option("--sharing", help="How to share; the others than Mainstream are baselines.")
        ] = "Mainstream",
        secrets: SecretsOption = None,
        store: StoreOption = DEFAULT_STORE,
        output: OutputOption = Format.TABLE,
    ) -> None:
        """Run applications on this machine's streams; events as CloudEvents, one JSON object a line."""
        require("runner", "av", "ai_edge_litert")
        out = Output(output)
        if (filename is None) == (schedule is None):
            raise InputError(
                "give exactly one of --filename and --schedule", remedy="mainstream run -f MANIFESTS [--events FILE]"
            )
        if filename is not None:
            planned = _plan(
                out, filename, store, node=node, utilization=utilization, objective=objective, sharing=sharing
            )
        else:
            planned = _read_schedule(schedule or Path())
        status = _run(
            out,
            planned,
            store,
            schedule_file=schedule,
            secrets=secrets,
            events=events,
            until_end=until_end,
            real_time=real_time,
        )
        raise typer.Exit(status)


def _plan(
    out: Output,
    path: Path,
    store: Path,
    *,
    node: str | None,
    utilization: float | None,
    objective: ObjectiveName | None,
    sharing: SharingName,
) -> "Schedule":
    """The schedule that ``mainstream plan`` with the same options shows; apps that do not fit are named."""
    from mainstream.packages.folder import StoreFolder
    from mainstream.resources.manifests import load
    from mainstream.scheduling.planning import choose_edge_node, decide, prepare

    manifests = load(path)
    edge_node = choose_edge_node(manifests, node)
    assembled = prepare(manifests, StoreFolder(store), edge_node, utilization=utilization)
    plan = decide(
        assembled,
        manifests,
        objective=objective,
        sharing=sharing,
    )
    for rejected in plan.result.rejected:
        out.warn(f"app {rejected.app} does not run: {rejected.reason}: {rejected.message}")
    return plan.schedule


def _read_schedule(path: Path) -> "Schedule":
    from mainstream.schedule import Schedule

    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the schedule: {error.strerror}", where=path) from None
    return Schedule.from_json(data, where=path)


def _run(
    out: Output,
    schedule: "Schedule",
    store: Path,
    *,
    schedule_file: Path | None,
    secrets: Path | None,
    events: Path | None,
    until_end: bool,
    real_time: bool | None,
) -> int:
    from mainstream.packages.folder import StoreFolder
    from mainstream_runner.clock import SystemClock
    from mainstream_runner.interrupts import interrupts
    from mainstream_runner.local_blobs import LocalBlobs
    from mainstream_runner.outlets import Outlets
    from mainstream_runner.running import Run, loaded_graphs, opened_streams, started
    from mainstream_runner.secrets import Secrets

    if not schedule.apps:
        raise InputError(
            f"no app is in the schedule of edge node {schedule.edge_node!r}",
            remedy="Raise budget.utilization or lower the apps' minF1: `mainstream plan` shows what each would need.",
        )
    layout = StoreFolder(store).layout
    with ExitStack() as open_things:
        interrupt = open_things.enter_context(interrupts())
        run = Run(
            schedule=schedule,
            schedule_file=schedule_file,
            blobs=LocalBlobs(store),
            read=layout.read_blob,
            secrets=Secrets(secrets),
            until_end=until_end,
            real_time=real_time,
            stop=interrupt.stop,
            changed=lambda stream, connection: _tell(out, stream, connection),
        )
        sources = open_things.enter_context(opened_streams(run))
        with out.progress() as steps:
            advance = steps.start("merging graphs", len({app.stem for app in schedule.apps}))
            graphs = open_things.enter_context(loaded_graphs(run, advance))
        outlets = open_things.enter_context(
            Outlets(
                [open_things.enter_context(_sink(events))],
                schedule,
                queues=store / "queues" / schedule.edge_node,
                secrets=run.secrets,
                clock=SystemClock(),
                say=out.warn,
            )
        )
        ready = open_things.enter_context(
            started(
                run,
                sources,
                graphs,
                sink=outlets,
                watch=open_things.enter_context(_progress(out, sources)),
                taken=lambda new: out.say(f"schedule {new.digest[7:19]} runs: {len(new.apps)} apps"),
                refused=lambda refusal: out.warn(f"the new schedule is refused: {refusal.reason}; the old one runs on"),
            )
        )
        summary = ready.pipeline.run()
    _print_summary(out, summary, to_file=events is not None)
    if interrupt.exit_status:
        out.say("interrupted; the events so far are whole, events that were open have been ended")
        return interrupt.exit_status
    cut_off = any(stream.ingest.end is not None and stream.ingest.end.reason == "CutOff" for stream in summary.streams)
    return FAILED if cut_off else 0


def _tell(out: Output, stream: str, connection: "Connection") -> None:
    if connection.phase == "Connected":
        out.say(f"stream {stream!r}: connected")
    else:
        out.warn(f"stream {stream!r}: {connection.phase}: {connection.message}; trying again")


def _sink(events: Path | None) -> "AbstractContextManager[Sink]":
    from mainstream_runner.sinks.jsonl import JsonLinesFile, StandardOutput

    return nullcontext(StandardOutput()) if events is None else JsonLinesFile(events)


@contextmanager
def _progress(out: Output, sources: "Mapping[str, FrameSource]") -> Iterator[Callable[[str, int], None]]:
    """A bar for each stream that has an end; gives what tells it how many more frames were read."""
    with out.progress() as steps:
        advance = {
            name: steps.start(f"stream {name}", source.info.frames)
            for name, source in sources.items()
            if source.info.frames is not None and not source.info.loop
        }

        def watch(stream: str, frames: int) -> None:
            if stream in advance:
                advance[stream](frames)

        yield watch


def _print_summary(out: Output, summary: "Summary", *, to_file: bool) -> None:
    if to_file and out.form is Format.JSON:
        out.result(summary.plain(), summary.table)
    else:
        out.messages.print(summary.table())
    for warning in summary.warnings():
        out.warn(warning)
