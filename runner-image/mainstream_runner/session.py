"""A run from its options to its summary: what ``mainstream run`` does once it has a schedule."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from mainstream.cli.output import Format, Output
from mainstream.errors import InputError
from mainstream.schedule import Schedule
from mainstream_runner.blobs import Blobs, CachedBlobs, LocalBlobs
from mainstream_runner.cache.clients import registry_clients
from mainstream_runner.cache.package_cache import PackageCache
from mainstream_runner.clock import SystemClock
from mainstream_runner.health import serve_probes
from mainstream_runner.interrupts import Interrupt, interrupts
from mainstream_runner.outlets import Outlets
from mainstream_runner.page.server import PageOptions, serve_page
from mainstream_runner.report.reporting import ReportOptions, reporting
from mainstream_runner.running import Run, Started, loaded_graphs, opened_streams, started
from mainstream_runner.secrets import Secrets
from mainstream_runner.sinks.jsonl import JsonLinesFile, Sink, StandardOutput
from mainstream_runner.sources.source import Connection, FrameSource
from mainstream_runner.summary import Summary
from mainstream_runner.watching import RecentEvents, RunBoard

FAILED = 1
LAST_GOOD = "last-schedule.json"
"""In the cache's folder: the schedule that ran last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheOptions:
    """A node's package cache, and how registries are asked."""

    folder: Path
    limit_bytes: int
    credentials: Path | None
    ca: Path | None
    plain_http: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says. ``schedule_file`` is watched for other schedules; None: one for the whole run.

    With ``report`` the runner is one of a cluster: it waits for schedules, and only a signal ends it. ``events`` None is
    standard output; ``no_events``: nowhere but to the apps' own sinks.
    """

    store: Path
    schedule_file: Path | None
    secrets: Path | None
    events: Path | None
    until_end: bool
    real_time: bool | None
    cache: CacheOptions | None
    probes: str | None
    page: PageOptions | None
    no_events: bool = False
    report: ReportOptions | None = None


def run_schedule(out: Output, schedule: Schedule, options: Options) -> int:
    """Run it and tell; the exit status."""
    if not schedule.apps and options.report is None:
        raise InputError(
            f"no app is in the schedule of edge node {schedule.edge_node!r}",
            remedy="Raise budget.utilization or lower the apps' minF1: `mainstream plan` shows what each would need.",
        )
    with ExitStack() as open_things:
        interrupt = open_things.enter_context(interrupts())
        blobs = open_things.enter_context(_blobs(out, schedule, options, interrupt))
        run = Run(
            schedule=schedule,
            schedule_file=options.schedule_file,
            blobs=blobs,
            secrets=Secrets(options.secrets),
            until_end=options.until_end,
            real_time=options.real_time,
            stop=interrupt.stop,
            changed=lambda stream, connection: _tell(out, stream, connection),
            stay=options.report is not None,
            last_good=options.cache.folder / LAST_GOOD if options.report is not None and options.cache else None,
        )
        sources = open_things.enter_context(opened_streams(run))
        with out.progress() as steps:
            advance = steps.start("merging graphs", len({app.stem for app in schedule.apps}))
            graphs = open_things.enter_context(loaded_graphs(run, advance))
        recent = RecentEvents()
        outlets = open_things.enter_context(
            Outlets(
                [*_events(options, open_things), recent],
                schedule,
                queues=options.store / "queues" / schedule.edge_node,
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
                taken=lambda new: out.say(
                    f"schedule {new.digest[7:19]} runs: {len(new.apps)} apps", schedule=new.digest, apps=len(new.apps)
                ),
                refused=lambda refusal: out.warn(
                    f"the new schedule is refused: {refusal.reason}; what runs goes on", reason=refusal.reason
                ),
            )
        )
        open_things.enter_context(_shown(out, ready, recent, outlets, options))
        summary = ready.pipeline.run()
    return _told(out, summary, interrupt, to_file=options.events is not None)


@contextmanager
def _blobs(out: Output, schedule: Schedule, options: Options, interrupt: Interrupt) -> Iterator[Blobs]:
    """Where blobs come from: the store as it is, or a cache that fetches what the schedule needs."""
    if options.cache is None:
        yield LocalBlobs(options.store)
        return
    cache = PackageCache(
        options.cache.folder,
        limit_bytes=options.cache.limit_bytes,
        client_for=registry_clients(
            stop=interrupt.stop,
            credentials=options.cache.credentials,
            ca=options.cache.ca,
            plain_http=options.cache.plain_http,
        ),
        stop=interrupt.stop,
        upstream=options.store if options.store.is_dir() else None,
    )
    try:
        with out.progress() as steps:
            cache.fetch(schedule, progress=steps.start)
        yield CachedBlobs(cache)
    finally:
        cache.close()


@contextmanager
def _shown(out: Output, ready: Started, recent: RecentEvents, outlets: Outlets, options: Options) -> Iterator[None]:
    """The probes, the metrics, the web page and the report to the cluster, while the run goes on."""
    clock = SystemClock()
    board = RunBoard(ready.pipeline, ready.exchange, recent, outlets, clock)
    with ExitStack() as open_things:
        if options.probes is not None:
            url = open_things.enter_context(serve_probes(board, options.probes))
            out.say(f"metrics and probes: {url}", url=url)
        if options.page is not None:
            url = open_things.enter_context(serve_page(board, options.page, warn=out.warn))
            out.say(f"web page: {url}", url=url)
        if options.report is not None:
            open_things.enter_context(reporting(board, options.report, clock=clock, say=out.say, warn=out.warn))
        yield


def _tell(out: Output, stream: str, connection: Connection) -> None:
    if connection.phase == "Connected":
        out.say(f"stream {stream!r}: connected", stream=stream, phase=connection.phase)
    else:
        message = f"stream {stream!r}: {connection.phase}: {connection.message}; trying again"
        out.warn(message, stream=stream, phase=connection.phase)


def _events(options: Options, open_things: ExitStack) -> Sequence[Sink]:
    if options.no_events:
        return ()
    return (StandardOutput() if options.events is None else open_things.enter_context(JsonLinesFile(options.events)),)


@contextmanager
def _progress(out: Output, sources: Mapping[str, FrameSource]) -> Iterator[Callable[[str, int], None]]:
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


def _told(out: Output, summary: Summary, interrupt: Interrupt, *, to_file: bool) -> int:
    if to_file and out.form is Format.JSON:
        out.result(summary.plain(), summary.table)
    else:
        out.summarize(summary.plain(), summary.table)
    for warning in summary.warnings():
        out.warn(warning)
    if interrupt.exit_status:
        out.say("interrupted; the events so far are whole, events that were open have been ended")
        return interrupt.exit_status
    cut_off = any(stream.ingest.end is not None and stream.ingest.end.reason == "CutOff" for stream in summary.streams)
    return FAILED if cut_off else 0
