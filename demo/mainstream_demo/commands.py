"""``mainstream demo``: registers the verb; everything heavy is imported when it runs."""

from pathlib import Path
from typing import Annotated

import typer

from mainstream.cli.main import require
from mainstream.cli.output import Output


def demo(app: typer.Typer) -> None:
    """Add the verb ``demo``."""

    @app.command("demo")
    def command(
        directory: Annotated[
            Path, typer.Option("--directory", help="Where data, store, manifests and the report go.")
        ] = Path("build/demo"),
        fresh: Annotated[
            bool, typer.Option("--fresh", help="Start anew: remove what the demo left in the directory before.")
        ] = False,
        int8: Annotated[
            bool,
            typer.Option(
                "--int8", help="Beside it the same applications on the int8 base DNN; about five minutes more."
            ),
        ] = False,
    ) -> None:
        """Train, plan and run applications on the example that ships with the product; about eight minutes.

        Leaves report.html, report.json and the manifests in the directory. Steps that are done are kept: call it again
        after an interruption and it goes on.
        """
        require("demo", "av", "tensorflow", "ai_edge_litert", "PIL")
        from mainstream_demo.story import tell

        tell(directory, Output(), fresh=fresh, int8=int8)
