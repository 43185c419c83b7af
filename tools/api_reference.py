"""Print docs/api.md: the reference of the API, made of the CRDs.

python tools/api_reference.py > docs/api.md
"""

# ruff: noqa: INP001 - a script
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

CRDS = Path(__file__).resolve().parents[1] / "crds"
Schema = Mapping[str, Any]

_HEAD = """# The API

`mainstream.dev/v1alpha1`, made of the CRDs in [crds/](../crds) (`make reference`). `kubectl explain edgenode.spec` and
`kubectl explain mainstreamapp.spec` say the same. Numbers that are not integers are decimal strings or quantities. `[]`
stands for each entry of a list. What conditions and reasons mean: [reasons](reasons.md).
"""
_TYPES = {"integer": "integer", "string": "text", "boolean": "true or false", "object": "object", "array": "list"}


def page() -> str:
    """The whole document."""
    parts = [_HEAD]
    for file in sorted(CRDS.glob("*.yaml")):
        crd = yaml.safe_load(file.read_text(encoding="utf-8"))
        parts += _kind(crd["spec"])
    return "\n".join(parts)


def _kind(spec: Mapping[str, Any]) -> Iterator[str]:
    names, (version,) = spec["names"], spec["versions"]
    schema = version["schema"]["openAPIV3Schema"]
    scope = "in a namespace" if spec["scope"] == "Namespaced" else "of the whole cluster"
    short = ", ".join(f"`{name}`" for name in names["shortNames"])
    yield f"## {names['kind']}\n{schema['description']} An object {scope}; short name {short}.\n"
    yield "`kubectl get` shows:\n"
    yield "| column | what |\n| --- | --- |"
    for column in version["additionalPrinterColumns"]:
        wide = " (with `--output wide`)" if column.get("priority") else ""
        yield f"| {column['name'].upper()} | {column.get('description', 'Since when it exists.')}{wide} |"
    for part in ("spec", "status"):
        yield f"\n### {names['kind']}: {part}"
        yield "| field | type | what | default |\n| --- | --- | --- | --- |"
        yield from _rows(schema["properties"][part], "")
        rules = [*_rules(schema["properties"][part], part)]
        if rules:
            yield f"\nWhat is refused in `{part}`:\n"
            yield from (f"- `{path}`: {message}" for path, message in rules)
    yield ""


def _rows(schema: Schema, above: str) -> Iterator[str]:
    required = set(schema.get("required", ()))
    for name, field in schema.get("properties", {}).items():
        path = f"{above}{name}"
        needed = "**required**" if name in required else _default(field)
        yield f"| `{path}` | {_type(field)} | {_cell(field.get('description', ''))} | {needed} |"
        items = field.get("items", {})
        yield from _rows(field, f"{path}.")
        if "properties" in items:
            yield from _rows(items, f"{path}[].")


def _type(field: Schema) -> str:
    if "enum" in field:
        return " \\| ".join(f"`{value}`" for value in field["enum"])
    if field.get("x-kubernetes-int-or-string"):
        return "number"
    if field.get("format") == "date-time":
        return "time"
    kind = _TYPES.get(field.get("type", ""), "`Auto` or a list")
    if kind == "list":
        return f"list of {_type(field['items'])}s" if field["items"].get("type") != "object" else "list"
    if kind == "object" and "additionalProperties" in field:
        return "map"
    return kind


def _default(field: Schema) -> str:
    if "default" not in field or field["default"] in ({}, []):
        return ""
    value = field["default"]
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _rules(schema: Schema, path: str) -> Iterator[tuple[str, str]]:
    """Every rule with a message, where it holds."""
    seen = set()
    for rule in schema.get("x-kubernetes-validations", ()):
        if rule.get("message") and rule["message"] not in seen:
            seen.add(rule["message"])
            yield path, rule["message"]
    for name, field in schema.get("properties", {}).items():
        yield from _rules(field, f"{path}.{name}")
    if isinstance(schema.get("items"), Mapping):
        yield from _rules(schema["items"], f"{path}[]")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page())
