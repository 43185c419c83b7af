"""Registries that are away, in trouble, or behind a line that breaks."""

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from mainstream.documents import sha256
from mainstream.errors import MainstreamError, OperationError, PackageError
from mainstream.packages.artifacts import read_mpackage
from mainstream.packages.folder import StoreFolder
from mainstream.packages.registry.client import RegistryClient
from mainstream.packages.registry.pull import Puller
from mainstream.packages.registry.push import Pusher
from mainstream.packages.registry.reference import Reference, parse_reference
from mainstream.packages.registry.transport import ATTEMPTS, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS

from .halves import half_bytes

APPLE = "mpackage/default/apple"
LARGE = 4 << 20


class Pauses:
    """Takes no time; what was waited for, in seconds. ``then`` happens at the first."""

    def __init__(self, then: Callable[[], None] = lambda: None) -> None:
        self.seconds: list[float] = []
        self._then = then

    def __call__(self, seconds: float) -> bool:
        if seconds > 0:
            if not self.seconds:
                self._then()
            self.seconds.append(seconds)
        return False


def silent(_what: str, _total: int) -> Callable[[int], None]:
    """No progress bar."""
    return lambda _count: None


@pytest.fixture
def store(make_store: Any) -> Any:
    """A base DNN, and an M-Package with branches of 4 MiB."""
    made = make_store()
    made.add(APPLE, branch_bytes=LARGE)
    return made


@pytest.fixture
def pushed(store: Any, registry: Any) -> Reference:
    """Where the M-Package is."""
    client = RegistryClient(registry.address)
    Pusher(store.layout, client, start=silent).push(APPLE, parse_reference(f"{registry.address}/team/apple:v1"))
    client.close()
    return parse_reference(f"{registry.address}/team/apple:v1")


def through(line: Any, reference: Reference) -> Reference:
    """The same place by way of a line."""
    return parse_reference(str(reference).replace(reference.registry, line.address))


def pull(reference: Reference, folder: Path, pause: Callable[[float], bool]) -> StoreFolder:
    """Pull into a new store."""
    target = StoreFolder(folder)
    with contextlib.closing(RegistryClient(reference.registry, pause=pause)) as client:
        Puller(target.layout, client, start=silent, stop=Event()).pull(reference)
    return target


