"""Compile the modules that importing some others loads, and nothing else: most of what packages bring is never imported.

The bytecode is not held against the time of its source, because the files of an image's layers get times of their own, and
could not be written anew: the root is read-only.

Usage: python bytecode.py MODULE...
"""

# ruff: noqa: INP001 - a script
import importlib
import py_compile
import sys
from py_compile import PycInvalidationMode


def compile_imported(names: list[str]) -> int:
    """Import ``names`` and compile what was loaded for it from site-packages; returns how many files."""
    for name in names:
        importlib.import_module(name)
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    sources = sorted(file for file in files if file and file.endswith(".py") and "site-packages" in file)
    for source in sources:
        py_compile.compile(source, doraise=True, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
    return len(sources)


if __name__ == "__main__":
    print(f"{compile_imported(sys.argv[1:])} files compiled")
