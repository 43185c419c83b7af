"""A small report with every kind of content, for the tests of the page and of its figures."""

import pytest

from mainstream_demo.figures import (
    POLICIES,
    App,
    AppResult,
    BudgetPoint,
    Candidate,
    Lane,
    Picture,
    Policy,
    PolicyResult,
    Report,
    StepTime,
    Tree,
    TreeBranch,
    TreeSegment,
)

LOSS: dict[Policy, float] = {"Mainstream": 0.0, "MaxSharing": 0.2, "NoSharing": 0.45}
SEGMENTS = ("conv1", *(f"conv_pw_{number}" for number in range(1, 14)), "pooled")


@pytest.fixture
def report() -> Report:
    """Three apps on two streams; one does not fit under No-Sharing."""
    apps = tuple(
        App(
            name=name,
            stream=stream,
            events=(name,),
            true_events=20,
            results={policy: _result(policy, place, name) for policy in POLICIES},
            candidates=(
                Candidate(branchpoint="conv_pw_9", stem_share=0.68, p=0.96 - place / 50, q=0.004),
                Candidate(branchpoint="conv_pw_12", stem_share=0.91, p=0.9, q=0.012),
                Candidate(branchpoint="pooled", stem_share=1.0, p=0.8, q=0.06),
            ),
        )
        for stream in ("belt-1", "belt-2")
        for place, name in enumerate(("apple", "orange", "broccoli & co"))
    )
    return Report(
        machine={"processor": "sample", "cores": "2"},
        scene={"test": "2 streams of 120 s", "training": "320 s"},
        utilization=20,
        budget_rule="Chosen: the budget at which the plan expects the largest lead.",
        budgets=tuple(
            BudgetPoint(
                utilization=utilization,
                predicted_f1={policy: max(0.0, level - LOSS[policy] * (1.2 - level)) for policy in POLICIES},
            )
            for utilization, level in ((5, 0.5), (10, 0.7), (20, 0.85), (40, 0.93), (80, 0.95))
        ),
        stream_seconds=120,
        policies={
            policy: PolicyResult(
                predicted_f1=0.9 - LOSS[policy],
                f1=0.88 - LOSS[policy],
                f1_model=0.89 - LOSS[policy],
                planned_cost=0.19,
                measured_cost=0.185,
                frames_read=3600,
                frames_analysed=2400,
                looks=9000,
                wall_seconds=41.5,
            )
            for policy in POLICIES
        },
        apps=apps,
        trees=tuple(
            Tree(
                stream=stream,
                segments=tuple(
                    TreeSegment(end=end, fps=10 if place < 10 else 6, milliseconds=0.3)
                    for place, end in enumerate(SEGMENTS)
                ),
                branches=(
                    TreeBranch(app="apple", depth=10, fps=10, votes=1, milliseconds=1.3),
                    TreeBranch(app="orange", depth=13, fps=6, votes=2, milliseconds=0.5),
                    TreeBranch(app="broccoli & co", depth=15, fps=4, votes=1, milliseconds=0.01),
                ),
            )
            for stream in ("belt-1", "belt-2")
        ),
        timeline_seconds=60,
        timeline=tuple(
            Lane(
                app=app.name,
                stream=app.stream,
                truth=tuple((start, start + 0.7) for start in range(3, 58, 9)),
                emitted={
                    policy: tuple((start + 0.1, start + 0.6) for start in range(3, 58, step))
                    for policy, step in zip(POLICIES, (9, 18, 27), strict=True)
                },
            )
            for app in apps
        ),
        pictures=(Picture(caption="belt-1 at 4.0 s", jpeg="/9j/4AAQSkZJRg=="),),
        steps=(
            StepTime(title="Train", command="mainstream train -f manifests", seconds=200),
            StepTime(title="Plan", command="mainstream plan -f manifests", seconds=2.4),
        ),
    )


def _result(policy: Policy, place: int, name: str) -> AppResult:
    if policy == "NoSharing" and name == "orange":
        return AppResult(admitted=False)
    return AppResult(
        admitted=True,
        branchpoint="conv_pw_9" if policy == "Mainstream" else "pooled",
        fps=10 - place,
        votes=1 + place,
        threshold=5,
        predicted_f1=0.93 - LOSS[policy],
        f1=0.9 - LOSS[policy],
        f1_model=0.91 - LOSS[policy] - place / 50,
        recall=0.9 - LOSS[policy],
        precision=0.92 - LOSS[policy],
    )
