"""The durable queue: order, bounds, and what it outlives."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections import deque
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstream.errors import InputError
from mainstream_runner.sinks.queue import Limits, Queue
from mainstream_runner.sinks.store import Channel

CHANNEL = Channel(app="traffic/red-car", key="k", sink="{}")
OTHER = Channel(app="traffic/bus", key="k", sink="{}")


def _body(number: int, size: int = 0) -> bytes:
    return json.dumps({"number": number, "fill": "x" * size}).encode()


def _open(folder: Path, **options: object) -> Queue:
    queue = Queue(folder, say=options.pop("say", lambda _text: None), **options)
    for channel in (CHANNEL, OTHER):
        queue.register(channel)
    return queue


def _numbers(queue: Queue, *channels: Channel) -> list[int]:
    """Empty a queue."""
    numbers = []
    while (entry := queue.peek(channels or (CHANNEL,))) is not None:
        numbers.append(entry.record["number"])
        queue.acknowledge(entry)
    return numbers


def test_records_come_in_order_and_are_there_until_acknowledged(tmp_path: Path) -> None:
    """Peeking changes nothing; two queues together come in the order of their records."""
    queue = _open(tmp_path)
    for number in range(6):
        queue.append((CHANNEL, OTHER)[number % 2], _body(number))
    assert queue.peek([CHANNEL]).record["number"] == queue.peek([CHANNEL]).record["number"] == 0
    assert _numbers(queue, CHANNEL, OTHER) == list(range(6))
    assert queue.counts(CHANNEL).delivered == 3
    queue.close()


def test_a_full_queue_loses_its_oldest_and_counts_them(tmp_path: Path) -> None:
    """By rows and by bytes; the other queue is not touched, and the count outlives the process."""
    for name, limits in (("rows", Limits(rows=3)), ("bytes", Limits(size_bytes=3 * len(_body(0, 1000))))):
        queue = _open(tmp_path / name, limits=limits)
        queue.append(OTHER, _body(0))
        for number in range(8):
            queue.append(CHANNEL, _body(number, 1000))
        queue.close()
        queue = _open(tmp_path / name, limits=limits)
        counts = queue.counts(CHANNEL)
        assert (counts.queued, counts.dropped) == (3, {"QueueFull": 5})
        assert queue.counts(OTHER).queued == 1
        assert _numbers(queue) == [5, 6, 7]
        queue.close()


def test_a_record_larger_than_the_queue_is_dropped_alone(tmp_path: Path) -> None:
    """It does not push the others out."""
    queue = _open(tmp_path, limits=Limits(size_bytes=1000))
    queue.append(CHANNEL, _body(1))
    queue.append(CHANNEL, _body(2, 2000))
    assert queue.counts(CHANNEL).dropped == {"TooLarge": 1}
    assert _numbers(queue) == [1]
    queue.close()


def test_what_was_dropped_while_it_was_sent_is_not_counted_twice(tmp_path: Path) -> None:
    """The oldest of a full queue may be on its way; its acknowledgement then removes nothing else."""
    queue = _open(tmp_path, limits=Limits(rows=2))
    queue.append(CHANNEL, _body(0))
    entry = queue.peek([CHANNEL])
    queue.append(CHANNEL, _body(1))
    queue.append(CHANNEL, _body(2))
    queue.acknowledge(entry)
    assert queue.counts(CHANNEL).delivered == 0
    assert queue.counts(CHANNEL).dropped == {"QueueFull": 1}
    assert _numbers(queue) == [1, 2]
    queue.close()


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(st.sampled_from(["append", "append", "acknowledge", "refuse", "reopen", "settle"]), max_size=30))
def test_it_is_a_queue_whatever_is_done_with_it(steps: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Beside a deque of limited length, over restarts."""
    folder = tmp_path_factory.mktemp("queue")
    queue, model, dropped, refused = _open(folder, limits=Limits(rows=4)), deque[int](), 0, 0
    for number, step in enumerate(steps):
        if step == "append":
            queue.append(CHANNEL, _body(number))
            model.append(number)
            if len(model) > 4:
                model.popleft()
                dropped += 1
        elif step == "reopen":
            queue.close()
            queue = _open(folder, limits=Limits(rows=4))
        elif step == "settle":
            queue.settle()
        elif (entry := queue.peek([CHANNEL])) is not None:
            assert entry.record["number"] == model.popleft()
            (queue.acknowledge if step == "acknowledge" else queue.refuse)(entry)
            refused += step == "refuse"
        counts = queue.counts(CHANNEL)
        assert counts.queued == len(model)
        assert counts.dropped.get("QueueFull", 0) == dropped
        assert counts.dropped.get("Refused", 0) == refused
    queue.close()


