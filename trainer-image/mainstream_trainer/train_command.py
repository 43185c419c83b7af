"""``mainstream train``: the Model Sets that manifests ask for and that are not there yet."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from mainstream.basednn import BaseDnn
from mainstream.cli.main import require
from mainstream.cli.output import DEFAULT_STORE, FilesOption, Format, Output, OutputOption, StoreOption
from mainstream.errors import InputError
from mainstream.packages.artifacts import mpackage_name, read_base_dnn
from mainstream.packages.folder import StoreFolder
from mainstream.packages.mpackage import THRESHOLDS, MPackage
from mainstream.resources.app import BaseDnnRef, MainstreamApp
from mainstream.resources.edgenode import FULL
from mainstream.resources.manifests import Manifests, load

if TYPE_CHECKING:
    from mainstream_trainer.training import Task


def train(
    path: FilesOption,
    app: Annotated[
        list[str] | None, typer.Option("--app", help="Only this app (NAME or NAMESPACE/NAME); repeat.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    output: OutputOption = Format.TABLE,
) -> None:
    """Train the Model Sets that are asked for and not there yet. Killed in the middle, the next run continues."""
    require("trainer", "tensorflow", "ai_edge_litert", "av", "PIL")
    manifests = load(path)
    wanted = _wanted(manifests, app)
    out = Output(output)
    session = Session(manifests, StoreFolder(store), out)
    with out.progress() as steps:
        # All inputs of all apps are checked before the first minute of training is spent.
        tasks = [session.prepare(one, steps.start) for one in wanted]
        rows = [session.train(one, task, steps.start) for one, task in zip(wanted, tasks, strict=True)]
    out.result({"apps": rows}, lambda: _table(rows))


def _wanted(manifests: Manifests, names: list[str] | None) -> list[MainstreamApp]:
    trainable = [app for app in manifests.apps if app.spec.training is not None]
    if not names:
        if not trainable:
            raise InputError("no app here asks for training", remedy="Give spec.training, or plan with their packages.")
        return trainable
    chosen = []
    for name in names:
        found = [app for app in manifests.apps if name in (app.key, app.metadata.name)]
        if not found:
            known = ", ".join(sorted(app.metadata.name for app in manifests.apps))
            raise InputError(f"--app: there is no app {name!r}", remedy=f"There is: {known or 'none'}.")
        chosen += [app for app in found if app.spec.training is not None]
        if all(app.spec.training is None for app in found):
            raise InputError(f"--app: {name} brings its package (spec.package) and needs no training")
    return chosen


class Session:
    """Trains one app after the other; base DNNs, their networks and datasets are read once."""

    def __init__(self, manifests: Manifests, store: StoreFolder, out: Output) -> None:
        self._manifests = manifests
        self._store = store
        self._out = out
        self._networks: dict[str, Any] = {}
        self._datasets: dict[str, Any] = {}

    def prepare(self, app: MainstreamApp, start: Any) -> "Task":
        """What to train for an app, its inputs read and checked (``InputError``)."""
        from mainstream_trainer.branchpoints import chosen_branchpoints
        from mainstream_trainer.training import Task, check

        training = app.spec.training
        assert training is not None  # noqa: S101 - ``_wanted`` leaves the others out
        where = self._manifests.where(app, "spec", "training")
        base = self._base_dnn(app, training.base_dnn, start)
        name = mpackage_name(app.metadata.namespace, app.metadata.name, base.config.precision)
        task = Task(
            name=name,
            where=where,
            events=app.spec.events,
            training=training,
            branchpoints=chosen_branchpoints(base, lambda: self._network(base), training.branchpoints, where=where),
            crop=self._crop(app),
            base=base,
            dataset=self._dataset(app, training.dataset.uri, start),
        )
        check(task)
        return task

    def train(self, app: MainstreamApp, task: "Task", start: Any) -> dict[str, Any]:
        """Train one app; what ``--output json`` says of it."""
        from mainstream_trainer.training import existing
        from mainstream_trainer.training import train as train_task

        began = time.monotonic()
        package = existing(task, self._store)
        if package is not None:
            self._out.say(f"{app.key}: already trained, nothing to do")
            return _row(app, package, trained=(), resumed=(), beaten=(), seconds=0.0)
        outcome = train_task(task, self._store, lambda: self._network(task.base), start=start)
        for warning in outcome.warnings:
            self._out.warn(warning)
        if outcome.resumed:
            self._out.say(f"{app.key}: continued; already finished were {', '.join(outcome.resumed)}")
        return _row(
            app, outcome.package, trained=outcome.trained, resumed=outcome.resumed, beaten=outcome.beaten,
            seconds=time.monotonic() - began,
        )  # fmt: skip

    def _base_dnn(self, app: MainstreamApp, wanted: BaseDnnRef, start: Any) -> BaseDnn:
        from mainstream_trainer.basednn import import_base_dnn
        from mainstream_trainer.pretrained import IMAGENET, RANDOM

        layout = self._store.layout
        if wanted.reference is not None:
            try:
                return read_base_dnn(layout, wanted.reference)
            except InputError as error:
                where = self._manifests.where(app, "spec", "training", "baseDnn", "reference")
                raise InputError(
                    f"reference: {error.problem}",
                    where=where,
                    remedy="Import it first: mainstream base import --architecture ... --name NAME "
                    f"(same --store). {error.remedy or ''}".strip(),
                ) from None
        weights: str | Path = wanted.weights or IMAGENET
        if weights not in {IMAGENET, RANDOM}:
            weights = self._manifests.resolve(app, str(weights))
        base, made = import_base_dnn(
            layout,
            name=str(wanted.architecture),
            alpha=wanted.alpha,
            input_size=wanted.input_size,
            weights=weights,
            precision=wanted.precision or "f32",
            where=self._manifests.where(app, "spec", "training", "baseDnn"),
            start=start,
            warn=self._out.warn,
        )
        if made:
            self._out.say(f"{app.key}: imported its base DNN {base.digest}")
        return base

    def _network(self, base: BaseDnn) -> Any:
        from mainstream_trainer.basednn import load_keras

        if base.digest not in self._networks:
            self._networks[base.digest] = load_keras(base, self._store.layout)
        return self._networks[base.digest]

    def _dataset(self, app: MainstreamApp, uri: str, start: Any) -> Any:
        from mainstream_trainer.dataset import read_dataset
        from mainstream_trainer.fetch import fetch, is_remote

        where = self._manifests.where(app, "spec", "training", "dataset", "uri")
        if is_remote(uri):
            root = fetch(uri, self._store.root / "datasets", where=where, start=start)
        else:
            root = self._manifests.resolve(app, uri)
        if str(root) not in self._datasets:
            self._out.say(f"reading the dataset {root}")
            self._datasets[str(root)] = read_dataset(root)
            for warning in self._datasets[str(root)].warnings:
                self._out.warn(warning)
        return self._datasets[str(root)]

    def _crop(self, app: MainstreamApp) -> tuple[float, float, float, float]:
        """The crop of the app's view: the same on all of its edge nodes, or it cannot be trained once."""
        crops = {
            view.crop
            for node in self._manifests.edge_nodes_of(app)
            for stream in node.spec.streams
            if stream.name == app.spec.stream and (view := stream.view(app.spec.view)) is not None
        }
        if len(crops) > 1:
            raise InputError(
                f"view: {app.spec.view!r} of stream {app.spec.stream!r} is cropped differently on the app's edge nodes",
                where=self._manifests.where(app, "spec", "view"),
                remedy="Crop alike, or make an app for each.",
            )
        if not crops and app.spec.view != FULL:
            raise InputError(
                f"view: no edge node here has a view {app.spec.view!r} of stream {app.spec.stream!r}",
                where=self._manifests.where(app, "spec", "view"),
                remedy="Give the EdgeNode's manifest too: the trainer crops its data as the view is cropped.",
            )
        return crops.pop() if crops else (0.0, 0.0, 1.0, 1.0)


