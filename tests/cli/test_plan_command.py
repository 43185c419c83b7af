"""`mainstream plan` through the command line: what it decides, shows and writes, and what it says about wrong input."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

from mainstream.documents import sha256
from mainstream.schedule import Schedule

Manifest = Callable[..., dict[str, Any]]


class Done(Protocol):
    """How a verb ended and what it printed."""

    status: int
    out: str
    err: str


class World(Protocol):
    """The store, the manifests' folder, and how to run the command line there (conftest)."""

    root: Path
    store: Any
    manifests: Path
    base: Any

    def write(self, name: str, *documents: Any) -> Path: ...
    def package(self, app: str, **changes: Any) -> Any: ...
    def run(self, *arguments: str | Path) -> Done: ...
    def plan(self, *arguments: str) -> Any: ...


VERB = ("plan", "-f", "manifests", "--store", "store")


def refused(world: World, *arguments: str) -> str:
    """What is said about wrong input."""
    done = world.run(*VERB, *arguments)
    assert (done.status, done.out, "Traceback" in done.err) == (2, "", False), done.err
    return done.err


def only(plan: Any, sharing: str = "Mainstream") -> Any:
    """The plan of the only edge node."""
    (box,) = plan["edgeNodes"]
    return box["plans"][sharing]


def test_every_app_gets_an_assignment_within_the_budget(world: World) -> None:
    """Cost is at most the budget, which is what 0.1 cores of ingest leave of 40 % of two threads."""
    plan = world.plan()
    (box,) = plan["edgeNodes"]
    assert box["budget"] == pytest.approx(0.4 * (2 - 0.1) / 2)
    result = only(plan)
    assert [app["app"] for app in result["apps"]] == ["default/bus", "default/car", "default/van", "yard/car"]
    assert 0 < result["cost"] <= box["budget"]
    assert result["rejected"] == []
    assert 0.5 <= result["minF1"] <= result["meanF1"] <= 1


def test_apps_share_a_stem_within_a_view_only(world: World) -> None:
    """The whole picture of north, its gate and south are three stems."""
    stems = only(world.plan())["stems"]
    assert [(stem["stream"], stem["view"]) for stem in stems] == [
        ("north", "full"),
        ("north", "gate"),
        ("south", "full"),
    ]


def test_the_table_the_tree_and_the_figures(world: World) -> None:
    """For people."""
    done = world.run(*VERB)
    assert (done.status, done.err) == (0, "")
    for words in (
        "EdgeNode box: Mainstream, MeanF1",
        "├── stream north",
        "north/gate",
        "mean F1 0.",
        "of budget 0.3800",
    ):
        assert words in done.out


def test_compare_shows_the_baselines_at_the_same_budget(world: World) -> None:
    """Mainstream is never planned worse than either."""
    for utilization in ("1", "4", "40"):
        (box,) = world.plan("--compare", "--utilization", utilization)["edgeNodes"]
        means = {sharing: plan["meanF1"] for sharing, plan in box["plans"].items()}
        assert list(means) == ["Mainstream", "MaxSharing", "NoSharing"]
        assert means["Mainstream"] >= max(means.values()) - 1e-9
    shown = world.run(*VERB, "--compare").out
    assert "Max-Sharing" in shown
    assert "No-Sharing" in shown


def test_without_sharing_every_app_has_a_stem_of_its_own(world: World) -> None:
    """No-Sharing runs whole networks."""
    stems = only(world.plan("--sharing", "no-sharing"), "NoSharing")["stems"]
    assert len(stems) == 4
    assert all(stem["name"].endswith(("/car", "/van", "/bus")) for stem in stems)


def test_options_replace_what_the_edge_node_says(world: World) -> None:
    """Utilization and objective."""
    (box,) = world.plan("--utilization", "10", "--objective", "maxminf1")["edgeNodes"]
    assert box["utilization"] == 10
    assert box["plans"]["Mainstream"]["objective"] == "MaxMinF1"


