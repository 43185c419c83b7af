"""The demo from beginning to end: compose, import, train, profile, plan, run three times, evaluate, report.

All but composing and the report is done by the verbs that a user types, in the demo's directory.
"""

from pathlib import Path

from rich.table import Table

from mainstream.cli.output import Output
from mainstream_demo import eightbit, manifests, plans
from mainstream_demo.belt import ASSETS
from mainstream_demo.compose import compose
from mainstream_demo.figures import NAMES, POLICIES, MeanResult, Report, over_streams
from mainstream_demo.gather import gather
from mainstream_demo.report import duration, render
from mainstream_demo.settings import DEMO, Settings
from mainstream_demo.steps import Stamped, Step, verb
from mainstream_demo.video import write_text
from mainstream_demo.workplace import Place, enter

WEIGHTS = ASSETS / "mobilenet_1.0_224_no_top.float16.weights.h5"
FILES = ("-f", "manifests", "--store", "store")
STEPS = 11
RULE = (
    "The budget was chosen by a rule, before anything was run: of the five, the one at which the plan expects the largest "
    "lead over the better baseline."
)


def tell(directory: Path, out: Output, *, fresh: bool, int8: bool = False, settings: Settings = DEMO) -> None:
    """Do all that is not done yet and write the report; see the module. ``int8``: the part of ``eightbit`` too."""
    place = enter(directory, fresh=fresh)
    stamped = Stamped(place.stamps, STEPS + (eightbit.STEPS if int8 else 0), out.say)
    for step in _preparations(place, settings, out):
        stamped.do(step)
    out.say(f"Choose a budget: plan {len(settings.utilizations)} of them under each of {len(POLICIES)} policies")
    planned = plans.plan_all(place.manifests, place.store, settings.utilizations)
    points = plans.budget_points(planned)
    utilization = plans.choose(points)
    for point in points:
        expected = ", ".join(f"{NAMES[policy]} {point.predicted_f1[policy]:.2f}" for policy in POLICIES)
        chosen = "  <- chosen: the largest lead expected" if point.utilization == utilization else ""
        out.say(f"  {point.utilization:4g} %: mean F1 {expected}{chosen}")
    for step in _decided(place, utilization):
        stamped.do(step)
    if int8:
        eightbit.write_manifests(place, settings)
        for step in eightbit.steps(place, settings, utilization, _imported(settings), _step):
            stamped.do(step)
    report = gather(place, settings, plans=planned, utilization=utilization, rule=RULE, done=stamped.done)
    if int8:
        report = report.model_copy(update={"both_base_dnns": eightbit.gather(place, settings, utilization)})
    write_text(place.root / "report.json", report.model_dump_json(by_alias=True, indent=1) + "\n")
    write_text(place.root / "report.html", render(report))
    out.results.print(summary(report))
    out.say(f"report: {directory / 'report.html'}")


def _preparations(place: Place, settings: Settings, out: Output) -> list[Step]:
    """What comes before the budget is known."""
    name = manifests.base_dnn(settings)
    imported = (*_imported(settings), "--name", name, "--store", "store")
    return [
        Step(
            name="compose",
            title="Compose the videos and their truth, write the manifests",
            command="(by the demo itself)",
            words=repr(settings),
            outputs=(place.root / "data/test/events.csv", place.manifests),
            work=lambda: _compose(place, settings, out),
        ),
        _step(place, "import", f"Import the base DNN ({name})", imported),
        _step(place, "train", "Train the first stream's applications", ("train", *FILES)),
        _step(place, "profile", "Profile layers and streams on this machine", ("profile", *FILES)),
    ]


def _imported(settings: Settings) -> tuple[str, ...]:
    """The words that import the demo's network."""
    network = ("--architecture", "MobileNet", "--alpha", "1.0", "--input-size", str(settings.input_size))
    return ("base", "import", *network, "--weights", str(WEIGHTS))


