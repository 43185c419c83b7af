"""The demo from beginning to end: compose, import, train, profile, plan, run three times, evaluate, report.

All but composing and the report is done by the verbs that a user types, in the demo's directory.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from mainstream.cli.output import Output
from mainstream.errors import InputError
from mainstream_demo import manifests
from mainstream_demo.belt import ASSETS
from mainstream_demo.compose import compose
from mainstream_demo.figures import NAMES, POLICIES, Policy, Report
from mainstream_demo.gather import gather, mean_f1
from mainstream_demo.report import duration, render
from mainstream_demo.settings import DEMO, Settings
from mainstream_demo.steps import Stamped, Step, verb
from mainstream_demo.video import said, write_text

WEIGHTS = ASSETS / "mobilenet_1.0_224_no_top.float16.weights.h5"
MARKER = ".mainstream-demo"
PARTS = ("data", "manifests", "store", "results", ".steps", "report.html", "report.json", MARKER)
"""What the demo makes in its directory; ``--fresh`` removes these and nothing else."""
STEPS = 13
RULE = (
    "The budget was chosen by a rule, before anything was run: of the five, the one at which the plan expects the largest "
    "lead over the better baseline."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The demo's directory."""

    root: Path

    @property
    def manifests(self) -> Path:
        """The manifests' folder."""
        return self.root / "manifests"

    def result(self, name: str) -> Path:
        """A verb's JSON."""
        return self.root / "results" / f"{name}.json"

    def events(self, policy: Policy) -> Path:
        """The events that a run emitted."""
        return self.root / "results" / f"events-{policy}.jsonl"

    def read(self, name: str) -> Any:
        """A verb's JSON, read."""
        return json.loads(self.result(name).read_text(encoding="utf-8"))


def tell(directory: Path, out: Output, *, fresh: bool, settings: Settings = DEMO) -> None:
    """Do all that is not done yet and write the report; see the module."""
    place = Place(root=directory.resolve())
    with said(place.root):
        place.root.mkdir(parents=True, exist_ok=True)
    if fresh:
        _clear(place.root)
    write_text(place.root / MARKER, "Made by `mainstream demo`; `mainstream demo --fresh` removes what is in here.\n")
    stamped = Stamped(place.root / ".steps", STEPS, out.say)
    for step in _preparations(place, settings, out):
        stamped.do(step)
    utilization = choose(place, settings)
    out.say(f"budget: {utilization} % of the engine's time; there the plan expects the largest lead")
    for policy in POLICIES:
        stamped.do(_run(place, policy, utilization))
    for policy in POLICIES:
        stamped.do(_evaluate(place, policy))
    report = gather(place, settings, utilization=utilization, rule=RULE, done=stamped.done)
    write_text(place.root / "report.json", report.model_dump_json(by_alias=True, indent=1) + "\n")
    write_text(place.root / "report.html", render(report))
    out.results.print(summary(report))
    out.say(f"report: {directory / 'report.html'}")


def _clear(root: Path) -> None:
    if not (root / MARKER).exists() and any((root / part).exists() for part in PARTS):
        raise InputError(
            "--fresh removes only what the demo made, and this directory has no mark of it",
            where=root,
            remedy="Give an empty directory with --directory.",
        )
    with said(root):
        for part in PARTS:
            path = root / part
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def _preparations(place: Place, settings: Settings, out: Output) -> list[Step]:
    """What comes before the budget is known."""
    name = f"base/mobilenet-1.0-{settings.input_size}"
    store = ("--store", "store")
    files = ("-f", "manifests", *store)
    imported = ("base", "import", "--architecture", "MobileNet", "--alpha", "1.0")
    imported = (*imported, "--input-size", str(settings.input_size), "--weights", str(WEIGHTS), "--name", name, *store)
    steps = [
        Step(
            name="compose",
            title="Compose the videos and their truth, write the manifests",
            command="(part of the demo)",
            words=repr(settings),
            outputs=(place.root / "data/test/events.csv", place.manifests),
            work=lambda: _compose(place, settings, out),
        ),
        _step(place, "import", f"Import the base DNN ({name})", imported),
        _step(place, "train", "Train the first stream's applications", ("train", *files)),
        _step(place, "profile", "Profile layers and streams on this machine", ("profile", *files)),
    ]
    return [*steps, _plan_step(place, settings, files)]