WRITER = """
import sys
from pathlib import Path
from mainstream_runner.sinks.queue import Queue
from mainstream_runner.sinks.store import Channel
channel = Channel(app="traffic/red-car", key="k", sink="{}")
queue = Queue(Path(sys.argv[1]), say=print)
queue.register(channel)
for number in range(10**9):
    queue.append(channel, b'{"number": %d, "fill": "%s"}' % (number, b"x" * 5000))
    if number % 3 == 2:
        queue.acknowledge(queue.peek([channel]))
    print(number, flush=True)
"""


def test_what_was_queued_outlives_kill_9(tmp_path: Path) -> None:
    """A process is killed in the middle of appending; what it said to be queued is there, without a gap."""
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if int(line) == 400:
                writer.send_signal(signal.SIGKILL)
                break
        last = max([400, *(int(line) for line in writer.stdout.read().split("\n")[:-1] if line)])
    queue = _open(tmp_path)
    numbers = _numbers(queue)
    assert numbers[0] <= (last + 1) // 3 + 1
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert numbers[-1] in {last, last + 1}
    queue.close()


def test_records_of_an_earlier_process_are_not_fresh(tmp_path: Path) -> None:
    """They say nothing about what is the case now."""
    queue = _open(tmp_path)
    queue.append(CHANNEL, _body(0))
    queue.close()
    queue = _open(tmp_path)
    queue.append(CHANNEL, _body(1))
    first = queue.peek([CHANNEL])
    queue.acknowledge(first)
    assert (first.fresh, queue.peek([CHANNEL]).fresh) == (False, True)
    queue.close()


def test_a_second_process_is_told_that_the_folder_is_in_use(tmp_path: Path) -> None:
    """The message says what to do."""
    queue = _open(tmp_path)
    code = (
        "import sys; from pathlib import Path; from mainstream_runner.sinks.queue import Queue\n"
        "from mainstream.errors import InputError\n"
        "try: Queue(Path(sys.argv[1]), say=print)\n"
        "except InputError as error: print(error); sys.exit(error.exit_status)\n"
    )
    second = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert second.returncode == 2
    assert "another process delivers from this folder" in second.stdout
    assert str(tmp_path) in second.stdout
    assert "a folder of its own" in second.stdout
    identity = queue.identity
    queue.close()
    again = _open(tmp_path)
    assert again.identity == identity
    again.close()


def test_a_folder_that_cannot_be_one_is_a_users_mistake(tmp_path: Path) -> None:
    """A file stands in its place."""
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be the folder"):
        Queue(tmp_path / "file", say=print)


@pytest.mark.parametrize("fault", ["garbage", "cut", "version"])
def test_a_damaged_file_is_moved_aside_and_a_new_one_begun(tmp_path: Path, fault: str) -> None:
    """Found when it is opened; the message names both."""
    queue = _open(tmp_path)
    for number in range(200):
        queue.append(CHANNEL, _body(number, 2000))
    queue.close()
    file = tmp_path / "queue.sqlite"
    if fault == "garbage":
        file.write_bytes(b"no database" * 1000)
    elif fault == "cut":
        os.truncate(file, 5000)
    else:
        with sqlite3.connect(file) as connection:
            connection.execute("PRAGMA user_version=99")
        connection.close()
    said: list[str] = []
    queue = _open(tmp_path, say=said.append)
    assert len(said) == 1
    assert "damaged" in said[0]
    assert "queue.sqlite.damaged" in said[0]
    assert (tmp_path / "queue.sqlite.damaged").exists()
    queue.append(CHANNEL, _body(7))
    assert _numbers(queue) == [7]
    queue.close()


