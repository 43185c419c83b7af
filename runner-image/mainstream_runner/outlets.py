"""Where a run's records go: JSON lines, the newest ones for who looks, and the apps' own sinks with their durable queues."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mainstream.schedule import Schedule, ScheduledApp
from mainstream_runner.board import SinkState
from mainstream_runner.clock import Clock
from mainstream_runner.secrets import Secrets
from mainstream_runner.sinks.deliveries import Deliveries
from mainstream_runner.sinks.jsonl import Sink


class Outlets:
    """A ``Sink`` over several. A context manager. The queues' folder is used from the first schedule with a sink on."""

    def __init__(
        self,
        direct: Sequence[Sink],
        schedule: Schedule,
        *,
        queues: Path,
        secrets: Secrets,
        clock: Clock,
        say: Callable[[str], None],
    ) -> None:
        """``InputError`` if a sink of the schedule is none, or the folder cannot be used."""
        self._direct = direct
        self._queues = queues
        self._secrets = secrets
        self._clock = clock
        self._say = say
        self._apps = schedule.apps
        self._edge_node = schedule.edge_node
        self._open_things = ExitStack()
        self._deliveries: Deliveries | None = None
        self._serve(schedule.apps)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open_things.close()

    def write(self, record: Mapping[str, Any]) -> None:
        """Give it to all of them, to the durable queues first: what was seen elsewhere is delivered, whatever happens then."""
        if self._deliveries is not None:
            self._deliveries.write(record)
        for sink in self._direct:
            sink.write(record)

    def prepare(self, schedule: Schedule) -> None:
        """Another schedule will run: serve its sinks, and those of apps that leave until their last events are written.

        ``InputError`` if one is none; all stays as it was.
        """
        coming = {app.app for app in schedule.apps}
        self._serve((*schedule.apps, *(app for app in self._apps if app.app not in coming)))

    def settle(self, schedule: Schedule) -> None:
        """It runs: apps that left are served no more."""
        self._apps = schedule.apps
        self._serve(schedule.apps)

    def states(self) -> Sequence[SinkState]:
        """How the apps' sinks stand."""
        return self._deliveries.states() if self._deliveries is not None else ()

    def _serve(self, apps: Iterable[ScheduledApp]) -> None:
        apps = tuple(apps)
        if self._deliveries is not None:
            self._deliveries.exchange(apps)
        elif any(app.sinks for app in apps):
            self._deliveries = self._open_things.enter_context(
                Deliveries(
                    apps,
                    edge_node=self._edge_node,
                    folder=self._queues,
                    secrets=self._secrets,
                    clock=self._clock,
                    say=self._say,
                )
            )
