"""Max-min fairness: raise the worst app as far as it goes, then the second worst, and so on (leximin). Exact.

The highest level that all open apps can reach together is searched among the F1 that occur; each question is answered by the
cheapest schedule with those floors. At that level some app with this very F1 must stay, since nothing higher is reached by
all: it is settled there and the others go on. Where several could be the one that stays, each is tried in a *world* of its
own: all worlds have settled as many apps at the same levels, and those that do not reach the highest next level are dropped. An
app that cannot leave the level by itself stays without any trying; of apps that are alike the first stays; worlds that settled
the same apps alike are one. If too many remain, nothing is proven.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mainstream.scheduling.exact.floors import Floors, OutOfBoxesError
from mainstream.scheduling.exact.table import Array, Flags
from mainstream.scheduling.problem import Choice

_MOST_WORLDS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Fair:
    """A schedule; whether it is proven best, and a bound on the lowest F1."""

    choices: tuple[Choice, ...]
    proven: bool
    bound: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _World:
    floors: Array
    open: Flags
    choices: tuple[Choice, ...]
    scores: Array

    def level(self) -> float:
        """What the open apps reach."""
        return float(self.scores[self.open].min())


def highest_level(floors: Floors) -> tuple[float, tuple[Choice, ...]] | None:
    """The highest F1 that all apps can reach, with a schedule; None where nothing fits (``OutOfBoxesError``)."""
    world = _first(floors)
    if world is None:
        return None
    world = _raised(floors, world)
    return world.level(), world.choices


def leximin(floors: Floors, alike: Callable[[int, int], bool]) -> Fair | None:
    """None where nothing fits. ``alike`` says whether two apps may stand for each other."""
    first = _first(floors)
    if first is None:
        return None
    worlds, proven = [first], True
    bound = _highest(floors, first.open)
    try:
        while worlds[0].open.any():
            worlds = _level(floors, worlds)
            proven &= len(worlds) <= _MOST_WORLDS
            worlds = worlds[:_MOST_WORLDS]
            if worlds[0].open.all():
                bound = worlds[0].level()
            branched: dict[bytes, _World] = {}
            for world in worlds:
                for app in _staying(floors, world, alike):
                    settled = _settled(world, app)
                    branched.setdefault(settled.floors.tobytes() + settled.open.tobytes(), settled)
            worlds = list(branched.values())
    except OutOfBoxesError:
        proven = False
    return Fair(choices=worlds[0].choices, proven=proven, bound=bound)


def _first(floors: Floors) -> _World | None:
    lowest = np.where(np.isfinite(floors.f1), floors.f1, np.inf).min((1, 2))
    choices = floors.reached(lowest)
    if choices is None:
        return None
    return _World(floors=lowest, open=np.ones(len(lowest), bool), choices=choices, scores=floors.scores(choices))


def _level(floors: Floors, worlds: list[_World]) -> list[_World]:
    """The worlds that reach the highest next level, at that level."""
    best: list[_World] = []
    for world in worlds:
        candidate: _World | None = world
        if best and world.level() < best[0].level():
            candidate = _at(floors, world, best[0].level())
        if candidate is None:
            continue
        candidate = _raised(floors, candidate)
        if best and candidate.level() > best[0].level():
            best = []
        best.append(candidate)
    return best


def _raised(floors: Floors, world: _World) -> _World:
    """The world at the highest level that it reaches: steps that double while they succeed, then halves."""
    levels = _levels(floors, world.open)
    reached = int(np.searchsorted(levels, world.level()))
    missed, step = len(levels), 1
    while missed - reached > 1:
        tried = min(reached + step, (reached + missed + 1) // 2 if missed < len(levels) else len(levels) - 1)
        higher = _at(floors, world, float(levels[tried]))
        if higher is None:
            missed = tried
        else:
            world, step = higher, 2 * step
            reached = int(np.searchsorted(levels, world.level()))
    return world


def _at(floors: Floors, world: _World, level: float) -> _World | None:
    raised = np.where(world.open, np.maximum(world.floors, level), world.floors)
    choices = floors.reached(raised)
    if choices is None:
        return None
    return _World(floors=raised, open=world.open, choices=choices, scores=floors.scores(choices))


def _levels(floors: Floors, apps: Flags) -> Array:
    """The F1 that occur among those apps, up to what all of them can reach, ascending."""
    f1 = floors.f1[apps]
    return np.unique(f1[np.isfinite(f1) & (f1 <= _highest(floors, apps))])


def _highest(floors: Floors, apps: Flags) -> float:
    return float(floors.f1[apps].max((1, 2)).min())


def _staying(floors: Floors, world: _World, alike: Callable[[int, int], bool]) -> list[int]:
    """The open apps of which one must stay at the level: one that cannot do better, else all that have such an option."""
    level = world.level()
    could: list[int] = np.flatnonzero(world.open & (floors.f1 == level).any((1, 2))).tolist()
    for app in could:
        if len(could) == 1 or not _can_exceed(floors, world, app, level):
            return [app]
    return [app for at, app in enumerate(could) if not any(alike(app, other) for other in could[:at])]


def _can_exceed(floors: Floors, world: _World, app: int, level: float) -> bool:
    """Whether the app can do better than the level while the others are kept there."""
    higher = floors.f1[app][floors.f1[app] > level]
    if not len(higher) or world.scores[app] > level:
        return bool(len(higher))
    raised = np.where(world.open, np.maximum(world.floors, level), world.floors)
    raised[app] = higher.min()
    return floors.reached(raised) is not None


def _settled(world: _World, app: int) -> _World:
    still_open = world.open.copy()
    still_open[app] = False
    floors = np.where(world.open, np.maximum(world.floors, world.level()), world.floors)
    return _World(floors=floors, open=still_open, choices=world.choices, scores=world.scores)
