"""The tree keeps the promises that its documents make."""

import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def _tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return listed.stdout.splitlines()


def test_the_operator_folder_never_shadows_the_standard_library() -> None:
    """`import collections` works with the repository's root as working directory."""
    assert not (ROOT / "operator" / "__init__.py").exists()
    subprocess.run([sys.executable, "-S", "-c", "import collections"], cwd=ROOT, check=True)


def test_the_readme_names_targets_that_exist() -> None:
    """Every `make ...` in README and CONTRIBUTING is a target with a help text."""
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = {line.split()[0] for line in listed.splitlines() if line.strip()}
    named = set()
    for document in ("README.md", "CONTRIBUTING.md"):
        named |= set(re.findall(r"`make ([a-z-]+)`|^make ([a-z-]+)", (ROOT / document).read_text(), re.MULTILINE))
    names = {name for pair in named for name in pair if name}
    assert {"demo", "test"} <= names
    assert names <= targets


def test_every_file_from_elsewhere_is_in_the_notice() -> None:
    """Each asset that ships with the product is named in NOTICE with its origin and licence."""
    notice = (ROOT / "NOTICE").read_text()
    own = (".html", ".css", ".js", ".svg")  # pages are written here; pictures, videos and weights are not
    assets = [name for name in _tracked() if "/assets/" in name and not name.endswith(own)]
    assert assets
    assert [name for name in assets if name not in notice] == []


def test_what_the_demo_ships_is_at_most_12_mb() -> None:
    """The demo's assets stay small enough to ship with the product."""
    sizes = [(ROOT / name).stat().st_size for name in _tracked() if "/assets/" in name]
    assert 0 < sum(sizes) <= 12_000_000


def test_links_between_documents_lead_somewhere() -> None:
    """Relative links in Markdown files point to files that exist."""
    links = [
        (name, target)
        for name in _tracked()
        if name.endswith(".md")
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", (ROOT / name).read_text())
        if "://" not in target
    ]
    assert links
    broken = [f"{name}: {target}" for name, target in links if not (ROOT / name).parent.joinpath(target).exists()]
    assert broken == []


def test_every_verb_is_in_the_reference() -> None:
    """docs/cli.md has a section for each verb of the command line."""
    reference = (ROOT / "docs" / "cli.md").read_text()
    verbs = {point.name for point in entry_points(group="mainstream.commands")}
    assert {verb for verb in verbs if f"## mainstream {verb}" not in reference} == set()
