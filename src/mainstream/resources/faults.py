"""What is wrong with a resource, said for people: the field, the value, what was expected, the field that was meant."""

import re
import types
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from mainstream.resources.located import FieldPath, Located, field_text

Resource = TypeVar("Resource", bound=BaseModel)

KUBERNETES_METADATA = frozenset(
    {
        *("annotations", "creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "finalizers"),
        *("generateName", "generation", "labels", "managedFields", "name", "namespace", "ownerReferences"),
        *("resourceVersion", "selfLink", "uid"),
    }
)
"""Fields of ObjectMeta (Kubernetes API reference): a resource that `kubectl get -o yaml` printed has many of them."""


class FaultyError(ValueError):
    """A document is not the resource that it says to be. ``faults``: line and message of each thing that is wrong."""

    def __init__(self, faults: Sequence[tuple[int, str]]) -> None:
        super().__init__("; ".join(message for _, message in faults))
        self.faults = tuple(faults)


def parse_resource(model: type[Resource], document: Located) -> Resource:
    """The document as a resource; ``FaultyError`` with everything that is wrong."""
    faults = list(_metadata_faults(document))
    try:
        resource = model.model_validate(document.value, by_alias=True, by_name=False)
    except ValidationError as error:
        faults = [*_faults(model, document, error), *faults]
        raise FaultyError(sorted(faults)) from None
    if faults:
        raise FaultyError(faults)
    return resource


def meant(word: str, known: Sequence[str]) -> str:
    """``; did you mean "events"?`` where a known word is near, else what is known."""
    near = get_close_matches(word.lower(), [name.lower() for name in known], n=1, cutoff=0.6)
    for name in known:
        if near and name.lower() == near[0]:
            return f'; did you mean "{name}"?'
    listed = ", ".join(sorted(known)[:20])
    return f"; known: {listed}{', ...' if len(known) > 20 else ''}" if known else ""


def _metadata_faults(document: Located) -> Iterator[tuple[int, str]]:
    metadata = document.value.get("metadata")
    if isinstance(metadata, Mapping):
        for name in metadata:
            if name not in KUBERNETES_METADATA:
                path = ("metadata", name)
                known = ("name", "namespace", "labels", "annotations")
                yield document.line(path), f"{field_text(path)}: unknown field{meant(name, known)}"


def _faults(model: type[BaseModel], document: Located, error: ValidationError) -> Iterator[tuple[int, str]]:
    found: dict[FieldPath, list[str]] = {}
    values: dict[FieldPath, Any] = {}
    for item in error.errors(include_url=False):
        kind = item["type"]
        path = _path(document.value, item["loc"], absent=kind == "missing")
        values[path] = item["input"]
        if kind == "extra_forbidden":
            message = f"unknown field{meant(str(path[-1]), _names(model, path[:-1]))}"
        elif kind == "missing":
            message = "required field is missing"
        else:
            message = _expected(item)
        found.setdefault(path, []).append(message)
    for path, messages in found.items():
        if any(len(other) > len(path) and other[: len(path)] == path for other in found):
            continue  # a member of a union that was not meant; what is wrong inside says more
        text = " or ".join(dict.fromkeys(messages)).replace(" or expected ", " or ")
        value = values[path]
        if text.startswith("expected") and ", got " not in text:
            shown = "nothing" if value is None else _shown(value)
            text = f"{text}, got {shown}"
        yield document.line(path), f"{field_text(path)}: {text}"


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


_WORDS = {
    "int_type": "an integer",
    "int_parsing": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "a string",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "too_short": "an entry or more",
}


def _expected(item: Any) -> str:
    kind, context = item["type"], item.get("ctx", {})
    if kind in _WORDS:
        return f"expected {_WORDS[kind]}"
    if kind == "string_pattern_mismatch" and context.get("pattern", "").startswith("^[a-z0-9]([-a-z0-9"):
        return "expected a name of lower-case letters, digits and '-', not at its ends"
    message = str(item["msg"]).removeprefix("Value error, ")
    message = re.sub(r"^(Input|String|Tuple|List|Data) should ", "expected it to ", message)
    return message.replace("expected it to be ", "expected ")


def _path(value: Any, location: Sequence[str | int], *, absent: bool) -> FieldPath:
    """The location without pydantic's names of union members, which are no fields of the document."""
    path: list[str | int] = []
    for place, step in enumerate(location):
        entries = range(len(value)) if isinstance(value, list) else value if isinstance(value, Mapping) else ()
        if step in entries:
            path.append(step)
            value = value[step]  # a list's entries are integers
        elif absent and place == len(location) - 1:
            path.append(step)
    return tuple(path)


def _names(model: type[BaseModel], path: FieldPath) -> tuple[str, ...]:
    """The outside names of the fields that the model has at that place."""
    models = [model]
    for step in path:
        if isinstance(step, str):
            fields = [found for each in models for found in each.model_fields.values() if found.alias == step]
            models = [inner for found in fields for inner in _models(found.annotation)]
    return tuple(found.alias or name for each in models for name, found in each.model_fields.items())


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Annotated, Union, types.UnionType, tuple, list):
        for inner in get_args(annotation):
            yield from _models(inner)
