"""The runner's package cache: what a schedule needs is there, sound, and stays as long as it is in use."""

import contextlib
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from mainstream.errors import InputError, MainstreamError, OperationError, PackageError
from mainstream.packages.artifacts import read_mpackage
from mainstream.packages.mpackage import MPackage
from mainstream.packages.registry.client import RegistryClient
from mainstream.packages.registry.push import Pusher
from mainstream.packages.registry.reference import Reference, parse_reference
from mainstream.schedule import Schedule
from mainstream_runner.cache.package_cache import PackageCache

from .halves import half_bytes

BRANCH_BYTES = 100_000
APPS = ("default/apple", "default/bus", "default/cat")


@dataclass
class World:
    """A store with three packages, all of them in a registry, and schedules over them."""

    store: Any
    registry: Any
    packages: dict[str, MPackage]
    make: Callable[..., Schedule]
    tmp_path: Path
    clock: Iterator[int] = field(default_factory=lambda: itertools.count(1_000_000_000, 1_000_000))
    asked: list[Reference] = field(default_factory=list)
    opened: list[PackageCache] = field(default_factory=list)
    started: list["subprocess.Popen[str]"] = field(default_factory=list)
    stop: Event = field(default_factory=Event)

    def reference(self, app: str) -> str:
        """Where the app's package is."""
        return f"{self.registry.address}/{app}@{self.packages[app].digest}"

    def schedule(self, *apps: str, candidate: int = 1, local: bool = False) -> Schedule:
        """These apps, with their packages from the registry or from the local store."""
        return self.make(
            self.store.base,
            {
                app: (self.packages[app].digest if local else self.reference(app), self.packages[app], candidate)
                for app in apps
            },
        )

    def cache(self, *, limit_bytes: int = 1 << 30, folder: str = "cache", upstream: Path | None = None) -> PackageCache:
        """A cache; each time that it looks at the clock a millisecond has passed."""

        def client_for(reference: Reference) -> RegistryClient:
            self.asked.append(reference)
            return RegistryClient(reference.registry, pause=lambda _: self.stop.is_set())

        made = PackageCache(
            self.tmp_path / folder,
            limit_bytes=limit_bytes,
            client_for=client_for,
            stop=self.stop,
            upstream=upstream,
            now_nanoseconds=lambda: next(self.clock),
        )
        self.opened.append(made)
        return made

    def branch(self, app: str, candidate: int = 1) -> str:
        """A branch's digest."""
        return self.packages[app].config.candidates[candidate].branch_digest

    def branches_in(self, cache: PackageCache) -> set[str]:
        """The apps whose deep branch is there."""
        stored = cache.layout.stored()
        return {app for app in APPS if self.branch(app) in stored}


@pytest.fixture
def world(make_store: Any, registry: Any, make_cache_schedule: Any, tmp_path: Path) -> Iterator[World]:
    """See ``World``."""
    store = make_store()
    packages = {app: store.add(f"mpackage/{app}", branch_bytes=BRANCH_BYTES) for app in APPS}
    with contextlib.closing(RegistryClient(registry.address)) as client:
        pusher = Pusher(store.layout, client, start=lambda _what, _total: lambda _count: None)
        for app in APPS:
            pusher.push(f"mpackage/{app}", parse_reference(f"{registry.address}/{app}"))
    made = World(store, registry, packages, make_cache_schedule, tmp_path)
    yield made
    for process in made.started:
        process.kill()
        process.communicate(timeout=60)
    for cache in made.opened:
        cache.close()


def use(cache: PackageCache, schedule: Schedule) -> None:
    """Read all that the runner reads."""
    for digest in {segment.digest for stem in schedule.stems for segment in stem.segments}:
        cache.read_blob(digest)
    for app in schedule.apps:
        cache.read_blob(app.branch_digest)


