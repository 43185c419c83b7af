"""`mainstream plan --sweep` and `--explain`: what-if over a range, and why an app got what it got."""

import json
from pathlib import Path
from typing import Any

import pytest

VERB = ("plan", "-f", "manifests", "--store", "store")


def answered(world: Any, *arguments: str) -> Any:
    done = world.run(*VERB, *arguments, "--output", "json")
    assert done.status == 0, done.err
    return json.loads(done.out)


def test_more_budget_never_hurts_and_no_baseline_is_better(world: Any) -> None:
    """A step for each budget; Mainstream is the plan's own value at the same budget."""
    found = answered(world, "--sweep", "utilization=5..40:5")
    assert [step["utilization"] for step in found["steps"]] == [5, 10, 15, 20, 25, 30, 35, 40]
    ours = [step["meanF1"]["Mainstream"] for step in found["steps"]]
    assert ours == sorted(ours)
    assert ours[0] < ours[-1]
    for step in found["steps"]:
        assert step["meanF1"]["Mainstream"] >= max(step["meanF1"].values()) - 1e-9
    (box,) = answered(world, "--utilization", "20")["edgeNodes"]
    assert found["steps"][3]["meanF1"]["Mainstream"] == pytest.approx(box["plans"]["Mainstream"]["meanF1"])


def test_apps_are_swept_in_the_order_of_admission(world: Any) -> None:
    """With one app more each time, all four at the end."""
    found = answered(world, "--sweep", "apps", "--utilization", "10")
    assert [step["apps"] for step in found["steps"]] == [1, 2, 3, 4]
    assert found["steps"][0]["meanF1"]["Mainstream"] >= found["steps"][-1]["meanF1"]["Mainstream"]


def test_a_figure_is_drawn(world: Any) -> None:
    """A PNG, and the table all the same."""
    done = world.run(*VERB, "--sweep", "utilization=10..30:10", "--figure", "sweep.png")
    assert done.status == 0, done.err
    assert (Path(world.root) / "sweep.png").read_bytes().startswith(b"\x89PNG")
    assert "No-Sharing" in done.out


def test_an_explanation_adds_up(world: Any) -> None:
    """What the app takes and what its neighbours would cost are the schedule's cost with each of them."""
    plan = answered(world)["edgeNodes"][0]["plans"]["Mainstream"]
    found = answered(world, "--explain", "bus")
    assert found["app"] == "default/bus"
    assert found["chosen"]["scheduleCost"] == pytest.approx(plan["cost"])
    assert found["costWithoutIt"] < plan["cost"]
    (app,) = [app for app in plan["apps"] if app["app"] == "default/bus"]
    assert (found["chosen"]["branchpoint"], found["chosen"]["fps"]) == (app["branchpoint"], app["fps"])
    if found["better"]:
        assert found["better"]["f1"] > found["chosen"]["f1"]
    assert found["cheaper"]["scheduleCost"] < plan["cost"]
    assert found["cheaper"]["f1"] <= found["chosen"]["f1"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--sweep", "speed=1..3"), "--sweep: expected utilization=10..100"),
        (("--sweep", "utilization=50..10"), "--sweep: expected"),
        (("--sweep", "apps=1..9"), "between 1 and 4 apps"),
        (("--sweep", "utilization=1..100:0.1"), "at most 200"),
        (("--figure", "a.png"), "Say what to sweep"),
        (("--sweep", "apps", "--figure", "a.nonsense"), "cannot write the figure"),
        (("--explain", "lorry"), "known: default/bus"),
        (("--explain", "car"), "give namespace/name"),
    ],
)
def test_wrong_input_is_said(world: Any, arguments: tuple[str, ...], expected: str) -> None:
    """Exit status 2, nothing on standard output, no stack trace."""
    done = world.run(*VERB, *arguments)
    assert (done.status, done.out) == (2, "")
    assert expected in " ".join(done.err.split())
    assert "Traceback" not in done.err