@pytest.mark.usefixtures("pushed")
def test_a_broken_download_goes_on_where_it_was(store: Any, line: Any, tmp_path: Path):
    """Each connection is cut in the middle of a blob, several times: every byte comes once."""
    branch = read_mpackage(store.layout, APPLE).config.candidates[0]
    line.cuts = [LARGE // 3, LARGE // 3, LARGE // 4]
    pauses, progress = Pauses(), []
    with contextlib.closing(RegistryClient(line.address, pause=pauses)) as client:
        client.download("team/apple", branch.branch_digest, size=LARGE, to=tmp_path / "half", advance=progress.append)
    assert sha256((tmp_path / "half").read_bytes()) == branch.branch_digest
    assert (line.connections, sum(progress)) == (4, LARGE)
    assert LARGE < line.from_server < LARGE * 1.05
    assert len(pauses.seconds) == 3
    assert max(pauses.seconds) <= FIRST_PAUSE_SECONDS  # each brought much, so each counts as the first


def test_a_broken_pull_comes_whole(store: Any, pushed: Reference, line: Any, tmp_path: Path):
    """Several connections at once, all of them cut now and then."""
    line.cuts = [LARGE // 2, 70_000, LARGE // 3, 200_000, LARGE // 5, 100_000]
    target = pull(through(line, pushed), tmp_path / "other", Pauses())
    assert read_mpackage(target.layout, "team/apple") == read_mpackage(store.layout, APPLE)
    assert all(target.layout.read_blob(digest) for digest in target.layout.stored())


def test_a_line_that_brings_nothing_is_given_up(pushed: Reference, line: Any, tmp_path: Path):
    """After some attempts with growing pauses; what was fetched is kept for the next time, and no name points to it."""
    line.cuts = [700] * 100  # a manifest, then next to nothing
    pauses = Pauses()
    with pytest.raises(OperationError, match="broke the connection"):
        pull(through(line, pushed), tmp_path / "other", pauses)
    assert len(pauses.seconds) >= ATTEMPTS - 1
    assert StoreFolder(tmp_path / "other").layout.names() == {}


def test_a_registry_that_is_away_is_said(run: Any, tmp_path: Path):
    """Refused connection: exit status 1, the registry's name, what to do."""
    done = run("pull", "127.0.0.1:9/team/apple", "--store", tmp_path / "other")
    assert (done.returncode, "registry 127.0.0.1:9 cannot be reached" in done.stderr) == (1, True), done.stderr
    assert "Traceback" not in done.stderr


def test_a_registry_that_comes_back_is_waited_for(
    registry: Any, start_registry: Any, pushed: Reference, tmp_path: Path
):
    """Down when it is asked, up again during the first pause."""
    registry.stop()
    pauses = Pauses(lambda: start_registry(port=registry.port))
    target = pull(pushed, tmp_path / "other", pauses)
    assert list(target.layout.names())[-1] == "team/apple"
    assert len(pauses.seconds) == 1


def test_what_is_not_there_is_said(pushed: Reference, run: Any, tmp_path: Path):
    """A tag, a digest and a repository that do not exist: exit status 2."""
    place = f"{pushed.registry}/{pushed.repository}"
    for wrong in (f"{place}:v2", f"{place}@sha256:" + "0" * 64, f"{pushed.registry}/nobody/nothing"):
        done = run("pull", wrong, "--store", tmp_path / "other")
        assert (done.returncode, "has no such thing" in done.stderr, wrong.rpartition("/")[0] in done.stderr) == (
            2,
            True,
            True,
        )


def test_a_broken_push_goes_on(store: Any, registry: Any, line: Any, tmp_path: Path):
    """A connection that breaks while a blob is sent: it is sent in a new session, and comes out whole."""
    line.cuts = [2000, 2000, 900, 900]
    to = parse_reference(f"{line.address}/team/apple:v1")
    with contextlib.closing(RegistryClient(line.address, pause=Pauses())) as client:
        Pusher(store.layout, client, start=silent).push(APPLE, to)
    target = pull(parse_reference(f"{registry.address}/team/apple:v1"), tmp_path / "other", Pauses())
    assert read_mpackage(target.layout, "team/apple") == read_mpackage(store.layout, APPLE)


@pytest.mark.parametrize("damage", [lambda data: bytes(len(data)), lambda data: data[:-10]])
def test_a_blob_that_is_damaged_in_the_registry_is_refused(
    store: Any, registry: Any, pushed: Reference, tmp_path: Path, damage: Callable[[bytes], bytes]
):
    """Other bytes, too few: nothing of it stays; as soon as the registry is mended the pull succeeds."""
    branch = read_mpackage(store.layout, APPLE).config.candidates[1]
    kept = registry.file(branch.branch_digest)
    sound = kept.read_bytes()
    kept.write_bytes(damage(sound))
    with pytest.raises((PackageError, OperationError)) as caught:
        pull(pushed, tmp_path / "other", Pauses())
    assert str(pushed.repository) in str(caught.value)
    layout = StoreFolder(tmp_path / "other").layout
    assert (layout.names(), branch.branch_digest in layout.stored()) == ({}, False)
    kept.write_bytes(sound)
    pull(pushed, tmp_path / "other", Pauses())


def test_a_manifest_that_is_damaged_in_the_registry_is_refused(
    store: Any, registry: Any, pushed: Reference, tmp_path: Path
):
    """Asked for by digest, it is held against that."""
    digest = read_mpackage(store.layout, APPLE).digest
    kept = registry.file(digest)
    kept.write_bytes(kept.read_bytes().replace(b"sha256:", b"sha256: "))
    with pytest.raises(MainstreamError):
        pull(pushed.at(digest), tmp_path / "other", Pauses())
    assert StoreFolder(tmp_path / "other").layout.entries() == ()


@contextlib.contextmanager
def troubled(statuses: list[tuple[int, str | None]], body: bytes) -> Any:
    """A server that first gives these statuses with their ``Retry-After``, then ``body``; its address."""

    class Host(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, after = statuses.pop(0) if statuses else (200, None)
            self.send_response(status)
            if after is not None:
                self.send_header("Retry-After", after)
            content = body if status == 200 else b'{"errors": [{"code": "TOOMANY", "message": "slow \\u001b[2J down"}]}'
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Host)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_registry_that_is_busy_is_asked_again_when_it_says():
    """429 and 5xx; pauses grow, with jitter, and are as long as Retry-After."""
    pauses = Pauses()
    statuses = [(429, "7"), (503, None), (502, "Wed, 21 Oct 2015 07:28:00 GMT")]
    with (
        troubled(statuses, b"manifest") as address,
        contextlib.closing(RegistryClient(address, pause=pauses, random=lambda: 0.5)) as client,
    ):
        assert client.manifest("team/apple", "v1") == b"manifest"
    assert pauses.seconds == [7.0, FIRST_PAUSE_SECONDS * 2 * 0.75, FIRST_PAUSE_SECONDS * 4 * 0.75]


@pytest.mark.parametrize("after", ["3600", None])
def test_a_registry_that_stays_busy_is_given_up(after: str | None):
    """Too long a pause, or too many: the error says what the registry said, without a terminal's commands."""
    pauses = Pauses()
    with (
        troubled([(429, after)] * 20, b"") as address,
        contextlib.closing(RegistryClient(address, pause=pauses)) as client,
        pytest.raises(OperationError) as caught,
    ):
        client.manifest("team/apple", "v1")
    assert "limits how often it is asked (TOOMANY: slow \\x1b[2J down)" in str(caught.value)
    assert len(pauses.seconds) == (0 if after else ATTEMPTS - 1)
    assert all(seconds <= LONGEST_PAUSE_SECONDS for seconds in pauses.seconds)
    assert ("after 3600 s" in str(caught.value)) is (after is not None)


def test_answers_without_end_are_refused(tmp_path: Path):
    """A manifest is read up to a limit, a blob up to its size."""
    with troubled([], bytes(2 << 20)) as address, contextlib.closing(RegistryClient(address)) as client:
        with pytest.raises(PackageError, match="more than the 1048576 bytes"):
            client.manifest("team/apple", "v1")
        with pytest.raises(PackageError, match="more than 1000 bytes"):
            client.download("team/apple", "sha256:" + "0" * 64, size=1000, to=tmp_path / "half", advance=lambda _: None)


PULL = "from mainstream.cli.main import main; main()"


@pytest.fixture
def start_pull() -> Iterator[Callable[[Reference, Path], "subprocess.Popen[str]"]]:
    """Starts ``mainstream packages pull`` in a process of its own; none outlives the test."""
    with contextlib.ExitStack() as started:

        def start(reference: Reference, folder: Path) -> "subprocess.Popen[str]":
            command = [sys.executable, "-c", PULL, "packages", "pull", str(reference), "--store", str(folder)]
            process = subprocess.Popen(
                [*command, "-o", "json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            started.enter_context(process)
            started.callback(process.kill)
            return process

        yield start


def wait_for(process: "subprocess.Popen[str]", condition: Callable[[], bool]) -> None:
    """Until it is so; the process must go on meanwhile."""
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_pull_that_was_ended_goes_on_where_it_was(
    store: Any, pushed: Reference, line: Any, tmp_path: Path, start_pull: Any, how: signal.Signals
):
    """Killed, or by Ctrl-C: what was fetched is not fetched again, and halves are gone in the end."""
    folder = tmp_path / "other"
    line.stop_at = line.from_server + 3 * LARGE // 4
    process = start_pull(through(line, pushed), folder)
    wait_for(process, lambda: half_bytes(folder) >= LARGE // 2)
    if how is signal.SIGINT:
        process.send_signal(how)
        line.stop_at = None
    else:
        process.kill()
    _, messages = process.communicate(timeout=60)
    assert process.returncode == (-signal.SIGKILL if how is signal.SIGKILL else 130)
    assert "Traceback" not in messages
    line.stop_at = None
    there = half_bytes(folder) + sum(StoreFolder(folder).layout.stored().values())
    line.from_server = 0
    process = start_pull(through(line, pushed), folder)
    out, messages = process.communicate(timeout=60)
    assert process.returncode == 0, messages
    total = sum(one["sizeBytes"] for one in json.loads(out)["artifacts"])
    assert line.from_server < total - there + 60_000
    assert half_bytes(folder) == 0
    assert read_mpackage(StoreFolder(folder).layout, "team/apple") == read_mpackage(store.layout, APPLE)


def test_two_pulls_at_once_fetch_each_blob_once(pushed: Reference, line: Any, tmp_path: Path, start_pull: Any):
    """Two processes, one store: together they take the bytes of one."""
    folder = tmp_path / "other"
    both = [start_pull(through(line, pushed), folder) for _ in range(2)]
    outputs = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    total = sum(one["sizeBytes"] for one in json.loads(outputs[0][0])["artifacts"])
    assert line.from_server < total + 100_000
    assert len(StoreFolder(folder).layout.entries()) == 2


FULL = f"""
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({LARGE // 2}, {LARGE // 2}))
from mainstream.cli.main import main
main()
"""


def test_a_full_disk_is_said(pushed: Reference, tmp_path: Path):
    """No file may grow: exit status 1, nothing half-written stays, what fits is kept; with room the pull succeeds."""
    folder = tmp_path / "other"
    command = [sys.executable, "-c", FULL, "packages", "pull", str(pushed), "--store", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, "Make room there" in done.stderr, "Traceback" in done.stderr) == (1, True, False), (
        done.stderr
    )
    assert half_bytes(folder) == 0
    layout = StoreFolder(folder).layout
    assert layout.names() == {}
    assert all(layout.read_blob(digest) for digest in layout.stored())
    pull(pushed, folder, Pauses())