def _row(
    app: MainstreamApp,
    package: MPackage,
    *,
    trained: tuple[str, ...],
    resumed: tuple[str, ...],
    beaten: tuple[str, ...],
    seconds: float,
) -> dict[str, Any]:
    return {
        "name": app.metadata.name,
        "namespace": app.metadata.namespace,
        "package": package.digest,
        "measuredBy": package.config.measured_by,
        "trained": list(trained),
        "resumed": list(resumed),
        "beaten": list(beaten),
        "seconds": round(seconds, 1),
        "candidates": [
            {
                "branchpoint": candidate.branchpoint,
                "precision": candidate.precision,
                "truePositiveRate": list(candidate.true_positive_rate),
                "falsePositiveRate": list(candidate.false_positive_rate),
                "interval": candidate.interval,
                "correlation": candidate.correlation,
                "trainableParameters": candidate.trainable_parameters,
                "epochs": len(candidate.history),
            }
            for candidate in package.config.candidates
        ],
    }


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(title="Model Sets: p and q are measured on held-out frames, at threshold 5 of 10")
    for column in ("app", "branchpoint", "branch", "p", "q", "p - q ±", "parameters", "epochs", "note"):
        table.add_column(column, justify="left" if column in {"app", "branchpoint", "branch", "note"} else "right")
    half = THRESHOLDS.index(5)
    for row in rows:
        for place, candidate in enumerate(row["candidates"]):
            first = place == 0
            note = f"not listed, because beaten: {', '.join(row['beaten'])}" if first and row["beaten"] else ""
            table.add_row(
                f"{row['namespace']}/{row['name']}" if first else "",
                candidate["branchpoint"],
                candidate["precision"],
                f"{candidate['truePositiveRate'][half]:.3f}",
                f"{candidate['falsePositiveRate'][half]:.3f}",
                f"{candidate['interval']:.3f}",
                f"{candidate['trainableParameters']:,}",
                str(candidate["epochs"]),
                note,
            )
    return table
