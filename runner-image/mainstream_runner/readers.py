"""The reading threads: one for each stream, started and ended as schedules come and go."""

from collections.abc import Callable, Mapping
from threading import Thread

from mainstream_runner.active import Active, LoadedSchedule
from mainstream_runner.clock import Clock
from mainstream_runner.inbox import Inbox
from mainstream_runner.ingest import StreamReader
from mainstream_runner.plans import Convert
from mainstream_runner.priority import READER_NICENESS, make_nice
from mainstream_runner.sources.source import FrameSource

WATCH_SECONDS = 0.1
"""Who watches is told no more often: it is a progress bar."""

JOIN_SECONDS = 2.0
"""A thread that waits for a silent camera is left behind after that; it reads no more and ends with the process."""


class Readers:
    """All readers that still matter, by number. Used by the loop's thread; ``all`` may be looked at by others."""

    def __init__(
        self,
        inbox: Inbox,
        active: Active,
        convert: Callable[[], Convert],
        *,
        now: Callable[[], float],
        clock: Clock,
        real_time: bool,
        watch: Callable[[str, int], None],
    ) -> None:
        self.all: dict[int, StreamReader] = {}
        self._inbox = inbox
        self._active = active
        self._convert = convert
        self._now = now
        self._clock = clock
        self._real_time = real_time
        self._watch = watch
        self._watched: dict[int, int] = {}
        self._watched_at = 0.0
        self._threads: dict[int, Thread] = {}
        self._leaving: set[int] = set()
        self._failed: BaseException | None = None
        self._number = 0

    def start(self, loaded: LoadedSchedule, sources: Mapping[str, FrameSource]) -> None:
        """Start what reads ``sources``, the streams that are new; one that stays keeps its reader, even one at its end."""
        for reader in self.current():
            if loaded.plan_of(reader.stream) is None:
                self._leaving.add(reader.number)
                reader.leave()
        for plan in loaded.plans:
            if plan.stream.name not in sources:
                continue
            epoch = self._clock.seconds() - self._now()
            reader = StreamReader(
                self._number,
                plan.stream,
                sources[plan.stream.name],
                self._convert(),
                active=self._active,
                now=self._now,
                real_time=self._real_time,
                epoch=epoch,
            )
            self.all = {**self.all, reader.number: reader}
            self._number += 1
            self._inbox.add(reader.number)
            thread = Thread(target=self._read, args=(reader,), name=f"stream {plan.stream.name}", daemon=True)
            self._threads[reader.number] = thread
            thread.start()

    def current(self) -> list[StreamReader]:
        """Readers that are not at their end."""
        return [reader for number, reader in self.all.items() if number in self._threads]

    def ended(self) -> list[StreamReader]:
        """Readers at their end, all of whose frames were taken. Raises what a reader failed with."""
        if self._failed is not None:
            raise self._failed
        if not self._inbox.finished:
            return []
        return [reader for reader in self.current() if self._inbox.over(reader.number)]

    def forget(self, number: int) -> None:
        """A reader at its end needs no attention any more; its figures stay while its stream is in the schedule."""
        self._report(self.all[number])
        del self._threads[number]
        self._inbox.remove(number)
        self._leaving.discard(number)
        newest = {reader.stream.name: n for n, reader in self.all.items()}
        wanted = {plan.stream.name for plan in self._active.loaded.plans}
        self.all = {
            n: reader
            for n, reader in self.all.items()
            if n in self._threads or (newest[reader.stream.name] == n and reader.stream.name in wanted)
        }

    def report(self, now: float) -> None:
        """Tell whoever watches how many more frames were read, now and then; ``now`` is the clock's."""
        if now - self._watched_at < WATCH_SECONDS:
            return
        self._watched_at = now
        for reader in self.current():
            self._report(reader)

    def _report(self, reader: StreamReader) -> None:
        read, known = reader.frames, self._watched.get(reader.number, 0)
        if read > known:
            self._watch(reader.stream.name, read - known)
            self._watched[reader.number] = read

    def close(self) -> None:
        """Ask all to end, and wait a little."""
        for reader in self.current():
            reader.leave()
        for number, thread in self._threads.items():
            thread.join(JOIN_SECONDS)
            if not thread.is_alive():
                self.all[number].source.close()
        if self._failed is not None:
            raise self._failed

    def _read(self, reader: StreamReader) -> None:
        make_nice(READER_NICENESS)
        try:
            for item in reader.items():
                if not self._inbox.put(item):
                    return
        except BaseException as error:  # noqa: BLE001 - raised again by the loop
            self._failed = error
        finally:
            self._inbox.finish(reader.number)
