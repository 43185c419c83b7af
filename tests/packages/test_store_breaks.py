"""Writing when something breaks: a kill, Ctrl-C, a full disk, a read-only store, somebody else writing at the same time.

Each writer is a process of its own, so kills, signals and limits are real.
"""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mainstream.documents import sha256
from mainstream.errors import InputError
from mainstream.packages.files import TEMPORARY
from mainstream.packages.folder import StoreFolder
from mainstream.packages.layout import OciLayout

LARGE = 8 << 20
OTHER = "sha256:" + "0" * 64
LIMIT = 1 << 20
"""Bytes after which a writer's file may not grow: in the middle of the large blob."""

PUT_ONE = f"""
import resource, signal, sys
from pathlib import Path
from mainstream.errors import OperationError
from mainstream.packages.layout import OciLayout

def interrupt(*_):
    raise KeyboardInterrupt

handlers = {{"ignore": signal.SIG_IGN, "die": signal.SIG_DFL, "interrupt": interrupt}}
signal.signal(signal.SIGXFSZ, handlers[sys.argv[2]])
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, ({LIMIT}, {LIMIT}))
try:
    OciLayout(Path(sys.argv[1])).put_blob(bytes({LARGE}))
except OperationError as error:
    sys.exit(str(error))
"""

PUT_MANY = """
import itertools, os, sys
from pathlib import Path
from mainstream.packages.layout import OciLayout

layout = OciLayout(Path(sys.argv[1]))
for number in itertools.count():
    layout.put_blob(os.urandom(1 << 22))
    layout.put_manifest({"artifactType": "a/b", "layers": [number]}, name="x")
"""

PUT_NAMES = """
import sys
from pathlib import Path
from mainstream.packages.layout import OciLayout

for number in range(25):
    layout = OciLayout(Path(sys.argv[1]))
    layout.put_blob(b"shared by all")
    layout.put_manifest({"artifactType": "a/b", "layers": [sys.argv[2], number]}, name=f"{sys.argv[2]}/{number}")
"""


