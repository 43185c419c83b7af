"""The demo's figures: everything that its report shows, and what ``report.json`` holds. Nothing else feeds the report."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Policy = Literal["Mainstream", "MaxSharing", "NoSharing"]
POLICIES: tuple[Policy, ...] = ("Mainstream", "MaxSharing", "NoSharing")
BASELINES: tuple[Policy, ...] = ("MaxSharing", "NoSharing")
NAMES: dict[Policy, str] = {"Mainstream": "Mainstream", "MaxSharing": "Max-Sharing", "NoSharing": "No-Sharing"}

Unit = Annotated[float, Field(ge=0, le=1)]
Interval = tuple[float, float]
"""Start and end, seconds of the stream."""


class Figures(BaseModel):
    """Frozen; names are camelCase outside; an unknown field is an error. Numbers are JSON's (a report is no contract)."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class AppResult(Figures):
    """One app under one policy: what was decided, expected and measured.

    ``f1_model`` counts false events at most once per true gap, as the prediction does; ``f1`` counts each.
    """

    admitted: bool
    branchpoint: str = ""
    fps: float = 0
    votes: int = 0
    threshold: int = 0
    predicted_f1: Unit = 0
    f1: Unit = 0
    f1_model: Unit = 0
    recall: Unit = 0
    precision: Unit = 0


class Candidate(Figures):
    """A fine-tuned model: ``stem_share`` of the network's work is before its branchpoint; p and q at one half."""

    branchpoint: str
    stem_share: Unit
    p: Unit
    q: Unit


class App(Figures):
    name: str
    stream: str
    events: tuple[str, ...]
    true_events: int
    results: dict[Policy, AppResult]
    candidates: tuple[Candidate, ...]


class MeanResult(Figures):
    """An application under one policy over all its streams; where it does not fit it counts as 0."""

    streams: int
    admitted: int
    slowest_fps: float
    fastest_fps: float
    predicted_f1: Unit
    f1_model: Unit


def over_streams(apps: Sequence[App]) -> dict[str, dict[Policy, MeanResult]]:
    """By application and policy, means over its streams."""
    means: dict[str, dict[Policy, MeanResult]] = {}
    for name in dict.fromkeys(app.name for app in apps):
        means[name] = {}
        for policy in POLICIES:
            results = [app.results[policy] for app in apps if app.name == name]
            rates = [result.fps for result in results if result.admitted]
            means[name][policy] = MeanResult(
                streams=len(results),
                admitted=len(rates),
                slowest_fps=min(rates, default=0.0),
                fastest_fps=max(rates, default=0.0),
                predicted_f1=sum(result.predicted_f1 for result in results) / len(results),
                f1_model=sum(result.f1_model for result in results) / len(results),
            )
    return means


class PolicyResult(Figures):
    """One run of the test streams. Costs are engine seconds per second of stream."""

    predicted_f1: Unit
    f1: Unit
    f1_model: Unit
    planned_cost: float
    measured_cost: float
    frames_read: int
    frames_analysed: int
    """Frames that some app looked at, summed over streams."""
    looks: int
    """Frames that each app looked at, summed over apps."""
    wall_seconds: float


class BudgetPoint(Figures):
    """What the plan expects at one budget: mean F1 of each policy. ``utilization`` in per cent of the engine's time."""

    utilization: float
    predicted_f1: dict[Policy, Unit]


class TreeSegment(Figures):
    end: str
    fps: float
    milliseconds: float


class TreeBranch(Figures):
    app: str
    depth: int
    fps: float
    votes: int
    milliseconds: float


class Tree(Figures):
    """A stream's stem with its branches, as Mainstream planned it."""

    stream: str
    segments: tuple[TreeSegment, ...]
    branches: tuple[TreeBranch, ...]


class Lane(Figures):
    """One app's true and emitted events in the first ``Report.timeline_seconds``."""

    app: str
    stream: str
    truth: tuple[Interval, ...]
    emitted: dict[Policy, tuple[Interval, ...]]


class Picture(Figures):
    caption: str
    jpeg: str
    """Base64."""


class StepTime(Figures):
    title: str
    command: str
    seconds: float


class BaseDnnResult(Figures):
    """The applications on one base DNN under Mainstream: planned, run, evaluated. ``apps``: measured F1, mean over streams.

    An application that is not admitted counts as 0.
    """

    predicted_f1: Unit
    predicted_f1_at_a_quarter: Unit
    """Of the budget; that one is not run."""
    f1: Unit
    f1_model: Unit
    apps: dict[str, Unit]
    planned_cost: float
    measured_cost: float
    looks: int
    int8_branches: int
    whole_milliseconds: float
    segment_bytes: int


class BothBaseDnns(Figures):
    """The same applications on the f32 and on the int8 base DNN, at the same budget (per cent)."""

    utilization: float
    f32: BaseDnnResult
    int8: BaseDnnResult


class Report(Figures):
    schema_version: Literal[1] = 1
    machine: dict[str, str]
    scene: dict[str, str]
    utilization: float
    budget_rule: str
    budgets: tuple[BudgetPoint, ...]
    stream_seconds: float
    policies: dict[Policy, PolicyResult]
    apps: tuple[App, ...]
    trees: tuple[Tree, ...]
    timeline_seconds: float
    timeline: tuple[Lane, ...]
    pictures: tuple[Picture, ...]
    steps: tuple[StepTime, ...]
    both_base_dnns: BothBaseDnns | None = None

    @property
    def total_seconds(self) -> float:
        """Of all steps together."""
        return sum(step.seconds for step in self.steps)

    @property
    def prediction_error(self) -> float:
        """Mean absolute difference of predicted F1 and ``f1_model``, over apps and policies."""
        errors = [
            abs(result.predicted_f1 - result.f1_model)
            for app in self.apps
            for result in app.results.values()
            if result.admitted
        ]
        return sum(errors) / len(errors) if errors else 0.0
