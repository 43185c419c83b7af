"""Steps are done once; after an interruption the demo goes on where it was; errors name the folder and what to do."""

import signal
import subprocess

import pytest

from mainstream.cli.output import Output
from mainstream.errors import InputError, OperationError
from mainstream_demo.steps import MAINSTREAM, Stamped, Step, verb
from mainstream_demo.story import tell
from mainstream_demo.video import write_text
from mainstream_demo.workplace import MARKER


class Work:
    """Steps that note that they were done, and fail where told."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.done = []
        self.fail = ""

    def step(self, name, words="same"):
        """A step with one output."""
        output = self.folder / name

        def work() -> None:
            if name == self.fail:
                raise OperationError("failed as told")
            self.done.append(name)
            output.write_text("made")

        return Step(name=name, title=name.title(), command=name, words=words, outputs=(output,), work=work)

    def all(self, words="same"):
        """Three steps in order; the second depends on ``words``."""
        stamped = Stamped(self.folder / ".steps", 3, lambda _line: None)
        for name in ("one", "two", "three"):
            stamped.do(self.step(name, words if name == "two" else "same"))
        return [item.resumed for item in stamped.done]


def test_finished_steps_are_passed_over(tmp_path):
    """A second call does nothing anew."""
    work = Work(tmp_path)
    assert work.all() == [False, False, False]
    assert work.all() == [True, True, True]
    assert work.done == ["one", "two", "three"]


def test_a_failed_step_is_done_again_and_those_before_are_kept(tmp_path):
    """What was finished before the failure stays."""
    work = Work(tmp_path)
    work.fail = "two"
    with pytest.raises(OperationError):
        work.all()
    work.fail = ""
    assert work.all() == [True, False, False]


def test_a_changed_step_makes_all_later_ones_anew(tmp_path):
    """Other words for the second step: the first is kept, the others are done."""
    work = Work(tmp_path)
    work.all()
    assert work.all(words="other") == [True, False, False]


def test_a_lost_output_is_made_again(tmp_path):
    """A step whose output was removed is done again, and what follows it too."""
    work = Work(tmp_path)
    work.all()
    (tmp_path / "two").unlink()
    assert work.all() == [True, False, False]


def test_a_broken_stamp_counts_for_nothing(tmp_path):
    """A stamp that is no JSON is as good as none."""
    work = Work(tmp_path)
    work.all()
    (tmp_path / ".steps" / "one.json").write_text("{")
    assert work.all() == [False, False, False]


def test_a_failing_verb_is_named_with_what_to_do(tmp_path):
    """The message has the command and how to go on."""
    with pytest.raises(OperationError, match=r"mainstream evaluate --nonsense.*failed") as raised:
        verb(("evaluate", "--nonsense"), folder=tmp_path)
    assert "--fresh" in str(raised.value)


def test_a_directory_that_is_a_file_is_an_error(tmp_path):
    """The message names the path."""
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(OperationError, match="cannot be written") as raised:
        tell(file, Output(), fresh=False)
    assert str(file) in str(raised.value)
    assert "--directory" in str(raised.value)


def test_fresh_removes_nothing_that_the_demo_did_not_make(tmp_path):
    """A directory with data of someone else is refused and left as it is."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="--fresh"):
        tell(tmp_path, Output(), fresh=True)
    assert (tmp_path / "data" / "mine.txt").read_text() == "mine"
    assert not (tmp_path / MARKER).exists()


def test_a_text_is_written_whole_or_not_at_all(tmp_path):
    """Where the target cannot be replaced, no temporary file stays and the error names it."""
    target = tmp_path / "report.json"
    target.mkdir()
    with pytest.raises(OperationError, match=r"report\.json"):
        write_text(target, "{}")
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


@pytest.mark.parametrize(("stop", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_demo_leaves_nothing_half_written(tmp_path, stop, status):
    """Stopped while it composes: a message, no stack trace, no temporary file."""
    command = [*MAINSTREAM, "demo", "--directory", str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        for line in process.stderr:
            if "training-1.mp4" in line:
                process.send_signal(stop)
                break
        rest = process.stderr.read()
    assert process.returncode == status
    assert "interrupted" in rest
    assert "Traceback" not in rest
    assert not list(tmp_path.rglob("*.part"))
