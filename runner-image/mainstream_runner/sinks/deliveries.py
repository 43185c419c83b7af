"""All sinks of a schedule's apps: a ``Sink`` that puts records into queues, and the threads that empty them.

Rules:

* a queue belongs to an app and an address (url and topic). A change of its Secret or of ``homeAssistant`` is a new connection
  to the same queue;
* apps with the very same sink share a connection and a thread;
* a sink that leaves the schedule is served until its queue is empty and what it published to stay is taken back, for
  ``LEAVING_SECONDS`` at most; what is left then is given up, with a message. A restart begins that time anew, for the queues'
  file keeps the sink, too;
* nothing here waits for a network but ``close``.
"""

import hashlib
import json
import random as system_random
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mainstream.errors import InputError
from mainstream.resources.app import Sink
from mainstream.schedule import ScheduledApp
from mainstream_runner.backoff import BackOff
from mainstream_runner.board import SinkState
from mainstream_runner.clock import Clock
from mainstream_runner.events import EVENT_ENDED, EVENT_STARTED
from mainstream_runner.secrets import Secrets
from mainstream_runner.sinks.address import Address, address
from mainstream_runner.sinks.delivery import Delivery, Wait
from mainstream_runner.sinks.link import Link
from mainstream_runner.sinks.mqtt import MqttLink
from mainstream_runner.sinks.queue import REFUSED, Limits, Queue
from mainstream_runner.sinks.store import Channel
from mainstream_runner.sinks.webhook import WebhookLink

DRAIN_SECONDS = 5.0
LEAVING_SECONDS = 3600.0
RETIRE_SECONDS = 10.0
"""For the old connection to take its discovery message back where ``homeAssistant`` was switched off."""

LEFT = "left the schedule; "
"""A state's message begins so where its sink is served only until its queue is empty."""
_GOODBYE_SECONDS = 2.0
_MOST_LEAVING = 32
"""More sinks than these that cannot be reached any more are not kept; the oldest is given up."""


