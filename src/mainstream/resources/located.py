"""YAML and JSON with the line of every field, for messages; read so that a hostile file does no harm.

Rules: only plain values (no tags that make objects, no timestamps); keys are strings and appear once; aliases are refused, for
a few lines of them expand to gigabytes; a file has a maximum size; nesting has a maximum depth.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from mainstream.errors import InputError

MAX_BYTES = 8 << 20
"""Larger than any list of manifests (1,000 apps take about 1 MiB)."""

MAX_DEPTH = 50
"""Of nesting; our resources use eight levels."""

FieldPath = tuple[str | int, ...]

_PLAIN_TAGS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """Plain values and where their fields stand. ``lines`` count from 1; a mapping's entry stands where its key does."""

    value: Any
    lines: dict[FieldPath, int] = field(default_factory=dict)

    def line(self, path: FieldPath = ()) -> int:
        """The line of the field, or of the nearest thing around it."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return self.lines.get((), 1)

    def part(self, path: FieldPath) -> "Located":
        """A part of the document as a document of its own."""
        value = self.value
        for step in path:
            value = value[step]
        size = len(path)
        return Located(value=value, lines={key[size:]: line for key, line in self.lines.items() if key[:size] == path})


class _PlainLoader(yaml.SafeLoader):
    """Refuses aliases while composing; leaves timestamps as the strings that they are written as."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML declares it so
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, text: str, where: str) -> None:
        super().__init__(text)
        self._where = where
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """As PyYAML's, within our limits."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            raise InputError(
                f"the alias *{event.anchor}: aliases are not taken", where=f"{self._where}:{line}",
                remedy="Write the value out where it is used.",
            )  # fmt: skip
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise InputError(f"nested deeper than {MAX_DEPTH} levels", where=f"{self._where}:{line}")
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node


def read_yaml(text: str, *, where: str) -> Iterator[Located]:
    """The documents of a YAML file, empty ones left out; ``InputError`` names ``where`` and the line."""
    try:
        loader = _PlainLoader(text, where)
    except yaml.reader.ReaderError as error:
        raise InputError(
            f"holds the character U+{ord(text[error.position]):04X}, which no manifest may hold",
            where=f"{where}:{text.count(chr(10), 0, error.position) + 1}",
        ) from None
    try:
        while loader.check_node():
            node = loader.get_node()
            if node is None:
                continue
            lines: dict[FieldPath, int] = {(): node.start_mark.line + 1}
            value = _value(loader, node, (), lines, where)
            if value is not None:
                yield Located(value=value, lines=lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = where if mark is None else f"{where}:{mark.line + 1}"
        words = " ".join(part for part in (error.context, error.problem) if part)
        if mark is not None and error.context_mark is not None and error.context_mark.line != mark.line:
            words += f" (begun in line {error.context_mark.line + 1})"
        raise InputError(
            f"not readable as YAML: {words}", where=place, remedy="Check the indentation and the quotes there."
        ) from None
    except yaml.YAMLError as error:
        first = str(error).splitlines()[0]
        raise InputError(f"not readable as YAML: {first}", where=where) from None
    finally:
        loader.dispose()


def read_json(text: str, *, where: str) -> Iterator[Located]:
    """The one document of a JSON file; ``InputError`` names ``where`` and the line."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"not readable as JSON: {error.msg}", where=f"{where}:{error.lineno}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"not readable as JSON: {error}", where=where) from None
    # JSON is YAML but for its tabs, which can only be white space; YAML knows the lines and repeated keys.
    for located in read_yaml(text.replace("\t", " "), where=where):
        yield Located(value=value, lines=located.lines)


def _value(loader: _PlainLoader, node: yaml.Node, path: FieldPath, lines: dict[FieldPath, int], where: str) -> Any:
    here = f"{where}:{node.start_mark.line + 1}"
    if node.tag not in _PLAIN_TAGS:
        shown = node.tag.replace("tag:yaml.org,2002:", "!!")
        raise InputError(f"the tag {shown} is not taken", where=here, remedy="Write a plain value.")
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise InputError("a field's name must be a string", where=f"{where}:{line}")
            key = str(key_node.value)
            entry = (*path, key)
            if key in mapping:
                raise InputError(
                    f"{field_text(entry)}: is given twice, first in line {lines[entry]}", where=f"{where}:{line}",
                    remedy="Remove one of them.",
                )  # fmt: skip
            lines[entry] = line
            mapping[key] = _value(loader, value_node, entry, lines, where)
        return mapping
    if isinstance(node, yaml.SequenceNode):
        items = []
        for place, item in enumerate(node.value):
            lines[(*path, place)] = item.start_mark.line + 1
            items.append(_value(loader, item, (*path, place), lines, where))
        return items
    try:
        return loader.construct_object(node)
    except ValueError as error:
        raise InputError(f"{field_text(path)}: {error}", where=here) from None


def field_text(path: FieldPath) -> str:
    """``spec.streams[0].captureFps``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text or "document"
