"""The demo's int8 part (``mainstream demo --int8``): the same applications on the int8 base DNN, at the same budget.

Its steps come after all others, so a demo that was made without them is only continued.
"""

from collections.abc import Callable
from html import escape
from typing import Any

from mainstream.scheduling.decide import Plan
from mainstream_demo import manifests, plans
from mainstream_demo.figures import BaseDnnResult, BothBaseDnns, Report
from mainstream_demo.settings import Settings
from mainstream_demo.steps import Step
from mainstream_demo.video import write_text
from mainstream_demo.workplace import INT8_MANIFESTS, Place

FILES = ("-f", INT8_MANIFESTS, "--store", "store")
STEPS = 6
EVENTS = "results/events-int8.jsonl"

MakeStep = Callable[..., Step]
"""``story``'s: a step that is one verb."""


def write_manifests(place: Place, settings: Settings) -> None:
    """The same manifests, with the int8 base DNN."""
    write_text(place.int8_manifests / "edge-node.yaml", manifests.edge_node(settings))
    for stream in settings.streams:
        text = manifests.applications(settings, stream, precision="int8")
        write_text(place.int8_manifests / f"{stream}.yaml", text)


def steps(
    place: Place, settings: Settings, utilization: float, imported: tuple[str, ...], step: MakeStep
) -> list[Step]:
    """Import, train, profile, plan beside f32, run, evaluate; ``imported`` are the words that import the network."""
    budget = ("--utilization", f"{utilization:g}")
    name = manifests.base_dnn(settings, "int8")
    made = (*imported, "--precision", "int8", "--name", name, "--store", "store")
    run = ("run", *FILES, *budget, "--fast", "--until-end", "--events", EVENTS)
    truth = ("evaluate", "-f", INT8_MANIFESTS, "--events", EVENTS, "--truth", "data/test/events.csv")
    return [
        step(place, "import-int8", f"Import the base DNN in int8 ({name})", made),
        step(place, "train-int8", "Train the first stream's applications on it", ("train", *FILES)),
        step(place, "profile-int8", "Profile its layers", ("profile", *FILES)),
        step(place, "plan-int8", "Plan on both base DNNs", ("plan", *FILES, *budget, "--compare"), show=True),
        step(place, "run-int8", "Run the test streams on the int8 base DNN", run, keep=True),
        step(place, "evaluate-int8", "Evaluate its events", truth, keep=True),
    ]


def gather(place: Place, settings: Settings, utilization: float) -> BothBaseDnns:
    """What the plans expect of both base DNNs and what the runs under Mainstream measured."""
    budgets = (utilization, utilization / 4)
    ran = {"f32": "Mainstream", "int8": "int8"}
    results = {}
    for precision, folder in (("f32", place.manifests), ("int8", place.int8_manifests)):
        planned = plans.plan_mainstream(folder, place.store, budgets)
        results[precision] = _result(place, ran[precision], planned, len(settings.streams))
    return BothBaseDnns(utilization=utilization, f32=results["f32"], int8=results["int8"])


def _result(place: Place, name: str, planned: list[Plan], streams: int) -> BaseDnnResult:
    plan, quarter = planned
    run, evaluated = place.read(f"run-{name}"), place.read(f"evaluate-{name}")
    count = len(plan.assembled.members)
    measured: dict[str, list[dict[str, Any]]] = {}
    for app in evaluated["apps"]:
        measured.setdefault(app["app"].partition("/")[2], []).append(app)
    (costs,) = plan.assembled.costs.values()
    base = plan.assembled.members[0].base_dnn.config
    return BaseDnnResult(
        predicted_f1=plan.mean_f1,
        predicted_f1_at_a_quarter=quarter.mean_f1,
        f1=sum(float(app["f1"]) for app in evaluated["apps"]) / count,
        f1_model=sum(float(app["f1_model"]) for app in evaluated["apps"]) / count,
        apps={app: sum(float(one["f1"]) for one in found) / streams for app, found in measured.items()},
        planned_cost=float(run["plannedCost"]),
        measured_cost=float(run["measuredCost"]),
        looks=sum(int(app["analysed"]) for app in run["apps"]),
        int8_branches=sum(app.precision == "int8" for app in plan.schedule.apps),
        whole_milliseconds=1000 * costs.whole_seconds,
        segment_bytes=sum(segment.size for segment in base.segments),
    )


def section(report: Report, table: Callable[..., str]) -> str:
    """The report's section; nothing where the demo ran without this part."""
    both = report.both_base_dnns
    if both is None:
        return ""
    rows = [
        _row("mean F1, measured", both, lambda one: f"{one.f1:.3f}"),
        _row("mean F1, one false event per gap", both, lambda one: f"{one.f1_model:.3f}"),
        _row("mean F1, predicted", both, lambda one: f"{one.predicted_f1:.3f}"),
        _row("predicted at a quarter of the budget", both, lambda one: f"{one.predicted_f1_at_a_quarter:.3f}"),
        _row("engine time planned", both, lambda one: f"{100 * one.planned_cost:.1f} %"),
        _row("engine time measured", both, lambda one: f"{100 * one.measured_cost:.1f} %"),
        _row("looks of all apps", both, lambda one: f"{one.looks}"),
        _row("branches in int8", both, lambda one: f"{one.int8_branches}"),
        _row("the whole network, ms", both, lambda one: f"{one.whole_milliseconds:.2f}"),
        _row("its segments, MB", both, lambda one: f"{one.segment_bytes / 1e6:.1f}"),
    ]
    rows += [(f"F1 of {app}", f"{f1:.3f}", f"{both.int8.apps.get(app, 0.0):.3f}") for app, f1 in both.f32.apps.items()]
    caption = f"Under Mainstream, at {both.utilization:g} % of the engine's time"
    words = (
        "The same network quantised to eight bits is a base DNN of its own: its stem is faster, and branches are trained on "
        "what it computes, so that accuracy is measured and not hoped for."
    )
    return (
        f"<section>\n<h2>On the f32 and on the int8 base DNN</h2>\n<p>{escape(words)}</p>\n"
        f"{table(caption, ('', 'f32', 'int8'), rows)}\n</section>"
    )


def _row(what: str, both: BothBaseDnns, text: Callable[[BaseDnnResult], str]) -> tuple[str, str, str]:
    return what, text(both.f32), text(both.int8)