def test_the_legacy_model_predicts_something_else(world: World) -> None:
    """The paper's published code, by option."""
    assert only(world.plan("--model", "legacy"))["meanF1"] != only(world.plan())["meanF1"]


def test_the_schedule_is_written_and_can_be_read(world: World) -> None:
    """Its digest is the one that the plan names; its paths lead to the videos from where the command was given."""
    done = world.run(*VERB, "--schedule-out", "out/schedule.json", "-o", "json")
    assert (done.status, "schedule written: out/schedule.json" in done.err) == (0, True)
    path = world.root / "out/schedule.json"
    schedule = Schedule.from_json(path.read_bytes(), where=path)
    assert schedule.digest == only(json.loads(done.out))["scheduleDigest"]
    assert [stream.source.file.path for stream in schedule.streams if stream.source.file] == [
        "manifests/north.mp4",
        "manifests/south.mp4",
    ]


def test_an_app_that_is_suspended_takes_no_part(world: World, manifest_of: Manifest) -> None:
    """It needs no package either."""
    world.write("more.yaml", manifest_of("default/idle", suspend=True))
    assert "default/idle" not in str(world.plan())


def test_a_budget_at_which_nothing_fits_is_an_answer(world: World) -> None:
    """Exit status 1; each app's needed cost and the utilization that would do; no schedule is written."""
    done = world.run(*VERB, "--utilization", "0.01", "--schedule-out", "s.json")
    assert done.status == 1
    assert "Traceback" not in done.err
    assert "no app can be admitted" in done.err
    assert "Raise budget.utilization to" in " ".join(done.out.split())
    assert "need a cost of" in done.out
    assert not (world.root / "s.json").exists()
    rejected = only(world.plan("--utilization", "0.01"))["rejected"]
    assert len(rejected) == 4
    assert all(one["reason"] == "RejectedByPriority" and one["neededCost"] > 0 for one in rejected)


def test_the_utilization_that_is_proposed_is_enough(world: World) -> None:
    """What all apps need together admits all apps."""
    result = only(world.plan("--utilization", "0.01"))
    per_cent = result["neededCostForAll"] / ((2 - 0.1) / 2) * 100
    assert len(only(world.plan("--utilization", str(per_cent * 1.0001)))["apps"]) == 4


def test_priority_decides_who_is_admitted(world: World, manifest_of: Manifest, edge_node_of: Manifest) -> None:
    """At a budget for some, those of the highest priority are in."""
    world.write("apps.yaml", *(manifest_of(key, minF1="0.9") for key in ("default/car", "default/van")))
    world.write("more.yaml", manifest_of("yard/car", stream="south", minF1="0.9", priority=1))
    world.write("box.yaml", edge_node_of(budget={"cpu": "2", "utilization": 9}))
    result = only(world.plan())
    assert [app["app"] for app in result["apps"]] == ["yard/car"]
    assert result["meanF1"] == pytest.approx(result["meanF1Admitted"] / 3)
    assert result["minF1"] == 0


def test_a_minimum_that_no_candidate_reaches(world: World, manifest_of: Manifest) -> None:
    """The app is told so; the others run."""
    world.write("more.yaml", manifest_of("default/cat", minF1="0.999"))
    world.package("default/cat", quality=0.6)
    result = only(world.plan())
    assert len(result["apps"]) == 4
    (cat,) = result["rejected"]
    assert (cat["reason"], cat["neededCost"]) == ("MinF1Unreachable", None)
    assert "minF1" in cat["remedy"]


def test_pictures_have_no_event_profile(world: World, manifest_of: Manifest) -> None:
    """Such an app is rejected with what to write; with it, it runs."""
    world.write("more.yaml", manifest_of("default/cat"))
    world.package("default/cat", event_profile=None)
    (cat,) = only(world.plan())["rejected"]
    assert cat["reason"] == "EventProfileMissing"
    assert "spec.eventProfile" in cat["remedy"]
    profile = {"lengthSeconds": "2", "frequency": "0.1", "correlation": "0.5", "correlationFps": 10}
    world.write("more.yaml", manifest_of("default/cat", eventProfile=profile))
    assert only(world.plan())["rejected"] == []


