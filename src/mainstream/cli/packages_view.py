"""How ``mainstream packages`` looks: tables of artifacts, candidates and blobs."""

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mainstream.packages.artifacts import BASE_DNN_TYPE, KINDS
from mainstream.packages.manifest import printable
from mainstream.packages.mpackage import THRESHOLDS, Candidate, MPackageConfig

_ONE_HALF = THRESHOLDS.index(5)


def list_view(rows: list[dict[str, Any]], totals: dict[str, int]) -> RenderableType:
    """The artifacts of a store, and what all of them take."""
    table = _table(
        "",
        ("name", "left"),
        ("kind", "left"),
        ("digest", "left"),
        ("MB", "right"),
        ("shared MB", "right"),
        ("candidates", "right"),
    )
    for row in rows:
        table.add_row(
            _text(row["name"] or "-"),
            row["kind"],
            _short(row["digest"]),
            _megabytes(row["sizeBytes"]),
            _megabytes(row["sharedBytes"]),
            str(row.get("candidates", "")),
        )
    if not rows:
        return Text("The store is empty.")
    words = f"{_megabytes(totals['sizeBytes'])} MB; {_megabytes(totals['unsharedBytes'])} MB if nothing were shared"
    if totals["unlistedBytes"]:
        words += f"; {_megabytes(totals['unlistedBytes'])} MB more belong to artifacts that have been replaced"
    return Group(table, Text(words))


def inspect_view(plain: Mapping[str, Any], config: MPackageConfig | None, names: Mapping[str, str]) -> RenderableType:
    """An artifact with its candidates (of an M-Package) and blobs; ``names`` are those of the store's index."""
    parts: list[RenderableType] = [_head(plain, names)]
    if config is not None:
        parts.append(_candidates(config))
    parts.append(_blobs(plain["blobs"]))
    return Group(*parts)


def _head(plain: Mapping[str, Any], names: Mapping[str, str]) -> RenderableType:
    config = plain["config"]
    height, width, channels = config["inputShape"]
    lines = [
        ("name", plain["name"] or "-"),
        ("kind", plain["kind"]),
        ("digest", plain["digest"]),
        (
            "size",
            f"{_megabytes(plain['sizeBytes'])} MB, of which {_megabytes(plain['sharedBytes'])} MB shared with others",
        ),
        ("input", f"{height} x {width} x {channels} {config['preprocessing']['colourOrder']}"),
    ]
    if plain["kind"] == KINDS[BASE_DNN_TYPE]:
        lines += [
            ("architecture", f"{config['architecture']} {config.get('alpha', '')}".strip()),
            ("weights", config["weightsName"]),
            ("branchpoints", f"{len(config['segments']) + 1}, input to {config['segments'][-1]['end']}"),
        ]
    else:
        base = next((name for name, digest in names.items() if digest == config["baseDnn"]), "not in this store")
        lines += [
            ("base DNN", f"{config['baseDnn']} ({base})"),
            ("classes", ", ".join(config["classes"])),
            ("events", ", ".join(config["events"])),
            ("event profile", _profile(config.get("eventProfile"))),
            ("measured", config["measuredBy"]),
        ]
    grid = Table.grid(padding=(0, 2))
    for label, value in lines:
        grid.add_row(Text(label, style="bold"), _text(value))
    return grid


def _profile(profile: dict[str, str] | None) -> str:
    if profile is None:
        return "none"
    gap = f", gaps {profile['gapSeconds']} s" if "gapSeconds" in profile else ""
    return (
        f"events {profile['lengthSeconds']} s{gap}, frequency {profile['frequency']}, "
        f"correlation {profile['correlation']} at {profile['correlationFps']} fps"
    )


def _candidates(config: MPackageConfig) -> Table:
    table = _table(
        "Candidates: p true-positive, q false-positive rate of a frame, here at threshold 5 of 9",
        *(("branchpoint", "left"), ("p", "right"), ("q", "right"), ("± p - q", "right")),
        *(("best p - q", "right"), ("at threshold", "right"), ("event frames", "right"), ("other frames", "right")),
        *(("branch MB", "right"),),
    )
    for one in config.candidates:
        best, threshold = _best(one)
        table.add_row(
            _text(one.branchpoint),
            f"{one.true_positive_rate[_ONE_HALF]:.3f}",
            f"{one.false_positive_rate[_ONE_HALF]:.3f}",
            f"{one.interval:.3f}",
            f"{best:.3f}",
            str(threshold),
            f"{one.event_frames:,}",
            f"{one.background_frames:,}",
            _megabytes(one.branch_size),
        )
    return table


def _best(one: Candidate) -> tuple[float, int]:
    """The largest p - q over the thresholds, and the threshold."""
    differences = [p - q for p, q in zip(one.true_positive_rate, one.false_positive_rate, strict=True)]
    best = max(differences)
    return best, THRESHOLDS[differences.index(best)]


def _blobs(blobs: list[dict[str, Any]]) -> Table:
    table = _table(
        "Blobs",
        ("piece", "left"),
        ("branchpoint", "left"),
        ("MB", "right"),
        ("digest", "left"),
        ("shared with", "left"),
    )
    for blob in blobs:
        table.add_row(
            _text(blob["piece"]),
            _text(blob["branchpoint"]),
            _megabytes(blob["sizeBytes"]),
            _short(blob["digest"]),
            _text(_some(blob["sharedWith"])),
        )
    return table


def _some(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 2 else f"{names[0]} and {len(names) - 1} others"


def verify_view(rows: list[dict[str, Any]]) -> Table:
    """The artifacts that were checked, sound or broken."""
    table = _table("", ("name", "left"), ("kind", "left"), ("blobs", "right"), ("MB", "right"), ("state", "left"))
    for row in rows:
        state = "sound" if row["sound"] else "broken"
        table.add_row(
            _text(row["name"] or row["digest"]), row["kind"], str(row["blobs"]), _megabytes(row["sizeBytes"]), state
        )
    return table


def _table(title: str, *columns: tuple[str, Any]) -> Table:
    table = Table(title=title or None, title_justify="left")
    for name, side in columns:
        table.add_column(name, justify=side, no_wrap=name in {"name", "digest", "branchpoint"})
    return table


def _text(text: str) -> Text:
    """A stranger's text: neither markup nor what a terminal would obey."""
    return Text(printable(text))


def _short(digest: str) -> str:
    return digest[:19]


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.2f}"
