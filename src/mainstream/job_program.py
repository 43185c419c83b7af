"""The process around a Job's work (``jobs``): task from the environment, result or failure to the termination message.

Whatever happens there is a message that says what, but after SIGTERM: a pod that is taken away has no result, and another one
comes in its place. Exit status: 0 done, 2 wrong input, 1 anything else, 143 after SIGTERM.
"""

import logging
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from types import FrameType
from typing import Any

from mainstream.cli.main import TerminatedError
from mainstream.cli.output import Steps
from mainstream.documents import Document
from mainstream.errors import InputError, MainstreamError
from mainstream.jobs import (
    CA_FILE,
    CREDENTIALS_FOLDER,
    MESSAGE_LIMIT,
    SECRETS_FOLDER,
    TASK_VARIABLE,
    TERMINATION_FILE,
    WORK_FOLDER,
    Failure,
    JobResult,
    Reason,
    Registries,
)
from mainstream.logs import redacted, set_up
from mainstream.packages.registry.access import RegistryAccess
from mainstream.packages.registry.failures import NotAllowedError, NotThereError
from mainstream.timed_lines import TimedLines

WRONG_INPUT, FAILED, TERMINATED = 2, 1, 128 + signal.SIGTERM
NO_MEMORY = "it needs more memory than the container has: raise the memory in its resources"

Work = Callable[[Any, "Surroundings"], JobResult]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where a Job finds things, and what it says things with. ``stop`` ends what waits for a network."""

    environment: Mapping[str, str]
    work: Path = Path(WORK_FOLDER)
    credentials: Path = Path(CREDENTIALS_FOLDER)
    ca: Path = Path(CA_FILE)
    secrets: Path = Path(SECRETS_FOLDER)
    termination_file: Path = Path(TERMINATION_FILE)
    clock: Callable[[], float] = time.monotonic
    stop: Event = field(default_factory=Event)
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("mainstream.job"))

    @property
    def steps(self) -> Steps:
        """Progress as log records."""
        return TimedLines(self.say, self.clock)

    def say(self, message: str, **fields: object) -> None:
        """A log record; ``fields`` become its own."""
        self.log.info(message, extra=fields)

    def warn(self, message: str, **fields: object) -> None:
        """A warning: the work goes on."""
        self.log.warning(message, extra=fields)

    def access(self, registries: Registries) -> RegistryAccess:
        """How the task's registries are asked; credentials and CA as far as they are mounted."""
        return RegistryAccess(
            credentials=self.credentials if self.credentials.exists() else None,
            ca=self.ca if self.ca.is_file() else None,
            plain_http=frozenset(registries.plain_http),
        )


class JobFailedError(Exception):
    """Carries a failure with the API's reason to the top."""

    def __init__(self, reason: Reason, message: str, exit_status: int) -> None:
        super().__init__(message)
        self.reason: Reason = reason
        self.exit_status = exit_status


@contextmanager
def failing(reason: Reason, *, wrong_input: Reason | None = None) -> Iterator[None]:
    """What fails in here fails for that reason, except where a registry lacks credentials or content.

    ``wrong_input`` is the reason of an ``InputError``, where that is another one.
    """
    try:
        yield
    except MainstreamError as error:
        chosen = wrong_input if wrong_input is not None and isinstance(error, InputError) else reason
        raise JobFailedError(_reason(error, chosen), error.line, error.exit_status) from error


def run_job(kinds: Mapping[str, tuple[type[Document], Reason, Work]], surroundings: Surroundings) -> int:
    """Do the task; the exit status. ``kinds`` are by the task's ``kind``: its type, why it fails by default, what does it."""
    set_up(json=True)
    before = signal.signal(signal.SIGTERM, _terminated)
    reason: Reason = next(iter(kinds.values()))[1]
    try:
        task, reason, work = _read(kinds, surroundings.environment)
        with failing(reason):
            result = work(task, surroundings)
        status = 0
    except JobFailedError as error:
        result, status = _failure(error.reason, str(error)), error.exit_status
    except MainstreamError as error:
        result, status = _failure(reason, error.line), error.exit_status
    except KeyboardInterrupt:
        surroundings.warn("stopped: another pod goes on where this one was")
        return TERMINATED
    except MemoryError:
        result, status = _failure(reason, NO_MEMORY), FAILED
    except Exception as error:  # the program's top
        surroundings.log.exception("internal error")
        result, status = _failure(reason, f"internal error: {type(error).__name__}: {error}"), FAILED
    finally:
        surroundings.stop.set()
        signal.signal(signal.SIGTERM, before)
    if result.failure is not None:
        surroundings.log.error(result.failure.message, extra={"reason": result.failure.reason})
    return status if _leave(result, surroundings) else FAILED


def _read(
    kinds: Mapping[str, tuple[type[Document], Reason, Work]], environment: Mapping[str, str]
) -> tuple[Document, Reason, Work]:
    text = environment.get(TASK_VARIABLE)
    if text is None:
        raise InputError(
            f"the environment variable {TASK_VARIABLE} is not set",
            remedy="The operator starts this program; on a machine of your own: mainstream train, mainstream profile.",
        )
    kind = _Kind.parse(text, where=TASK_VARIABLE).kind
    if kind not in kinds:
        raise InputError(f"kind: expected {' or '.join(kinds)}, got {kind!r:.100}", where=TASK_VARIABLE)
    document, reason, work = kinds[kind]
    return document.parse(text, where=TASK_VARIABLE), reason, work


class _Kind(Document, extra="ignore"):
    kind: str


def _leave(result: JobResult, surroundings: Surroundings) -> bool:
    """Write the termination message; whether that worked."""
    try:
        surroundings.termination_file.write_bytes(result.termination_message())
    except (OSError, ValueError) as error:
        surroundings.log.error("cannot leave the result: %s", error)  # noqa: TRY400 - the message says it all
        return False
    return True


def _failure(reason: Reason, message: str) -> JobResult:
    return JobResult(failure=Failure(reason=reason, message=shortened(redacted(message), MESSAGE_LIMIT)))


def _reason(error: MainstreamError, reason: Reason) -> Reason:
    if isinstance(error, NotAllowedError):
        return "RegistryCredentialsMissing"
    return "PackageNotFound" if isinstance(error, NotThereError) else reason


def shortened(text: str, limit: int) -> str:
    """One line of at most ``limit`` characters; both ends stay: what it is about, and what to do."""
    line = " ".join(text.split())
    if len(line) <= limit:
        return line
    half = (limit - 5) // 2
    return f"{line[:half]} ... {line[len(line) - half :]}"


def _terminated(_number: int, _frame: FrameType | None) -> None:
    raise TerminatedError
