"""The engine and the stems that run on it."""

import subprocess
import sys
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from mainstream.basednn import BaseDnn
from mainstream.documents import sha256
from mainstream.errors import InputError, OperationError, PackageError
from mainstream.schedule import Schedule
from mainstream_runner.engine import Engine, Pixels, load
from mainstream_runner.engines import engine_named
from mainstream_runner.graph import read
from mainstream_runner.litert import LiteRT
from mainstream_runner.merge import Branch, Joined, merge
from mainstream_runner.standin import dense_head, stand_in
from mainstream_runner.stems import load_stem, open_stems

FEATURES = (256,)


@pytest.fixture(scope="module", params=["LiteRT", "OpenVINO"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Both engines must do what the others of the seam rely on."""
    return engine_named(request.param)


@pytest.fixture(scope="module")
def litert() -> LiteRT:
    return LiteRT()


@pytest.fixture(scope="module")
def blobs(tiny_base: BaseDnn, tiny_segments: list[bytes]) -> dict[str, bytes]:
    """The base DNN's segments by digest."""
    return {segment.digest: data for segment, data in zip(tiny_base.config.segments, tiny_segments, strict=True)}


@pytest.fixture
def pixels() -> Pixels:
    return np.random.default_rng(5).uniform(-1, 1, (1, 64, 64, 3)).astype(np.float32)


def _put(blobs: dict[str, bytes], data: bytes) -> str:
    blobs[sha256(data)] = data
    return sha256(data)


def _mixed(make_schedule: Callable[..., Schedule], blobs: dict[str, bytes], segments: list[bytes]) -> Schedule:
    depths, rates = (15, 6, 13, 0, 9), (15, 10, 10, 5, Fraction(1, 2))
    return make_schedule(
        [
            (depth, rate, _put(blobs, stand_in(segments[depth:], FEATURES)))
            for depth, rate in zip(depths, rates, strict=True)
        ]
    )


def test_compiled_model_and_interpreter_agree(
    litert: Engine, tiny_segments: list[bytes], pixels: Pixels, tmp_path: Path
) -> None:
    """The same graph gives the same bits through both of LiteRT's interfaces, in every level."""
    joined = Joined(tiny_segments, [Branch(depth=d, model=stand_in(tiny_segments[d:], FEATURES)) for d in (14, 3, 15)])
    model = load(litert, joined, levels=(3, 2, 1), threads=1, folder=tmp_path)
    for level, apps in enumerate((3, 2, 1)):
        interpreter = Interpreter(model_content=joined.write([apps]), num_threads=1)
        outputs = interpreter.get_signature_runner("level0")(pixels=pixels)
        expected = [outputs[name] for name in sorted(outputs)]
        assert all(np.array_equal(a, b) for a, b in zip(model.run(pixels, level), expected, strict=True))
    model.close()


def test_both_engines_give_the_same(tiny_segments: list[bytes], pixels: Pixels, tmp_path: Path) -> None:
    """The same files, the same probabilities within 1e-3, in every level."""
    joined = Joined(
        tiny_segments, [Branch(depth=d, model=stand_in(tiny_segments[d:], FEATURES)) for d in (14, 3, 15, 0)]
    )
    outputs = {}
    for name in ("LiteRT", "OpenVINO"):
        folder = tmp_path / name
        folder.mkdir()
        model = load(engine_named(name), joined, levels=(4, 2, 1), threads=1, folder=folder)  # type: ignore[arg-type]
        outputs[name] = [model.run(pixels, level) for level in range(3)]
        model.close()
    for ours, theirs in zip(outputs["LiteRT"], outputs["OpenVINO"], strict=True):
        assert len(ours) == len(theirs)
        assert all(np.allclose(a, b, atol=1e-3) for a, b in zip(ours, theirs, strict=True))


def test_each_level_runs_in_one_call(
    engine: Engine,
    make_schedule: Callable[..., Schedule],
    blobs: dict[str, bytes],
    tiny_segments: list[bytes],
    pixels: Pixels,
) -> None:
    """Due apps get what their branch alone would give; calls and seconds are counted by the clock that is passed in."""
    schedule = _mixed(make_schedule, blobs, tiny_segments)
    ticks = iter(range(100))
    with open_stems(schedule, read=blobs.__getitem__, engine=engine, clock=lambda: float(next(ticks))) as stems:
        stem = stems["stream/full/base"]
        for calls, due in enumerate((1, 3, 4, 5), start=1):
            outputs = stem.run(pixels, due)
            assert [output.shape for output in outputs] == [(2,)] * due
            assert (stem.calls, stem.seconds) == (calls, float(calls))
            assert all(abs(float(output.sum()) - 1) < 1e-5 for output in outputs)
        with pytest.raises(ValueError, match="Expected one of 5, 4, 3, 1 apps to be due, got 2"):
            stem.run(pixels, 2)
        with pytest.raises(ValueError, match="Expected float32 pixels"):
            stem.run(pixels[:, :32], 1)


class _Failing:
    """An engine that remembers its folders and refuses to run."""

    name = "LiteRT"
    version = "0"

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.folders: list[Path] = []

    def write(self, joined: Joined, *, levels: object, folder: Path) -> None:  # noqa: ARG002
        (folder / "levels.tflite").write_bytes(joined.write([1]))
        self.folders.append(folder)
        raise self.error


@pytest.mark.parametrize("error", [PackageError("bad"), KeyboardInterrupt()])
def test_nothing_stays_when_loading_ends_early(
    error: BaseException, make_schedule: Callable[..., Schedule], blobs: dict[str, bytes]
) -> None:
    """Ctrl-C while graphs are merged leaves no file behind."""
    schedule = make_schedule([(15, 5, _put(blobs, dense_head(FEATURES)))])
    failing = _Failing(error)
    with (
        pytest.raises(type(error)),
        open_stems(schedule, read=blobs.__getitem__, engine=failing),  # type: ignore[arg-type]
    ):
        pass
    assert failing.folders
    assert not failing.folders[0].exists()
    assert not failing.folders[0].parent.exists()


def test_files_are_gone_after_the_run(
    engine: Engine, make_schedule: Callable[..., Schedule], blobs: dict[str, bytes], tmp_path: Path
) -> None:
    """What the engine wrote lives as long as the stem."""
    schedule = make_schedule([(15, 5, _put(blobs, dense_head(FEATURES)))])
    stem = load_stem(
        schedule.stems[0], schedule.apps, read=blobs.__getitem__, engine=engine, threads=1, folder=tmp_path
    )
    assert list(tmp_path.glob("*.tflite"))
    stem.close()
    assert not tmp_path.exists()


@pytest.mark.parametrize(
    ("classes", "message"),
    [(("background", "a", "b"), "gives (1, 2) for the 3 classes of default/app-0")],
)
def test_a_branch_with_other_classes_is_refused(
    classes: tuple[str, ...],
    message: str,
    engine: Engine,
    make_schedule: Callable[..., Schedule],
    blobs: dict[str, bytes],
) -> None:
    """A branch must have an output for each class that its package names."""
    digest = _put(blobs, dense_head(FEATURES))
    schedule = make_schedule([(15, 5, digest)], classes=classes)
    with (
        pytest.raises(PackageError) as caught,
        open_stems(schedule, read=blobs.__getitem__, engine=engine),
    ):
        pass
    assert message in str(caught.value)
    assert digest in str(caught.value)


def test_weights_that_are_no_numbers_are_refused(
    engine: Engine, make_schedule: Callable[..., Schedule], blobs: dict[str, bytes]
) -> None:
    """A branch that gives NaN would never detect anything, in silence."""
    weights = read(dense_head(FEATURES)).buffers[0].tobytes()
    head = dense_head(FEATURES).replace(weights, np.full(len(weights) // 4, np.nan, "<f4").tobytes())
    digest = _put(blobs, head)
    with (
        pytest.raises(PackageError, match="no numbers for default/app-0"),
        open_stems(make_schedule([(15, 5, digest)]), read=blobs.__getitem__, engine=engine),
    ):
        pass


def test_a_schedule_with_too_short_a_stem_is_refused(
    engine: Engine, make_schedule: Callable[..., Schedule], blobs: dict[str, bytes]
) -> None:
    """A schedule that was tampered with is wrong input, not a stack trace."""
    schedule = make_schedule([(15, 5, _put(blobs, dense_head(FEATURES)))])
    stem = schedule.stems[0]
    short = schedule.model_copy(update={"stems": (stem.model_copy(update={"segments": stem.segments[:3]}),)})
    with (
        pytest.raises(InputError, match="hangs on 15 segments"),
        open_stems(short, read=blobs.__getitem__, engine=engine),
    ):
        pass


def test_a_full_disk_is_said(engine: Engine, tiny_segments: list[bytes], tmp_path: Path) -> None:
    """A folder that takes nothing is an OperationError, not a stack trace."""
    joined = Joined(tiny_segments, [Branch(depth=15, model=dense_head(FEATURES))])
    with pytest.raises(OperationError, match="cannot write the merged graph"):
        load(engine, joined, levels=(1,), threads=1, folder=tmp_path / "missing")


def test_other_threads_run_while_the_engine_computes(
    engine: Engine, tiny_segments: list[bytes], pixels: Pixels, tmp_path: Path
) -> None:
    """The engine works without Python's lock: another thread gets it although nobody is ever asked to hand it over."""
    joined = Joined(tiny_segments, [Branch(depth=15, model=dense_head(FEATURES))])
    model = load(engine, joined, levels=(1,), threads=1, folder=tmp_path)
    computing, seen = threading.Event(), threading.Event()
    other = threading.Thread(target=lambda: (computing.wait(), seen.set()))
    usual = sys.getswitchinterval()
    other.start()
    sys.setswitchinterval(1000)
    try:
        computing.set()
        for _ in range(1000):
            if seen.is_set():
                break
            model.run(pixels)
        saw = seen.is_set()
    finally:
        sys.setswitchinterval(usual)
    other.join()
    model.close()
    assert saw


def test_loading_prints_nothing(tiny_segments: list[bytes], tmp_path: Path) -> None:
    """LiteRT's log stays away from a person's screen, at the process's end too."""
    model = tmp_path / "model.tflite"
    model.write_bytes(merge(tiny_segments, [Branch(depth=15, model=dense_head(FEATURES))]))
    program = f"""
import pathlib, numpy
from mainstream_runner.engine import load
from mainstream_runner.graph import read
from mainstream_runner.litert import LiteRT
from mainstream_runner.merge import Branch, Joined
engine = LiteRT()
joined = Joined([], [Branch(depth=0, model=pathlib.Path({str(model)!r}).read_bytes())])
folder = pathlib.Path({str(tmp_path)!r}) / "run"
folder.mkdir()
loaded = load(engine, joined, levels=(1,), threads=1, folder=folder)
print(loaded.run(numpy.zeros((1, 64, 64, 3), numpy.float32))[0].shape)
loaded.close()
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (ended.stdout.strip(), ended.stderr) == ("(1, 2)", "")
