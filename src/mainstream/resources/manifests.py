"""Manifests: the files that ``kubectl apply -f`` takes, read without a cluster.

Rules:

* a path is a file, or a folder whose ``*.yaml``, ``*.yml`` and ``*.json`` files are read in the order of their names (folders
  inside it are not);
* a file holds any number of documents; ``kind: List`` counts as its items;
* what is not ours (a Secret, a Kustomization) is left alone with a note; a wrong version or a misspelt kind of ours is an
  error;
* everything that is wrong in all documents is reported together, each with its file and line.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from mainstream.errors import InputError
from mainstream.resources.app import MainstreamApp
from mainstream.resources.edgenode import EdgeNode
from mainstream.resources.faults import FaultyError, parse_resource
from mainstream.resources.located import MAX_BYTES, FieldPath, Located, read_json, read_yaml
from mainstream.resources.metadata import API_VERSION
from mainstream.resources.references import reference_faults

SUFFIXES = (".yaml", ".yml", ".json")

_GROUP = API_VERSION.split("/", maxsplit=1)[0]
_KINDS: dict[str, type[EdgeNode | MainstreamApp]] = {"EdgeNode": EdgeNode, "MainstreamApp": MainstreamApp}
_SHOWN = 20
"""Problems that are listed; the others are counted."""

Resource = EdgeNode | MainstreamApp


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a resource was read."""

    file: Path
    document: Located

    def at(self, path: FieldPath = ()) -> str:
        """``file:line`` of the field."""
        return f"{self.file}:{self.document.line(path)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifests:
    """The resources of a path, in the order in which they were read. ``notes`` say what was left alone."""

    path: Path
    edge_nodes: tuple[EdgeNode, ...]
    apps: tuple[MainstreamApp, ...]
    notes: tuple[str, ...]
    origins: Mapping[str, Origin]

    def where(self, resource: Resource, *path: str | int) -> str:
        """``file:line`` of a field of the resource, for messages: ``where(app, "spec", "dataset", "uri")``."""
        return self.origins[_identity(resource)].at(path)

    def resolve(self, resource: Resource, path: str | Path) -> Path:
        """A path that the resource names: absolute as it is, else relative to the folder of its manifest."""
        return self.origins[_identity(resource)].file.parent / path

    def apps_of(self, edge_node: EdgeNode) -> tuple[MainstreamApp, ...]:
        """The apps that select the edge node, suspended ones too."""
        return tuple(app for app in self.apps if app.spec.edge_nodes.selects(edge_node.metadata))

    def edge_nodes_of(self, app: MainstreamApp) -> tuple[EdgeNode, ...]:
        """The edge nodes that the app selects."""
        return tuple(node for node in self.edge_nodes if app.spec.edge_nodes.selects(node.metadata))


def load(path: Path) -> Manifests:
    """Read and check the manifests of a file or folder; ``InputError`` lists everything that is wrong."""
    reader = _Reader()
    for file in _files(path):
        reader.read(file, alone=file == path)
    reader.check_references()
    if reader.problems:
        raise _together(reader.problems)
    if not reader.edge_nodes and not reader.apps:
        raise InputError(
            "holds no EdgeNode and no MainstreamApp", where=path,
            remedy=f"Write manifests with apiVersion: {API_VERSION} (see docs/own-video.md), or give another -f PATH.",
        )  # fmt: skip
    return Manifests(
        path=path,
        edge_nodes=tuple(reader.edge_nodes),
        apps=tuple(reader.apps),
        notes=tuple(reader.notes),
        origins=reader.origins,
    )


def _files(path: Path) -> list[Path]:
    try:
        if path.is_dir():
            files = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES and file.is_file())
        elif path.exists():
            if not path.is_file():
                raise InputError("is neither a file nor a folder", where=path)
            files = [path]
        else:
            raise InputError(
                "no such file or folder", where=path, remedy="Give a manifest, or a folder of them: -f PATH."
            )
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=path) from None
    if not files:
        raise InputError(
            f"has no manifest ({', '.join('*' + suffix for suffix in SUFFIXES)}) in it", where=path,
            remedy="Give the folder that holds the manifests themselves: folders inside it are not read.",
        )  # fmt: skip
    return files


def _text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=file) from None
    if len(data) > MAX_BYTES:
        raise InputError(f"is larger than {MAX_BYTES >> 20} MiB: that is no manifest", where=file)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"is no text (byte {error.start} is not UTF-8): that is no manifest", where=file,
            remedy="Give a manifest in YAML or JSON, in UTF-8.",
        ) from None  # fmt: skip
    if "\0" in text:
        raise InputError("is no text (it holds NUL bytes): that is no manifest", where=file)
    return text


