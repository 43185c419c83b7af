"""Planning with int8 base DNNs: f32 and int8 branches by their own costs, both base DNNs side by side, what does not fit."""

from collections.abc import Callable
from typing import Any, Protocol

import pytest

from mainstream.basednn import BaseDnn, BaseDnnConfig, Quantization
from mainstream.cost import LayerCosts
from mainstream.documents import sha256
from mainstream.packages.artifacts import write_base_dnn
from mainstream.packages.mpackage import MPackage
from mainstream.packages.profiles import load_costs, save_costs

from .conftest import base_config, costs_of

Manifest = Callable[..., dict[str, Any]]
VERB = ("plan", "-f", "manifests", "--store", "store")


class World(Protocol):
    """The store, the manifests' folder, and how to run the command line there (conftest)."""

    root: Any
    store: Any
    base: Any

    def write(self, name: str, *documents: Any) -> Any: ...
    def package(self, app: str, **changes: Any) -> Any: ...
    def run(self, *arguments: Any) -> Any: ...
    def plan(self, *arguments: str) -> Any: ...


APPS = ("default/car", "default/van", "default/bus", "yard/car")


def int8_base(world: World) -> BaseDnn:
    """A base DNN in int8 in the world's store, ``base/test-int8``."""
    config, blobs = base_config("int8")
    int8 = config.model_copy(
        update={"precision": "int8", "quantization": Quantization(pictures=48, digest=sha256(b"pictures"))}
    )
    return write_base_dnn(world.store.layout, int8, blobs, name="base/test-int8")


def int8_costs(base: BaseDnn) -> LayerCosts:
    """Everything in int8 takes 0.4 of f32; f32 branches take what they always take."""
    costs = costs_of(base)
    return costs.model_copy(
        update={
            "segment_seconds": tuple(0.4 * seconds for seconds in costs.segment_seconds),
            "int8_branch_seconds": tuple(0.4 * seconds for seconds in costs.branch_seconds),
            "whole_seconds": 0.4 * costs.whole_seconds,
        }
    )


def int8_package(world: World, base: BaseDnn, app: str, *, lost: float = 0.0) -> MPackage:
    """The app's M-Package on the int8 base DNN: each candidate in f32, and in int8 with ``lost`` less p."""
    plain = world.package(app).config
    candidates = []
    for one in plain.candidates:
        worse = tuple(max(0.0, p - lost) for p in one.true_positive_rate)
        candidates += [one, one.model_copy(update={"precision": "int8", "true_positive_rate": worse})]
    return world.package(
        app,
        name=f"{app}/int8",
        base_dnn=base.digest,
        segments=base.config.segments,
        candidates=tuple(candidates),
    )


@pytest.fixture
def both(world: World) -> World:
    """The world's apps trained on both base DNNs, both profiled; manifests name the f32 one."""
    base = int8_base(world)
    save_costs(world.store, int8_costs(base))
    for app in APPS:
        int8_package(world, base, app)
    return world


def on_int8(world: World, manifest_of: Manifest) -> None:
    """Manifests that name the int8 base DNN."""
    training = {"baseDnn": {"reference": "base/test-int8"}, "dataset": {"uri": "data"}}
    changes: dict[str, dict[str, Any]] = {
        "yard/car": {"stream": "south", "minF1": "0.5"},
        "default/bus": {"view": "gate"},
        "default/van": {"weight": 2},
    }
    world.write("apps.yaml", *(manifest_of(app, training=training, **changes.get(app, {})) for app in APPS))


def only(plan: Any) -> Any:
    (box,) = plan["edgeNodes"]
    return box


def test_int8_branches_are_taken_where_they_are_as_good_and_cheaper(both: World, manifest_of: Manifest) -> None:
    """Each candidate costs what its own precision costs."""
    on_int8(both, manifest_of)
    apps = only(both.plan("--utilization", "5"))["plans"]["Mainstream"]["apps"]
    costs = load_costs(both.store, base_dnn=int8_base(both).digest, engine="LiteRT", threads=2)
    assert costs is not None
    assert costs.int8_branch_seconds is not None
    assert len(apps) == len(APPS)
    for app in apps:
        assert app["precision"] == "int8"
        assert app["branchSeconds"] == costs.int8_branch_seconds[app["depth"]]
    shown = both.run(*VERB).out
    assert "in int8" in shown


def test_f32_branches_are_taken_where_int8_costs_too_much_accuracy(both: World, manifest_of: Manifest) -> None:
    """Nothing is assumed: with enough budget and a p that int8 halves, branches are f32 ones."""
    base = int8_base(both)
    for app in APPS:
        int8_package(both, base, app, lost=0.5)
    on_int8(both, manifest_of)
    apps = only(both.plan("--utilization", "90"))["plans"]["Mainstream"]["apps"]
    assert {app["precision"] for app in apps} == {"f32"}


