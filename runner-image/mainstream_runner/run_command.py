"""``mainstream run``: plan (or read a schedule), open the streams, merge the graphs, run, sum up.

Exit status: 0 when all streams were read to their end; 1 if one was cut off (what could be read was analysed) or an operation
failed; 2 for wrong input; 130 and 143 after Ctrl-C and SIGTERM, with the summary so far and whole event records.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mainstream.cli.main import require
from mainstream.cli.output import DEFAULT_STORE, Format, Output, OutputOption, StoreOption
from mainstream.errors import InputError
from mainstream_runner.options import SecretsOption

if TYPE_CHECKING:
    from mainstream.schedule import Schedule
    from mainstream_runner.page.server import PageOptions
    from mainstream_runner.report.reporting import ReportOptions

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
        no_events: Annotated[
            bool, typer.Option("--no-events", help="Events to the apps' own sinks only, not to standard output.")
        ] = False,
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
        cache: Annotated[
            Path | None,
            typer.Option(
                "--cache", help="Folder that keeps packages from registries; fetched as the schedule needs them."
            ),
        ] = None,
        cache_limit: Annotated[
            str, typer.Option("--cache-limit", help="Bytes in the cache, such as 4Gi; what is in use always stays.")
        ] = "8Gi",
        registry_credentials: Annotated[
            Path | None,
            typer.Option("--registry-credentials", help="Docker config.json, or a mounted Secret's folder."),
        ] = None,
        plain_http: Annotated[
            list[str] | None,
            typer.Option("--plain-http", help="Registry (HOST:PORT) that is asked without TLS; may be repeated."),
        ] = None,
        registry_ca: Annotated[Path | None, typer.Option("--registry-ca", help="CA of the registry, PEM.")] = None,
        probes: Annotated[
            str | None,
            typer.Option(
                "--probes", help="HOST:PORT for /metrics (Prometheus), /healthz and /readyz; no pictures there."
            ),
        ] = None,
        web: Annotated[
            str | None,
            typer.Option(
                "--web",
                help="HOST:PORT for the web page: pictures, events, what is shared. 127.0.0.1:8080, for example.",
            ),
        ] = None,
        web_token: Annotated[
            Path | None,
            typer.Option("--web-token", help="File with the token that the page asks for; needed beyond this machine."),
        ] = None,
        web_tls_cert: Annotated[
            Path | None, typer.Option("--web-tls-cert", help="The page's certificate with its chain, PEM.")
        ] = None,
        web_tls_key: Annotated[Path | None, typer.Option("--web-tls-key", help="The certificate's key, PEM.")] = None,
        web_trusted_proxy: Annotated[
            list[str] | None,
            typer.Option(
                "--web-trusted-proxy",
                help="Address or network of a proxy that asks its users for passwords itself; may be repeated.",
            ),
        ] = None,
        report: Annotated[
            str | None,
            typer.Option(
                "--report",
                help="In a pod: run for this EdgeNode, report to its status, and wait for schedules instead of ending.",
            ),
        ] = None,
        report_seconds: Annotated[
            int, typer.Option("--report-seconds", min=1, help="How often it reports where nothing has turned.")
        ] = 300,
        lease_seconds: Annotated[
            int,
            typer.Option("--lease-seconds", min=4, help="How long its Lease counts; it renews it four times as often."),
        ] = 40,
        service_account: Annotated[
            Path | None, typer.Option("--service-account", help="Folder with the pod's token, ca.crt and namespace.")
        ] = None,
        logs: Annotated[
            Literal["text", "json"],
            typer.Option("--logs", help="Messages as lines for a person, or as JSON records; standard error."),
        ] = "text",
        secrets: SecretsOption = None,
        store: StoreOption = DEFAULT_STORE,
        output: OutputOption = Format.TABLE,
    ) -> None:
        """Run applications on this machine's streams; events as CloudEvents, one JSON object a line."""
        require("runner", "av", "ai_edge_litert", "structlog")
        from mainstream.logs import LoggedOutput, set_up

        set_up(json=logs == "json")
        out = LoggedOutput(output) if logs == "json" else Output(output)
        if (filename is None) == (schedule is None):
            raise InputError(
                "give exactly one of --filename and --schedule", remedy="mainstream run -f MANIFESTS [--events FILE]"
            )
        if no_events and events is not None:
            raise InputError("--events and --no-events exclude each other")
        reporting = _report(report, report_seconds, lease_seconds, service_account, schedule=schedule)
        if report is not None:
            planned = _nothing_yet(report)
        elif filename is not None:
            planned = _plan(
                out, filename, store, node=node, utilization=utilization, objective=objective, sharing=sharing
            )
        else:
            planned = _read_schedule(schedule or Path())
        from mainstream_runner.session import CacheOptions, Options, run_schedule

        options = Options(
            store=store,
            schedule_file=schedule,
            secrets=secrets,
            events=events,
            no_events=no_events,
            report=reporting,
            until_end=until_end,
            real_time=real_time,
            cache=None
            if cache is None
            else CacheOptions(
                folder=cache,
                limit_bytes=_bytes(cache_limit),
                credentials=registry_credentials,
                ca=registry_ca,
                plain_http=tuple(plain_http or ()),
            ),
            probes=probes,
            page=_page(
                web, token=web_token, certificate=web_tls_cert, key=web_tls_key, proxies=web_trusted_proxy or []
            ),
        )
        raise typer.Exit(run_schedule(out, planned, options))


def _page(
    address: str | None, *, token: Path | None, certificate: Path | None, key: Path | None, proxies: list[str]
) -> "PageOptions | None":
    from mainstream_runner.page.server import PageOptions
    from mainstream_runner.serving import Tls

    if (certificate is None) != (key is None):
        raise InputError("--web-tls-cert and --web-tls-key belong together: one of them is missing")
    if address is None:
        if token or certificate or proxies:
            raise InputError(
                "there is no page without --web", remedy="Add --web HOST:PORT, for example 127.0.0.1:8080."
            )
        return None
    tls = Tls(certificate=certificate, key=key) if certificate and key else None
    return PageOptions(address=address, token=token, tls=tls, proxies=tuple(proxies))


def _report(
    edge_node: str | None, seconds: int, lease_seconds: int, account: Path | None, *, schedule: Path | None
) -> "ReportOptions | None":
    from os import environ

    from mainstream_runner.report.api import SERVICE_ACCOUNT, in_cluster
    from mainstream_runner.report.reporting import ReportOptions

    if edge_node is None:
        return None
    if schedule is None:
        raise InputError("--report: whoever reports runs what --schedule names", remedy="Give --schedule FILE.")
    access = in_cluster(environ, account or SERVICE_ACCOUNT)
    return ReportOptions(edge_node=edge_node, access=access, report_seconds=seconds, lease_seconds=lease_seconds)


def _nothing_yet(edge_node: str) -> "Schedule":
    from mainstream_runner.idle import idle_schedule

    return idle_schedule(edge_node)


def _bytes(text: str) -> int:
    from pydantic import TypeAdapter, ValidationError

    from mainstream.resources.quantities import MemoryBytes

    try:
        return TypeAdapter(MemoryBytes).validate_python(text)
    except ValidationError:
        raise InputError(f"--cache-limit: expected bytes such as 512Mi or 8Gi, got {text!r}") from None


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