class Deliveries:
    """See the module. A context manager; leaving it closes with ``DRAIN_SECONDS``."""

    def __init__(
        self,
        apps: Iterable[ScheduledApp],
        *,
        edge_node: str,
        folder: Path,
        secrets: Secrets,
        clock: Clock,
        say: Callable[[str], None],
        limits: Limits | None = None,
        random: Callable[[], float] = system_random.random,
        wait: Wait = threading.Event.wait,
        leaving_seconds: float = LEAVING_SECONDS,
    ) -> None:
        """``folder`` holds the queues, for one process at a time. ``say`` takes messages for the log.

        ``InputError`` if a sink is none or the folder cannot be used.
        """
        self._edge_node, self._secrets, self._clock, self._say = edge_node, secrets, clock, say
        self._random, self._wait, self._leaving_seconds = random, wait, leaving_seconds
        self._lock = threading.Lock()
        self._routes: Mapping[str, tuple[tuple[Channel, Delivery], ...]] = {}
        self._staying: dict[Sink, Delivery] = {}
        self._leaving: dict[Sink, Delivery] = {}
        self._closed = False
        apps = tuple(apps)
        _wanted(apps, edge_node)  # before the folder is touched
        self._queue = Queue(folder, say=say, limits=limits)
        self.exchange(apps)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(DRAIN_SECONDS)

    def write(self, record: Mapping[str, Any]) -> None:
        """Queue an event's start or end for the sinks of its app; other records are none of theirs. Never raises for a sink."""
        if record.get("type") not in {EVENT_STARTED, EVENT_ENDED}:
            return
        if not (routes := self._routes.get(str(record.get("subject")))):
            return
        body = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()
        for channel, delivery in routes:
            self._queue.append(channel, body)
            delivery.wake()

    def exchange(self, apps: Iterable[ScheduledApp]) -> None:
        """Serve the sinks of these apps from now on; those that stay keep queue and connection.

        Events of apps that leave are to be ended, and written, before. ``InputError`` if a sink is none; all stays as it was.
        """
        wanted = _wanted(apps, self._edge_node)
        with self._lock:
            if self._closed:
                return
            groups: dict[Sink, set[Channel]] = defaultdict(set)
            by_key: dict[str, Sink] = {}
            known = {channel.name: channel for channel in self._queue.channels()}
            for channel, place in wanted:
                groups[place.sink].add(channel)
                by_key.setdefault(place.key, place.sink)
                if known.pop(channel.name, None) != channel:
                    self._queue.register(channel)
            left = self._left(known.values(), groups, by_key)
            superseded = self._supersede(groups, by_key)
            for sink, channels in groups.items():
                if (delivery := self._staying.get(sink)) is not None:
                    delivery.channels = frozenset(channels)
                    delivery.wake()
                else:
                    self._staying[sink] = self._start(sink, channels, after=superseded[self._key(sink)])
            for sink, channels in left.items():
                self._leave(sink, channels)
            self._routes = {
                app: tuple((channel, self._staying[place.sink]) for channel, place in wanted if channel.app == app)
                for app in {channel.app for channel, _ in wanted}
            }

    def states(self) -> list[SinkState]:
        """All sinks of the schedule, and those that left it and are still served."""
        with self._lock:
            served = [(sink, delivery, "") for sink, delivery in self._staying.items()]
            served += [(sink, delivery, LEFT) for sink, delivery in self._leaving.items()]
        states = [
            self._state(channel, sink, delivery, note)
            for sink, delivery, note in served
            for channel in delivery.channels
        ]
        return sorted(states, key=lambda state: (state.app, state.sink))

    def close(self, drain_seconds: float) -> None:
        """Deliver what is queued for so many seconds at most, say goodbye, and keep the rest for the next process."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            deliveries = [*self._staying.values(), *self._leaving.values()]
        for delivery in deliveries:
            delivery.stop(drain_seconds)
        end = self._clock.seconds() + drain_seconds + _GOODBYE_SECONDS
        for delivery in deliveries:
            delivery.join(max(0.0, end - self._clock.seconds()))
        self._queue.close()

    # The following are called with the lock held.

    def _left(
        self, channels: Iterable[Channel], groups: Mapping[Sink, set[Channel]], by_key: Mapping[str, Sink]
    ) -> dict[Sink, set[Channel]]:
        """Queues that the schedule does not name: those with an address in use join it, the others are returned by sink."""
        left: dict[Sink, set[Channel]] = defaultdict(set)
        for channel in channels:
            if channel.key not in by_key:
                if (sink := self._sink(channel)) is not None:
                    left[sink].add(channel)
            elif self._queue.counts(channel).queued:
                groups[by_key[channel.key]].add(channel)
            else:
                self._queue.forget(channel)
        return left

    def _supersede(self, groups: Mapping[Sink, set[Channel]], by_key: Mapping[str, Sink]) -> dict[str, list[Delivery]]:
        """Stop deliveries to whose address another one delivers from now on; by address, so that it waits for their end."""
        superseded: dict[str, list[Delivery]] = defaultdict(list)
        shown = {self._key(sink) for sink in groups if sink.mqtt is not None and sink.mqtt.home_assistant}
        for served in (self._staying, self._leaving):
            for sink, delivery in list(served.items()):
                key = self._key(sink)
                if key not in by_key or (served is self._staying and sink in groups):
                    continue
                del served[sink]
                delivery.channels = frozenset()
                if sink.mqtt is not None and sink.mqtt.home_assistant and key not in shown:
                    delivery.leave(RETIRE_SECONDS)
                else:
                    delivery.stop(0.0)
                superseded[key].append(delivery)
        return superseded

    def _leave(self, sink: Sink, channels: Iterable[Channel]) -> None:
        if sink in self._leaving:
            return
        self._leaving[sink] = delivery = self._staying.pop(sink, None) or self._start(sink, channels)
        delivery.channels = frozenset(channels)
        delivery.leave(self._leaving_seconds)
        for oldest in list(self._leaving.values())[
            :-_MOST_LEAVING
        ]:  # those that were told before may not have ended yet
            oldest.leave(0.0)

    def _start(self, sink: Sink, channels: Iterable[Channel], *, after: Iterable[Delivery] = ()) -> Delivery:
        place = address(sink, edge_node=self._edge_node, where="sink")
        client = hashlib.sha256(self._queue.identity.encode() + sink.canonical()).hexdigest()[:13]

        def link(lost: Callable[[], None]) -> Link:
            if place.topic:
                return MqttLink(
                    place, secrets=self._secrets, client_id=f"mainstream{client}", edge_node=self._edge_node, lost=lost
                )
            return WebhookLink(place, secrets=self._secrets, clock=self._clock)

        delivery = Delivery(
            channels,
            queue=self._queue,
            link=link,
            back_off=BackOff(self._random),
            clock=self._clock,
            wait=self._wait,
            finished=lambda delivery: self._finished(sink, delivery),
        )
        delivery.start(after=after)
        return delivery

    def _sink(self, channel: Channel) -> Sink | None:
        """The sink of a queue that an earlier process left; None (and the queue is gone) if it is none any more."""
        try:
            sink = Sink.parse(channel.sink, where=channel.app)
            address(sink, edge_node=self._edge_node, where=channel.app)
        except InputError as error:
            self._say(f"a queue of an earlier version is given up: {error}")
            self._queue.forget(channel)
            return None
        return sink

    def _key(self, sink: Sink) -> str:
        return address(sink, edge_node=self._edge_node, where="sink").key

    # The following take the lock themselves, or need none.

    def _finished(self, sink: Sink, delivery: Delivery) -> None:
        """A sink that left the schedule is done with."""
        with self._lock:
            if self._closed or self._leaving.get(sink) is not delivery:
                return
            del self._leaving[sink]
            for channel in delivery.channels:
                if lost := self._queue.counts(channel).queued:
                    self._say(
                        f"app {channel.app}: {lost} records for a sink that left the schedule were given up: {delivery.fault}"
                    )
                self._queue.forget(channel)

    def _state(self, channel: Channel, sink: Sink, delivery: Delivery, note: str) -> SinkState:
        counts = self._queue.counts(channel)
        dropped = ", ".join(f"{reason} {number}" for reason, number in sorted(counts.dropped.items()))
        refusal = f" ({delivery.refusal})" if delivery.refusal and REFUSED in counts.dropped else ""
        parts = [delivery.fault, self._queue.fault, dropped and f"dropped: {dropped}{refusal}"]
        return SinkState(
            app=channel.app,
            sink=address(sink, edge_node=self._edge_node, where=channel.app).text,
            connected=delivery.fault is None,
            message=note + "; ".join(part for part in parts if part),
            queued=counts.queued,
            delivered=counts.delivered,
            dropped=sum(counts.dropped.values()),
        )


def _wanted(apps: Iterable[ScheduledApp], edge_node: str) -> list[tuple[Channel, Address]]:
    """The queues of a schedule with their addresses; ``InputError`` names app and sink."""
    wanted: dict[str, tuple[Channel, Address]] = {}
    for app in apps:
        for number, sink in enumerate(app.sinks):
            where = f"app {app.app}: sinks[{number}]"
            place = address(sink, edge_node=edge_node, where=where)
            channel = Channel(app=app.app, key=place.key, sink=sink.canonical().decode())
            if wanted.get(channel.name, (channel, place)) != (channel, place):
                raise InputError(
                    "has the address of another sink of this app, with other settings",
                    where=where,
                    remedy="Leave one out.",
                )
            wanted[channel.name] = (channel, place)
    return list(wanted.values())