def test_compare_sets_both_base_dnns_side_by_side(both: World, manifest_of: Manifest) -> None:
    """From the f32 manifests and from the int8 ones, with the same figures; the cheaper stem reaches more."""
    box = only(both.plan("--utilization", "5", "--compare"))
    assert (box["beside"]["precision"], box["beside"]["problem"]) == ("int8", "")
    mean = {way: plan["meanF1"] for way, plan in box["plans"].items()}
    int8 = {way: plan["meanF1"] for way, plan in box["beside"]["plans"].items()}
    assert mean.keys() == int8.keys() == {"Mainstream", "MaxSharing", "NoSharing"}
    assert int8["Mainstream"] > mean["Mainstream"]
    shown = both.run(*VERB, "--utilization", "5", "--compare").out
    assert "Mainstream, f32 base DNN" in shown
    assert "No-Sharing, int8 base DNN" in shown
    on_int8(both, manifest_of)
    turned = only(both.plan("--utilization", "5", "--compare"))
    assert turned["beside"]["precision"] == "f32"
    assert {way: plan["meanF1"] for way, plan in turned["beside"]["plans"].items()} == mean
    assert {way: plan["meanF1"] for way, plan in turned["plans"].items()} == int8


def test_compare_says_what_it_lacks(world: World) -> None:
    """Nothing where no app is trained on the other; else which apps, or that it is not profiled."""
    assert "beside" not in only(world.plan("--compare"))
    base = int8_base(world)
    int8_package(world, base, APPS[0])
    problem = only(world.plan("--compare"))["beside"]["problem"]
    assert problem == "not all apps are trained on it: default/van, default/bus, yard/car"
    for app in APPS:
        int8_package(world, base, app)
    done = world.run(*VERB, "--compare")
    assert f"not compared with the int8 base DNN: base DNN {base.digest[:19]}... has no profile" in done.out


def test_an_app_of_the_f32_base_dnn_is_not_put_on_the_int8_one(world: World, manifest_of: Manifest) -> None:
    """Refused by digest, with what to do."""
    base = int8_base(world)
    on_int8(world, manifest_of)
    done = world.run(*VERB)
    assert (done.status, "Traceback" in done.err) == (2, False)
    for part in ("apps.yaml:", "default/car", "int8 base DNN", base.digest, world.base.digest, "mainstream train -f"):
        assert part in done.err, (part, done.err)


def test_an_m_package_whose_segments_are_the_other_base_dnns(world: World) -> None:
    """A package that says it is the int8 base DNN's, but was made of the f32 one's segments, is not even stored."""
    from mainstream.errors import PackageError

    base = int8_base(world)
    with pytest.raises(PackageError, match="is not the base DNN's") as refused:
        world.package("default/car", base_dnn=base.digest)
    assert "train the app on this one" in str(refused.value.remedy)


def test_openvino_takes_no_app_on_an_int8_base_dnn(
    both: World, manifest_of: Manifest, edge_node_of: Callable[..., dict[str, Any]]
) -> None:
    """The app is rejected with the reason and what to do, whether the base DNN is profiled or not."""
    on_int8(both, manifest_of)
    both.write("box.yaml", edge_node_of(runtime={"engine": "OpenVINO"}))
    done = both.run(*VERB, "--output", "json")
    assert done.status == 1
    assert "EngineUnsuitable" in done.out
    assert "Auto or LiteRT" in done.out


def test_a_profile_without_int8_branches_is_measured_again(both: World, manifest_of: Manifest) -> None:
    """One that was measured as if the base DNN were f32."""
    on_int8(both, manifest_of)
    save_costs(both.store, costs_of(int8_base(both)))
    done = both.run(*VERB)
    assert done.status == 2
    assert "no int8 branches" in done.err
    assert "mainstream profile" in done.err


def test_costs_of_before_can_be_read(world: World) -> None:
    """A file without int8 branches is a profile of an f32 base DNN."""
    costs = costs_of(world.base)
    assert "int8BranchSeconds" not in costs.plain()
    assert LayerCosts.from_plain(costs.plain(), where="a test") == costs
    with pytest.raises(KeyError):
        costs.branch(0, "int8")


def test_a_config_says_how_it_was_quantised_or_is_f32(world: World) -> None:
    """Neither int8 without, nor f32 with a quantisation."""
    from mainstream.errors import PackageError

    config, blobs = base_config("odd")
    how = Quantization(pictures=48, digest=sha256(b"pictures"))
    for update in ({"precision": "int8"}, {"quantization": how}):
        odd: BaseDnnConfig = config.model_copy(update=update)
        with pytest.raises(PackageError, match="quantization: the precision is"):
            write_base_dnn(world.store.layout, odd, blobs, name="base/odd")
