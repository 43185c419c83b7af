"""``mainstream``: the process around a verb. Errors become messages and exit statuses; nothing else is decided here.

Exit status: 0, 1 where an operation failed, 2 for wrong input, 130 after Ctrl-C, 143 after SIGTERM. A user's mistake never
shows a stack trace. Everything heavy is imported inside, so that Ctrl-C is understood from the first moment on.
"""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType

from mainstream.errors import MainstreamError, MissingExtraError


class TerminatedError(KeyboardInterrupt):
    """SIGTERM: verbs end as they do after Ctrl-C."""


class StoppedError(Exception):
    """Carries a Ctrl-C (or SIGTERM, its cause) past Typer, which would make it an exit without a word."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line with the arguments (default: the process's) and leave; see the module for exit statuses."""
    given = sys.argv[1:] if arguments is None else list(arguments)

    def program() -> Callable[..., object]:
        from mainstream.cli.verbs import command_line

        return command_line(given)

    run(program, given, name="mainstream")


def run(program: Callable[[], Callable[..., object]], arguments: Sequence[str], *, name: str) -> None:
    """Run a command line (``program`` imports it) that is called ``name``, and leave."""
    before = signal.signal(signal.SIGTERM, _terminated)
    try:
        program()(list(arguments), prog_name=name, standalone_mode=True)
    except MainstreamError as error:
        _leave(str(error), error.exit_status)
    except (KeyboardInterrupt, StoppedError) as error:
        terminated = isinstance(error.__cause__ or error, TerminatedError)
        text = "interrupted; what was finished is kept, nothing half-written stays"
        _leave(text, 128 + (signal.SIGTERM if terminated else signal.SIGINT))
    except OSError as error:
        # Verbs say what they know about files; what is left is a disk or a pipe that gave up while printing.
        _leave(f"{error.filename or 'standard output'}: {error.strerror or error}", 1)
    finally:
        signal.signal(signal.SIGTERM, before)


def require(extra: str, *modules: str) -> None:
    """Say which extra to install if one of its modules is missing (``MissingExtraError``)."""
    from importlib.util import find_spec

    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise MissingExtraError(
            f"this verb needs the extra {extra!r} (missing: {', '.join(missing)})",
            remedy=f"Install it: pip install 'mainstream-edge[{extra}]'",
        )


def _terminated(_number: int, _frame: FrameType | None) -> None:
    raise TerminatedError


def _leave(message: str, status: int) -> None:
    """Say it on standard error and end the process with that status, whatever became of standard output."""
    colour = sys.stderr.isatty()
    prefix = "" if message.startswith("interrupted") else "\033[1;31merror:\033[0m " if colour else "error: "
    try:
        sys.stderr.write(f"{prefix}{message}\n")
        sys.stderr.flush()
        sys.stdout.flush()
    except OSError:
        # The interpreter flushes once more when it leaves, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(status)
