"""A look at one MainstreamApp: which package it has, the Jobs that takes, its status."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from mainstream.resources.app import BaseDnnRef, MainstreamApp
from mainstream.resources.edgenode import FULL, EdgeNode
from mainstream.resources.names import COMPONENT, REGISTRY_SECRET, label_value
from mainstream_operator import kinds, pods
from mainstream_operator.app_status import app_status
from mainstream_operator.apply import Writer
from mainstream_operator.client import ApiError, ObjectKey
from mainstream_operator.cluster import Cluster, Key, Known
from mainstream_operator.credentials import SecretKey, pull_secret
from mainstream_operator.decisions import Decisions, essence
from mainstream_operator.job_views import job_view
from mainstream_operator.jobs import HASH, SHARES, base_hash, base_job, job_name, train_job, training_hash
from mainstream_operator.made import Made, MadeObjects
from mainstream_operator.node_status import invalid_status
from mainstream_operator.packages import PackageReader, in_use
from mainstream_operator.secret_reader import SecretReader
from mainstream_operator.settings import Settings
from mainstream_operator.training import Result, Share, Wait, base_outcome, choose, training
from mainstream_operator.values import AppState, Finding, Identity, Invalid, PackageInUse, Plain

AGAIN_SECONDS = 30.0
"""After which an app without its package is looked at again, if nothing happened before."""
WHOLE = (0.0, 0.0, 1.0, 1.0)
REFERENCE = "reference"
"""Key of the ConfigMap that remembers an imported base DNN."""
READING = Wait(reason="PackagePending", message="its package is being read from the registry")

Crop = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What looks at objects use. ``ca`` is the registries' own CA, where there is one."""

    cluster: Cluster
    made: MadeObjects
    decisions: Decisions
    packages: PackageReader
    secrets: SecretReader
    writer: Writer
    settings: Settings
    now_text: Callable[[], str]
    changed: Callable[[Iterable[Key]], None]
    ca: Callable[[], str | None]