def test_a_given_event_profile_replaces_the_measured_one(world: World, manifest_of: Manifest) -> None:
    """Shorter events are harder to see."""
    before = {app["app"]: app for app in only(world.plan("--utilization", "5"))["apps"]}
    profile = {"lengthSeconds": "0.2", "gapSeconds": 20, "frequency": "0.1", "correlation": "0.4", "correlationFps": 10}
    world.write("apps.yaml", manifest_of("default/car", eventProfile=profile))
    after = only(world.plan("--utilization", "5"))["apps"]
    assert after[0]["expectedF1"] < before["default/car"]["expectedF1"]


def test_apps_may_use_one_anothers_packages(world: World, manifest_of: Manifest) -> None:
    """By name, and by digest."""
    digest = world.package("default/car").digest
    for reference in ("mpackage/default/car", digest, f"registry/traffic/car@{digest}"):
        world.write("more.yaml", manifest_of("south/car", stream="south", package={"reference": reference}))
        assert only(world.plan())["rejected"] == []


def test_several_edge_nodes_are_planned_one_by_one(world: World, edge_node_of: Manifest) -> None:
    """All of them, or the one that is named."""
    second = {**edge_node_of(), "metadata": {"name": "barn"}}
    world.write("barn.yaml", second)
    assert "EdgeNode 'barn': no MainstreamApp selects it" in refused(world)
    assert len(world.plan("--node", "box")["edgeNodes"]) == 1
    assert "--node: no EdgeNode 'bxo'; did you mean \"box\"?" in refused(world, "--node", "bxo")
    assert "holds 2 EdgeNodes: barn, box" in refused(world, "--schedule-out", "s.json")


def test_warnings_say_what_is_unsure(world: World) -> None:
    """Few events, and a profile whose batches differ."""
    world.package("default/car", measured_by="CrossValidation")
    warnings = only(world.plan())["warnings"]
    assert any("app default/car" in one and "cross-validation" in one and "±0.03" in one for one in warnings)


def test_memory_that_does_not_hold_all_levels(world: World, edge_node_of: Manifest) -> None:
    """A level is given up and the loss is told; where no level can go, the plan says that the runner will refuse it."""
    for name in ("bus", "van"):
        world.package(f"default/{name}", quality=0.75)  # worse apps get other rates than good ones
    all_levels = only(world.plan())
    needed = all_levels["memoryBytes"]
    assert all_levels["levelsGivenUp"] == 0
    budget = {"cpu": "2", "utilization": 40}
    world.write("box.yaml", edge_node_of(budget={**budget, "memory": str(needed - 1)}))
    fewer = only(world.plan())
    assert fewer["levelsGivenUp"] == 1
    assert fewer["memoryBytes"] < needed
    assert fewer["meanF1"] < all_levels["meanF1"]
    assert any("does not hold" in one for one in fewer["warnings"])
    world.write("box.yaml", edge_node_of(budget={**budget, "memory": "64Mi"}))
    assert any("OutOfMemory" in one for one in only(world.plan())["warnings"])


def test_streams_that_take_the_whole_box(world: World) -> None:
    """Then nothing fits, and it is said why."""
    for stream in ("north", "south"):
        path = world.store.profiles / "ingest" / "box" / f"{stream}.json"
        path.write_text(path.read_text().replace('"0.05"', '"1.5"'))
    done = world.run(*VERB)
    assert done.status == 1
    assert "IngestTooExpensive" in done.out


