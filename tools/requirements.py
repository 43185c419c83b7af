"""Print what an extra of pyproject.toml needs, one requirement a line, for pip: images install it before the program itself.

Usage: python requirements.py EXTRA [PYPROJECT]
"""

# ruff: noqa: INP001 - a script
import sys
import tomllib
from pathlib import Path


def requirements(pyproject: Path, extra: str) -> list[str]:
    """The dependencies of the project, followed by those of the extra (``KeyError`` if there is none of that name)."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    return [*project["dependencies"], *project["optional-dependencies"][extra]]


if __name__ == "__main__":
    print("\n".join(requirements(Path(*(sys.argv[2:] or ["pyproject.toml"])), sys.argv[1])))
