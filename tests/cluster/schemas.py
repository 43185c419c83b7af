"""What a schema asks for, field by field, so that a CRD and a Python type can be held against each other."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

CRDS = Path(__file__).resolve().parents[2] / "crds"

_LIMITS = ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems")


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A field: its kind, whether it must be there, what it is when absent, its choices and its limits."""

    kind: str
    required: bool
    default: Any
    choices: frozenset[str]
    limits: Mapping[str, int]
    description: str
    schema: Mapping[str, Any]


def crd(plural: str) -> dict[str, Any]:
    """The CRD as it is in the tree."""
    loaded: dict[str, Any] = yaml.safe_load((CRDS / f"{plural}.mainstream.dev.yaml").read_text())
    return loaded


def crd_schema(plural: str, part: str) -> Mapping[str, Any]:
    """The CRD's schema of ``spec`` or ``status``."""
    (version,) = crd(plural)["spec"]["versions"]
    schema: Mapping[str, Any] = version["schema"]["openAPIV3Schema"]["properties"][part]
    return schema


def type_schema(model: type[BaseModel]) -> Mapping[str, Any]:
    """The JSON Schema of what a Python type reads, under its outside names."""
    return model.model_json_schema(by_alias=True, mode="validation")


def shapes(schema: Mapping[str, Any]) -> dict[str, Shape]:
    """All fields of a schema by their paths: ``streams[].source.rtsp.url``."""
    return dict(_walk(schema, schema.get("$defs", {}), ""))


def _walk(schema: Mapping[str, Any], named: Mapping[str, Any], path: str) -> Iterator[tuple[str, Shape]]:
    required = schema.get("required", ())
    for name, given in schema.get("properties", {}).items():
        inner = _resolved(given, named)
        place = f"{path}.{name}" if path else name
        yield place, _shape(inner, required=name in required)
        yield from _walk(inner, named, place)
        items = _resolved(inner.get("items", {}), named)
        if items.get("properties"):
            yield from _walk(items, named, f"{place}[]")


def _resolved(schema: Mapping[str, Any], named: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema without references and without null: absent is what a field that may be null is outside."""
    if "$ref" in schema:
        return {**named[schema["$ref"].rpartition("/")[2]], **schema}
    options = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    if len(options) == 1 and len(schema["anyOf"]) == 2:
        rest = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
        return {**_resolved(options[0], named), **rest}
    return schema


def _shape(schema: Mapping[str, Any], *, required: bool) -> Shape:
    return Shape(
        kind=_kind(schema),
        required=required,
        default=schema.get("default"),
        choices=frozenset(schema.get("enum", ())),
        limits={key: schema[key] for key in _LIMITS if key in schema},
        description=schema.get("description", ""),
        schema=schema,
    )


def _kind(schema: Mapping[str, Any]) -> str:
    options = {one.get("type", "other") for one in schema.get("anyOf", ())}
    if "array" in options or schema.get("x-kubernetes-preserve-unknown-fields"):
        return "word or list"
    if schema.get("x-kubernetes-int-or-string") or options or schema.get("type") == "number":
        return "number or text"  # a number that may be written as text: "0.5", "30000/1001", 15, Auto
    if schema.get("type") == "object" and "properties" not in schema:
        return "anything" if schema.get("additionalProperties") is True else "map"
    return str(schema["type"])
