"""What the plan expects at each budget, by the library's own planner: the choice of the demo's budget, the tree's figures."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mainstream.packages.folder import StoreFolder
from mainstream.resources.manifests import load
from mainstream.scheduling.assemble import Assembled
from mainstream.scheduling.decide import Plan
from mainstream.scheduling.planning import choose_edge_node, decide, prepare, with_utilization
from mainstream_demo.figures import POLICIES, BudgetPoint, Candidate, Policy, Tree, TreeBranch, TreeSegment

Plans = Mapping[float, Mapping[Policy, Plan]]
"""By budget (per cent of the engine's time) and policy."""


def plan_all(manifests: Path, store: Path, utilizations: Sequence[float]) -> Plans:
    """Plan every budget under every policy."""
    read = load(manifests)
    assembled = prepare(read, StoreFolder(store), choose_edge_node(read))
    return {
        utilization: {
            policy: decide(with_utilization(assembled, utilization), read, sharing=policy) for policy in POLICIES
        }
        for utilization in utilizations
    }


def plan_mainstream(manifests: Path, store: Path, utilizations: Sequence[float]) -> list[Plan]:
    """Plan each budget under Mainstream."""
    read = load(manifests)
    assembled = prepare(read, StoreFolder(store), choose_edge_node(read))
    return [decide(with_utilization(assembled, utilization), read) for utilization in utilizations]


def budget_points(plans: Plans) -> tuple[BudgetPoint, ...]:
    """Predicted mean F1 of each policy at each budget; an app that does not fit counts as 0."""
    return tuple(
        BudgetPoint(utilization=utilization, predicted_f1={policy: plan.mean_f1 for policy, plan in by_policy.items()})
        for utilization, by_policy in plans.items()
    )


def choose(points: Sequence[BudgetPoint]) -> float:
    """The budget with the largest predicted lead over the better baseline; of equal ones the smallest."""

    def lead(point: BudgetPoint) -> float:
        expected = point.predicted_f1
        return round(expected["Mainstream"] - max(expected["MaxSharing"], expected["NoSharing"]), 6)

    return max(points, key=lambda point: (lead(point), -point.utilization)).utilization


def trees(plan: Plan) -> tuple[Tree, ...]:
    """Each stream's stem and branches; streams with several stems have several trees."""
    schedule = plan.schedule
    return tuple(
        Tree(
            stream=stem.stream,
            segments=tuple(
                TreeSegment(end=segment.end, fps=float(segment.fps), milliseconds=1000 * segment.planned_seconds)
                for segment in stem.segments
            ),
            branches=tuple(
                TreeBranch(
                    app=app.app.partition("/")[2],
                    depth=app.depth,
                    fps=float(app.fps),
                    votes=app.votes,
                    milliseconds=1000 * app.planned_seconds,
                )
                for app in schedule.apps
                if app.stem == stem.name
            ),
        )
        for stem in schedule.stems
    )


def candidates(assembled: Assembled, app: str) -> tuple[Candidate, ...]:
    """The candidates of an app's M-Package with the share of the network's work before each one's branchpoint."""
    member = next(member for member in assembled.members if member.app.key == app)
    seconds = assembled.costs[member.base_dnn.digest].segment_seconds
    found = []
    for candidate in member.package.config.candidates:
        depth = member.base_dnn.config.depth(candidate.branchpoint)
        found.append(
            Candidate(
                branchpoint=candidate.branchpoint,
                stem_share=min(1.0, sum(seconds[:depth]) / sum(seconds)),
                p=candidate.true_positive_rate[4],
                q=candidate.false_positive_rate[4],
            )
        )
    return tuple(found)
