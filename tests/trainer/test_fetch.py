"""Datasets from elsewhere: a real HTTP server, and a server that speaks S3."""

import functools
import http.server
import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
import s3fs
from moto.server import ThreadedMotoServer

from mainstream.errors import InputError, OperationError
from mainstream_trainer.fetch import fetch

from .conftest import CommandLine, manifest

BUCKET = "cameras"


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Files of a folder, without a line for each request."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the base class
        """Say nothing."""


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A web server's address, and the folder that it serves."""
    folder = tmp_path / "web"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, bytes], object]]:
    """Puts objects into a bucket of a server that the environment names, as a user's would."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    for name, value in {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "gate",
        "AWS_SECRET_ACCESS_KEY": "correct horse",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET)
    yield lambda key, body: client.put_object(Bucket=BUCKET, Key=key, Body=body)
    client.close()
    s3fs.S3FileSystem.clear_instance_cache()  # it would go on asking this server
    server.stop()


class Progress:
    """Counts what it is told."""

    def __init__(self) -> None:
        self.total = self.done = 0

    def __call__(self, _description: str, total: int) -> Callable[..., None]:
        """Begin."""
        self.total += total
        return self._advance

    def _advance(self, steps: int = 1) -> None:
        self.done += steps


def zipped(**files: bytes) -> bytes:
    """A zip archive with one folder, ``belt``."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"belt/{name}", content)
    return data.getvalue()


def left_over(cache: Path) -> list[str]:
    """What an attempt that failed left in the cache."""
    return [str(path.relative_to(cache)) for path in cache.rglob("*")] if cache.exists() else []


def test_a_zip_from_a_web_server_becomes_the_folder_in_it(web: tuple[str, Path], tmp_path: Path) -> None:
    """With its progress told."""
    address, folder = web
    (folder / "belt.zip").write_bytes(zipped(a=b"one", b=b"two"))
    progress = Progress()
    found = fetch(f"{address}/belt.zip", tmp_path / "cache", where="app", start=progress)
    assert {path.name: path.read_bytes() for path in found.iterdir()} == {"a": b"one", "b": b"two"}
    assert progress.done == progress.total == 1


def test_a_tar_is_read_as_well(web: tuple[str, Path], tmp_path: Path) -> None:
    """Several entries on its top: then the folder is what was extracted."""
    address, folder = web
    with tarfile.open(folder / "belt.tar.gz", "w:gz") as archive:
        for name in ("a.mp4", "events.csv"):
            info = tarfile.TarInfo(name)
            info.size = 3
            archive.addfile(info, io.BytesIO(b"abc"))
    found = fetch(f"{address}/belt.tar.gz", tmp_path / "cache", where="app", start=Progress())
    assert sorted(path.name for path in found.iterdir()) == ["a.mp4", "events.csv"]


def test_what_was_fetched_is_not_fetched_again_until_it_changes(web: tuple[str, Path], tmp_path: Path) -> None:
    """By what the server says of the file."""
    address, folder = web
    progress = Progress()

    def fetched() -> list[str]:
        found = fetch(f"{address}/belt.zip", tmp_path / "cache", where="app", start=progress)
        return sorted(path.name for path in found.iterdir())

    (folder / "belt.zip").write_bytes(zipped(a=b"one"))
    assert fetched() == fetched() == ["a"]
    assert progress.total == 1
    (folder / "belt.zip").write_bytes(zipped(a=b"one", b=b"two"))
    assert fetched() == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("belt.zip", b"not an archive", "belt.zip: not readable as an archive"),
        ("belt.tar.gz", b"\x1f\x8b cut off", "belt.tar.gz: not readable as an archive"),
        ("belt.zip", zipped(**{"../../out": b"hostile"}), "outside its folder: 'belt/../../out'"),
        ("belt.csv", b"a,b", "names no archive"),
    ],
)
def test_what_is_no_dataset_is_refused(
    web: tuple[str, Path], tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    """And nothing of it is kept."""
    address, folder = web
    (folder / name).write_bytes(content)
    with pytest.raises(InputError, match="(?s)" + said.replace(".", r"\.")):
        fetch(f"{address}/{name}", tmp_path / "cache", where="app", start=Progress())
    assert left_over(tmp_path / "cache") == []


def test_a_file_that_is_not_there_is_said(web: tuple[str, Path], tmp_path: Path) -> None:
    """With its address."""
    with pytest.raises(OperationError, match=r"app: dataset\.uri: cannot fetch http://127\.0\.0\.1:\d+/none\.zip"):
        fetch(f"{web[0]}/none.zip", tmp_path / "cache", where="app", start=Progress())


def test_a_server_that_is_not_there_is_said(tmp_path: Path) -> None:
    """Nobody listens at port 9 of this machine."""
    with pytest.raises(OperationError, match=r"cannot fetch http://127\.0\.0\.1:9/belt\.zip"):
        fetch("http://127.0.0.1:9/belt.zip", tmp_path / "cache", where="app", start=Progress())


def test_a_folder_of_a_bucket_is_fetched_whole(bucket: Callable[[str, bytes], object], tmp_path: Path) -> None:
    """Folders in it stay folders."""
    bucket("belt/train/apple/1.jpg", b"one")
    bucket("belt/train/orange/2.jpg", b"two")
    bucket("other/3.jpg", b"three")
    found = fetch(f"s3://{BUCKET}/belt", tmp_path / "cache", where="app", start=Progress())
    names = sorted(str(path.relative_to(found)) for path in found.rglob("*.jpg"))
    assert [name.removeprefix("train/") for name in names] == ["apple/1.jpg", "orange/2.jpg"]


@pytest.mark.parametrize(
    ("uri", "said"),
    [(f"s3://{BUCKET}/nothing", "there is nothing at s3://cameras/nothing"), ("s3://none/belt", "s3://none/belt")],
)
def test_an_empty_folder_and_a_bucket_that_is_not_there_are_said(
    bucket: Callable[[str, bytes], object], tmp_path: Path, uri: str, said: str
) -> None:
    """A user's mistake, without a stack trace."""
    bucket("belt/a", b"one")
    with pytest.raises((InputError, OperationError), match=said):
        fetch(uri, tmp_path / "cache", where="app", start=Progress())


def test_an_app_is_trained_from_a_web_server(
    web: tuple[str, Path], red_and_blue: Path, command_line: CommandLine, tmp_path: Path
) -> None:
    """As a person does it."""
    address, folder = web
    with zipfile.ZipFile(folder / "red.zip", "w") as archive:
        for path in red_and_blue.iterdir():
            archive.write(path, path.name)
    (tmp_path / "app.yaml").write_text(manifest(f"{address}/red.zip"))
    done = command_line("train", "-f", "app.yaml", "--output", "json")
    assert done.returncode == 0, done.stderr
    assert [app["name"] for app in json.loads(done.stdout)["apps"]] == ["red"]
