"""The process around the verbs: help, usage errors, signals, pipes that close, disks that are full."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mainstream.cli.main import require
from mainstream.errors import MissingExtraError

PROCESS = (sys.executable, "-c", "from mainstream.cli.main import main; main()")


def run(*arguments: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    """The command line in a process of its own."""
    command = [*PROCESS, *arguments]
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False, timeout=60, **options)


def test_without_a_verb_the_help_is_printed() -> None:
    """And that is no error."""
    done = run(stdout=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, "")
    for verb in ("base", "evaluate", "plan", "profile", "run", "train", "demo"):
        assert f"\n  {verb} " in done.stdout


def test_the_version(tmp_path: Path) -> None:
    """Of the distribution."""
    done = run("--version", stdout=subprocess.PIPE, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("mainstream 0.")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("pln",), "No such command 'pln'. Did you mean 'plan'?"),
        (("plan",), "Missing option '--filename' / '-f'."),
        (("plan", "--utilisation", "5"), "No such option: --utilisation"),
        (("plan", "-f", "x", "-o", "yaml"), "'yaml' is not one of 'table', 'json'"),
        (("plan", "-f", "nowhere"), "error: nowhere: no such file or folder"),
        (("plan", "-f", "nowhere", "-o", "json"), "error: nowhere: no such file or folder"),
    ],
)
def test_usage_errors(arguments: tuple[str, ...], message: str) -> None:
    """Exit status 2, a line, nothing on standard output."""
    done = run(*arguments, stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_leaves_is_no_error_to_read_about(world: Any) -> None:
    """`mainstream plan ... | head -1`."""
    reader, writer = os.pipe()
    os.close(reader)
    done = run("plan", "-f", "manifests", "--store", "store", stdout=writer, cwd=world.root)
    os.close(writer)
    assert done.stderr == ""


def test_a_full_disk_is_said_in_a_line(world: Any) -> None:
    """`mainstream plan ... > /full/disk`."""
    for form in ("table", "json"):
        with Path("/dev/full").open("w") as full:
            done = run("plan", "-f", "manifests", "--store", "store", "-o", form, stdout=full, cwd=world.root)
        assert done.returncode == 1
        assert done.stderr == "error: standard output: No space left on device\n"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_a_verb_with_a_line(tmp_path: Path, number: signal.Signals, status: int) -> None:
    """Whatever it is doing; here it waits for a manifest from a pipe that nobody has written to yet."""
    fifo = tmp_path / "events.jsonl"
    os.mkfifo(fifo)
    node = "apiVersion: mainstream.dev/v1alpha1\nkind: EdgeNode\nmetadata: {name: box}\nspec: {}\n"
    (tmp_path / "m.yaml").write_text(node)
    verb = ("evaluate", "-f", "m.yaml", "--events", str(fifo), "--truth", "t.csv")
    process = subprocess.Popen([*PROCESS, *verb], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    with fifo.open("wb"):  # returns when the verb has opened it, and holds it there
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == status
    assert err == "interrupted; what was finished is kept, nothing half-written stays\n"


def test_a_missing_extra_is_named() -> None:
    """With the command that installs it."""
    with pytest.raises(MissingExtraError, match=r"pip install 'mainstream-edge\[trainer\]'"):
        require("trainer", "a_module_that_nobody_has")


def test_a_verb_does_not_pay_for_the_imports_of_others() -> None:
    """Planning loads neither engines nor training frameworks, and help is quick."""
    code = (
        "import sys\nfrom mainstream.cli.verbs import command_line\ncommand_line([])\n"
        "print([name for name in ('tensorflow', 'keras', 'av', 'ai_edge_litert', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
