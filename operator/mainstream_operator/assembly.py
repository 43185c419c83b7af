"""The operator put together: what it knows, what it looks at with, and the order in which it begins and ends."""

import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Hashable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import structlog

from mainstream.packages.layout import OciLayout
from mainstream.resources.names import COMPONENT, runner_name
from mainstream_operator.apply import Writer
from mainstream_operator.apps import AppLook
from mainstream_operator.client import Api, ApiError, ObjectKey
from mainstream_operator.cluster import Cluster
from mainstream_operator.decisions import Decisions
from mainstream_operator.known import Key
from mainstream_operator.leadership import Leadership
from mainstream_operator.loop import Loop, Seams
from mainstream_operator.made import Made, MadeObjects
from mainstream_operator.metrics import Meter
from mainstream_operator.nodes import NodeLook
from mainstream_operator.observe import Observer
from mainstream_operator.packages import PackageReader
from mainstream_operator.registry_ca import RegistryCa
from mainstream_operator.secret_reader import SecretReader
from mainstream_operator.served import REMEDY, crd_keys, shortcomings
from mainstream_operator.settings import Settings
from mainstream_operator.tidying import SHARED, Tidying
from mainstream_operator.tools import Tools
from mainstream_operator.watch import Patience

APP_WINDOW = (0.05, 0.5)
"""Looking at an app is cheap; its EdgeNodes wait for more (settings, batching)."""
TIDY_WINDOW = (3.0, 30.0)
SWEEP_SECONDS = 60.0
LEASE_LOOK_SECONDS = 2.0
END_SECONDS = 10.0
NOW = "%Y-%m-%dT%H:%M:%SZ"
EVENT_NOW = "%Y-%m-%dT%H:%M:%S.%fZ"

log = structlog.stdlib.get_logger(__name__)


