"""How ``mainstream packages`` looks: tables of artifacts, candidates and blobs."""

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mainstream.basednn import INPUT, BaseDnnConfig
from mainstream.events import EventProfile
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


def inspect_view(
    plain: Mapping[str, Any], config: BaseDnnConfig | MPackageConfig, names: Mapping[str, str]
) -> RenderableType:
    """An artifact with its candidates (of an M-Package) and blobs; ``names`` are those of the store's index."""
    height, width, channels = config.input_shape
    shared = f"of which {_megabytes(plain['sharedBytes'])} MB shared with others"
    lines = [
        ("name", plain["name"] or "-"),
        ("kind", plain["kind"]),
        ("digest", plain["digest"]),
        ("size", f"{_megabytes(plain['sizeBytes'])} MB, {shared}"),
        ("input", f"{height} x {width} x {channels} {config.preprocessing.colour_order}"),
        *(_about_base(config) if isinstance(config, BaseDnnConfig) else _about_package(config, names)),
    ]
    grid = Table.grid(padding=(0, 2))
    for label, value in lines:
        grid.add_row(Text(label, style="bold"), _text(value))
    tables = [_candidates(config)] if isinstance(config, MPackageConfig) else []
    return Group(grid, *tables, _blobs(plain["blobs"]))


def _about_base(config: BaseDnnConfig) -> list[tuple[str, str]]:
    width = "" if config.alpha is None else f" {config.alpha:g}"
    return [
        ("architecture", f"{config.architecture}{width}"),
        ("weights", config.weights_name),
        ("precision", _precision(config)),
        ("branchpoints", f"{len(config.branchpoints)}, {INPUT} to {config.branchpoints[-1]}"),
    ]


def _precision(config: BaseDnnConfig) -> str:
    how = config.quantization
    return (
        config.precision
        if how is None
        else f"{config.precision}, quantised with {how.pictures} pictures ({how.digest})"
    )


def _about_package(config: MPackageConfig, names: Mapping[str, str]) -> list[tuple[str, str]]:
    base = next((name for name, digest in names.items() if digest == config.base_dnn), "not in this store")
    how = f" ({config.event_profile_measured})" if config.event_profile_measured else ""
    return [
        ("base DNN", f"{config.base_dnn} ({base})"),
        ("classes", ", ".join(config.classes)),
        ("events", ", ".join(config.events)),
        ("event profile", f"{_profile(config.event_profile)}{how}"),
        ("accuracy by", config.measured_by),
    ]


def _profile(profile: EventProfile | None) -> str:
    if profile is None:
        return "none"
    spread = (
        f" ({float(min(profile.lengths)):.4g} to {float(max(profile.lengths)):.4g})" if len(profile.lengths) > 1 else ""
    )
    gap = "" if profile.gap_seconds is None else f", gaps {float(profile.gap_seconds):.4g} s"
    return (
        f"events {float(profile.length_seconds):.4g} s{spread}{gap}, frequency {profile.frequency:.3g}, "
        f"correlation {profile.correlation:.3g} at {float(profile.correlation_fps):.4g} fps"
    )


def _candidates(config: MPackageConfig) -> Table:
    table = _table(
        "Candidates: p true-positive, q false-positive rate of a frame, here at threshold 5 of 9",
        *(("branchpoint", "left"), ("branch", "left"), ("p", "right"), ("q", "right"), ("± p - q", "right")),
        *(("best p - q", "right"), ("at threshold", "right"), ("event frames", "right"), ("other frames", "right")),
        *(("branch MB", "right"),),
    )
    for one in config.candidates:
        best, threshold = _best(one)
        table.add_row(
            _text(one.branchpoint),
            one.precision,
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