def test_what_is_not_there_yet_is_said_with_the_command_that_makes_it(world: World, manifest_of: Manifest) -> None:
    """M-Packages, profiles, references."""
    world.write("more.yaml", manifest_of("default/cat"), manifest_of("default/dog"))
    message = refused(world)
    assert "store/oci: no M-Package yet of default/cat, default/dog" in message
    assert "mainstream train -f manifests --store store" in message
    world.write("more.yaml", manifest_of("default/cat", package={"reference": "mpackage/cat"}))
    message = refused(world)
    assert "manifests/more.yaml:13: spec.package.reference: no artifact is named 'mpackage/cat'" in message
    (world.manifests / "more.yaml").unlink()
    for path in (world.store.profiles / "costs").iterdir():
        path.unlink()
    message = refused(world)
    assert f"store/profiles: no profile of base DNN {world.base.digest[:19]}... for LiteRT with 2 threads" in message
    assert "mainstream profile -f manifests --store store" in message


def test_a_stream_without_a_profile(world: World) -> None:
    """What reading it takes must be known too."""
    (world.store.profiles / "ingest" / "box" / "south.json").unlink()
    assert "no profile of what reading stream 'south' of EdgeNode 'box' takes" in refused(world)


def test_a_broken_profile_is_named(world: World) -> None:
    """Half a file is no profile."""
    path = world.store.profiles / "ingest" / "box" / "south.json"
    path.write_text(path.read_text()[:10])
    message = refused(world)
    assert "store/profiles/ingest/box/south.json: not readable as JSON" in message
    assert "Remove the file and measure again" in message


def test_an_app_whose_events_were_changed_after_training(world: World, manifest_of: Manifest) -> None:
    """Its accuracy was measured for others."""
    world.write("more.yaml", manifest_of("default/cat", events=["cat", "dog"]))
    world.package("default/cat")
    message = refused(world)
    assert "manifests/more.yaml:10: spec.events: cat, dog; but the M-Package" in message
    assert "was measured for cat" in message
    assert "mainstream train" in message


def test_a_package_of_another_base_dnn(world: World, manifest_of: Manifest) -> None:
    """The manifest names one base DNN, the package was trained on another that the store does not have."""
    world.write("more.yaml", manifest_of("default/cat"))
    world.package("default/cat", base_dnn=sha256(b"another"))
    message = refused(world)
    assert f"the base DNN {sha256(b'another')} of app default/cat's M-Package is not in the store" in message
    assert "mainstream base import" in message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--utilization", "0"), "--utilization: expected more than 0 and at most 100 per cent, got 0"),
        (("--utilization", "850"), "--utilization: expected more than 0 and at most 100 per cent, got 850"),
        (("--utilization", "nan"), "--utilization: expected more than 0 and at most 100 per cent, got nan"),
        (("--utilization", "much"), "Invalid value for '--utilization'"),
        (("--objective", "MeanF2"), "--objective: unknown value 'MeanF2'; did you mean \"MeanF1\"?"),
        (("--solver", "Gredy"), "--solver: unknown value 'Gredy'; did you mean \"Greedy\"?"),
        (("--sharing", "All"), "--sharing: unknown value 'All'; known: Mainstream, MaxSharing, NoSharing"),
        (("--model", "new"), "--model: unknown value 'new'; known: corrected, legacy"),
    ],
)
def test_wrong_options(world: World, arguments: tuple[str, ...], message: str) -> None:
    """Option, value, what is known."""
    assert message in refused(world, *arguments)


def test_a_store_that_is_not_there(world: World) -> None:
    """It holds nothing, and that is said."""
    done = world.run("plan", "-f", "manifests", "--store", "nowhere")
    assert done.status == 2
    assert "nowhere/oci: no M-Package yet of default/car" in done.err


def test_a_schedule_that_cannot_be_written(world: World) -> None:
    """An operation that failed: exit status 1, and nothing half-written."""
    (world.root / "file").write_text("")
    done = world.run(*VERB, "--schedule-out", "file/s.json")
    assert (done.status, "Traceback" in done.err) == (1, False)
    assert "file/s.json: cannot write" in done.err