def test_what_a_schedule_needs_is_fetched_and_nothing_else(world: World, run: Any):
    """Manifests, configs, segments and the chosen branches; `packages list` reads the folder."""
    cache, schedule = world.cache(), world.schedule("default/apple", "default/bus")
    cache.fetch(schedule)
    use(cache, schedule)
    assert world.branches_in(cache) == {"default/apple", "default/bus"}
    assert world.branch("default/apple", 0) not in cache.layout.stored()
    assert len(cache.layout.stored()) == 2 + 2 + 2 + 2
    listed = run("list", "--store", cache.folder, "-o", "json")
    assert listed.returncode == 0, listed.stderr
    assert [one["name"] for one in json.loads(listed.stdout)["artifacts"]] == [
        "mpackage/default/apple",
        "mpackage/default/bus",
    ]
    assert list((cache.layout.root / ".fetching" / "blobs" / "sha256").iterdir()) == []


def test_what_is_there_needs_no_registry(world: World):
    """The registry is away: a schedule with what is there is taken, one that needs more is refused with a reason."""
    cache = world.cache()
    cache.fetch(world.schedule("default/apple"))
    world.registry.stop()
    world.asked.clear()
    again = world.cache()
    again.fetch(world.schedule("default/apple"))
    use(again, world.schedule("default/apple"))
    assert world.asked == []
    with pytest.raises(OperationError, match=f"registry {world.registry.address} cannot be reached"):
        again.fetch(world.schedule("default/apple", "default/bus"))
    again.fetch(world.schedule("default/apple"))


@pytest.mark.parametrize("damage", [b"", b"other bytes"])
def test_a_damaged_blob_is_fetched_again(world: World, damage: bytes):
    """Cut off or changed on the disk: reading refuses it, the next fetch mends it."""
    cache, schedule = world.cache(), world.schedule("default/apple")
    cache.fetch(schedule)
    for digest in list(cache.layout.stored()):
        (cache.layout.root / "blobs" / "sha256" / digest[7:]).write_bytes(damage)
    with pytest.raises(PackageError, match="holds other bytes"):
        cache.read_blob(world.branch("default/apple"))
    cache.fetch(schedule)
    use(cache, schedule)


def test_a_damaged_index_is_begun_anew(world: World):
    """It holds names only: no reason to refuse schedules until somebody comes by."""
    world.cache().fetch(world.schedule("default/apple"))
    for name in ("index.json", "oci-layout"):
        (world.tmp_path / "cache" / "oci" / name).write_bytes(b"{")
    cache = world.cache()
    cache.fetch(world.schedule("default/apple"))
    assert set(cache.layout.names()) == {"mpackage/default/apple"}


def test_what_was_not_used_for_the_longest_time_leaves_first(world: World):
    """Room for two branches: the third pushes out the one that nobody used since."""
    cache = world.cache(limit_bytes=2 * BRANCH_BYTES + 60_000)
    for app in ("default/apple", "default/bus"):
        cache.fetch(world.schedule(app))
        cache.pin(world.schedule(app))
    cache.read_blob(world.branch("default/apple"))
    cache.pin()
    cache.fetch(world.schedule("default/cat"))
    assert world.branches_in(cache) == {"default/apple", "default/cat"}
    assert sum(cache.layout.stored().values()) <= 2 * BRANCH_BYTES + 60_000


def test_what_is_in_use_stays_beyond_the_limit(world: World):
    """The running schedule and the next one; when the old one is let go of, it leaves, and its names with it."""
    cache = world.cache(limit_bytes=1)
    running, coming = world.schedule("default/apple"), world.schedule("default/bus")
    cache.fetch(running)
    cache.pin(running)
    cache.fetch(coming)
    assert world.branches_in(cache) == {"default/apple", "default/bus"}
    cache.pin(running, coming)
    assert cache.trim() == ()
    use(cache, running)
    cache.pin(coming)
    assert world.branch("default/apple") in cache.trim()
    assert world.branches_in(cache) == {"default/bus"}
    assert set(cache.layout.names()) == {"mpackage/default/bus"}
    use(cache, coming)


