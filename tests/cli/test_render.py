"""The rendered schedule: golden bytes, the staircase of rates, the JSON Schema."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mainstream.packages.folder import StoreFolder
from mainstream.resources.manifests import load
from mainstream.schedule import Schedule
from mainstream.scheduling.assemble import Assembled
from mainstream.scheduling.planning import prepare
from mainstream.scheduling.problem import Choice, Result, Sharing
from mainstream.scheduling.render import render

GOLDEN = Path(__file__).with_name("schedule.golden.json")
SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "schedule.schema.json"


@pytest.fixture
def assembled(world: Any) -> Assembled:
    """The world's problem with round F1, votes and thresholds, so that the model may change."""
    manifests = load(world.manifests)
    ready = prepare(manifests, StoreFolder(world.root / "store"), manifests.edge_nodes[0])
    apps = tuple(
        replace(app, f1=np.full(app.f1.shape, 0.75), votes=np.full(app.f1.shape, 2), threshold=np.full(app.f1.shape, 6))
        for app in ready.problem.apps
    )
    return replace(ready, problem=replace(ready.problem, apps=apps))


def chosen(*choices: Choice | None) -> Result:
    """A result with those choices."""
    return Result(
        choices=choices, rejected=(), cost=0.25, mean_f1=0.75, min_f1=0.75, bound=None, proven=False, solver="Greedy"
    )


def at(assembled: Assembled, place: int, candidate: int, fps: str) -> Choice:
    """A candidate at a rate."""
    rates = assembled.problem.groups[assembled.problem.apps[place].group].rates
    return Choice(candidate=candidate, rate=rates.index(Fraction(fps)))


def schedule_of(assembled: Assembled, *, sharing: Sharing = "Mainstream") -> Schedule:
    """car at the deepest cut, 2 fps; van at the second, 5 fps; bus on its view, 1/2 fps; yard/car rejected."""
    places = [member.app.key for member in assembled.members]
    wanted = {"default/car": (2, "2"), "default/van": (0, "5"), "default/bus": (1, "1/2")}
    choices = [at(assembled, place, *wanted[key]) if key in wanted else None for place, key in enumerate(places)]
    return render(assembled, chosen(*choices), sharing=sharing)


def test_the_golden_schedule(assembled: Assembled) -> None:
    """Equal input gives these bytes. To write them anew after a change that is meant, remove the file and run twice."""
    data = schedule_of(assembled).to_json()
    if not GOLDEN.exists():
        GOLDEN.write_bytes(data)
        pytest.fail(f"{GOLDEN} was missing and has been written: look at it")
    assert data == GOLDEN.read_bytes()


def test_the_golden_schedule_can_be_read(assembled: Assembled) -> None:
    """And gives the same document, with the same digest."""
    schedule = Schedule.from_json(GOLDEN.read_bytes(), where=GOLDEN)
    assert schedule == schedule_of(assembled)
    assert json.loads(GOLDEN.read_bytes())["digest"] == schedule.digest


def test_the_order_of_the_manifests_does_not_matter(assembled: Assembled) -> None:
    """The bytes are the same whatever the files are called."""
    turned = replace(
        assembled,
        members=assembled.members[::-1],
        problem=replace(assembled.problem, apps=assembled.problem.apps[::-1]),
    )
    assert schedule_of(turned).to_json() == schedule_of(assembled).to_json()


def test_a_segment_runs_at_the_highest_rate_of_those_who_need_it(assembled: Assembled) -> None:
    """A staircase that never rises; segments that nobody needs are left out."""
    stems = {stem.name.rpartition("/")[0]: stem for stem in schedule_of(assembled).stems}
    assert [(one.end, one.fps) for one in stems["north/full"].segments] == [
        ("conv1", 5),
        ("conv_pw_6", 5),
        ("conv_pw_11", 2),
        ("pooled", 2),
    ]
    assert [(one.end, one.fps) for one in stems["north/gate"].segments] == [
        ("conv1", Fraction(1, 2)),
        ("conv_pw_6", Fraction(1, 2)),
        ("conv_pw_11", Fraction(1, 2)),
    ]


def test_only_streams_and_views_in_use_are_named(assembled: Assembled) -> None:
    """South's app is rejected."""
    (north,) = schedule_of(assembled).streams
    assert (north.name, [view.name for view in north.views]) == ("north", ["full", "gate"])


def test_without_sharing_each_app_has_its_own_stem(assembled: Assembled) -> None:
    """With its own segments at its own rate."""
    schedule = schedule_of(assembled, sharing="NoSharing")
    assert {app.stem for app in schedule.apps} == {stem.name for stem in schedule.stems}
    for app in schedule.apps:
        (stem,) = (stem for stem in schedule.stems if stem.name == app.stem)
        assert stem.name.endswith(f"/{app.app}")
        assert {segment.fps for segment in stem.segments} == {app.fps}
        assert len(stem.segments) == app.depth


def test_a_changed_schedule_is_refused() -> None:
    """The digest is the SHA-256 of the rest."""
    from mainstream.errors import InputError

    data = GOLDEN.read_text().replace('"votes":2', '"votes":3', 1)
    with pytest.raises(InputError, match="digest"):
        Schedule.from_json(data, where=GOLDEN)


def test_the_json_schema_in_the_documents_is_that_of_the_types() -> None:
    """`make schema` writes it anew."""
    assert json.loads(SCHEMA.read_text()) == Schedule.json_schema()


def test_the_golden_schedule_has_the_fields_of_the_schema() -> None:
    """At the top level and in every definition's required fields."""
    schema, plain = Schedule.json_schema(), json.loads(GOLDEN.read_bytes())
    assert set(schema["required"]) <= set(plain) <= set(schema["properties"])
    for name, field in (("ScheduledApp", "apps"), ("Stem", "stems"), ("ScheduledStream", "streams")):
        definition = schema["$defs"][name]
        for one in plain[field]:
            assert set(definition["required"]) <= set(one) <= set(definition["properties"])
