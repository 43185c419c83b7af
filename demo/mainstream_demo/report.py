"""The report: one HTML page that needs nothing else, made from ``Report`` alone."""

from collections.abc import Sequence
from html import escape
from string import Template

from mainstream_demo import charts, eightbit
from mainstream_demo.belt import ASSETS
from mainstream_demo.figures import BASELINES, NAMES, POLICIES, Report

PAGE = ASSETS / "report.html"
"""The page's frame and style; ``$name`` is filled in."""


def render(report: Report) -> str:
    """The whole page."""
    streams = list(dict.fromkeys(app.stream for app in report.apps))
    first = [app for app in report.apps if app.stream == streams[0]]
    return Template(PAGE.read_text(encoding="utf-8")).substitute(
        headline=headline(report),
        lead=lead(report),
        cards=cards(report),
        results=results_table(report),
        legend=charts.legend(marker='<span class="tickkey"></span>predicted'),
        legend_points=charts.legend(marker='<span class="dotkey"></span>measured'),
        legend_truth=charts.legend(marker='<span class="key" style="background:var(--text)"></span>truth'),
        bars=charts.f1_bars(report.apps),
        apps_table=apps_table(report),
        budgets=charts.budget_curve(report.budgets, report.utilization, report),
        rule=escape(report.budget_rule),
        trees=by_stream([(item.stream, charts.tree(item, number)) for number, item in enumerate(report.trees)]),
        timelines=by_stream(
            [
                (
                    stream,
                    charts.timeline(
                        [lane for lane in report.timeline if lane.stream == stream], report.timeline_seconds, number
                    ),
                )
                for number, stream in enumerate(streams)
            ]
        ),
        curves=charts.accuracy_curves(first),
        pictures=pictures(report),
        scene=facts(report.scene),
        machine=facts(report.machine),
        steps=steps_table(report),
        total=duration(report.total_seconds),
        both_base_dnns=eightbit.section(report, table),
        error=f"{report.prediction_error:.3f}",
    )


def by_stream(figures: Sequence[tuple[str, str]]) -> str:
    """A figure for each stream; the first is seen, the others can be opened."""
    shown = [f"<h4>{escape(stream)}</h4>{figure}" for stream, figure in figures]
    rest = f"<details><summary>The other streams</summary>{''.join(shown[1:])}</details>" if shown[1:] else ""
    return "".join(shown[:1]) + rest


def headline(report: Report) -> str:
    """What came out, in one sentence."""
    better = max(BASELINES, key=lambda policy: report.policies[policy].f1)
    streams = _count(len({app.stream for app in report.apps}), "stream")
    return (
        f"{len(report.apps)} applications on {streams} find events with a mean F1 of "
        f"{report.policies['Mainstream'].f1:.2f}; {NAMES[better]}, the better of the two usual ways, reaches "
        f"{report.policies[better].f1:.2f}"
    )


def lead(report: Report) -> str:
    """What was done, in two sentences."""
    return (
        f"The same {duration(report.stream_seconds)} of test video ran three times on this machine, each time planned for "
        f"{report.utilization:g} % of one engine's time. "
        "Each policy used the rates, votes and thresholds that are best for it; training and test share no picture."
    )


def cards(report: Report) -> str:
    """The three headline figures of each policy."""
    blocks = []
    for policy in POLICIES:
        result = report.policies[policy]
        blocks.append(
            f'<article class="card" style="--colour:{charts.COLOURS[policy]}"><h3>{NAMES[policy]}</h3>'
            f'<p class="figure">{result.f1:.2f}</p><p class="unit">mean event F1, measured</p>'
            f"<dl><div><dt>predicted</dt><dd>{result.predicted_f1:.2f}</dd></div>"
            f"<div><dt>looks per second</dt><dd>{result.looks / report.stream_seconds:.0f}</dd></div>"
            f"<div><dt>engine time, measured</dt><dd>{100 * result.measured_cost:.1f} %</dd></div></dl></article>"
        )
    return "".join(blocks)


def results_table(report: Report) -> str:
    """Each policy's figures."""
    head = (
        "",
        "F1",
        "F1, one false event per gap",
        "F1 predicted",
        "engine time planned",
        "engine time measured",
        "frames read",
        "frames analysed",
        "looks of all apps",
        "wall time",
    )
    rows = [
        (
            NAMES[policy],
            f"{result.f1:.3f}",
            f"{result.f1_model:.3f}",
            f"{result.predicted_f1:.3f}",
            f"{100 * result.planned_cost:.1f} %",
            f"{100 * result.measured_cost:.1f} %",
            f"{result.frames_read}",
            f"{result.frames_analysed}",
            f"{result.looks}",
            duration(result.wall_seconds),
        )
        for policy, result in ((policy, report.policies[policy]) for policy in POLICIES)
    ]
    return table("Results of the three runs", head, rows)


def apps_table(report: Report) -> str:
    """Each app under each policy."""
    decisions = ("app", "stream", "events", "policy", "branchpoint", "fps", "votes", "threshold", "F1 predicted")
    head = (*decisions, "F1, one false event per gap", "F1", "recall", "precision")
    rows: list[tuple[str, ...]] = []
    for app in report.apps:
        for policy in POLICIES:
            result = app.results[policy]
            start = (app.name, app.stream, f"{app.true_events}", NAMES[policy])
            if not result.admitted:
                rows.append((*start, "did not fit", *[""] * 8))
                continue
            decided = (result.branchpoint, f"{result.fps:g}", f"{result.votes}", f"0.{result.threshold}")
            measured = (result.predicted_f1, result.f1_model, result.f1, result.recall, result.precision)
            rows.append((*start, *decided, *(f"{value:.2f}" for value in measured)))
    return table("Every application under every policy", head, rows)


def steps_table(report: Report) -> str:
    """What was done, with the commands that do it by hand."""
    rows = [(step.title, step.command, duration(step.seconds)) for step in report.steps]
    return table("Steps", ("step", "command", "time"), rows, code=1)


def table(caption: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, code: int | None = None) -> str:
    """An HTML table; column ``code`` is set as code."""
    cells = "".join(f'<th scope="col">{escape(title)}</th>' for title in head)
    lines = []
    for row in rows:
        line = "".join(
            f"<td><code>{escape(cell)}</code></td>" if place == code else f"<td>{escape(cell)}</td>"
            for place, cell in enumerate(row[1:], start=1)
        )
        lines.append(f'<tr><th scope="row">{escape(row[0])}</th>{line}</tr>')
    return (
        f'<div class="scroll"><table><caption>{escape(caption)}</caption><thead><tr>{cells}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def pictures(report: Report) -> str:
    """A few frames of the scene."""
    return "".join(
        f'<figure><img alt="{escape(picture.caption)}" src="data:image/jpeg;base64,{picture.jpeg}">'
        f"<figcaption>{escape(picture.caption)}</figcaption></figure>"
        for picture in report.pictures
    )


def facts(pairs: dict[str, str]) -> str:
    """A list of names and values."""
    return "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in pairs.items())


def duration(seconds: float) -> str:
    """``"42 s"`` or ``"3 min 05 s"``."""
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
