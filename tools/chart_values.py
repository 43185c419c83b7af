"""Write the table of values in the chart's README anew, from values.yaml: its comments say what each value is.

A comment describes the value below it; one that ends with a blank line describes nothing.

Usage: python tools/chart_values.py        (``make reference`` runs it)
"""

# ruff: noqa: INP001 - a script
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).resolve().parents[1] / "charts" / "mainstream"
BEGIN, END = "<!-- values -->\n", "<!-- end of values -->\n"
_KEY = re.compile(r"^( *)([A-Za-z]+):(?: (.*))?$")


def rows(text: str) -> Iterator[tuple[str, Any, str]]:
    """Path, default and description of each value that is none of the mappings around others."""
    whole = yaml.safe_load(text)
    path: list[str] = []
    comment: list[str] = []
    above: dict[int, str] = {}
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("#"):
            comment.append(stripped.lstrip("# "))
            continue
        found = _KEY.match(line)
        if found:
            depth = len(found[1]) // 2
            path[depth:] = [found[2]]
            above = {at: said for at, said in above.items() if at < depth} | {depth: " ".join(comment)}
            value: Any = whole
            for name in path:
                value = value[name]
            nested = isinstance(value, dict) and value and found[3] is None
            if not nested or set(value) <= {"requests", "limits"}:
                yield ".".join(path), value, above[depth]
            elif comment:
                yield ".".join(path), None, above[depth]
        comment = []


def table(text: str) -> str:
    """In Markdown; a row without a default introduces those below it."""
    seen: set[str] = set()
    lines = ["| value | default | |", "| --- | --- | --- |"]
    for path, value, said in rows(text):
        if any(path.startswith(f"{one}.") for one in seen):
            continue  # part of a value that stands as a whole
        shown = "" if value is None else f"`{json.dumps(value)}`"
        if isinstance(value, dict):
            seen.add(path)
        lines.append(f"| `{path}` | {shown} | {said} |")
    return "\n".join(lines) + "\n"


def written(readme: str, values: str) -> str:
    """The README with this table of values."""
    before, _, rest = readme.partition(BEGIN)
    return before + BEGIN + table(values) + END + rest.partition(END)[2]


if __name__ == "__main__":
    file = CHART / "README.md"
    file.write_text(written(file.read_text(encoding="utf-8"), (CHART / "values.yaml").read_text(encoding="utf-8")))