class AppLook:
    """See the module. Called with ``namespace/name``; says after how many seconds to look again, None: as always."""

    def __init__(self, tools: Tools) -> None:
        self._t = tools

    def __call__(self, name: str) -> float | None:
        t = self._t
        known = t.cluster.apps.get(name)
        if known is None:
            t.decisions.states.pop(name, None)
            return None
        if known.identity.deleted or t.cluster.ending(name.partition("/")[0]):
            self._decided(name, None)  # it may stay for long, if somebody's finalizer holds it, but it runs no more
            return None
        if isinstance(known.spec, Invalid):
            self._decided(name, None)
            status, changes = invalid_status(known.identity, known.status, known.spec.message, t.now_text())
            t.writer.status(kinds.APP, known, status, changes)
            return None
        assert isinstance(known.spec, MainstreamApp)  # noqa: S101 - the cluster keeps each kind by itself
        state = self._state(known, known.spec)
        self._decided(name, state)
        if state.trained.reason == READING.reason or self._is_early(known, name):
            return AGAIN_SECONDS  # in a moment there is more to say
        status, changes = app_status(
            state, t.cluster.selected.get(name, ()), t.decisions.known_outcomes(), known.status, t.now_text()
        )
        if state.package is None and "package" in known.status:
            status["package"] = known.status["package"]  # what was trained need not be trained again
        t.writer.status(kinds.APP, known, status, changes)
        waits = state.package is None or state.trained.reason in {"RegistryCredentialsMissing", "PackageNotFound"}
        return AGAIN_SECONDS if waits else None

    def _is_early(self, known: Known, name: str) -> bool:
        """Whether, after a start, an EdgeNode of it was not looked at yet: what the status says of it is true till then."""
        outcomes = self._t.decisions.outcomes
        said = known.status.get("observedGeneration") == known.identity.generation
        return said and any(node not in outcomes for node in self._t.cluster.selected.get(name, ()))

    def _decided(self, name: str, state: AppState | None) -> None:
        t = self._t
        before = t.decisions.states.get(name)
        new = name not in t.decisions.states
        t.decisions.states[name] = state
        if new or essence(before) != essence(state):
            t.changed(Key("EdgeNode", node) for node in t.cluster.selected.get(name, ()))

    def _state(self, known: Known, app: MainstreamApp) -> AppState:
        status, identity = known.status, known.identity
        old = self._old(app, identity, status)
        if app.spec.package is not None:
            new = self._read(app.spec.package.reference, app)
            found, trained, held = _given(new, old)
        else:
            new = self._trained(app, identity, status)
            choice = choose(new, old if isinstance(old, PackageInUse) else None, known.annotations)
            found, trained = choice.package, choice.trained
            held = choice.held if isinstance(new, PackageInUse) else status.get("heldPackage")
        unread = isinstance(old, Wait) and not old.failed
        return AppState(
            app=app,
            identity=identity,
            trained=trained,
            package=found,
            previous=_previous(status, old, found),
            held=held,
            pending=found is None and (unread or (isinstance(new, Wait) and not new.failed and _is_reading(new))),
        )

    def _old(self, app: MainstreamApp, identity: Identity, status: Plain) -> PackageInUse | Wait | None:
        """The package in use until now; a Wait while it has to be read again (after a restart)."""
        state = self._t.decisions.states.get(app.key)
        if state is not None and state.identity.uid == identity.uid and state.package is not None:
            return state.package
        kept: Mapping[str, str] = status.get("package") or {}
        if not kept.get("reference"):
            return None
        found = self._read(kept["reference"], app)
        if isinstance(found, Wait):
            return None if found.failed else found
        mark = kept.get("trainingHash")
        return in_use(found, mark) if mark else found

    def _read(self, reference: str, app: MainstreamApp) -> PackageInUse | Wait:
        values = self._t.secrets.values(pull_secret(app))
        return self._t.packages.package(reference, values, Key("MainstreamApp", app.key)) or READING

    def _trained(self, app: MainstreamApp, identity: Identity, status: Plain) -> PackageInUse | Wait:
        t = self._t
        asked = app.spec.training
        assert asked is not None  # noqa: S101 - exactly one of package and training
        base = self._base(asked.base_dnn, app)
        if isinstance(base, Wait):
            return base
        crop = self._crop(app)
        if isinstance(crop, Wait):
            return crop
        mark = training_hash(app, base, crop, t.settings.images.trainer)
        mine = t.made.of_app(kinds.JOB, app.metadata.namespace, label_value(app.metadata.name))
        own_pods = t.made.of_app(kinds.POD, app.metadata.namespace, label_value(app.metadata.name))
        names: dict[Share, str] = {
            "train": job_name(app, mark),
            "assemble": job_name(app, mark, assemble=True),
        }
        jobs = {
            share: job_view(job, own_pods)
            for share, name in names.items()
            for job in mine
            if job.key.name == name and not job.ending
        }
        begun = [int(job.labels.get(SHARES, "1")) for job in mine if job.key.name == names["train"]]
        shares = begun[0] if begun else asked.parallelism
        answer = training(mark, self._unless_lost(status, app), status.get("heldPackage"), jobs, shares)
        self._clear([job for job in mine if job.labels.get(HASH) != mark], own_pods)
        outcome = answer.outcome
        if answer.create is not None:
            if app.spec.suspend:
                return Wait(reason="TrainingPending", message="spec.suspend is true: training waits")
            job = train_job(
                app,
                identity.uid,
                base_reference=base,
                crop=crop,
                settings=t.settings,
                edge_hosts=t.cluster.edge_hosts(),
                shares=shares,
                assemble=answer.create == "assemble",
            )
            refusal = self._start(job, app.metadata.namespace, "TrainingFailed")
            if refusal is not None:
                return refusal
        if isinstance(outcome, Wait):
            return outcome
        return self._result(outcome, app)

    def _unless_lost(self, status: Plain, app: MainstreamApp) -> Mapping[str, str] | None:
        """The package that the status remembers, unless its registry says that it has it no more: then it is trained again."""
        kept: Mapping[str, str] | None = status.get("package")
        found = self._read(kept["reference"], app) if kept and kept.get("reference") else None
        lost = isinstance(found, Wait) and found.failed and found.reason == "PackageNotFound"
        return None if lost else kept

    def _result(self, result: Result, app: MainstreamApp) -> PackageInUse | Wait:
        found = self._read(result.reference, app)
        if isinstance(found, Wait):
            return found
        return in_use(found, result.training_hash)

    def _base(self, base: BaseDnnRef, app: MainstreamApp) -> str | Wait:
        """Its reference by digest."""
        t = self._t
        if base.reference is not None:
            if "@" in base.reference:
                return base.reference
            values = t.secrets.values(SecretKey(app.metadata.namespace, REGISTRY_SECRET))
            found = t.packages.base_reference(base.reference, values, Key("MainstreamApp", app.key))
            if isinstance(found, Wait):
                return Wait(reason="BaseDnnFailed", message=found.message, failed=found.failed)
            return found or Wait(reason="BaseDnnPending", message="the base DNN's reference is looked up")
        body = base_job(base, t.settings)
        name, mark = body["metadata"]["name"], base_hash(base, t.settings.images.trainer)
        kept = t.made.get(ObjectKey(kinds.CONFIG_MAP, t.settings.namespace, name))
        reference = (kept.body or {}).get("data", {}).get(REFERENCE) if kept is not None else None
        job = t.made.get(ObjectKey(kinds.JOB, t.settings.namespace, name))
        view = job_view(job, t.made.of_component(kinds.POD, "base-dnn")) if job is not None and not job.ending else None
        outcome = base_outcome(view, reference)
        if isinstance(outcome, str):
            if reference is None:
                t.writer.apply([remembered_base(name, mark, outcome, t.settings)])
            return outcome
        if view is None and not app.spec.suspend:
            refusal = self._start(body, t.settings.namespace, "BaseDnnFailed")
            if refusal is not None:
                return refusal
        return outcome

    def _start(self, job: Plain, namespace: str, reason: str) -> Wait | None:
        """Create a Job; why not, where the API server refuses it (a quota, a resource that is none)."""
        t = self._t
        ca = t.ca()
        try:
            if ca is not None:
                t.writer.apply([copied_ca(namespace, ca)])
            t.writer.create(job)
        except ApiError as error:
            if 400 <= error.status < 500:
                message = f"Job {job['metadata']['name']} was refused: {error.message}"
                return Wait(reason=reason, message=message, failed=True)
            raise
        return None

    def _clear(self, jobs: Iterable[Made], own_pods: list[Made]) -> None:
        """Jobs for what is not asked for any more; finished ones go by themselves."""
        self._t.writer.delete(job.key for job in jobs if job_view(job, own_pods).state == "Active")

    def _crop(self, app: MainstreamApp) -> Crop | Wait:
        """The part of the picture that it looks at: the trainer crops its data the same way."""
        if app.spec.view == FULL:
            return WHOLE
        for name in self._t.cluster.selected.get(app.key, ()):
            known = self._t.cluster.edge_nodes.get(name)
            spec = known.spec if known is not None else None
            streams = spec.spec.streams if isinstance(spec, EdgeNode) else ()
            for stream in streams:
                view = stream.view(app.spec.view) if stream.name == app.spec.stream else None
                if view is not None:
                    return view.crop
        message = (
            f"no selected EdgeNode has a stream {app.spec.stream!r} with a view {app.spec.view!r} to crop the data by"
        )
        return Wait(reason="StreamNotFound", message=message, failed=True)


