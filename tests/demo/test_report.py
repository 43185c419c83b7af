"""The report: everything that it shows comes from report.json; it needs nothing from elsewhere; it is valid HTML."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from mainstream_demo import charts
from mainstream_demo.figures import POLICIES, BaseDnnResult, BothBaseDnns, Report
from mainstream_demo.report import duration, headline, render

VOID = {"meta", "img", "br", "hr", "link", "input"}


class Balance(HTMLParser):
    """Notes every tag that is not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag, _attrs):
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def test_the_report_renders_the_same_page_from_its_json(report):
    """What report.json holds is all that the page shows."""
    again = Report.model_validate_json(report.model_dump_json(by_alias=True))
    assert again == report
    assert render(again) == render(report)


def test_the_page_holds_the_figures(report):
    """Headline, cards, bars and tables show what was measured."""
    page = render(report)
    assert headline(report) in page
    assert "find events with a mean F1 of 0.88" in headline(report)
    assert "Max-Sharing, the better of the two usual ways, reaches 0.68" in headline(report)
    assert "Mainstream: measured 0.91, predicted 0.93" in page
    assert "No-Sharing: did not fit" in page
    assert '<th scope="row">Mainstream</th><td>0.880</td><td>0.890</td><td>0.900</td><td>19.0 %</td>' in page
    assert "mainstream train -f manifests" in page
    assert "3 min 22 s in all" in page


def test_names_are_escaped(report):
    """A name with an ampersand does not break the page."""
    page = render(report)
    assert "broccoli &amp; co" in page
    assert "broccoli & co" not in page


def test_the_page_needs_nothing_from_elsewhere(report):
    """No address is loaded: no script, no style sheet, no picture from elsewhere; no place holder is left."""
    page = render(report)
    assert not re.search(r"""(src|href)=["'](?!data:)""", page)
    assert "<script" not in page
    assert "@import" not in page
    assert not re.search(r"\$[a-z_]+", page)


def test_the_page_is_balanced_and_ids_are_unique(report):
    """Every tag is closed in order; no id is there twice; every picture and figure has words for it."""
    page = render(report)
    balance = Balance()
    balance.feed(page)
    assert not balance.wrong
    assert not balance.open
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    for labelled in re.findall(r'aria-labelledby="([^"]+)"', page):
        assert set(labelled.split()) <= set(ids)
    assert all('alt="' in picture for picture in re.findall(r"<img[^>]*>", page))


def test_figures_are_well_formed_svg(report):
    """Every figure parses as XML and says what it shows."""
    figures = [
        charts.budget_curve(report.budgets, report.utilization, report),
        charts.tree(report.trees[0], 0),
        charts.timeline(report.timeline, 60, 0),
    ]
    for figure in figures:
        svg = ET.fromstring(figure)[0]  # noqa: S314 - made by this very product
        title, words = svg[0], svg[1]
        assert title.text
        assert words.text


def test_a_tree_shows_every_segment_and_branch(report):
    """A box for each segment and branch, with rate changes named."""
    text = charts.tree(report.trees[0], 0)
    assert text.count('class="segment"') == len(report.trees[0].segments)
    assert text.count('class="branch"') == len(report.trees[0].branches)
    assert ">10 fps</text>" in text
    assert "after conv_pw_9, 10 fps, 1 vote<" in text
    assert "after conv_pw_12, 6 fps, 2 votes<" in text


def test_a_timeline_shows_every_event(report):
    """As many boxes as events."""
    lane = report.timeline[0]
    events = len(lane.truth) + sum(len(lane.emitted[policy]) for policy in POLICIES)
    assert charts.timeline([lane], 60, 0).count("<rect") == events


def test_the_prediction_error_leaves_out_what_was_not_admitted(report):
    """Mean absolute difference over the admitted apps of all policies."""
    assert report.prediction_error == pytest.approx(0.04, abs=0.005)


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min 00 s"), (185, "3 min 05 s")])
def test_durations_read_well(seconds, text):
    """Seconds below a minute, then minutes and seconds."""
    assert duration(seconds) == text


def test_both_base_dnns_side_by_side(report):
    """A section only where the demo ran with its int8 part; figures of both in one table."""

    def result(f1: float, whole: float) -> BaseDnnResult:
        return BaseDnnResult(
            predicted_f1=f1 + 0.01,
            predicted_f1_at_a_quarter=f1 / 2,
            f1=f1,
            f1_model=f1,
            apps={"apple": f1, "broccoli & co": 0.5},
            planned_cost=0.1,
            measured_cost=0.1,
            looks=4000,
            int8_branches=3,
            whole_milliseconds=whole,
            segment_bytes=3_000_000,
        )

    assert "int8 base DNN" not in render(report)
    both = BothBaseDnns(utilization=20, f32=result(0.8, 6.5), int8=result(0.9, 2.5))
    page = render(report.model_copy(update={"both_base_dnns": both}))
    assert '<th scope="row">mean F1, measured</th><td>0.800</td><td>0.900</td>' in page
    assert '<th scope="row">F1 of broccoli &amp; co</th>' in page
    balance = Balance()
    balance.feed(page)
    assert (balance.open, balance.wrong) == ([], [])