class _Reader:
    """Gathers resources and problems over all files."""

    def __init__(self) -> None:
        self.edge_nodes: list[EdgeNode] = []
        self.apps: list[MainstreamApp] = []
        self.notes: list[str] = []
        self.origins: dict[str, Origin] = {}
        self.problems: list[InputError] = []

    def read(self, file: Path, *, alone: bool) -> None:
        try:
            documents = _documents(file)
            for document in documents:
                for item in _items(document):
                    self._take(Origin(file=file, document=item), alone=alone)
        except InputError as error:
            self.problems.append(error)

    def check_references(self) -> None:
        for resource, path, message in reference_faults(self.edge_nodes, self.apps):
            self.problems.append(InputError(message, where=self.origins[_identity(resource)].at(path)))

    def _take(self, origin: Origin, *, alone: bool) -> None:
        document = origin.document.value
        if not isinstance(document, Mapping) or not {"apiVersion", "kind", "metadata", "spec"} & set(document):
            if alone or (not isinstance(document, Mapping) and origin.file.suffix != ".json"):
                raise InputError(
                    "is no manifest: expected a mapping with apiVersion, kind, metadata and spec", where=origin.at()
                )
            self.notes.append(f"{origin.at()}: is no manifest; left alone")
            return
        kind = self._kind(origin, document)
        if kind is None:
            return
        try:
            resource = parse_resource(_KINDS[kind], origin.document)
        except FaultyError as error:
            self.problems += [InputError(text, where=f"{origin.file}:{line}") for line, text in error.faults]
            return
        self._add(resource, origin)

    def _kind(self, origin: Origin, document: Mapping[str, object]) -> str | None:
        """The kind if it is one of ours; None, with a note, if the document is somebody else's."""
        version, kind = document.get("apiVersion"), document.get("kind")
        near = get_close_matches(str(kind), _KINDS, n=1, cutoff=0.75) if kind is not None else []
        ours = str(version).split("/")[0] == _GROUP or bool(near)
        if not ours and version is not None and kind is not None:
            self.notes.append(f"{origin.at()}: kind {kind!s} is not Mainstream's; left alone")
            return None
        wrong = False
        if not isinstance(kind, str) or kind not in _KINDS:
            wanted = f'; did you mean "{near[0]}"?' if near else f"; expected {' or '.join(_KINDS)}"
            problem = "kind: required field is missing" if kind is None else f"kind: unknown kind {kind!r}"
            self.problems.append(InputError(problem + wanted, where=origin.at(("kind",))))
            wrong = True
        if version != API_VERSION:
            got = "required field is missing" if version is None else f"unknown version {version!r}"
            self.problems.append(
                InputError(f'apiVersion: {got}; expected "{API_VERSION}"', where=origin.at(("apiVersion",)))
            )
            wrong = True
        return None if wrong else str(kind)

    def _add(self, resource: Resource, origin: Origin) -> None:
        identity = _identity(resource)
        first = self.origins.get(identity)
        if first is not None:
            self.problems.append(
                InputError(
                    f"metadata.name: {identity} is defined twice, first at {first.at(('metadata', 'name'))}",
                    where=origin.at(("metadata", "name")),
                    remedy="Give one of them another name, or remove it.",
                )
            )
            return
        self.origins[identity] = origin
        if isinstance(resource, EdgeNode):
            self.edge_nodes.append(resource)
        else:
            self.apps.append(resource)


def _documents(file: Path) -> Iterator[Located]:
    read = read_json if file.suffix == ".json" else read_yaml
    return read(_text(file), where=str(file))


def _items(document: Located) -> Iterator[Located]:
    """The document, or the items of a list of Kubernetes."""
    value = document.value
    if isinstance(value, Mapping) and str(value.get("kind")).endswith("List") and isinstance(value.get("items"), list):
        for place in range(len(value["items"])):
            yield document.part(("items", place))
    else:
        yield document


def _identity(resource: Resource) -> str:
    if isinstance(resource, EdgeNode):
        return f"EdgeNode {resource.metadata.name}"
    return f"MainstreamApp {resource.key}"


def _together(problems: Sequence[InputError]) -> InputError:
    if len(problems) == 1:
        return problems[0]
    shown = (str(problem).replace("\n", "\n  ") for problem in problems[:_SHOWN])
    lines = [f"{len(problems)} problems in the manifests:", *(f"  {text}" for text in shown)]
    if len(problems) > _SHOWN:
        lines.append(f"  ... and {len(problems) - _SHOWN} more")
    return InputError("\n".join(lines))
