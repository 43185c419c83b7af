"""``kubectl-mainstream``: kubectl finds it on the PATH as ``kubectl mainstream``."""

import sys
from collections.abc import Callable

from mainstream.cli.main import run


def main() -> None:
    """Run the plugin with the process's arguments and leave."""

    def program() -> Callable[..., object]:
        from mainstream.kubectl.verbs import command_line

        return command_line()

    run(program, sys.argv[1:], name="kubectl mainstream")