def _decided(place: Place, utilization: float) -> list[Step]:
    """What is done at the chosen budget."""
    budget = ("--utilization", f"{utilization:g}")
    steps = [
        _step(
            place, "plan", "Plan, beside Max-Sharing and No-Sharing", ("plan", *FILES, *budget, "--compare"), show=True
        )
    ]
    arguments: tuple[str, ...]
    for policy in POLICIES:
        events = f"results/events-{policy}.jsonl"
        arguments = ("run", *FILES, *budget, "--sharing", policy, "--fast", "--until-end", "--events", events)
        title = f"Run the test streams under {NAMES[policy]}"
        steps.append(_step(place, f"run-{policy}", title, arguments, keep=True))
    for policy in POLICIES:
        events = f"results/events-{policy}.jsonl"
        arguments = ("evaluate", "-f", "manifests", "--events", events, "--truth", "data/test/events.csv")
        title = f"Evaluate the events of {NAMES[policy]}"
        steps.append(_step(place, f"evaluate-{policy}", title, arguments, keep=True))
    return steps


def _compose(place: Place, settings: Settings, out: Output) -> None:
    compose(settings, place.root / "data", out)
    write_text(place.manifests / "edge-node.yaml", manifests.edge_node(settings))
    for stream in settings.streams:
        write_text(place.manifests / f"{stream}.yaml", manifests.applications(settings, stream))


def _step(
    place: Place, name: str, title: str, arguments: tuple[str, ...], *, keep: bool = False, show: bool = False
) -> Step:
    """A step that is one verb; with ``keep`` its JSON is the result ``name``, with ``show`` its table is seen."""
    result = place.result(name) if keep else None
    return Step(
        name=name,
        title=title,
        command=" ".join(("mainstream", *(Path(word).name if word == str(WEIGHTS) else word for word in arguments))),
        words=" ".join(arguments),
        outputs=(result,) if result else (),
        work=lambda: verb(
            (*arguments, "--output", "json") if keep else arguments, folder=place.root, result=result, show=show
        ),
    )


def summary(report: Report) -> Table:
    """The table at the demo's end."""
    table = Table(title=f"Event F1, predicted / measured, at {report.utilization:g} % of the engine's time")
    table.add_column("application, mean over streams")
    for policy in POLICIES:
        table.add_column(NAMES[policy], justify="right")
    for name, results in over_streams(report.apps).items():
        table.add_row(name, *(_cell(results[policy]) for policy in POLICIES))
    table.add_section()
    runs = [report.policies[policy] for policy in POLICIES]
    table.add_row("mean", *(f"{run.predicted_f1:.2f} / {run.f1_model:.2f}" for run in runs), style="bold")
    table.add_row("mean, every false event counted", *(f"{run.f1:.2f}" for run in runs))
    table.add_row("looks per second of stream", *(f"{run.looks / report.stream_seconds:.0f}" for run in runs))
    table.add_row("frames read per second", *(f"{run.frames_read / run.wall_seconds:.0f}" for run in runs))
    table.add_row(
        "engine time, planned / measured",
        *(f"{100 * run.planned_cost:.1f} / {100 * run.measured_cost:.1f} %" for run in runs),
    )
    both = report.both_base_dnns
    if both is not None:
        int8 = f"{both.int8.predicted_f1:.2f} / {both.int8.f1_model:.2f}"
        table.add_row("mean on the int8 base DNN", int8, "", "", style="bold")
    table.caption = f"{duration(report.total_seconds)} in all"
    return table


def _cell(result: MeanResult) -> str:
    if not result.admitted:
        return "did not fit"
    rates = f"{result.slowest_fps:g}"
    if result.fastest_fps > result.slowest_fps:
        rates = f"{rates} to {result.fastest_fps:g}"
    left_out = f", not on {result.streams - result.admitted}" if result.admitted < result.streams else ""
    return f"{result.predicted_f1:.2f} / {result.f1_model:.2f}, {rates} fps{left_out}"
