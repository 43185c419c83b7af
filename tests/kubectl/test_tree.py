"""The tree of a box: what is computed once for whom, and what of it the runner has measured."""

from fractions import Fraction
from io import StringIO
from typing import Any

from rich.console import Console

from mainstream.basednn import Preprocessing
from mainstream.kubectl.lookup import Box
from mainstream.kubectl.tree import plain_tree, tree_view
from mainstream.resources.edgenode import EdgeNode
from mainstream.schedule import Schedule, ScheduledApp, Stem, StemSegment

DIGEST = "sha256:" + "a" * 64
NODE = {"apiVersion": "mainstream.dev/v1alpha1", "kind": "EdgeNode", "metadata": {"name": "gate-3"}, "spec": {}}


def _segment(end: str, fps: int) -> StemSegment:
    return StemSegment(end=end, digest=DIGEST, fps=Fraction(fps), planned_seconds=0.002)


def _app(name: str, branchpoint: str, depth: int, fps: int) -> ScheduledApp:
    return ScheduledApp(
        app=f"traffic/{name}", stem="north/full/aaaaaaaaaaaa", package=f"registry.example/{name}@{DIGEST}",
        branchpoint=branchpoint, depth=depth, branch_digest=DIGEST, planned_seconds=0.001, fps=Fraction(fps), votes=2,
        threshold=5, expected_f1=0.9, classes=("background", name), events=(name,),
    )  # fmt: skip


SCHEDULE = Schedule(
    edge_node="gate-3",
    engine="LiteRT",
    threads=1,
    memory_bytes=1 << 30,
    cost=0.1,
    budget=0.5,
    streams=(),
    stems=(
        Stem(
            name="north/full/aaaaaaaaaaaa", stream="north", view="full", base_dnn=DIGEST, input_shape=(128, 128, 3),
            preprocessing=Preprocessing(mean=(0.0, 0.0, 0.0), divisor=1.0),
            segments=(_segment("conv1", 10), _segment("conv_pw_1", 10), _segment("conv_pw_2", 4)),
        ),
    ),
    apps=(_app("bus", "conv_pw_2", 3, 4), _app("red-car", "conv_pw_1", 2, 10)),
)  # fmt: skip


def _told(**runner: Any) -> dict[str, Any]:
    status = {
        "nodeName": "k3s-1",
        "conditions": [{"type": "Ready", "status": "True", "reason": "Ready", "message": "2 apps run"}],
        "schedule": {
            "digest": SCHEDULE.digest,
            "meanF1": "0.900",
            "cost": "0.100",
            "budget": "0.500",
            "costScale": "1",
        },
        "runner": runner,
    }
    return plain_tree(Box(edge_node=EdgeNode.from_plain(NODE, where="test"), status=status), SCHEDULE)


def _shown(told: dict[str, Any]) -> str:
    text = StringIO()
    Console(file=text, width=140).print(tree_view(told))
    return text.getvalue()


def test_the_stem_is_cut_where_branches_leave_it() -> None:
    """Each part with its rate and cost: what is computed up to there, and how often."""
    (stem,) = _told()["streams"][0]["stems"]
    assert [(run["from"], run["to"], run["fps"], run["plannedCost"]) for run in stem["runs"]] == [
        ("conv1", "conv_pw_1", "10", 0.04),
        ("conv_pw_2", "conv_pw_2", "4", 0.008),
    ]


def test_measured_stands_beside_planned() -> None:
    """Rates of applications, cost of the whole, the stream's state."""
    told = _told(
        scheduleDigest=SCHEDULE.digest,
        utilization="0.12",
        streams=[{"name": "north", "phase": "Connected"}],
        apps=[{"namespace": "traffic", "name": "bus", "fps": "3.98"}],
    )
    assert told["loaded"]
    assert (told["cost"], told["measuredCost"]) == ("0.100", "0.12")
    assert {one["app"]: (one["fps"], one["measuredFps"]) for one in told["streams"][0]["stems"][0]["apps"]} == {
        "traffic/red-car": ("10", None),
        "traffic/bus": ("4", "3.98"),
    }
    shown = _shown(told)
    assert "traffic/bus  4 fps (measured 3.98), 2 votes, F1 0.90" in shown
    assert "planned 0.100, measured 0.12, budget 0.500" in shown


def test_a_branch_hangs_below_the_part_that_it_leaves() -> None:
    """Who reads the tree sees what is shared: the deeper branch is below the part that only it needs."""
    lines = _shown(_told()).splitlines()
    depth = {word: next(line.index(word) for line in lines if word in line) for word in ("red-car", "bus", "conv1 …")}
    assert depth["conv1 …"] < depth["red-car"] < depth["bus"] + len("traffic/")
    assert "stream north  not reported" in _shown(_told())


def test_what_does_not_run_is_said() -> None:
    """Applications that were rejected, with the reason."""
    told = _told()
    told["rejected"] = [{"namespace": "traffic", "name": "van", "reason": "RejectedByPriority", "message": "needs 0.7"}]
    assert "does not run: traffic/van  RejectedByPriority: needs 0.7" in _shown(told)
