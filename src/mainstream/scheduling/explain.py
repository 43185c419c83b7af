"""Why an app got its branchpoint and rate: what it gives, what it takes at the margin, and what the neighbours would."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from mainstream.basednn import Precision
from mainstream.documents import fraction_text
from mainstream.errors import InputError
from mainstream.scheduling.decide import Plan
from mainstream.scheduling.problem import BUDGET_TOLERANCE, Choice
from mainstream.scheduling.search import schedule_cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A branchpoint and rate of an app, everything else as decided.

    ``cost`` is of the whole schedule with it, ``over`` by how much that is above the budget (0: it fits).
    """

    branchpoint: str
    precision: Precision
    fps: Fraction
    votes: int
    threshold: int
    f1: float
    cost: float
    over: float

    @property
    def branch(self) -> str:
        """Such as ``conv_pw_9``, or ``conv_pw_9 in int8``."""
        return branch_text(self.branchpoint, self.precision)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """``without`` is the schedule's cost without the app, so ``chosen.cost - without`` is what the app takes."""

    app: str
    chosen: Option
    without: float
    better: Option | None
    """The cheapest option with a higher F1; None if the app has the best there is."""
    cheaper: Option | None
    """The best of the options that make the schedule cheaper; None if there is none."""
    budget: float
    price: float | None
    sentences: tuple[str, ...]


def explain(plan: Plan, name: str) -> Explanation:
    """Explain the app of that name or key (``InputError`` if it is not in the schedule)."""
    place = _place(plan, name)
    problem, choices = plan.assembled.problem, list(plan.result.choices)
    chosen_at = choices[place]
    assert chosen_at is not None  # noqa: S101 - _place has looked
    choices[place] = None
    without = schedule_cost(problem, choices)
    options = list(_options(plan, place, choices))
    chosen = next(option for choice, option in options if choice == chosen_at)
    others = [option for choice, option in options if choice != chosen_at]
    better = min((o for o in others if o.f1 > chosen.f1 + 1e-9), key=lambda o: (o.cost, -o.f1), default=None)
    cheaper = max((o for o in others if o.cost < chosen.cost - 1e-12), key=lambda o: (o.f1, -o.cost), default=None)
    return Explanation(
        app=problem.apps[place].name,
        chosen=chosen,
        without=without,
        better=better,
        cheaper=cheaper,
        budget=problem.budget,
        price=plan.result.price,
        sentences=tuple(_sentences(plan, chosen, without, better, cheaper)),
    )


def _place(plan: Plan, name: str) -> int:
    apps = plan.assembled.problem.apps
    found = [place for place, app in enumerate(apps) if name in (app.name, app.name.rpartition("/")[2])]
    if not found:
        raise InputError(f"--explain: no app {name!r}; known: {', '.join(sorted(app.name for app in apps))}")
    if len(found) > 1:
        raise InputError(f"--explain: several apps are called {name!r}: give namespace/name")
    if plan.result.choices[found[0]] is None:
        raise InputError(
            f"--explain: {apps[found[0]].name} is not admitted; the plan says why", remedy="Leave --explain out."
        )
    return found[0]


def _options(plan: Plan, place: int, choices: list[Choice | None]) -> Iterator[tuple[Choice, Option]]:
    problem = plan.assembled.problem
    app, member = problem.apps[place], plan.assembled.members[place]
    rates = problem.groups[app.group].rates
    for candidate in range(len(app.depths)):
        for rate, fps in enumerate(rates):
            choice = Choice(candidate=candidate, rate=rate)
            cost = schedule_cost(problem, [*choices[:place], choice, *choices[place + 1 :]])
            yield (
                choice,
                Option(
                    branchpoint=member.candidates[candidate].branchpoint,
                    precision=member.candidates[candidate].precision,
                    fps=fps,
                    votes=int(app.votes[candidate, rate]),
                    threshold=int(app.threshold[candidate, rate]),
                    f1=float(app.f1[candidate, rate]),
                    cost=cost,
                    over=max(0.0, cost - problem.budget - BUDGET_TOLERANCE),
                ),
            )


def _sentences(
    plan: Plan, chosen: Option, without: float, better: Option | None, cheaper: Option | None
) -> Iterator[str]:
    yield (
        f"It branches after {chosen.branch} and sees {fraction_text(chosen.fps)} fps: F1 {chosen.f1:.3f}, for "
        f"{chosen.cost - without:.4f} more engine seconds per second than the schedule without it takes."
    )
    if better is None:
        yield "No other option of this app has a higher F1."
    else:
        fits = "it fits, but the others gain more from it" if not better.over else f"{better.over:.4f} over the budget"
        yield (
            f"The cheapest better option is {better.branch} at {fraction_text(better.fps)} fps: F1 {better.f1:.3f} "
            f"(+{better.f1 - chosen.f1:.3f}) for {better.cost - chosen.cost:+.4f}; {fits}."
        )
    if cheaper is not None:
        yield (
            f"The best cheaper option is {cheaper.branch} at {fraction_text(cheaper.fps)} fps: F1 {cheaper.f1:.3f} "
            f"({cheaper.f1 - chosen.f1:+.3f}) and {chosen.cost - cheaper.cost:.4f} saved."
        )
    if plan.result.price is not None:
        yield f"At the margin another 0.01 of budget is worth {plan.result.price * 0.01:.4f} of the mean F1."


def branch_text(branchpoint: str, precision: Precision) -> str:
    """A branch in words: its precision is told where it is not the usual one."""
    return branchpoint if precision == "f32" else f"{branchpoint} in {precision}"


def plain_explanation(found: Explanation) -> dict[str, object]:
    """As plain values for JSON."""

    def option(one: Option | None) -> dict[str, object] | None:
        if one is None:
            return None
        return {
            "branchpoint": one.branchpoint,
            "precision": one.precision,
            "fps": fraction_text(one.fps),
            "votes": one.votes,
            "threshold": one.threshold,
            "f1": one.f1,
            "scheduleCost": one.cost,
            "overBudget": one.over,
        }

    return {
        "app": found.app,
        "chosen": option(found.chosen),
        "costWithoutIt": found.without,
        "better": option(found.better),
        "cheaper": option(found.cheaper),
        "budget": found.budget,
        "valueOfBudget": found.price,
        "sentences": list(found.sentences),
    }
