"""`mainstream base` as a program: quiet, the same bytes as in any other process, clear about what it cannot do."""

import json
import os
import subprocess
import sys
from pathlib import Path

from mainstream.basednn import BaseDnn
from mainstream_trainer.keras_runtime import processors

TINY = ("--architecture", "MobileNet", "--alpha", "0.25", "--input-size", "64", "--weights", "random")


def mainstream(*arguments: str, folder: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run the command line in ``folder``."""
    command = [sys.executable, "-c", "from mainstream.cli.main import main; main()", *arguments]
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def test_a_base_dnn_is_imported_by_another_process(tiny_base: BaseDnn, tmp_path: Path) -> None:
    """The same digest as in this process; JSON on standard output, a few words of our own beside it; then it is listed."""
    done = mainstream("base", "import", *TINY, "--name", "base/tiny", "--output", "json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["digest"] == tiny_base.digest
    assert result["reference"] == f"base/tiny@{tiny_base.digest}"
    assert done.stderr.splitlines() == [
        "MobileNet: segments: 15/15",
        f"imported: base/tiny, {result['parameters']:,} parameters",
        "In a manifest:",
        f"  baseDnn: {{reference: base/tiny@{tiny_base.digest}}}",
    ]

    again = mainstream("base", "import", *TINY, folder=tmp_path)
    assert again.returncode == 0
    assert "already there: base/tiny" in again.stderr
    assert "conv_pw_13" in again.stdout

    listed = mainstream("base", "list", "--output", "json", folder=tmp_path)
    assert [base["name"] for base in json.loads(listed.stdout)["baseDnns"]] == ["base/tiny"]


def test_imagenet_weights_without_a_network(tmp_path: Path) -> None:
    """A download that fails is an operation that failed, with what to do instead."""
    nowhere = {"https_proxy": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9", "no_proxy": "", "NO_PROXY": ""}
    done = mainstream(
        "base", "import", "--architecture", "ResNet50", folder=tmp_path, KERAS_HOME=str(tmp_path), **nowhere
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert "error: cannot download Keras' imagenet weights of ResNet50" in done.stderr
    assert "--weights FILE" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / ".mainstream").exists()


def test_wrong_wishes_leave_with_status_two(tmp_path: Path) -> None:
    """A weights file that is missing is the user's to change; nothing heavy is loaded to say so."""
    done = mainstream("base", "import", "--architecture", "MobileNet", "--weights", "no.h5", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "error: no.h5: no such weights file"


def test_the_command_line_loads_no_training_framework(tmp_path: Path) -> None:
    """Help, and listing what is there, come at once."""
    check = (
        "import sys; from mainstream.cli.verbs import command_line; command_line(sys.argv[1:])(standalone_mode=False); "
    )
    check += "assert not {'tensorflow', 'keras', 'ai_edge_litert'} & set(sys.modules)"
    for arguments in (["--help"], ["base", "--help"], ["base", "list"]):
        subprocess.run([sys.executable, "-c", check, *arguments], cwd=tmp_path, check=True, capture_output=True)


def test_threads_are_those_that_this_process_may_use() -> None:
    """At least one, at most its affinity."""
    assert 1 <= processors() <= len(os.sched_getaffinity(0))
