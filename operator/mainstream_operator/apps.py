"""A look at one MainstreamApp: which package it has, and its status."""

from collections.abc import Mapping

from mainstream.resources.app import MainstreamApp
from mainstream_operator import kinds
from mainstream_operator.app_status import app_status
from mainstream_operator.decisions import essence
from mainstream_operator.known import Key, Known
from mainstream_operator.node_status import invalid_status
from mainstream_operator.packages import in_use
from mainstream_operator.tools import READING, Tools
from mainstream_operator.trainer_jobs import TrainerJobs
from mainstream_operator.training import Wait, choose
from mainstream_operator.values import AppState, Finding, Identity, Invalid, PackageInUse, Plain

AGAIN_SECONDS = 30.0
"""After which an app without its package is looked at again, if nothing happened before."""


class AppLook:
    """See the module. Called with ``namespace/name``; says after how many seconds to look again, None: as always."""

    def __init__(self, tools: Tools) -> None:
        self._t = tools
        self._trainer = TrainerJobs(tools)
        self._early: dict[str, str] = {}
        """By app, the uid of one that was new and looked at before its EdgeNodes."""

    def __call__(self, name: str) -> float | None:
        t = self._t
        known = t.cluster.apps.get(name)
        if known is None:
            t.decisions.states.pop(name, None)
            self._early.pop(name, None)
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
        before = known.status
        state = self._state(known, known.spec, before)
        self._decided(name, state)
        said = before.get("observedGeneration") == known.identity.generation
        if state.trained.reason == READING.reason or self._is_early(name, known.identity.uid, said=said):
            return AGAIN_SECONDS  # in a moment there is more to say
        status, changes = app_status(
            state, t.cluster.selected_by(name), t.decisions.known_outcomes(), before, t.now_text()
        )
        if state.package is None and "package" in before:
            status["package"] = before["package"]  # what was trained need not be trained again
        t.writer.status(kinds.APP, known, status, changes)
        waits = state.package is None or state.trained.reason in {"RegistryCredentialsMissing", "PackageNotFound"}
        return AGAIN_SECONDS if waits else None

    def _is_early(self, name: str, uid: str, *, said: bool) -> bool:
        """Whether an EdgeNode of it was not looked at yet, so that there is soon more to say.

        After a start, what the status says is true till then. Of a new app it says nothing: it waits once.
        """
        outcomes = self._t.decisions.outcomes
        early = any(node not in outcomes for node in self._t.cluster.selected_by(name))
        if not early or said:
            self._early.pop(name, None)
            return early
        waited = self._early.get(name) == uid
        self._early[name] = uid
        return not waited

    def _decided(self, name: str, state: AppState | None) -> None:
        t = self._t
        before = t.decisions.states.get(name)
        new = name not in t.decisions.states
        t.decisions.states[name] = state
        if new or essence(before) != essence(state):
            t.changed(Key("EdgeNode", node) for node in t.cluster.selected_by(name))

    def _state(self, known: Known, app: MainstreamApp, status: Plain) -> AppState:
        identity = known.identity
        old = self._old(app, identity, status)
        if app.spec.package is not None:
            new = self._t.package(app.spec.package.reference, app)
            found, trained, held = _given(new, old)
        else:
            new = self._trainer.package(app, identity, status)
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
        found = self._t.package(kept["reference"], app)
        if isinstance(found, Wait):
            return None if found.failed else found
        mark = kept.get("trainingHash")
        return in_use(found, mark) if mark else found


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
