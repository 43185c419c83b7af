"""``python -m mainstream_runner.job``: the operator's profiling Jobs (``mainstream.jobs``), on the edge node itself.

A camera that is away fails for itself alone. The result fits into a termination message: numbers have four digits, and where
many cameras fail at once they say less.
"""

import os
import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from random import random

from mainstream.basednn import BaseDnn
from mainstream.cost import LayerCosts, StreamIngest
from mainstream.errors import InputError, MainstreamError
from mainstream.job_program import Surroundings, failing, run_job, shortened
from mainstream.jobs import TERMINATION_LIMIT, JobResult, MeasuredStream, ProfileTask, StreamTask
from mainstream.logs import redacted
from mainstream.packages.artifacts import read_base_dnn
from mainstream.packages.folder import StoreFolder
from mainstream.packages.registry.access import RegistryAccess
from mainstream.packages.registry.pull import Puller
from mainstream.packages.registry.reference import parse_reference
from mainstream.schedule import ScheduledStream
from mainstream_runner.clock import SystemClock
from mainstream_runner.plans import NetworkInput
from mainstream_runner.secrets import Secrets
from mainstream_runner.sources.opening import OpenStream, opener

ATTEMPTS = 3
"""Connections to a camera that may fail before it counts as away."""
FAILURE_LENGTHS = (160, 120, 80, 40, 0)
"""Characters that each stream's failure may have, tried in turn until the result fits."""


def profile(task: ProfileTask, surroundings: Surroundings) -> JobResult:
    """Measure what is asked for: a base DNN's segments and branches, streams, or both."""
    bases = _BaseDnns(surroundings, surroundings.access(task.registries))
    costs = _layers(task, task.base_dnn, bases, surroundings) if task.base_dnn is not None else None
    inputs = {one.stream.name: _inputs(one, bases) for one in task.streams}
    open_stream = opener(
        until_end=False,
        secrets=Secrets(surroundings.secrets),
        clock=SystemClock(),
        stop=surroundings.stop,
        random=random,
        attempts=ATTEMPTS,
    )
    streams = [_stream(one, inputs[one.stream.name], open_stream, surroundings) for one in task.streams]
    return fitting(costs, streams)


class _BaseDnns:
    """Base DNNs by reference, pulled when they are first asked for."""

    def __init__(self, surroundings: Surroundings, access: RegistryAccess) -> None:
        self.layout = StoreFolder(surroundings.work / "store").layout
        self._surroundings = surroundings
        self._access = access
        self._known: dict[str, BaseDnn] = {}

    def get(self, reference: str) -> BaseDnn:
        """``JobFailedError`` if it cannot be had."""
        if reference not in self._known:
            self._known[reference] = self._pulled(reference)
        return self._known[reference]

    def _pulled(self, reference: str) -> BaseDnn:
        stop = self._surroundings.stop
        with failing("ProfileFailed"):
            place = parse_reference(reference, where="baseDnn")
            client = self._access.client(place, stop=stop)
            try:
                puller = Puller(self.layout, client, start=self._surroundings.steps.start, stop=stop)
                pulled = puller.pull(place, name=f"base/pulled-{len(self._known)}")
            finally:
                client.close()
            return read_base_dnn(self.layout, pulled.artifact.reference)


def _layers(task: ProfileTask, reference: str, bases: _BaseDnns, surroundings: Surroundings) -> LayerCosts:
    from mainstream_runner.engines import engine_named
    from mainstream_runner.hardware import hardware
    from mainstream_runner.profiler import profile_layers

    base = bases.get(reference)

    def begin(batch: int) -> Callable[[], None]:
        title = f"{base.config.architecture} {base.digest[7:15]}, {task.threads} threads: batch {batch + 1}"
        return surroundings.steps.start(title, len(base.config.branchpoints))

    costs = profile_layers(
        base,
        read=bases.layout.read_blob,
        engine=engine_named(task.engine),
        threads=task.threads,
        hardware=hardware(),
        begin=begin,
    )
    surroundings.say("layers are measured", wholeMilliseconds=round(costs.whole_seconds * 1e3, 2), spread=costs.spread)
    return costs


