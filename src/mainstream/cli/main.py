"""``mainstream``: finds the verbs by entry point, turns errors into messages and exit statuses.

Exit status: 0, 1 where an operation failed, 2 for wrong input, 130 after Ctrl-C. A user's mistake never shows a stack trace.
"""

import sys
from collections.abc import Callable
from importlib.metadata import entry_points

import typer
from rich.console import Console

from mainstream.errors import MainstreamError, MissingExtraError

GROUP = "mainstream.commands"

Register = Callable[[typer.Typer], None]
"""What an entry point names: adds its verb to the command line. Importing it must be cheap: heavy imports come later."""


def command_line() -> typer.Typer:
    """The command line with the verbs of all programs that are installed."""
    app = typer.Typer(
        name="mainstream",
        help="Many video-analytics applications on one small box: the layers they share are computed once per frame.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        register: Register = point.load()
        register(app)
    return app


def require(extra: str, *modules: str) -> None:
    """Say which extra to install if one of its modules is missing (``MissingExtraError``)."""
    from importlib.util import find_spec

    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise MissingExtraError(
            f"this verb needs the extra {extra!r} (missing: {', '.join(missing)})",
            remedy=f"Install it: pip install 'mainstream-edge[{extra}]'",
        )


def main() -> None:
    """Run the command line; see the module for exit statuses."""
    messages = Console(file=sys.stderr, highlight=False, soft_wrap=True)
    try:
        command_line()(standalone_mode=True)
    except MainstreamError as error:
        messages.print("error: ", style="bold red", end="")
        messages.print(str(error), markup=False)
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        messages.print("interrupted; what was finished is kept, nothing half-written stays", markup=False)
        sys.exit(130)
