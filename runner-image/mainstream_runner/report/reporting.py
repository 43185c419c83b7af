"""Puts the report together: its two threads, each with a connection of its own, so that neither waits for the other."""

import os
import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread

from mainstream_runner.board import Board
from mainstream_runner.clock import Clock
from mainstream_runner.report.api import Access, ApiServer
from mainstream_runner.report.lease import LeaseKeeper
from mainstream_runner.report.reporter import Reporter, Say

JOIN_SECONDS = 1.0
"""A thread that waits for an API server that is away is left behind; it ends with the process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """Whom to report to, as which EdgeNode, and how often."""

    edge_node: str
    access: Access
    report_seconds: int
    lease_seconds: int


@contextmanager
def reporting(board: Board, options: ReportOptions, *, clock: Clock, say: Say, warn: Say) -> Iterator[None]:
    """Report and renew until the block ends."""
    stop = Event()
    reporter = Reporter(
        board,
        ApiServer(options.access, utc=clock.utc),
        edge_node=options.edge_node,
        every_seconds=options.report_seconds,
        clock=clock,
        random=random.random,
        say=say,
        warn=warn,
    )
    keeper = LeaseKeeper(
        board,
        ApiServer(options.access, utc=clock.utc),
        edge_node=options.edge_node,
        namespace=options.access.namespace,
        holder=os.environ.get("HOSTNAME") or socket.gethostname(),
        lease_seconds=options.lease_seconds,
        clock=clock,
        random=random.random,
        warn=warn,
    )
    threads = [
        Thread(target=run, args=(stop,), name=name, daemon=True)
        for name, run in (("report", reporter.run), ("lease", keeper.run))
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(JOIN_SECONDS)
