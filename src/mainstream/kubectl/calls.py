"""Calling kubectl: objects as plain values, and ports of pods. Its messages become ours, with what to do.

kubectl is called and no client of our own, so that contexts, login plugins and proxies work as they do for the user.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mainstream.errors import InputError, OperationError

Plain = dict[str, Any]

PATIENCE_SECONDS = 60
"""After which an API server counts as silent."""
_UNREACHABLE = ("unable to connect", "connection refused", "was refused", "i/o timeout", "no such host", "timed out")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubectl:
    """kubectl with the user's choice of cluster. All methods raise ``InputError`` or ``OperationError``."""

    program: str = "kubectl"
    context: str | None = None
    kubeconfig: str | None = None

    def get(self, kind: str, name: str, *, namespace: str | None = None) -> Plain | None:
        """One object; None if there is none of that name."""
        text = self._asked("get", kind, name, *_in(namespace), "--ignore-not-found", "--output=json")
        return json.loads(text) if text.strip() else None

    def every(self, kind: str, *, namespace: str | None = None, selector: str | None = None) -> list[Plain]:
        """All objects of a kind in a namespace, or in all of them; those that carry the labels."""
        where = _in(namespace) if namespace is not None else ("--all-namespaces",)
        chosen = (f"--selector={selector}",) if selector else ()
        items: list[Plain] = json.loads(self._asked("get", kind, *where, *chosen, "--output=json"))["items"]
        return items

    def may(self, verb: str, what: str, *, namespace: str | None = None) -> bool:
        """Whether the user has that right."""
        where = _in(namespace) if namespace is not None else ("--all-namespaces",)
        return self._run("auth", "can-i", verb, what, *where).stdout.strip() == "yes"

    def default_namespace(self) -> str:
        """The namespace of the context."""
        text = self._asked("config", "view", "--minify", "--output=jsonpath={..namespace}")
        return text.strip() or "default"

    @contextmanager
    def forwarded(self, target: str, port: int, *, namespace: str) -> Iterator[int]:
        """A port of this machine that leads to a pod's (``pod/NAME``, ``service/NAME``) for as long as the block runs."""
        command = [*self._command(), "port-forward", "--namespace", namespace, target, f":{port}"]
        # What it says later would fill a pipe that nobody reads: its words go where nobody has to.
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                line = process.stdout.readline() if process.stdout else ""
                if "->" not in line:
                    process.kill()
                    said = process.stderr.read() if process.stderr else ""
                    raise self._failure(said or line, ("port-forward", target))
                yield int(line.partition("->")[0].rpartition(":")[2])
            finally:
                process.kill()

    def _command(self) -> list[str]:
        found = shutil.which(self.program)
        if found is None:
            raise InputError(
                f"{self.program} is not there",
                remedy="Install kubectl (https://kubernetes.io/docs/tasks/tools), or put it on the PATH.",
            )
        chosen = [("--context", self.context), ("--kubeconfig", self.kubeconfig)]
        return [found, *(f"{option}={value}" for option, value in chosen if value)]

    def _run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [*self._command(), f"--request-timeout={PATIENCE_SECONDS}s", *arguments]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    def _asked(self, *arguments: str) -> str:
        done = self._run(*arguments)
        if done.returncode != 0:
            raise self._failure(done.stderr, arguments)
        return done.stdout

    def _failure(self, said: str, arguments: tuple[str, ...]) -> InputError | OperationError:
        message = said.strip().removeprefix("error: ").removeprefix("Error from server ") or "it says nothing"
        where = f"{self.program} {' '.join(arguments[:2])}"
        lower = message.lower()
        if "doesn't have a resource type" in lower:
            return InputError(
                "this cluster does not know Mainstream's kinds",
                where=where,
                remedy="Install the chart (docs/quickstart-k3s.md), or choose another cluster with --context.",
            )
        if "(forbidden)" in lower:
            return InputError(message, where=where, remedy="Ask whoever runs the cluster for that right.")
        if (
            "does not exist" in lower
            or "no configuration has been provided" in lower
            or "invalid configuration" in lower
        ):
            return InputError(message, where=where, remedy="Choose a cluster: --kubeconfig FILE, --context NAME.")
        if any(part in lower for part in _UNREACHABLE):
            return OperationError(
                f"the cluster cannot be reached: {message}",
                where=where,
                remedy="Check the network, and that the context is the one you mean: kubectl config current-context",
            )
        return OperationError(message, where=where)


def _in(namespace: str | None) -> tuple[str, ...]:
    return ("--namespace", namespace) if namespace is not None else ()
