"""What of a box's costs is known, what is borrowed or estimated, and what is measured next."""

from mainstream.cost import StreamIngest
from mainstream.jobs import JobResult, MeasuredStream
from mainstream.scheduling.assemble import PackagedApp
from mainstream_operator.measuring import shared_costs
from mainstream_operator.profiling import known, next_task, profile_status, read_costs, source_digest

from .conftest import app, base_dnn, costs, edge_node, package

BASE = base_dnn()
NODE = edge_node()
HARDWARE = {"profile": {"hardware": "box"}}
CAMERA = source_digest(NODE.spec.streams[0])


def _measured(cores: float = 0.123456) -> JobResult:
    ingest = StreamIngest(stream="north", cores=cores, spread=0.1)
    return JobResult(costs=costs(), streams=(MeasuredStream(source_digest=CAMERA, stream="north", ingest=ingest),))


def _packaged() -> list[PackagedApp]:
    used = package()
    return [PackagedApp(app=app(), package=used.package, base_dnn=used.base_dnn)]


def test_a_new_box_knows_nothing_and_everything_is_measured_at_once() -> None:
    """The stream's ingest is estimated until then, so that a camera that is away holds nobody up."""
    found = known(NODE, {}, [], [])
    assert (found.hardware, found.costs, found.estimated) == (None, {}, ("north",))
    task = next_task(NODE, _packaged(), {BASE.digest: "r@" + BASE.digest}, found, ["registry.test:5000"])
    assert task is not None
    assert task.base_dnn == "r@" + BASE.digest
    assert [one.source_digest for one in task.streams] == [CAMERA]


def test_what_a_job_found_is_the_same_when_the_job_is_gone() -> None:
    """The status and the shared costs hold it, with the very same numbers: nothing is scheduled anew."""
    fresh = known(NODE, {}, [], [(_measured(), 2.0)])
    status = {"profile": profile_status(fresh, [BASE.digest], NODE.spec.streams, "now", {})}
    later = known(NODE, status, [(costs(), 2.0)], [])
    assert later == fresh
    assert next_task(NODE, _packaged(), {BASE.digest: "r"}, later, []) is None
    again = profile_status(later, [BASE.digest], NODE.spec.streams, "later", status["profile"])
    assert again == status["profile"]


def test_costs_are_of_this_hardware_engine_and_limit() -> None:
    """Another box's are not borrowed, another limit's are, the nearest first."""
    other_box = (costs(hardware="another"), 2.0)
    assert known(NODE, HARDWARE, [other_box], []).costs == {}
    near, far = (costs(threads=1), 1.0), (costs(threads=4), 8.0)
    found = known(NODE, HARDWARE, [far, near], [])
    assert found.costs[BASE.digest].threads == 1
    assert found.borrowed == {BASE.digest}
    task = next_task(NODE, _packaged(), {BASE.digest: "r"}, found, [])
    assert task is not None
    assert task.base_dnn == "r"
    exact = known(NODE, HARDWARE, [far, near, (costs(), 2.0)], [])
    assert exact.borrowed == frozenset()
    assert known(edge_node(runtime={"engine": "OpenVINO"}), HARDWARE, [(costs(), 2.0)], []).costs == {}


def test_another_camera_is_measured_anew() -> None:
    """What was measured of one address says nothing about another."""
    fresh = known(NODE, {}, [], [(_measured(), 2.0)])
    status = {"profile": profile_status(fresh, [], NODE.spec.streams, "now", {})}
    source = {"rtsp": {"url": "rtsp://10.0.0.8/s"}}
    moved = edge_node(streams=[{"name": "north", "source": source, "captureFps": 10}])
    assert known(moved, status, [], []).estimated == ("north",)


def test_a_stream_that_nobody_looks_at_is_not_measured() -> None:
    """Nor is one without a schedule in need of it."""
    two = edge_node(
        streams=[
            {"name": name, "source": {"rtsp": {"url": f"rtsp://10.0.0.7/{name}"}}, "captureFps": 10}
            for name in ("north", "south")
        ]
    )
    task = next_task(two, _packaged(), {BASE.digest: "r"}, known(two, {}, [], []), [])
    assert task is not None
    assert [one.stream.name for one in task.streams] == ["north"]


def test_shared_costs_are_read_as_they_were_kept() -> None:
    """By name they are told apart by everything that they depend on."""
    body = shared_costs(costs(), 2.5, "mainstream")
    assert read_costs(body) == (costs(), 2.5)
    names = {
        shared_costs(one, cpu, "mainstream")["metadata"]["name"]
        for one, cpu in [
            (costs(), 2.0), (costs(), 2.5), (costs(threads=1), 2.0), (costs(hardware="b"), 2.0),
            (costs().model_copy(update={"engine_version": "2.4.0"}), 2.0),
        ]
    }  # fmt: skip
    assert len(names) == 5
