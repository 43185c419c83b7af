"""The report's figures as SVG and HTML: pure functions from ``figures`` to text.

Colours are CSS variables of the page (light and dark); every figure has a title and a description for those who cannot see
it. What is wider than a phone scrolls in its own box, so that letters keep their size.
"""

from collections.abc import Iterable, Sequence
from html import escape
from itertools import accumulate, pairwise
from math import log

from mainstream_demo.figures import (
    NAMES,
    POLICIES,
    App,
    BudgetPoint,
    Interval,
    Lane,
    Policy,
    Report,
    Tree,
    over_streams,
)

COLOURS: dict[Policy, str] = {"Mainstream": "var(--mainstream)", "MaxSharing": "var(--max)", "NoSharing": "var(--no)"}


def svg(
    width: float, height: float, title: str, description: str, parts: Iterable[str], *, key: str, shrinks: bool = False
) -> str:
    """A figure of its own box; ``key`` makes its ids unique in the page. ``shrinks``: to a phone's width, else it scrolls."""
    kind = ' class="shrinks"' if shrinks else ""
    return (
        f'<div class="scroll"><svg{kind} viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" '
        f'role="img" aria-labelledby="{key}-title {key}-text" xmlns="http://www.w3.org/2000/svg">'
        f'<title id="{key}-title">{escape(title)}</title><desc id="{key}-text">{escape(description)}</desc>'
        + "".join(parts)
        + "</svg></div>"
    )


def legend(policies: Sequence[Policy] = POLICIES, *, marker: str = "") -> str:
    """Which colour is which policy; ``marker`` explains a further sign."""
    keys = "".join(
        f'<li><span class="key" style="background:{COLOURS[policy]}"></span>{NAMES[policy]}</li>' for policy in policies
    )
    return f'<ul class="legend">{keys}{f"<li>{marker}</li>" if marker else ""}</ul>'


def f1_bars(apps: Sequence[App]) -> str:
    """Measured F1 as bars, predicted F1 as a tick, for each application (mean over its streams) under each policy."""
    cards = []
    for name, results in over_streams(apps).items():
        rows = []
        for policy, result in results.items():
            if not result.admitted:
                rows.append(f'<div class="bar"><span class="none">{NAMES[policy]}: did not fit</span></div>')
                continue
            label = f"{NAMES[policy]}: measured {result.f1_model:.2f}, predicted {result.predicted_f1:.2f}"
            rows.append(
                f'<div class="bar" role="img" aria-label="{escape(label)}" title="{escape(label)}">'
                f'<span class="track"><span class="fill" style="width:{result.f1_model:.1%};'
                f'background:{COLOURS[policy]}"></span>'
                f'<span class="tick" style="left:{result.predicted_f1:.1%}"></span></span>'
                f'<span class="value">{result.f1_model:.2f}</span></div>'
            )
        cards.append(f'<div class="app"><h4>{escape(name)}</h4>{"".join(rows)}</div>')
    return f'<div class="bars">{"".join(cards)}</div>'


