"""M-Packages and base DNNs by reference, read from registries in threads of their own and remembered.

Asking never blocks: what is not known yet is read, and who asked is told when it is. Rules:

* what a registry says of a digest is true for ever, so it is remembered until nobody uses it; a tag is asked for again after a
  while, and so is what was refused;
* a registry that is away is left alone for growing intervals, whoever asks, so its packages hold up no others;
* histories and confusion matrices are forgotten: deciding does not need them, and they are most of a package.
"""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import structlog

from mainstream.basednn import BaseDnn
from mainstream.documents import sha256
from mainstream.errors import InputError, MainstreamError, OperationError
from mainstream.packages.layout import OciLayout
from mainstream.packages.mpackage import MPackage
from mainstream.packages.registry.client import RegistryClient
from mainstream.packages.registry.configs import ConfigReader
from mainstream.packages.registry.credentials import CredentialStore, parse_credentials
from mainstream.packages.registry.failures import NotAllowedError, NotThereError
from mainstream.packages.registry.reference import Reference, parse_reference
from mainstream_operator.credentials import DOCKER_CONFIG, Values
from mainstream_operator.training import Wait
from mainstream_operator.values import PackageInUse

READERS = 4
PATIENCE_SECONDS = 4.0
"""That one reading waits between attempts, all together: the next one is the caller's business."""
REFUSED_SECONDS = 60.0
TAG_SECONDS = 300.0
AWAY_SECONDS = (2.0, 60.0)
UNUSED_SECONDS = 3600.0

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A reference, and what is shown to its registry."""

    reference: str
    base_dnn: bool
    credentials: str
    """Digest of the credentials: others may be refused."""


@dataclass(slots=True, kw_only=True)
class _Answer:
    value: PackageInUse | BaseDnn | Wait | None = None
    until: float = 0.0
    used: float = 0.0
    reading: bool = False
    waiting: set[Hashable] = field(default_factory=set)


class PackageReader:
    """See the module. ``clock`` is monotonic seconds; ``tell`` hears who has to be looked at again."""

    def __init__(
        self,
        layout: OciLayout,
        *,
        plain_http: frozenset[str],
        ca: Callable[[], Path | None],
        clock: Callable[[], float],
        tell: Callable[[Hashable], None],
    ) -> None:
        self._layout, self._plain_http, self._ca = layout, plain_http, ca
        self._clock, self._tell = clock, tell
        self._lock = threading.Lock()
        self._answers: dict[Asked, _Answer] = {}
        self._contents: dict[str, tuple[MPackage, BaseDnn]] = {}
        self._bases: dict[str, BaseDnn] = {}
        self._away: dict[str, tuple[int, float]] = {}
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="packages")

    def close(self) -> None:
        """Stop reading."""
        with self._lock:
            self._stop.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def package(self, reference: str, values: Values | None, who: Hashable) -> PackageInUse | Wait | None:
        """The M-Package, why it cannot be had, or None while it is being read: then ``who`` is told."""
        found = self._ask(reference, values, who, base_dnn=False)
        return found if isinstance(found, PackageInUse | Wait) else None

    def base_reference(self, reference: str, values: Values | None, who: Hashable) -> str | Wait | None:
        """A base DNN's reference by digest; else as ``package``."""
        found = self._ask(reference, values, who, base_dnn=True)
        if isinstance(found, BaseDnn):
            place = parse_reference(reference)
            return str(place.at(found.digest))
        return found if isinstance(found, Wait) else None

    def forget_unused(self) -> None:
        """What nobody asked for lately."""
        now = self._clock()
        with self._lock:
            for asked in [one for one, answer in self._answers.items() if now - answer.used > UNUSED_SECONDS]:
                del self._answers[asked]
            used = {
                answer.value.package.digest
                for answer in self._answers.values()
                if isinstance(answer.value, PackageInUse)
            }
            self._contents = {digest: content for digest, content in self._contents.items() if digest in used}

    def _ask(
        self, reference: str, values: Values | None, who: Hashable, *, base_dnn: bool
    ) -> PackageInUse | BaseDnn | Wait | None:
        try:
            place = parse_reference(reference)
            data = (values or {}).get(DOCKER_CONFIG, b"")
            store = parse_credentials(data, where=DOCKER_CONFIG) if data else CredentialStore()
        except InputError as error:
            return Wait(reason="PackageInvalid", message=error.line, failed=True)
        shown = sha256(data) if store.find(place) is not None else ""
        asked = Asked(reference=reference, base_dnn=base_dnn, credentials=shown)
        now = self._clock()
        with self._lock:
            answer = self._answers.setdefault(asked, _Answer())
            answer.used = now
            if answer.value is not None and now < answer.until:
                return answer.value
            if self._stop.is_set():
                return answer.value
            if not answer.reading and now >= self._away.get(place.registry, (0, 0.0))[1]:
                answer.reading = True
                self._pool.submit(self._read, asked, place, store, answer)
            answer.waiting.add(who)
            return answer.value  # an old one, until there is another

    def _read(self, asked: Asked, place: Reference, store: CredentialStore, answer: _Answer) -> None:
        value: PackageInUse | BaseDnn | Wait
        seconds = REFUSED_SECONDS
        away = False
        try:
            value = self._fetched(asked, place, store)
            seconds = float("inf") if place.digest else TAG_SECONDS
        except NotAllowedError as error:
            value = Wait(reason="RegistryCredentialsMissing", message=error.line, failed=True)
        except NotThereError as error:
            value = Wait(reason="PackageNotFound", message=error.line, failed=True)
        except OperationError as error:
            away = True
            value = Wait(reason="PackageNotFound", message=error.line, failed=False)
        except MainstreamError as error:
            value = Wait(reason="PackageInvalid", message=error.line, failed=True)
        except Exception as error:  # what a stranger's registry sends must not end the thread that reads for all
            log.exception("cannot read a package", reference=asked.reference)
            value = Wait(reason="PackageInvalid", message=f"{type(error).__name__} while reading it", failed=True)
        now = self._clock()
        with self._lock:
            if away:
                failures = self._away.get(place.registry, (0, 0.0))[0]
                seconds = min(AWAY_SECONDS[0] * 2.0 ** min(failures, 30), AWAY_SECONDS[1])
                self._away[place.registry] = (failures + 1, now + seconds)
            else:
                self._away.pop(place.registry, None)
            if not (away and isinstance(answer.value, PackageInUse | BaseDnn)):
                answer.value = value
            answer.until = now + seconds
            answer.reading = False
            waiting, answer.waiting = answer.waiting, set()
        for who in waiting:
            self._tell(who)

    def _fetched(self, asked: Asked, place: Reference, store: CredentialStore) -> PackageInUse | BaseDnn:
        client = RegistryClient(
            place.registry,
            credentials=store.find(place),
            ca=self._ca(),
            insecure_http=place.registry in self._plain_http,
            pause=_Patience(self._stop),
        )
        try:
            reader = ConfigReader(self._layout, client, stop=self._stop)
            if asked.base_dnn:
                return reader.base_dnn(place)
            package, base = self._shared(*reader.mpackage(place))
        finally:
            client.close()
        return PackageInUse(reference=str(place.at(package.digest)), package=package, base_dnn=base)

    def _shared(self, package: MPackage, base: BaseDnn) -> tuple[MPackage, BaseDnn]:
        """The same objects for the same digest, whatever repositories it is in."""
        with self._lock:
            known = self._contents.get(package.digest)
            if known is None:
                known = (_lean(package), self._bases.setdefault(base.digest, base))
                self._contents[package.digest] = known
            return known


class _Patience:
    """The ``pause`` of one reading: it gives up after ``PATIENCE_SECONDS``."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop, self._left = stop, PATIENCE_SECONDS

    def __call__(self, seconds: float) -> bool:
        self._left -= seconds
        return self._left < 0 or self._stop.wait(seconds)


def in_use(package: PackageInUse, training_hash: str) -> PackageInUse:
    """The package as that training's result."""
    return replace(package, training_hash=training_hash)


def _lean(package: MPackage) -> MPackage:
    config = package.config
    candidates = tuple(one.model_copy(update={"history": (), "confusion": ()}) for one in config.candidates)
    return package.model_copy(update={"config": config.model_copy(update={"candidates": candidates, "made_by": {}})})