def _given(
    new: PackageInUse | Wait, old: PackageInUse | Wait | None
) -> tuple[PackageInUse | None, Finding, Mapping[str, str] | None]:
    """Of an app that brings its package: while the new one cannot be had, the old one stays in use, and the app says so."""
    if isinstance(new, PackageInUse):
        choice = choose(new, None, {})
        return choice.package, choice.trained, None
    if isinstance(old, PackageInUse):
        message = f"{new.message}; the package {old.package.digest[:19]}... stays in use"
        return old, Finding(good=False, reason=new.reason, message=message), None
    return None, Finding(good=False, reason=new.reason, message=new.message), None


def _is_reading(wait: Wait) -> bool:
    return wait is READING or wait.reason == "PackageNotFound"


def _previous(status: Plain, old: PackageInUse | Wait | None, found: PackageInUse | None) -> Mapping[str, str] | None:
    before: Mapping[str, str] | None = status.get("previousPackage")
    if isinstance(old, PackageInUse) and found is not None and old.package.digest != found.package.digest:
        return {"reference": old.reference, "digest": old.package.digest}
    return before


def remembered_base(name: str, mark: str, reference: str, settings: Settings) -> Plain:
    """The ConfigMap that remembers an imported base DNN."""
    labels = pods.managed({COMPONENT: "base-dnn", HASH: mark})
    metadata = {"name": name, "namespace": settings.namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {REFERENCE: reference}}


def copied_ca(namespace: str, certificate: str) -> Plain:
    """The registries' CA, where a Job can mount it."""
    metadata = {
        "name": pods.CA_CONFIG_MAP, "namespace": namespace, "labels": pods.managed({COMPONENT: "registry-ca"})
    }  # fmt: skip
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"ca.crt": certificate}}