def test_what_another_runner_uses_stays(world: World):
    """Two runners on one folder: what the other has pinned is kept; when it is gone, killed or not, nothing is."""
    one, other = world.cache(limit_bytes=1), world.cache(limit_bytes=1)
    one.fetch(world.schedule("default/apple"))
    other.fetch(world.schedule("default/bus"))
    assert world.branches_in(one) == {"default/apple", "default/bus"}
    one.close()
    other.trim()
    assert world.branches_in(other) == {"default/bus"}


def test_a_package_of_this_machine_is_taken_from_its_store(world: World):
    """A bare digest: found in the store upstream, on the same disk without a copy; without one it says what to do."""
    schedule = world.schedule("default/apple", local=True)
    with pytest.raises(OperationError, match="is in no registry"):
        world.cache(folder="none").fetch(schedule)
    cache = world.cache(upstream=world.store.folder.root)
    cache.fetch(schedule)
    use(cache, schedule)
    assert world.asked == []
    digest = world.branch("default/apple")
    assert cache.layout.blob_path(digest).samefile(world.store.layout.blob_path(digest))
    world.store.layout.blob_path(world.branch("default/bus")).write_bytes(b"damaged")
    with pytest.raises(OperationError, match="has it not, or damaged"):
        cache.fetch(world.schedule("default/bus", local=True))


def test_a_schedule_for_another_package_is_refused(world: World):
    """The manifest must list what is to be run: no blob gets in by a digest alone."""
    apple = world.packages["default/apple"]
    wrong = world.make(world.store.base, {"default/apple": (world.reference("default/bus"), apple, 1)})
    with pytest.raises(PackageError, match=r"app default/apple.*lists no segment or branch"):
        world.cache().fetch(wrong)


@pytest.mark.parametrize("place", ["", "registry.example/Team@", "registry.example/a b@"])
def test_references_that_cannot_be_read_name_the_app(world: World, place: str):
    """Nothing is fetched."""
    apple = world.packages["default/apple"]
    reference = f"{place}{apple.digest}" if place else "registry.example/team/apple:latest"
    with pytest.raises(InputError, match="app default/apple"):
        world.cache().fetch(world.make(world.store.base, {"default/apple": (reference, apple, 1)}))


def test_a_blob_that_is_damaged_in_the_registry_is_a_reason(world: World):
    """The schedule is refused, what was there stays valid, nothing half-written is used."""
    cache = world.cache()
    cache.fetch(world.schedule("default/apple"))
    kept = world.registry.file(world.branch("default/bus"))
    kept.write_bytes(bytes(BRANCH_BYTES))
    with pytest.raises(PackageError, match="is something else"):
        cache.fetch(world.schedule("default/bus"))
    assert world.branches_in(cache) == {"default/apple"}
    use(cache, world.schedule("default/apple"))


def test_a_stop_ends_a_fetch(world: World):
    """SIGTERM while packages are fetched: at once, with what was finished kept."""
    world.stop.set()
    with pytest.raises(OperationError, match="stopped"):
        world.cache().fetch(world.schedule("default/apple"))


FETCH = """
import resource, signal, sys
from pathlib import Path
from threading import Event
from mainstream.errors import MainstreamError
from mainstream.schedule import Schedule
from mainstream_runner.cache.clients import registry_clients
from mainstream_runner.cache.package_cache import PackageCache

folder, file, file_bytes = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
stop = Event()
cache = PackageCache(folder, limit_bytes=1, client_for=registry_clients(stop=stop), stop=stop)
schedule = Schedule.from_json(file.read_bytes(), where=file)
if file_bytes >= 0:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
try:
    cache.fetch(schedule)
except MainstreamError as error:
    sys.exit(str(error))
print("fetched", flush=True)
sys.stdin.read()
"""