class Operator:
    """See the module. ``start`` returns at once; ``folder`` is for packages' configs."""

    def __init__(self, settings: Settings, api: Api, meter: Meter, decisions: Decisions, folder: Path) -> None:
        self.settings, self._api, self._meter, self._decisions = settings, api, meter, decisions
        self._stop = threading.Event()
        self._state: str | None = "begins"
        self._clock = time.monotonic
        self._ca = RegistryCa(api, settings, folder)
        self.cluster = Cluster(now=_now)
        self._made = MadeObjects(_now, self._told)
        self._packages = PackageReader(
            OciLayout(folder / "packages"),
            plain_http=frozenset(settings.registry.plain_http),
            ca=self._ca.file,
            clock=self._clock,
            tell=self._tell,
        )
        writer = Writer(
            api,
            self._made,
            self.cluster,
            now_text=lambda: _now().strftime(EVENT_NOW),
            wrote=meter.wrote,
            touched=self.changed,
        )
        tools = Tools(
            cluster=self.cluster,
            made=self._made,
            decisions=decisions,
            packages=self._packages,
            secrets=SecretReader(api, self._clock),
            writer=writer,
            settings=settings,
            now_text=lambda: _now().strftime(NOW),
            changed=self.changed,
            follows=self.follows,
            ca=self._ca.text,
        )
        self._loop = Loop(
            {
                "EdgeNode": NodeLook(tools, clock=self._clock, solved=meter.solved),
                "MainstreamApp": AppLook(tools),
                "Tidying": Tidying(tools),
            },
            window=self._window,
            resync_seconds=settings.resync_seconds,
            seams=Seams(clock=self._clock, exists=self._exists, looked=meter.looked),
        )
        meter.waiting.set_function(self._loop.depth)
        self._observer = Observer(api, self.cluster, self._made, settings, changed=self.changed, stop=self._stop)
        self._ended, self._listed = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="operator", daemon=True)

    def start(self) -> None:
        """Begin, in threads."""
        self._thread.start()

    def wait_until_listed(self, seconds: float) -> None:
        """Until all that people made is known, at most so long."""
        self._listed.wait(seconds)

    def stop(self) -> None:
        """End what is under way."""
        self._stop.set()
        self._loop.stop(END_SECONDS)
        self._packages.close()
        if self._thread.is_alive():
            self._thread.join(END_SECONDS)  # a leader gives its Lease back

    def changed(self, keys: Iterable[Key]) -> None:
        """These have to be looked at."""
        self._loop.changed(keys)

    def follows(self, keys: Iterable[Key]) -> None:
        """What these say follows from what was decided of others."""
        self._loop.changed(keys, follows=True)

    def left(self, keys: Iterable[Key]) -> None:
        """An object is gone: those that it concerned, and what it shared with others."""
        self._loop.changed([*keys, Key("Tidying", SHARED)])

    def mended(self, keys: Iterable[Key]) -> None:
        """A person changed something about these: earlier failures count no more."""
        self._loop.changed(keys, forgive=True)

    def not_ready(self) -> str | None:
        """Why nothing is decided yet; None if all is well."""
        return self._state or self._observer.unknown()

    def not_alive(self) -> str | None:
        """What only a restart mends; None if nothing has to be mended so."""
        if self._ended.is_set():
            return "the operator has ended"
        return self._loop.stuck()

    def _run(self) -> None:
        patience, lacked = Patience(self._stop), False
        while not self._stop.is_set():
            try:
                wrong = shortcomings({name: self._api.get(ObjectKey(kind, None, name)) for name, kind in crd_keys()})
                if not wrong and lacked:
                    self._end("the CRDs are there now; kopf finds them when it begins")
                    return
                if not wrong:
                    self._ca.load()
                    self._observer.begin()
                    self._listed.set()
                    break
                self._state = f"{'; '.join(wrong)}. {REMEDY}"
                lacked = True
                log.error("the CRDs do not fit", problem="; ".join(wrong), remedy=REMEDY)
            except ApiError as error:
                self._state = f"the API server does not answer as it should: {error}"
                log.warning("cannot begin", error=str(error))
            patience.wait()
        self._state = "the cluster is being listed"
        while not self._stop.is_set() and self._observer.unknown() is not None:
            self._stop.wait(0.05)
        if self.settings.leader_election and not self._stop.is_set():
            self._state = None  # a replica that waits for its turn is ready to
            name, uid = os.environ.get("POD_NAME", ""), os.environ.get("POD_UID", "")
            leadership = Leadership(
                self._api,
                namespace=self.settings.namespace,
                identity=f"{name or socket.gethostname()}-{os.getpid()}",
                pod=(name, uid) if name and uid else None,
                clock=self._clock,
                stop=self._stop,
            )
            leadership.run(self._decide, lambda: self._end("another replica leads"))
        elif not self._stop.is_set():
            self._decide()

    def _end(self, why: str) -> None:
        """Decide nothing more, and end the process in an orderly way: its Deployment starts it again."""
        log.warning("ends", reason=why)
        self._ended.set()
        self._loop.halt()
        self._state = why
        os.kill(os.getpid(), signal.SIGTERM)

    def _decide(self) -> None:
        self._state = None
        self._meter.leader.set(1)
        self._loop.start()
        self._loop.changed([Key("Tidying", SHARED)])
        threading.Thread(target=self._keep_house, name="housekeeping", daemon=True).start()
        log.info("decides", edge_nodes=len(self.cluster.edge_nodes), apps=len(self.cluster.apps))

    def _keep_house(self) -> None:
        swept = self._clock()
        while not self._stop.wait(LEASE_LOOK_SECONDS):
            self.changed(self._turned())
            if self._clock() - swept >= SWEEP_SECONDS:
                swept = self._clock()
                try:
                    self._observer.sweep()
                except ApiError as error:
                    log.warning("cannot list", error=str(error))

    def _turned(self) -> list[Key]:
        """EdgeNodes whose runner's Lease has run out, or is renewed again, since they were looked at."""
        now, seconds = _now(), self.settings.runner.lease_seconds
        found = []
        for name, outcome in self._decisions.known_outcomes().items():
            renewed = self._made.renewed(runner_name(name))
            alive = renewed is not None and (now - renewed).total_seconds() <= seconds
            if alive != outcome.reachable:
                found.append(Key("EdgeNode", name))
        return found

    def _told(self, made: Made) -> None:
        """Something that the operator made came, changed or went."""
        key = self.cluster.named(made.labels, made.key.namespace)
        component = made.labels.get(COMPONENT)
        if key is not None:
            self.changed([key])
        elif component == "costs":
            self.changed(Key("EdgeNode", name) for name in list(self.cluster.edge_nodes))
        elif component == "base-dnn":
            states = dict(self._decisions.states)
            self.changed(
                Key("MainstreamApp", name)
                for name, state in states.items()
                if state is not None and state.trained.reason.startswith("BaseDnn")
            )

    def _tell(self, who: Hashable) -> None:
        if isinstance(who, Key):
            self.changed([who])

    def _exists(self, key: Key) -> bool:
        if key.kind == "Tidying":
            return True
        return key.name in (self.cluster.edge_nodes if key.kind == "EdgeNode" else self.cluster.apps)

    def _window(self, key: Key) -> tuple[float, float]:
        batching = self.settings.batching
        if key.kind == "Tidying":
            return TIDY_WINDOW
        return (batching.idle_seconds, batching.max_seconds) if key.kind == "EdgeNode" else APP_WINDOW


def work_folder() -> Path:
    """Where packages' configs are kept while the pod lives: a restarted container finds them."""
    folder = Path(tempfile.gettempdir()) / "mainstream-operator"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _now() -> datetime:
    return datetime.now(UTC)