def _compose(place: Place, settings: Settings, out: Output) -> None:
    compose(settings, place.root / "data", out)
    write_text(place.manifests / "edge-node.yaml", manifests.edge_node(settings, max(settings.utilizations)))
    for stream in settings.streams:
        write_text(place.manifests / f"{stream}.yaml", manifests.applications(settings, stream))


def _step(place: Place, name: str, title: str, arguments: tuple[str, ...], *, keep: bool = False) -> Step:
    """A step that is one verb; with ``keep`` its JSON is the result ``name``."""
    result = place.result(name) if keep else None
    return Step(
        name=name,
        title=title,
        command=" ".join(("mainstream", *(_short(argument, place.root) for argument in arguments))),
        words=" ".join(arguments),
        outputs=(result,) if result else (),
        work=lambda: verb((*arguments, "--output", "json") if keep else arguments, folder=place.root, result=result),
    )


def _short(argument: str, root: Path) -> str:
    return Path(argument).name if argument.startswith(str(ASSETS)) else argument.removeprefix(f"{root}/")


def _plan_step(place: Place, settings: Settings, files: tuple[str, ...]) -> Step:
    plans = {number: place.result(f"plan-{number}") for number in settings.utilizations}

    def work() -> None:
        for number, result in plans.items():
            arguments = ("plan", *files, "--utilization", str(number), "--compare", "--output", "json")
            verb(arguments, folder=place.root, result=result)

    return Step(
        name="plan",
        title=f"Plan at {len(plans)} budgets, beside Max-Sharing and No-Sharing",
        command="mainstream plan -f manifests --store store --compare --utilization "
        + "|".join(str(number) for number in plans),
        words=repr(settings.utilizations),
        outputs=tuple(plans.values()),
        work=work,
    )


def choose(place: Place, settings: Settings) -> int:
    """The budget with the largest predicted lead over the better baseline; of equal ones the smallest."""

    def lead(number: int) -> float:
        expected = mean_f1(place.read(f"plan-{number}"))
        return round(expected["Mainstream"] - max(expected["MaxSharing"], expected["NoSharing"]), 6)

    return max(settings.utilizations, key=lambda number: (lead(number), -number))


def _run(place: Place, policy: Policy, utilization: int) -> Step:
    events = place.events(policy)
    arguments = ("run", "-f", "manifests", "--store", "store", "--until-end", "--fast", "--sharing", policy)
    arguments = (*arguments, "--utilization", str(utilization), "--events", str(events.relative_to(place.root)))
    step = _step(place, f"run-{policy}", f"Run the test streams under {NAMES[policy]}", arguments, keep=True)
    return step


def _evaluate(place: Place, policy: Policy) -> Step:
    events = str(place.events(policy).relative_to(place.root))
    arguments = ("evaluate", "-f", "manifests", "--events", events, "--truth", "data/test/events.csv")
    return _step(place, f"evaluate-{policy}", f"Evaluate the events of {NAMES[policy]}", arguments, keep=True)


def summary(report: Report) -> Table:
    """The table at the demo's end."""
    table = Table(title=f"Event F1, predicted / measured, at {report.utilization:g} % of the engine's time")
    table.add_column("application")
    for policy in POLICIES:
        table.add_column(NAMES[policy], justify="right")
    for app in report.apps:
        cells = []
        for policy in POLICIES:
            result = app.results[policy]
            cells.append(
                f"{result.predicted_f1:.2f} / {result.f1_model:.2f}  {result.fps:g} fps"
                if result.admitted
                else "did not fit"
            )
        table.add_row(f"{app.stream}/{app.name}", *cells)
    table.add_section()
    runs = [report.policies[policy] for policy in POLICIES]
    table.add_row("mean", *(f"{run.predicted_f1:.2f} / {run.f1_model:.2f}" for run in runs))
    table.add_row("mean, each false event counted", *(f"{run.f1:.2f}" for run in runs))
    table.add_row("looks per second of stream", *(f"{run.looks / report.stream_seconds:.0f}" for run in runs))
    table.add_row("frames per second, as fast as possible", *(f"{run.frames_read / run.wall_seconds:.0f}" for run in runs))
    table.add_row(
        "engine time, planned / measured",
        *(f"{100 * run.planned_cost:.1f} / {100 * run.measured_cost:.1f} %" for run in runs),
    )
    table.caption = f"{duration(report.total_seconds)} in all"
    return table
