"""The trainer's verbs, as the entry points name them."""

import typer


def base(app: typer.Typer) -> None:
    """Add ``mainstream base``."""
    from mainstream_trainer.base_command import command

    app.add_typer(command, name="base")


def train(app: typer.Typer) -> None:
    """Add ``mainstream train``."""
    from mainstream_trainer.train_command import train as command

    app.command("train")(command)
