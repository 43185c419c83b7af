"""The whole demo, small: every step by the user's own verbs, twice; report.html and report.json say the same."""

import json
from dataclasses import replace
from fractions import Fraction

import pytest

from mainstream.cli.output import Output
from mainstream_demo.figures import POLICIES, Report
from mainstream_demo.report import render
from mainstream_demo.settings import APPS, DEMO
from mainstream_demo.story import tell

SMALL = replace(
    DEMO,
    streams=("belt-1", "belt-2"),
    training_videos=2,
    training_frames=220,
    training_fps=Fraction(5),
    test_frames=240,
    input_size=64,
    branchpoints=("conv_pw_12", "pooled"),
    epochs=2,
    utilizations=(2, 40),
)


@pytest.mark.slow
def test_the_demo_runs_from_pixels_to_report_and_goes_on_where_it_was(tmp_path, capfd):
    """All steps are done once; a second call passes them over and writes the same figures."""
    tell(tmp_path, Output(), fresh=False, settings=SMALL)
    first = Report.model_validate_json((tmp_path / "report.json").read_text())
    assert (tmp_path / "report.html").read_text() == render(first)
    assert {(app.stream, app.name) for app in first.apps} == {(s, name) for s in SMALL.streams for name in APPS}
    assert [point.utilization for point in first.budgets] == [2, 40]
    for policy in POLICIES:
        assert first.policies[policy].frames_read == SMALL.test_frames * len(SMALL.streams)
        assert (tmp_path / "results" / f"events-{policy}.jsonl").exists()
        scores = json.loads((tmp_path / "results" / f"evaluate-{policy}.json").read_text())
        assert {app["app"] for app in scores["apps"]} == {f"{app.stream}/{app.name}" for app in first.apps}
    assert len(first.pictures) == 4
    assert "Event F1, predicted / measured" in capfd.readouterr().out
    tell(tmp_path, Output(), fresh=False, settings=SMALL)
    assert "[11/11] Evaluate the events of No-Sharing: done before" in capfd.readouterr().err
    assert Report.model_validate_json((tmp_path / "report.json").read_text()) == first


@pytest.mark.slow
def test_the_int8_part_continues_a_demo_and_sets_both_base_dnns_side_by_side(tmp_path, capfd):
    """What was done stays as it was; the report shows the same applications on both base DNNs."""
    small = replace(SMALL, branchpoints=("pooled",))
    tell(tmp_path, Output(), fresh=False, settings=small)
    first = Report.model_validate_json((tmp_path / "report.json").read_text())
    assert first.both_base_dnns is None
    tell(tmp_path, Output(), fresh=False, int8=True, settings=small)
    report = Report.model_validate_json((tmp_path / "report.json").read_text())
    assert report.model_copy(update={"both_base_dnns": None, "steps": first.steps}) == first
    both = report.both_base_dnns
    assert both is not None
    assert both.f32.f1 == pytest.approx(report.policies["Mainstream"].f1, abs=1e-12)  # added up in another order
    assert both.f32.apps.keys() == both.int8.apps.keys() == APPS.keys()
    assert both.int8.segment_bytes < 0.3 * both.f32.segment_bytes
    assert "On the f32 and on the int8 base DNN" in (tmp_path / "report.html").read_text()
    told = capfd.readouterr()
    assert "[17/17] Evaluate its events" in told.err
    assert "Mainstream, int8 base DNN" in told.out