def test_a_file_that_is_damaged_while_it_is_used_is_begun_anew(tmp_path: Path) -> None:
    """What it held is counted as lost; what comes after is delivered."""
    said: list[str] = []
    queue = _open(tmp_path, say=said.append)
    for number in range(300):
        queue.append(CHANNEL, _body(number, 2000))
    queue.settle()
    file = tmp_path / "queue.sqlite"
    with file.open("r+b") as data:
        for page in range(1, file.stat().st_size // 4096):
            data.seek(page * 4096)
            data.write(b"\xff" * 4096)
    (tmp_path / "queue.sqlite-wal").write_bytes(b"")
    for number in range(300, 420):  # what is in SQLite's own memory hides the damage for a while
        queue.append(CHANNEL, _body(number, 2000))
        queue.peek([CHANNEL])
    counts = queue.counts(CHANNEL)
    assert any("damaged" in text for text in said)
    assert counts.dropped["Damaged"] > 0
    numbers = _numbers(queue)
    assert numbers[-1] == 419
    assert numbers == list(range(numbers[0], 420))
    queue.close()


FULL = """
import json, resource, sys
from pathlib import Path
from mainstream_runner.sinks.queue import Queue
from mainstream_runner.sinks.store import Channel
channel = Channel(app="traffic/red-car", key="k", sink="{}")
def body(number): return json.dumps({"number": number, "fill": "x" * 3000}).encode()
def limit(size): resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
if sys.argv[2] == "from the start": limit(100)
queue = Queue(Path(sys.argv[1]), say=lambda text: print("said:", text))
queue.register(channel)
limit(200_000 if sys.argv[2] == "later" else 100)
for number in range(150): queue.append(channel, body(number))
fault, counts = queue.fault, queue.counts(channel)
sent = []
while len(sent) < 60:
    entry = queue.peek([channel]); sent.append(entry.record["number"]); queue.acknowledge(entry)
between = queue.counts(channel)
if sys.argv[3] == "room":
    limit(resource.RLIM_INFINITY)
queue.append(channel, body(150))
after = queue.fault
if sys.argv[3] == "room":
    while (entry := queue.peek([channel])) is not None: sent.append(entry.record["number"]); queue.acknowledge(entry)
queue.close()
print(json.dumps([fault, counts.queued, counts.dropped, sent, between.queued, between.delivered, after]))
"""


@pytest.mark.parametrize("when", ["later", "from the start"])
@pytest.mark.parametrize("then", ["room", "none"])
def test_a_full_disk_stops_nothing(tmp_path: Path, when: str, then: str) -> None:
    """Records wait in memory, bounded and counted, and go on in order; with room again all is on the disk again.

    A limit on the size of files stands for the full disk: SQLite is told so by the same failing write.
    """
    run = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path), when, then], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    *said, last = run.stdout.splitlines()
    fault, queued, dropped, sent, between_queued, delivered, after = json.loads(last)
    lost = dropped.get("NotStored", 0)
    assert "queue" in fault
    assert queued + lost == 150
    assert lost > 0
    assert sent == sorted(set(sent))
    assert (between_queued, delivered) == (queued - 60, 60)
    if then == "room":
        assert after is None
        assert sent[-1] == 150
        assert len(sent) == queued + 1
        assert not said
    else:
        assert after is not None
        assert len(said) == 1
        assert "are lost" in said[0]


def test_a_forgotten_queue_leaves_nothing(tmp_path: Path) -> None:
    """Neither records nor counts."""
    queue = _open(tmp_path)
    queue.append(CHANNEL, _body(0))
    queue.forget(CHANNEL)
    queue.append(CHANNEL, _body(1))
    assert queue.peek([CHANNEL]) is None
    queue.close()
    queue = Queue(tmp_path, say=print)
    assert queue.channels() == [OTHER]
    queue.close()
