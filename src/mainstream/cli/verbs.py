"""The verbs: found by entry point, loaded when they are asked for, so that one program's imports are no other's cost."""

from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint, entry_points, version
from typing import Annotated, Any

import typer
import typer.core

from mainstream.cli.main import StoppedError

GROUP = "mainstream.commands"

DISTRIBUTION = "mainstream-edge"

Register = Callable[[typer.Typer], None]
"""What an entry point names: adds its verb to the command line. Importing it must be cheap: heavy imports come later."""


class VerbGroup(typer.core.TyperGroup):
    """The command line. Typer turns Ctrl-C into an exit without a word; here it reaches ``main`` instead."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise StoppedError from error


def command_line(arguments: Sequence[str]) -> typer.Typer:
    """The command line with the verb that the arguments begin with, or with all verbs if they name none."""
    app = typer.Typer(
        name="mainstream",
        cls=VerbGroup,
        help="Many video-analytics applications on one small box: the layers they share are computed once per frame.",
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_alone)
    verbs = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    asked = [point for point in verbs if list(arguments[:1]) == [point.name]]
    for point in asked or (() if "--version" in arguments[:1] else verbs):
        _register(app, point)
    return app


def _register(app: typer.Typer, point: EntryPoint) -> None:
    register: Register = point.load()
    register(app)


def _alone(
    ctx: typer.Context,
    show_version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if show_version:
        typer.echo(f"mainstream {version(DISTRIBUTION)}")
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())
        raise typer.Exit
