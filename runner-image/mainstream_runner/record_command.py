"""``mainstream record``: keep a camera's pictures as video files, ready to be labelled."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainstream.cli.main import require
from mainstream.cli.output import FilesOption, Format, Output, OutputOption
from mainstream.errors import InputError, OperationError
from mainstream_runner.options import SecretsOption

if TYPE_CHECKING:
    from mainstream.resources.edgenode import EdgeNode
    from mainstream.resources.edgenode import Stream as EdgeNodeStream
    from mainstream_runner.interrupts import Interrupt
    from mainstream_runner.secrets import Secrets
    from mainstream_runner.sources.recording import Recorded

STALL_SECONDS = 10.0
ATTEMPTS = 5
"""Connections in a row that may fail before recording is given up."""


def record(app: typer.Typer) -> None:
    """Add the verb ``record``."""

    @app.command("record")
    def command(
        *,
        filename: FilesOption,
        stream: Annotated[str, typer.Option("--stream", help="Name of the stream in the EdgeNode.")],
        minutes: Annotated[float, typer.Option("--minutes", min=0.01, help="How long to record.")],
        node: Annotated[str | None, typer.Option("--node", help="Which EdgeNode, if there are several.")] = None,
        directory: Annotated[Path, typer.Option("--directory", "-d", help="Folder for the videos.")] = Path("recorded"),
        file_minutes: Annotated[float, typer.Option("--file-minutes", min=0.01, help="Length of each file.")] = 10,
        secrets: SecretsOption = None,
        output: OutputOption = Format.TABLE,
    ) -> None:
        """Record a camera's video as it comes, with an empty events.csv beside it to be filled in."""
        require("runner", "av")
        from mainstream.resources.manifests import load
        from mainstream.scheduling.planning import choose_edge_node
        from mainstream_runner.interrupts import interrupts
        from mainstream_runner.secrets import Secrets
        from mainstream_runner.sources.recording import begin_events_csv

        out = Output(output)
        manifests = load(filename)
        edge_node = choose_edge_node(manifests, node)
        chosen = _stream(edge_node, stream, manifests.where(edge_node, "spec", "streams"))
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot be made: {error.strerror}", where=directory) from None
        with interrupts() as interrupt:
            files = _record(out, chosen, Secrets(secrets), directory, minutes * 60, file_minutes * 60, interrupt)
        if not files:
            if interrupt.exit_status:
                raise typer.Exit(interrupt.exit_status)
            raise OperationError("nothing was recorded", where=f"stream {stream!r}")
        begin_events_csv(directory)
        out.result({"files": [_plain(file) for file in files]}, lambda: _told(files))
        out.say(f"label them in {directory / 'events.csv'}: video,label,start_frame,end_frame (frames count from 0)")
        raise typer.Exit(interrupt.exit_status)


def _stream(edge_node: "EdgeNode", name: str, where: object) -> "EdgeNodeStream":
    for stream in edge_node.spec.streams:
        if stream.name == name:
            if stream.source.file is not None:
                raise InputError(f"stream {name!r} is a file already", where=where, remedy="Record a camera's stream.")
            return stream
    names = ", ".join(stream.name for stream in edge_node.spec.streams) or "none"
    raise InputError(f"there is no stream {name!r}", where=where, remedy=f"Streams of this EdgeNode: {names}.")


def _record(
    out: Output,
    stream: "EdgeNodeStream",
    secrets: "Secrets",
    folder: Path,
    seconds: float,
    file_seconds: float,
    interrupt: "Interrupt",
) -> "list[Recorded]":
    from random import random

    from mainstream_runner.backoff import BackOff
    from mainstream_runner.clock import SystemClock
    from mainstream_runner.sources.camera import ConnectionLostError, camera
    from mainstream_runner.sources.recording import record_file

    source = camera(stream.source, secrets, where=f"stream {stream.name!r}")
    files: list[Recorded] = []
    back_off, failures = BackOff(random), 0
    with out.progress() as steps:
        advance = steps.start(f"recording {stream.name} (seconds)", round(seconds))
        shown = 0

        def go_on(reached: float) -> bool:
            nonlocal shown
            whole = min(int(sum(file.seconds for file in files) + reached), round(seconds))
            advance(whole - shown)
            shown = whole
            return not interrupt.stop.is_set()

        while (left := seconds - sum(file.seconds for file in files)) > 0.5 and not interrupt.stop.is_set():
            try:
                connection = source.connect(stall_seconds=STALL_SECONDS)
                try:
                    done = record_file(
                        connection,
                        folder,
                        stream=stream.name,
                        seconds=min(left, file_seconds),
                        utc=SystemClock().utc,
                        go_on=go_on,
                        kept=files.append,
                    )
                finally:
                    connection.close()
                failures = 0 if done else failures
            except ConnectionLostError as error:
                failures += 1
                if failures >= ATTEMPTS:
                    if files:
                        out.warn(f"stream {stream.name!r}: {error.phase}: {error}; given up")
                        break
                    raise OperationError(
                        f"{error.phase}: {error}",
                        where=f"stream {stream.name!r}",
                        remedy="Check the camera and its source.",
                    ) from None
                out.warn(f"stream {stream.name!r}: {error.phase}: {error}; trying again")
                interrupt.stop.wait(back_off.next())
    return files


def _plain(file: "Recorded") -> dict[str, object]:
    return {"file": str(file.path), "frames": file.frames, "seconds": str(round(file.seconds, 3))}


def _told(files: "list[Recorded]") -> str:
    return "\n".join(f"{file.path}  {file.frames} frames, {file.seconds:.1f} s" for file in files)