def start(script: str, *arguments: str, prefix: Sequence[str] = ()) -> "subprocess.Popen[str]":
    """Start a writer."""
    command = [*prefix, sys.executable, "-c", script, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(writer: "subprocess.Popen[str]") -> tuple[int, str]:
    """Wait for a writer; its exit status and what it said."""
    _, messages = writer.communicate(timeout=120)
    return writer.returncode, messages


def unfinished(root: Path) -> list[Path]:
    """Temporary files anywhere in the layout."""
    return sorted(root.rglob(f"{TEMPORARY}*"))


def assert_whole(root: Path) -> None:
    """All blobs hold their own bytes, and the index, if there is one, can be read."""
    layout = OciLayout(root)
    for digest in layout.stored():
        layout.read_blob(digest)
    layout.entries()


def test_a_writer_killed_in_the_middle_leaves_nothing_half_written(tmp_path: Path):
    """The kernel kills it in the middle of a blob: no blob is there; the next writer removes what was left and works."""
    status, _ = finish(start(PUT_ONE, str(tmp_path / "oci"), "die"))
    assert status == -signal.SIGXFSZ
    assert OciLayout(tmp_path / "oci").stored() == {}
    assert [path.stat().st_size for path in unfinished(tmp_path)] == [LIMIT]
    layout = OciLayout(tmp_path / "oci")
    assert layout.read_blob(layout.put_blob(bytes(LARGE))) == bytes(LARGE)
    assert unfinished(tmp_path) == []


def test_a_writer_killed_at_any_moment_leaves_a_whole_store(tmp_path: Path):
    """``kill -9`` whenever a file is being written, several times over: blobs and index stay whole."""
    root = tmp_path / "oci"
    for _ in range(4):
        writer = start(PUT_MANY, str(root))
        deadline = time.monotonic() + 60
        while not (unfinished(root) and (root / "index.json").exists()) and time.monotonic() < deadline:
            assert writer.poll() is None, finish(writer)
        writer.kill()
        assert finish(writer)[0] == -signal.SIGKILL
        assert_whole(root)
    OciLayout(root).put_blob(b"the next writer")
    assert unfinished(root) == []


def test_ctrl_c_in_the_middle_removes_the_unfinished_file(tmp_path: Path):
    """A KeyboardInterrupt out of the very write leaves neither blob nor temporary file."""
    status, messages = finish(start(PUT_ONE, str(tmp_path / "oci"), "interrupt"))
    assert status == -signal.SIGINT
    assert "KeyboardInterrupt" in messages
    assert OciLayout(tmp_path / "oci").stored() == {}
    assert unfinished(tmp_path) == []


def test_a_write_that_the_disk_refuses_is_said_in_words(tmp_path: Path):
    """A file that may not grow: the message names the folder and what to do; nothing is left."""
    status, messages = finish(start(PUT_ONE, str(tmp_path / "oci"), "ignore"))
    assert status == 1
    assert str(tmp_path / "oci") in messages
    assert "File too large" in messages
    assert "Make room there or choose another folder (--store DIR)" in messages
    assert "Traceback" not in messages
    assert OciLayout(tmp_path / "oci").stored() == {}
    assert unfinished(tmp_path) == []


WITHOUT_RIGHTS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
"""Root may read and write everything, whatever a file's mode; before a command this takes that right from it."""

FULL_DISK = """
import sys
from pathlib import Path
from mainstream.errors import OperationError
from mainstream.packages.layout import OciLayout

layout = OciLayout(Path(sys.argv[1]) / "oci")
kept = layout.put_blob(b"small")
try:
    layout.put_blob(bytes(8 << 20))
except OperationError as error:
    left = [path.name for path in layout.root.rglob("*") if path.is_file()]
    assert sorted(left) == sorted([kept.removeprefix("sha256:"), "oci-layout"]), left
    assert layout.read_blob(kept) == b"small"
    sys.exit(str(error))
"""


def can_mount() -> bool:
    """Whether this process may mount file systems in a namespace of its own (root outside of a container)."""
    command = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0
    except OSError:
        return False


def test_a_full_disk_is_said_in_words(tmp_path: Path):
    """A file system of one megabyte, where one may be mounted, else a limit on the size of files."""
    if can_mount():
        mount = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o size=1m none "$0" && exec "$@"', str(tmp_path)]
        status, messages = finish(start(FULL_DISK, str(tmp_path), prefix=mount))
        assert "No space left on device" in messages
    else:
        limit = ["sh", "-c", 'ulimit -f 1024 && exec "$@"', "sh"]
        status, messages = finish(start(FULL_DISK, str(tmp_path), prefix=limit))
        assert "File too large" in messages
    assert status == 1
    assert f"{tmp_path}/oci/blobs/sha256" in messages
    assert "Make room there or choose another folder (--store DIR)" in messages
    assert "Traceback" not in messages


def test_a_read_only_store_is_said_in_words(tmp_path: Path):
    """Whoever may not write there is told so, by folder; what is there can still be read."""
    root = tmp_path / "oci"
    digest = OciLayout(root).put_blob(b"there before")
    folders = [root / "blobs" / "sha256", root / "blobs", root]
    for folder in folders:
        folder.chmod(0o555)
    prefix = WITHOUT_RIGHTS if os.access(root, os.W_OK) else []
    try:
        status, messages = finish(start(PUT_ONE, str(root), "ignore", prefix=prefix))
    finally:
        for folder in reversed(folders):
            folder.chmod(0o755)
    assert status == 1
    assert f"{root}/blobs/sha256" in messages
    assert "Permission denied" in messages
    assert "Choose a folder that you may use (--store DIR)" in messages
    assert "Traceback" not in messages
    assert OciLayout(root).read_blob(digest) == b"there before"


LIST = "from mainstream.cli.main import main; main()"


def test_a_store_that_one_may_not_read_is_said_in_words(tmp_path: Path):
    """Not as an empty store, and without a stack trace."""
    root = tmp_path / "oci"
    OciLayout(root).put_blob(b"there before")
    root.chmod(0)
    prefix = WITHOUT_RIGHTS if os.access(root, os.R_OK) else []
    try:
        status, messages = finish(start(LIST, "packages", "list", "--store", str(tmp_path), prefix=prefix))
    finally:
        root.chmod(0o755)
    assert status == 1
    assert f"{root}: cannot read: Permission denied" in messages
    assert "Traceback" not in messages


def test_a_store_where_a_file_is_in_the_way_is_said_in_words(tmp_path: Path):
    """``--store`` names a file."""
    (tmp_path / "oci").write_text("not a folder")
    status, messages = finish(start(PUT_ONE, str(tmp_path / "oci"), "ignore"))
    assert status == 1
    assert f"{tmp_path}/oci: cannot write to the store" in messages
    assert "Traceback" not in messages
    with pytest.raises(InputError, match="there is no store in this folder"):
        OciLayout(tmp_path / "oci").resolve("base/x")


def test_two_writers_at_once_lose_nothing(tmp_path: Path):
    """Three processes that write different artifacts and one common blob: all names are there afterwards."""
    root = tmp_path / "oci"
    writers = [start(PUT_NAMES, str(root), name) for name in ("a", "b", "c")]
    assert [finish(writer) for writer in writers] == [(0, "")] * 3
    assert set(OciLayout(root).names()) == {f"{name}/{number}" for name in ("a", "b", "c") for number in range(25)}
    assert_whole(root)
    assert unfinished(root) == []


def test_what_a_living_writer_writes_is_left_alone(tmp_path: Path):
    """A temporary file that is locked belongs to somebody alive, on whatever machine; without a lock to nobody."""
    layout = OciLayout(tmp_path / "oci")
    layout.put_blob(b"one")
    theirs = tmp_path / "oci" / "blobs" / "sha256" / f"{TEMPORARY}theirs"
    with theirs.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        OciLayout(layout.root).put_blob(b"two")
        assert theirs.exists()
    OciLayout(layout.root).put_blob(b"three")
    assert not theirs.exists()


def test_blobs_are_stored_once(sample: Any):
    """An M-Package's segments are the base DNN's files; writing the same again changes no file."""
    before = {path: path.stat().st_mtime_ns for path in sample.root.rglob("*") if path.is_file()}
    segments = {segment.digest for segment in sample.package.config.segments}
    assert segments < set(sample.layout.stored())
    assert len(sample.layout.stored()) == 3 + 1 + 2 + 2 + 2  # segments, weights, branches, configs, manifests
    for digest in sample.layout.stored():
        sample.layout.put_blob(sample.layout.read_blob(digest))
    assert {path: path.stat().st_mtime_ns for path in sample.root.rglob("*") if path.is_file()} == before


def test_parts_of_a_store_are_made_when_they_are_written(tmp_path: Path):
    """Asking for a store makes no folder; reading one that is not there says how to fill it."""
    folder = StoreFolder(tmp_path / "store")
    assert [folder.profiles.name, folder.features.name, folder.training.name] == ["profiles", "features", "training"]
    with pytest.raises(InputError, match="there is no store in this folder\n  Import a base DNN"):
        folder.layout.resolve("mpackage/default/apple")
    assert not folder.root.exists()
    assert folder.layout.put_blob(b"x") == sha256(b"x")


def test_an_unknown_name_lists_the_known_ones(sample: Any):
    """The message names the reference and what there is."""
    with pytest.raises(
        InputError, match=r"'mpackage/default/aple'\n  There is: base/mobilenet-0.25-32, mpackage/default/apple"
    ):
        sample.layout.resolve("mpackage/default/aple")
    assert sample.layout.resolve(f"registry/x@{OTHER}") == OTHER