def _inputs(task: StreamTask, bases: _BaseDnns) -> tuple[NetworkInput, ...]:
    wanted: dict[NetworkInput, None] = {}
    for one in task.inputs:
        view = task.stream.view(one.view)
        if view is None:
            raise InputError(f"view: stream {task.stream.name!r} has no view {one.view!r}", where="task")
        config = bases.get(one.base_dnn).config
        wanted[NetworkInput(view, config.input_shape, config.preprocessing)] = None
    return tuple(wanted)


def _stream(
    task: StreamTask, inputs: Sequence[NetworkInput], open_stream: OpenStream, surroundings: Surroundings
) -> MeasuredStream:
    from mainstream_runner.convert import SwscaleConvert
    from mainstream_runner.ingest_profile import profile_ingest

    stream = task.stream
    scheduled = ScheduledStream(
        name=stream.name, source=stream.source, capture_fps=Fraction(stream.capture_fps), views=stream.views
    )
    try:
        ingest = profile_ingest(
            stream.name, lambda: open_stream(scheduled), inputs, SwscaleConvert, capture_fps=scheduled.capture_fps
        )
    except MainstreamError as error:
        surroundings.warn(f"stream {stream.name!r}: {redacted(str(error))}", stream=stream.name)
        said = error.problem.removeprefix("cannot profile the stream: ")
        return MeasuredStream(
            source_digest=task.source_digest, stream=stream.name, failure=shortened(redacted(said), FAILURE_LENGTHS[0])
        )
    surroundings.say(f"stream {stream.name!r} is measured", stream=stream.name, cores=round(ingest.cores, 4))
    return MeasuredStream(source_digest=task.source_digest, stream=stream.name, ingest=ingest)


def fitting(costs: LayerCosts | None, streams: Sequence[MeasuredStream]) -> JobResult:
    """The result in at most ``TERMINATION_LIMIT`` bytes; streams that find no room are left out, and asked for again."""
    short_costs = _short_costs(costs) if costs is not None else None
    for length in FAILURE_LENGTHS:
        short = [_short_stream(one, length) for one in streams]
        result = JobResult(costs=short_costs, streams=tuple(short))
        if len(result.canonical()) <= TERMINATION_LIMIT:
            return result
    measured_first = sorted(short, key=lambda one: one.ingest is None)
    while len(JobResult(costs=short_costs, streams=tuple(measured_first)).canonical()) > TERMINATION_LIMIT:
        measured_first.pop()
    return JobResult(costs=short_costs, streams=tuple(measured_first))


def _short_costs(costs: LayerCosts) -> LayerCosts:
    return costs.model_copy(
        update={
            "segment_seconds": tuple(_four_digits(one) for one in costs.segment_seconds),
            "branch_seconds": tuple(_four_digits(one) for one in costs.branch_seconds),
            "whole_seconds": _four_digits(costs.whole_seconds),
            "spread": _four_digits(costs.spread),
        }
    )


def _short_stream(one: MeasuredStream, length: int) -> MeasuredStream:
    if one.ingest is None:
        said = shortened(one.failure or "", length) if length else ""
        return one.model_copy(update={"failure": said or "not readable"})
    ingest = StreamIngest(
        stream=one.ingest.stream, cores=_four_digits(one.ingest.cores), spread=_four_digits(one.ingest.spread)
    )
    return one.model_copy(update={"ingest": ingest})


def _four_digits(number: float) -> float:
    return float(f"{number:.4g}")


def main(surroundings: Surroundings) -> int:
    """Do the task; the exit status."""
    return run_job({"Profile": (ProfileTask, "ProfileFailed", profile)}, surroundings)


if __name__ == "__main__":
    sys.exit(main(Surroundings(environment=os.environ)))
