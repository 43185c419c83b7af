"""What-if over a range: the best F1 at other budgets, or with fewer apps, beside greedy and the baselines."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mainstream.errors import InputError
from mainstream.scheduling.assemble import Assembled
from mainstream.scheduling.planning import with_utilization
from mainstream.scheduling.problem import Objective, Problem, Sharing
from mainstream.scheduling.solve import solve

MOST_STEPS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way of deciding that is compared."""

    name: str
    sharing: Sharing = "Mainstream"
    solver: str = "Exact"


WAYS = (
    Way(name="Mainstream"),
    Way(name="Greedy", solver="Greedy"),
    Way(name="Max-Sharing", sharing="MaxSharing"),
    Way(name="No-Sharing", sharing="NoSharing"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One budget (per cent) and number of apps: mean F1 by way; an app that is not admitted counts as 0."""

    utilization: float
    apps: int
    mean_f1: dict[str, float]
    admitted: int
    cost: float
    proven: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """What is swept and over which values."""

    what: str
    values: tuple[float, ...]

    @classmethod
    def parse(cls, text: str, *, apps: int) -> "Range":
        """``utilization=10..100``, ``utilization=10..100:5`` (steps), ``apps`` or ``apps=2..8``; ``InputError`` otherwise."""
        what, _, rest = text.partition("=")
        if what == "apps" and not rest:
            return cls(what=what, values=tuple(float(count) for count in range(1, apps + 1)))
        limits, _, step = rest.partition(":")
        first, dots, last = limits.partition("..")
        try:
            low, high = float(first), float(last if dots else first)
            by = float(step) if step else (1.0 if what == "apps" else max((high - low) / 9, 1e-9))
        except ValueError:
            raise _unknown(text) from None
        most = apps if what == "apps" else 100
        if what not in ("apps", "utilization") or by <= 0 or not 0 < low <= high <= most:
            raise _unknown(text, f"; between 1 and {apps} apps, up to 100 per cent")
        count = int((high - low) / by + 1e-9) + 1
        if count > MOST_STEPS:
            raise InputError(
                f"--sweep: {text!r} has {count} steps, at most {MOST_STEPS} are drawn", remedy="Take larger steps."
            )
        return cls(what=what, values=tuple(low + place * by for place in range(count)))


def sweep(
    assembled: Assembled, over: Range, objective: Objective, *, done: Callable[[], None] = lambda: None
) -> tuple[Step, ...]:
    """A step for each value, each decided from scratch in every way; ``done`` is called after each.

    Apps are taken in the order of admission: priority, then age, then name.
    """
    steps = []
    for value in over.values:
        chosen = assembled if over.what == "apps" else with_utilization(assembled, value)
        problem = chosen.problem
        if over.what == "apps":
            problem = _first(problem, round(value))
        steps.append(_step(problem, chosen.utilization, objective))
        done()
    return tuple(steps)


def _step(problem: Problem, utilization: float, objective: Objective) -> Step:
    results = {way.name: solve(problem, objective, sharing=way.sharing, solver=way.solver) for way in WAYS}
    ours = results["Mainstream"]
    total = sum(app.weight for app in problem.apps)
    mean = {}
    for name, result in results.items():
        admitted = sum(app.weight for app, choice in zip(problem.apps, result.choices, strict=True) if choice)
        mean[name] = result.mean_f1 * admitted / total
    return Step(
        utilization=utilization,
        apps=len(problem.apps),
        mean_f1=mean,
        admitted=sum(choice is not None for choice in ours.choices),
        cost=ours.cost,
        proven=ours.proven,
    )


def _first(problem: Problem, count: int) -> Problem:
    order = sorted(problem.apps, key=lambda app: (-app.priority, app.age, app.name))
    names = {app.name for app in order[:count]}
    return replace(problem, apps=tuple(app for app in problem.apps if app.name in names))


def plain_steps(steps: Sequence[Step]) -> list[dict[str, object]]:
    """As plain values for JSON."""
    return [
        {
            "utilization": step.utilization,
            "apps": step.apps,
            "meanF1": step.mean_f1,
            "admitted": step.admitted,
            "cost": step.cost,
            "proven": step.proven,
        }
        for step in steps
    ]


def _unknown(text: str, more: str = "") -> InputError:
    return InputError(
        f"--sweep: expected utilization=10..100, utilization=10..100:5, apps or apps=2..8, got {text!r}{more}"
    )