def budget_curve(budgets: Sequence[BudgetPoint], chosen: float, report: Report) -> str:
    """Predicted mean F1 over the budget, one line for each policy; measured points at the chosen budget."""
    width, height, left, right, top, bottom = 440.0, 270.0, 34.0, 8.0, 14.0, 44.0
    least, most = (log(pick(point.utilization for point in budgets)) for pick in (min, max))
    span = most - least or 1.0

    def x(utilization: float) -> float:  # logarithmic: budgets double from one to the next
        return left + 14 + (width - left - right - 28) * (log(utilization) - least) / span

    def y(f1: float) -> float:
        return top + (height - top - bottom) * (1 - f1)

    parts = [
        f'<line class="grid" x1="{left}" x2="{width - right}" y1="{y(f1):.1f}" y2="{y(f1):.1f}"/>'
        f'<text class="axis" x="{left - 8}" y="{y(f1) + 4:.1f}" text-anchor="end">{f1:.1f}</text>'
        for f1 in (0, 0.2, 0.4, 0.6, 0.8, 1.0)
    ]
    parts.append(f'<line class="chosen" x1="{x(chosen):.1f}" x2="{x(chosen):.1f}" y1="{top}" y2="{height - bottom}"/>')
    parts.extend(
        f'<text class="axis" x="{x(point.utilization):.1f}" y="{height - bottom + 18}" '
        f'text-anchor="middle">{point.utilization:g} %</text>'
        for point in budgets
    )
    parts.append(
        f'<text class="axis" x="{(left + width - right) / 2:.0f}" y="{height - 6}" text-anchor="middle">'
        "budget: share of one engine's time</text>"
    )
    for policy in reversed(POLICIES):
        line = " ".join(f"{x(point.utilization):.1f},{y(point.predicted_f1[policy]):.1f}" for point in budgets)
        parts.append(f'<polyline class="line" points="{line}" style="stroke:{COLOURS[policy]}"/>')
        parts.append(
            f'<circle class="dot" cx="{x(chosen):.1f}" cy="{y(report.policies[policy].f1_model):.1f}" r="5" '
            f'style="fill:{COLOURS[policy]}"/>'
        )
    words = "; ".join(
        f"at {point.utilization:g} per cent "
        + ", ".join(f"{NAMES[policy]} {point.predicted_f1[policy]:.2f}" for policy in POLICIES)
        for point in budgets
    )
    return svg(width, height, "Predicted mean F1 by budget", words, parts, key="budget", shrinks=True)


def tree(item: Tree, number: int) -> str:
    """A stem as a chain of segments, widths by time, with each app's branch hanging where it leaves the stem."""
    branches = sorted(item.branches, key=lambda branch: (-branch.depth, -branch.fps, branch.app))
    stem = sum(segment.milliseconds for segment in item.segments)
    longest = stem + max((branch.milliseconds for branch in branches), default=0)
    left, scale, row, top = 10.0, 520 / max(longest, 1e-9), 30, 62
    ends = [left + scale * done for done in accumulate((s.milliseconds for s in item.segments), initial=0.0)]
    height = top + row * len(branches) + 10
    fastest = max((segment.fps for segment in item.segments), default=1)
    parts = []
    for depth, branch in sorted({branch.depth: branch for branch in branches}.items()):
        lowest = max(place for place, other in enumerate(branches) if other.depth == depth)
        parts.append(
            f'<line class="stalk" x1="{ends[branch.depth]:.1f}" x2="{ends[branch.depth]:.1f}" y1="44" '
            f'y2="{top + row * lowest + 11}"/>'
        )
    for segment, (start, end) in zip(item.segments, pairwise(ends), strict=True):
        parts.append(
            f'<rect class="segment" x="{start:.1f}" y="24" width="{max(end - start - 1, 0.5):.1f}" height="22" rx="2" '
            f'style="fill-opacity:{0.35 + 0.65 * segment.fps / fastest:.2f}">'
            f"<title>{escape(segment.end)}: {segment.milliseconds:.2f} ms, {segment.fps:g} fps</title></rect>"
        )
    changes = [place for place, s in enumerate(item.segments) if not place or s.fps != item.segments[place - 1].fps]
    parts.extend(
        f'<text class="axis" x="{ends[place]:.1f}" y="17">{item.segments[place].fps:g} fps</text>' for place in changes
    )
    for place, branch in enumerate(branches):
        y, start = top + row * place, ends[branch.depth]
        end = start + max(3.0, scale * branch.milliseconds)
        cut = item.segments[branch.depth - 1].end if branch.depth else "input"
        parts.append(
            f'<line class="stalk" x1="{start:.1f}" x2="{start + 2:.1f}" y1="{y + 11}" y2="{y + 11}"/>'
            f'<rect class="branch" x="{start + 1:.1f}" y="{y}" width="{end - start - 1:.1f}" height="22" rx="2"/>'
            f'<text x="{end + 8:.1f}" y="{y + 15}"><tspan class="strong">{escape(branch.app)}</tspan> '
            f"after {escape(cut)}, {branch.fps:g} fps, {_votes(branch.votes)}</text>"
        )
    words = f"{len(item.segments)} shared segments, {stem:.1f} ms. " + "; ".join(
        f"{branch.app} leaves after {item.segments[branch.depth - 1].end if branch.depth else 'the input'} "
        f"at {branch.fps:g} frames per second"
        for branch in branches
    )
    return svg(860, height, f"Shared segments of {item.stream}", words, parts, key=f"tree{number}")


