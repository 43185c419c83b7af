"""``python -m mainstream_operator.registry_cleanup``: removes from the chart's registry what nothing has referred to for days.

Rules:

* what an EdgeNode, a MainstreamApp or a ConfigMap of the operator mentions is wanted, and all that this mentions in turn: an
  M-Package, its blobs and its base DNN. Any digest anywhere counts, so that nothing has to be known of their fields;
* what is not wanted gets a mark with the day; what is wanted again loses it. Only what was marked ``after`` ago, and was not
  pushed since, goes. So a push that is under way loses nothing: its blobs are young;
* blobs go only when no manifest that stays mentions them;
* if the cluster does not answer, nothing is removed. A dry run keeps the marks, removes nothing, and says what it would remove.
"""

import json
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mainstream.errors import InputError, MainstreamError
from mainstream_operator.kinds import APP, CONFIG_MAP, EDGE_NODE
from mainstream_operator.registry_files import RegistryFiles, Revision, mentioned

MARKS = "mainstream-clean-up.json"
"""In the registry's root: since when (Unix) each digest is not wanted."""
DAY_SECONDS = 86_400

Marks = Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanUp:
    """What is to be done: the marks to keep, what is due, and the sizes in bytes of what goes."""

    marks: Marks
    revisions: tuple[Revision, ...]
    blobs: Mapping[str, int]


def decide(
    files: RegistryFiles, documents: Iterable[bytes], marks: Marks, *, now: float, after_seconds: float
) -> CleanUp:
    """What is to be done at ``now`` (Unix); ``documents`` are the cluster's objects as JSON."""
    texts = list(documents)
    sizes, revisions = files.blobs(), files.revisions()
    named = {digest for text in texts for digest in mentioned(text)}
    named |= {digest for (repository, tag), digest in files.tags().items() if _names(texts, repository, tag)}
    wanted = files.reached(named, sizes)
    since = {digest: marks.get(digest, now) for digest in sizes if digest not in wanted}

    def is_due(digest: str, pushed: float = 0.0) -> bool:
        return digest in since and max(since[digest], pushed) <= now - after_seconds

    going = tuple(sorted(one for one, pushed in revisions.items() if is_due(one.digest, pushed)))
    staying = files.reached((one.digest for one in revisions.keys() - set(going)), sizes)
    blobs = {digest: size for digest, size in sorted(sizes.items()) if is_due(digest) and digest not in staying}
    return CleanUp(marks=since, revisions=going, blobs=blobs)


def carry_out(files: RegistryFiles, clean_up: CleanUp) -> None:
    """Remove what is due: manifests first, so that none is left without its blobs."""
    for revision in clean_up.revisions:
        files.remove_revision(revision)
    for digest in clean_up.blobs:
        files.remove_blob(digest)


def read_marks(file: Path) -> Marks:
    """What an earlier run left; nothing if there was none (``InputError`` if it cannot be read)."""
    try:
        plain = json.loads(file.read_text(encoding="utf-8"))
        return {str(digest): float(since) for digest, since in plain["since"].items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        remedy = "Delete the file: every mark then begins today."
        raise InputError(f"expected the marks of an earlier run: {error}", where=file, remedy=remedy) from None


def write_marks(file: Path, marks: Marks) -> None:
    """Whole or not at all."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps({"since": dict(sorted(marks.items()))}, indent=0), encoding="utf-8")
    new.replace(file)


def report(clean_up: CleanUp, *, dry_run: bool) -> str:
    """What was done, for people: a line for each manifest, and the sum."""
    verb = "would remove" if dry_run else "removed"
    lines = [
        f"{verb} {one.repository}@{one.digest}, not referred to since {_day(clean_up.marks[one.digest])}"
        for one in clean_up.revisions
    ]
    waiting = len(clean_up.marks.keys() - clean_up.blobs.keys())
    size = sum(clean_up.blobs.values())
    lines.append(
        f"{verb} {len(clean_up.revisions)} manifests and {len(clean_up.blobs)} blobs, {size / 1e6:.1f} MB; "
        f"{waiting} blobs are not referred to and stay for now"
    )
    return "\n".join(lines)


def run(files: RegistryFiles, documents: Iterable[bytes], *, now: float, after_days: float, dry_run: bool) -> str:
    """One round; what it says. Marks are kept without what was removed."""
    place = files.root / MARKS
    clean_up = decide(files, documents, read_marks(place), now=now, after_seconds=after_days * DAY_SECONDS)
    if not dry_run:
        carry_out(files, clean_up)
    gone = frozenset() if dry_run else clean_up.blobs.keys()
    write_marks(place, {digest: since for digest, since in clean_up.marks.items() if digest not in gone})
    return report(clean_up, dry_run=dry_run)


def documents(namespace: str, kubeconfig: str | None) -> list[bytes]:
    """All objects of the cluster that refer to packages, as JSON (``ApiError``)."""
    from mainstream_operator.client import Api, Selection

    api = Api.connect(kubeconfig)
    places = ((EDGE_NODE, None), (APP, None), (CONFIG_MAP, namespace))
    return [
        json.dumps(body).encode() for kind, space in places for body in api.list(Selection(kind=kind, namespace=space))
    ]


def main(given: Sequence[str] | None = None) -> int:
    """The exit status: 0 done, 1 the cluster or the disk did not answer, 2 wrong input."""
    options = _arguments(given)
    from mainstream_operator.client import ApiError

    try:
        files = RegistryFiles(options.root)
        there = documents(options.namespace, str(options.kubeconfig) if options.kubeconfig else None)
        said = run(files, there, now=time.time(), after_days=options.after_days, dry_run=options.dry_run)
    except MainstreamError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_status
    except ApiError as error:
        sys.stderr.write(f"what refers to packages cannot be read, so nothing is removed: {error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"{error.filename}: {error.strerror}\n")
        return 1
    sys.stdout.write(f"{said}\n")
    return 0


def _arguments(given: Sequence[str] | None) -> Namespace:
    parser = ArgumentParser(prog="python -m mainstream_operator.registry_cleanup", description="Clean the registry up.")
    parser.add_argument("--root", type=Path, required=True, help="the registry's root directory")
    parser.add_argument("--namespace", required=True, help="the operator's")
    parser.add_argument("--after-days", type=float, default=30.0, help="default: %(default)g")
    parser.add_argument("--dry-run", action="store_true", help="say what would be removed, and remove nothing")
    parser.add_argument(
        "--kubeconfig", type=Path, help="outside a cluster: a kubeconfig; default: the pod's service account"
    )
    return parser.parse_args(given)


def _names(texts: Iterable[bytes], repository: str, tag: str) -> bool:
    """Whether some reference names that tag: ``.../REPOSITORY:TAG``, or nothing behind it for ``latest``."""
    wanted = [f"/{repository}:{tag}"] + ([f"/{repository}"] if tag == "latest" else [])
    return any(f'{one}"'.encode() in text for one in wanted for text in texts)


def _day(since: float) -> str:
    return datetime.fromtimestamp(since, UTC).date().isoformat()


if __name__ == "__main__":
    sys.exit(main())
