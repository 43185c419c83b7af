"""The answer of ``plan`` for people: who gains, who loses, who would not run."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

NOTHING = "-"


def plan_view(answers: Sequence[Mapping[str, Any]], changed: frozenset[str]) -> RenderableType:
    """Box by box; apps of the manifests are bold."""
    return Group(*(part for answer in answers for part in _box(answer, changed)))


def _box(answer: Mapping[str, Any], changed: frozenset[str]) -> Sequence[RenderableType]:
    table = Table(title=f"EdgeNode {answer['edgeNode']}: what would change", title_justify="left")
    table.add_column("app", overflow="fold")
    for heading in ("branchpoint", "fps", "votes", "F1", "change"):
        table.add_column(heading, justify="left" if heading == "branchpoint" else "right")
    for row in answer["apps"]:
        before, after = row["before"], row["after"]
        table.add_row(
            Text(row["app"], style="bold" if row["app"] in changed else ""),
            *(_both(before, after, field) for field in ("branchpoint", "fps", "votes")),
            _f1(before, after),
            _change(before, after),
        )
    parts: list[RenderableType] = [table, Text(_figures(answer))]
    parts += [
        Text.assemble(("does not run: ", "yellow"), f"{row['app']}  {row['reason']}: {row['message']}")
        for row in answer["apps"]
        if row["reason"]
    ]
    parts += [Text.assemble(("note: ", "dim"), note) for note in answer["notes"]]
    return parts


def _both(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, field: str) -> str:
    old = str(before[field]) if before else NOTHING
    new = str(after[field]) if after else NOTHING
    return new if old == new else f"{old} → {new}"


def _f1(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> str:
    old = f"{before['expectedF1']:.3f}" if before else NOTHING
    new = f"{after['expectedF1']:.3f}" if after else NOTHING
    return new if old == new else f"{old} → {new}"


def _change(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> Text:
    if before is None:
        return Text("new", style="green") if after else Text("not admitted", style="red")
    if after is None:
        return Text("gone", style="red")
    difference = after["expectedF1"] - before["expectedF1"]
    if abs(difference) < 0.0005:
        return Text("same")
    return Text(f"{difference:+.3f}", style="green" if difference > 0 else "red")


def _figures(answer: Mapping[str, Any]) -> str:
    before, after = answer["before"], answer["after"]
    old = f"{before['meanF1']:.3f}" if before["meanF1"] is not None else NOTHING
    new = f"{after['meanF1']:.3f}" if after["meanF1"] is not None else NOTHING
    budget = f" of budget {after['budget']:.4f}" if after["budget"] is not None else ""
    proof = "" if after["proven"] else " (not proven to be the best)"
    return f"mean F1 {old} → {new}{proof}, apps {before['apps']} → {after['apps']}, cost {after['cost']:.4f}{budget}"