def _votes(votes: int) -> str:
    return f"{votes} vote" if votes == 1 else f"{votes} votes"


def timeline(lanes: Sequence[Lane], seconds: float, number: int) -> str:
    """True events above, what each policy emitted below, for every app of a stream."""
    width, left, bar, gap = 980.0, 110.0, 7, 12
    block = bar * (1 + len(POLICIES)) + gap
    scale = (width - left - 30) / seconds
    height = block * len(lanes) + 26
    parts = []
    for tick in range(0, int(seconds) + 1, 10):
        x = left + tick * scale
        parts.append(
            f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height - 20}"/>'
            f'<text class="axis" x="{x:.1f}" y="{height - 5}" text-anchor="middle">{tick} s</text>'
        )
    for place, lane in enumerate(lanes):
        y = place * block + 2
        parts.append(f'<text x="0" y="{y + 2 * bar + 4}" class="strong">{escape(lane.app)}</text>')
        rows: list[tuple[str, Sequence[Interval]]] = [("var(--text)", lane.truth)]
        rows.extend((COLOURS[policy], lane.emitted[policy]) for policy in POLICIES)
        for level, (colour, intervals) in enumerate(rows):
            for start, end in intervals:
                parts.append(
                    f'<rect x="{left + start * scale:.1f}" y="{y + level * bar}" '
                    f'width="{max(2.0, (end - start) * scale):.1f}" height="{bar - 1}" style="fill:{colour}">'
                    f"<title>{start:.2f} s to {end:.2f} s</title></rect>"
                )
    words = "; ".join(
        f"{lane.app}: {len(lane.truth)} true events, "
        + ", ".join(f"{NAMES[policy]} emitted {len(lane.emitted[policy])}" for policy in POLICIES)
        for lane in lanes
    )
    return svg(width, height, f"True and emitted events, first {seconds:.0f} s", words, parts, key=f"time{number}")


def accuracy_curves(apps: Sequence[App]) -> str:
    """For each app: p and q of a frame's verdict over the branchpoint; the more is specialized, the farther left."""
    cards = []
    for number, app in enumerate(apps):
        left, right, top, height, width = 26.0, 250.0, 10.0, 120.0, 260.0

        def x(share: float, left: float = left, right: float = right) -> float:
            return left + (right - left) * share

        def y(value: float, top: float = top, height: float = height) -> float:
            return top + (height - top) * (1 - value)

        parts = [
            f'<line class="grid" x1="{left}" x2="{right}" y1="{y(level):.1f}" y2="{y(level):.1f}"/>'
            f'<text class="axis" x="{left - 5}" y="{y(level) + 4:.1f}" text-anchor="end">{level:g}</text>'
            for level in (0, 0.5, 1)
        ]
        points = sorted(app.candidates, key=lambda candidate: candidate.stem_share)
        for colour, values in (("good", [c.p for c in points]), ("bad", [c.q for c in points])):
            line = " ".join(f"{x(c.stem_share):.1f},{y(v):.1f}" for c, v in zip(points, values, strict=True))
            parts.append(f'<polyline class="line" points="{line}" style="stroke:var(--{colour})"/>')
            parts.extend(
                f'<circle cx="{x(c.stem_share):.1f}" cy="{y(v):.1f}" r="3.5" style="fill:var(--{colour})">'
                f"<title>{escape(c.branchpoint)}: {v:.3f}</title></circle>"
                for c, v in zip(points, values, strict=True)
            )
        parts.append(f'<text class="axis" x="{left}" y="{height + 16}">0 %</text>')
        parts.append(f'<text class="axis" x="{right}" y="{height + 16}" text-anchor="end">100 % shared</text>')
        words = "; ".join(f"{c.branchpoint}: p {c.p:.2f}, q {c.q:.3f}" for c in points)
        figure = svg(width, height + 22, f"Accuracy of {app.name} by branchpoint", words, parts, key=f"curve{number}")
        cards.append(f'<div class="app"><h4>{escape(app.name)}</h4>{figure}</div>')
    return f'<div class="bars">{"".join(cards)}</div>'
