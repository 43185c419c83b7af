"""The Jobs behind an app that is trained: the import of its base DNN, and its trainer Jobs."""

from collections.abc import Iterable, Mapping

from mainstream.resources.app import BaseDnnRef, MainstreamApp
from mainstream.resources.edgenode import FULL, EdgeNode
from mainstream.resources.names import COMPONENT, REGISTRY_SECRET, label_value
from mainstream_operator import kinds, pods
from mainstream_operator.client import ApiError, ObjectKey
from mainstream_operator.credentials import SecretKey
from mainstream_operator.job_views import job_view
from mainstream_operator.jobs import HASH, SHARES, base_hash, base_job, job_name, train_job, training_hash
from mainstream_operator.known import Key
from mainstream_operator.made import Made
from mainstream_operator.packages import in_use
from mainstream_operator.settings import Settings
from mainstream_operator.tools import Tools
from mainstream_operator.training import Result, Share, Wait, base_outcome, training
from mainstream_operator.values import Identity, PackageInUse, Plain

WHOLE = (0.0, 0.0, 1.0, 1.0)
REFERENCE = "reference"
"""Key of the ConfigMap that remembers an imported base DNN."""

Crop = tuple[float, float, float, float]


class TrainerJobs:
    """See the module. Used by one look at a time for each app."""

    def __init__(self, tools: Tools) -> None:
        self._t = tools

    def package(self, app: MainstreamApp, identity: Identity, status: Plain) -> PackageInUse | Wait:
        """What its training has come to; the Job that is missing for it is started."""
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
        found = self._t.package(kept["reference"], app) if kept and kept.get("reference") else None
        lost = isinstance(found, Wait) and found.failed and found.reason == "PackageNotFound"
        return None if lost else kept

    def _result(self, result: Result, app: MainstreamApp) -> PackageInUse | Wait:
        found = self._t.package(result.reference, app)
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
                t.writer.apply([pods.copied_ca(namespace, ca)])
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
        for name in self._t.cluster.selected_by(app.key):
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


def remembered_base(name: str, mark: str, reference: str, settings: Settings) -> Plain:
    """The ConfigMap that remembers an imported base DNN."""
    labels = pods.managed({COMPONENT: "base-dnn", HASH: mark})
    metadata = {"name": name, "namespace": settings.namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {REFERENCE: reference}}