def start_fetch(world: World, schedule: Schedule, *, file_bytes: int = -1) -> "subprocess.Popen[str]":
    """A process that fetches into ``cache``, and then lives on until its standard input is closed."""
    file = world.tmp_path / f"{schedule.digest[7:]}.json"
    file.write_bytes(schedule.to_json())
    process = subprocess.Popen(
        [sys.executable, "-c", FETCH, str(world.tmp_path / "cache"), str(file), str(file_bytes)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    world.started.append(process)
    return process


def test_two_processes_at_once(world: World, line: Any):
    """They fetch each blob once between them, and neither removes what the other uses."""
    world.registry, direct = _Behind(line, world.registry), world.registry
    both = [start_fetch(world, world.schedule(*apps)) for apps in (APPS[:2], APPS[1:])]
    assert [process.stdout.readline() for process in both if process.stdout] == ["fetched\n"] * 2
    fetched = line.from_server
    cache = world.cache(limit_bytes=1)
    assert world.branches_in(cache) == set(APPS)
    assert fetched < 4 * BRANCH_BYTES
    both[0].kill()
    both[0].communicate(timeout=60)
    cache.trim()
    assert world.branches_in(cache) == set(APPS[1:])
    both[1].communicate(timeout=60)
    cache.trim()
    assert cache.layout.stored() == {}
    world.registry = direct


@dataclass(frozen=True)
class _Behind:
    """A registry as it is seen through a line."""

    line: Any
    registry: Any

    @property
    def address(self) -> str:
        return str(self.line.address)


def test_a_killed_fetch_is_finished_by_the_next(world: World, line: Any):
    """kill -9 in the middle of a blob: the rest is fetched, no half stays, and the dead process holds nothing."""
    world.registry = _Behind(line, world.registry)
    schedule = world.schedule("default/apple")
    line.stop_at = 60_000
    process = start_fetch(world, schedule)
    while half_bytes(world.tmp_path / "cache") < 10_000:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.kill()
    process.communicate(timeout=60)
    line.stop_at = None
    cache = world.cache()
    cache.fetch(schedule)
    use(cache, schedule)
    assert list((world.tmp_path / "cache" / "oci" / ".fetching" / "blobs" / "sha256").iterdir()) == []
    assert len(list((cache.folder / "pins").glob("[0-9a-f]*"))) == 1


def test_a_full_disk_is_a_reason_and_harms_nothing(world: World):
    """No file may grow: what is there goes on, the next schedule is refused, and nothing half-written stays."""
    cache, running = world.cache(), world.schedule("default/apple")
    cache.fetch(running)
    there = start_fetch(world, running, file_bytes=0)
    out, messages = there.communicate(timeout=60)
    assert (there.returncode, out) == (0, "fetched\n"), messages
    for file_bytes in (0, BRANCH_BYTES // 2):
        refused = start_fetch(world, world.schedule("default/bus"), file_bytes=file_bytes)
        _, messages = refused.communicate(timeout=60)
        assert (refused.returncode, "Make room there" in messages, "Traceback" in messages) == (1, True, False), (
            messages
        )
    assert list((cache.layout.root / ".fetching" / "blobs" / "sha256").iterdir()) == []
    use(cache, running)
    assert read_mpackage(world.store.layout, "mpackage/default/bus").digest
    cache.fetch(world.schedule("default/bus"))


def test_the_registry_sees_credentials_that_changed(world: World, tmp_path: Path):
    """Files are read anew for each fetch: a wrong one is a reason, naming the file."""
    from mainstream_runner.cache.clients import registry_clients

    file = tmp_path / "config.json"
    file.write_text("no JSON")
    cache = PackageCache(
        tmp_path / "cache",
        limit_bytes=1 << 30,
        client_for=registry_clients(stop=world.stop, credentials=file),
        stop=world.stop,
    )
    with pytest.raises(MainstreamError, match=r"config\.json: is not readable"):
        cache.fetch(world.schedule("default/apple"))
    file.write_text("{}")
    cache.fetch(world.schedule("default/apple"))
    cache.close()
