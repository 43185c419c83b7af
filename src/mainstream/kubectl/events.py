"""``events``: an app's detections as the runners' pages tell them, through a port that kubectl forwards.

The page listens on the pod's own loopback: only who may forward ports of pods there reaches it (docs/web.md).
"""

import json
import queue
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress

from mainstream.errors import InputError, OperationError
from mainstream.kubectl.calls import Kubectl, Plain
from mainstream.kubectl.lookup import runner_pod
from mainstream.resources.names import WEB_PORT

PATIENCE_SECONDS = 30
"""Without a word from a page, which says its state every second, after which its runner counts as away."""
AGAIN_SECONDS = 2


def past_events(kubectl: Kubectl, app: str, edge_nodes: Iterable[str]) -> list[Plain]:
    """The newest events of an app on these edge nodes (a page keeps 500 of all apps), in the order of their time."""
    found: list[Plain] = []
    for name in edge_nodes:
        pod = runner_pod(kubectl, name)["metadata"]
        with kubectl.forwarded(f"pod/{pod['name']}", WEB_PORT, namespace=pod["namespace"]) as port:
            found += [one for one in _read(port) if one["app"] == app]
    return sorted(found, key=lambda one: str(one["time"]))


def followed_events(kubectl: Kubectl, app: str, edge_nodes: Iterable[str]) -> Iterator[Plain]:
    """Events as they come, without end; a runner that goes away is asked for again. Ends with the first error."""
    heard: queue.Queue[Plain | Exception] = queue.Queue()
    for name in edge_nodes:
        threading.Thread(target=_follow, args=(kubectl, app, name, heard), name=name, daemon=True).start()
    while True:
        said = heard.get()
        if isinstance(said, Exception):
            raise said
        yield said


def messages(lines: Iterable[bytes]) -> Iterator[tuple[str, Plain, str | None]]:
    """Server-sent events (HTML Living Standard, 9.2): kind, data, id."""
    kind, data, number = "message", "", None
    for raw in lines:
        line = raw.decode("utf-8", "replace").rstrip("\n")
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield kind, json.loads(data), number
            kind, data, number = "message", "", None
        elif name == "event":
            kind = value
        elif name == "data":
            data += value
        elif name == "id":
            number = value


def _follow(kubectl: Kubectl, app: str, edge_node: str, heard: "queue.Queue[Plain | Exception]") -> None:
    """A thread: hands on what one runner says; what was missed while it was away comes by its id."""
    last: str | None = None
    while True:
        try:
            pod = runner_pod(kubectl, edge_node)["metadata"]
            with (
                kubectl.forwarded(f"pod/{pod['name']}", WEB_PORT, namespace=pod["namespace"]) as port,
                ExitStack() as open_,
            ):
                headers = {"Last-Event-ID": last} if last else {}
                request = urllib.request.Request(f"http://127.0.0.1:{port}/api/feed", headers=headers)
                lines = open_.enter_context(urllib.request.urlopen(request, timeout=PATIENCE_SECONDS))  # noqa: S310
                for kind, value, number in messages(lines):
                    if kind == "event":
                        last = number or last
                        if value["app"] == app:
                            heard.put({"edgeNode": edge_node, **value})
        except (InputError, OperationError) as error:
            if last is None:
                heard.put(error)
                return
        except (OSError, ValueError) as error:
            if last is None and not isinstance(error, TimeoutError):
                heard.put(_away(error))
                return
        time.sleep(AGAIN_SECONDS)


def _read(port: int) -> list[Plain]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/events", timeout=PATIENCE_SECONDS) as answer:
            read = json.load(answer)
    except (OSError, ValueError) as error:
        raise _away(error) from None
    events: list[Plain] = read["events"] if isinstance(read, dict) else read
    return events


def _away(error: Exception) -> OperationError:
    reason: object = error
    with suppress(AttributeError):
        reason = error.reason  # type: ignore[attr-defined]
    return OperationError(
        f"the runner's page does not answer: {reason}", remedy="See how the box is: kubectl mainstream doctor"
    )
