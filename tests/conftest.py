"""What tests of several parts need: a base DNN so small that everything about it takes moments, and schedules over it."""

import signal
from collections.abc import Callable, Sequence
from fractions import Fraction

import pytest

from mainstream.basednn import BaseDnn
from mainstream.packages.folder import StoreFolder
from mainstream.schedule import Schedule, ScheduledApp, Stem, StemSegment

# A shell starts background jobs with SIGINT ignored, and ignored it stays in every program that they start: the tests that
# press Ctrl-C would then wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)

TINY_SIZE = 64
"""Pixels; MobileNet with a quarter of its channels takes 0.1 ms on it."""

MakeSchedule = Callable[..., Schedule]


@pytest.fixture(scope="session")
def tiny_store(tmp_path_factory: pytest.TempPathFactory) -> StoreFolder:
    """A store for all tests of the session, with ``tiny_base`` in it once that is used; tests only add to it."""
    return StoreFolder(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="session")
def tiny_base(tiny_store: StoreFolder) -> BaseDnn:
    """MobileNet 0.25 at 64 pixels with random weights, made as a person would make it."""
    from mainstream_trainer.basednn import import_base_dnn

    def start(_description: str, _total: int) -> Callable[..., None]:
        return lambda _steps=1: None

    base, _ = import_base_dnn(
        tiny_store.layout, name="MobileNet", alpha=0.25, input_size=TINY_SIZE, weights="random", start=start
    )
    return base


@pytest.fixture(scope="session")
def tiny_segments(tiny_store: StoreFolder, tiny_base: BaseDnn) -> list[bytes]:
    """The segments of ``tiny_base`` as ``.tflite`` bytes, in order."""
    return [tiny_store.layout.read_blob(segment.digest, limit=1 << 24) for segment in tiny_base.config.segments]


@pytest.fixture(scope="session")
def tiny_int8_base(tiny_store: StoreFolder, tiny_base: BaseDnn) -> BaseDnn:
    """The same network in int8, quantised with the pictures that ship; ``tiny_base`` is in the store too."""
    from mainstream_trainer.basednn import import_base_dnn

    def start(_description: str, _total: int) -> Callable[..., None]:
        return lambda _steps=1: None

    shape = tiny_base.config.input_shape
    base, _ = import_base_dnn(
        tiny_store.layout,
        name="MobileNet",
        alpha=0.25,
        input_size=shape[0],
        weights="random",
        precision="int8",
        start=start,
    )
    return base


@pytest.fixture(scope="session")
def tiny_int8_segments(tiny_store: StoreFolder, tiny_int8_base: BaseDnn) -> list[bytes]:
    """The segments of ``tiny_int8_base`` as ``.tflite`` bytes, in order."""
    return [tiny_store.layout.read_blob(segment.digest, limit=1 << 24) for segment in tiny_int8_base.config.segments]


@pytest.fixture(scope="session")
def make_schedule(tiny_base: BaseDnn) -> MakeSchedule:
    """Schedules of one stem over ``tiny_base``; each app is its depth, its rate and its branch's digest."""

    def make(
        apps: Sequence[tuple[int, Fraction | int, str]],
        *,
        base: BaseDnn = tiny_base,
        classes: tuple[str, ...] = ("background", "event"),
        threads: int = 1,
    ) -> Schedule:
        stem = Stem(
            name="stream/full/base",
            stream="stream",
            view="full",
            base_dnn=base.digest,
            input_shape=base.config.input_shape,
            preprocessing=base.config.preprocessing,
            segments=tuple(
                StemSegment(end=segment.end, digest=segment.digest, fps=Fraction(1), planned_seconds=0.0)
                for segment in base.config.segments[: max(depth for depth, _, _ in apps)]
            ),
        )
        scheduled = tuple(
            ScheduledApp(
                app=f"default/app-{place}",
                stem=stem.name,
                package="sha256:" + "0" * 64,
                branchpoint=base.config.branchpoints[depth],
                depth=depth,
                branch_digest=digest,
                planned_seconds=0.0,
                fps=Fraction(fps),
                votes=1,
                threshold=5,
                expected_f1=0.5,
                classes=classes,
                events=classes[1:],
            )
            for place, (depth, fps, digest) in enumerate(apps)
        )
        return Schedule(
            edge_node="test",
            engine="LiteRT",
            threads=threads,
            memory_bytes=1 << 30,
            cost=0.0,
            budget=1.0,
            streams=(),
            stems=(stem,),
            apps=scheduled,
        )

    return make
