"""``python -m mainstream_operator``: the operator's process."""

import logging
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from mainstream.errors import MainstreamError
from mainstream.logs import set_up
from mainstream_operator import allocator

SETTINGS = Path("/etc/mainstream/settings.yaml")


def arguments(given: Sequence[str] | None = None) -> Namespace:
    """What is given on the command line."""
    parser = ArgumentParser(prog="python -m mainstream_operator", description="Mainstream's Kubernetes operator.")
    parser.add_argument("--settings", type=Path, default=SETTINGS, help="YAML file; default: %(default)s")
    parser.add_argument(
        "--kubeconfig", type=Path, help="outside a cluster: a kubeconfig; default: the pod's service account"
    )
    parser.add_argument("--probe-port", type=int, default=8080, help="of /healthz; default: %(default)s")
    parser.add_argument("--metrics-port", type=int, default=9090, help="of /metrics and /readyz; default: %(default)s")
    parser.add_argument("--host", default="0.0.0.0", help="address of both ports; default: %(default)s")  # noqa: S104
    parser.add_argument("--folder", type=Path, help="for packages' configs; default: in the temporary folder")
    parser.add_argument("--log-level", choices=("debug", "info", "warning"), default="info")
    parser.add_argument("--log-format", choices=("json", "text"), default="json")
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> int:
    """Run until a signal; the exit status."""
    options = arguments(given)
    allocator.give_back_freed_memory()
    set_up(json=options.log_format == "json", level=getattr(logging, options.log_level.upper()))
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)  # a line for each event that was heard
    # After the arguments: importing the clients takes a second that --help need not wait for.
    from mainstream_operator import assembly, health, shell
    from mainstream_operator.client import Api
    from mainstream_operator.decisions import Decisions
    from mainstream_operator.loop import WORKERS
    from mainstream_operator.metrics import Meter
    from mainstream_operator.observe import selections
    from mainstream_operator.settings import Settings

    log = logging.getLogger("mainstream_operator")
    try:
        settings = Settings.load(options.settings)
    except MainstreamError as error:
        log.error("%s", error)  # noqa: TRY400 - a person's mistake needs no stack trace
        return error.exit_status
    if options.kubeconfig is not None:
        os.environ["KUBECONFIG"] = str(options.kubeconfig)
    decisions = Decisions()
    meter = Meter(decisions)
    connections = WORKERS + sum(1 for _ in selections(settings)) + 2
    api = Api.connect(
        str(options.kubeconfig) if options.kubeconfig else None, connections=connections, called=meter.called
    )
    folder = options.folder or assembly.work_folder()
    folder.mkdir(parents=True, exist_ok=True)
    operator = assembly.Operator(settings, api, meter, decisions, folder)
    server = health.serve(meter.registry, operator.not_ready, host=options.host, port=options.metrics_port)
    try:
        shell.run(operator, probe_port=options.probe_port, probe_host=options.host)
    finally:
        operator.stop()
        server.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
