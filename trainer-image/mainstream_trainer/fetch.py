"""Datasets from elsewhere: ``s3://bucket/folder`` and other file systems of fsspec, ``https://.../dataset.zip`` or ``.tar.gz``.

What was fetched is kept under a key of what the source says of its files (names, sizes, entity tags); a folder appears whole or
not at all, so an interrupted download begins anew and never looks like a dataset.
"""

import contextlib
import os
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from mainstream.documents import canonical_json, sha256
from mainstream.errors import InputError, OperationError
from mainstream.packages.files import disk
from mainstream_trainer.basednn import Start

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")


def is_remote(uri: str) -> bool:
    """Whether a dataset's URI is one of a file system and not a path of this machine."""
    return "://" in uri


def shown(uri: str) -> str:
    """A URI as messages have it: without credentials, and without a query, which may be a signature."""
    parts = urlsplit(uri)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def fetch_file(uri: str, target: Path, *, field: str, where: str, start: Start) -> Path:
    """One file from there into the folder ``target``; ``field`` is what named it. Errors as ``fetch``."""
    file_system, path = _opened(uri, field=field, where=where)
    name = Path(urlsplit(uri).path).name or "file"
    with _reaching(uri, field=field, where=where), disk("keep the file", target):
        target.mkdir(parents=True, exist_ok=True)
        advance = start(f"fetching {name}", 1)
        half = target / f".fetching-{name}"
        file_system.get_file(path, str(half))
        half.replace(target / name)
        advance()
    return target / name


def fetch(uri: str, cache: Path, *, where: str, start: Start) -> Path:
    """The dataset's folder on this machine (``InputError`` for a URI that cannot be, ``OperationError`` if it fails)."""
    if uri.startswith("pvc://"):
        raise InputError(
            f"dataset.uri: {uri} is a volume of a cluster", where=where, remedy="Give a path or an s3:// URI."
        )
    file_system, path = _opened(uri, field="dataset.uri", where=where)
    with _reaching(uri, field="dataset.uri", where=where):
        web = uri.startswith(("http://", "https://"))
        if web and not urlsplit(uri).path.lower().endswith(ARCHIVES):
            raise InputError(
                f"dataset.uri: {shown(uri)} names no archive",
                where=where,
                remedy=f"Over https give one of {', '.join(ARCHIVES)}.",
            )
        files = {path: file_system.info(path)} if web else file_system.find(path, detail=True)
        if not files:
            raise InputError(
                f"dataset.uri: there is nothing at {shown(uri)}", where=where, remedy="Check bucket and folder."
            )
        return _kept(file_system, path, files, cache / _key(uri, files), start)


def _opened(uri: str, *, field: str, where: str) -> tuple[Any, str]:
    import fsspec

    try:
        file_system, path = fsspec.core.url_to_fs(uri)
    except (ValueError, ImportError) as error:
        raise InputError(f"{field}: {error}", where=where, remedy="Use a path, https://, or s3://.") from None
    return file_system, path


@contextlib.contextmanager
def _reaching(uri: str, *, field: str, where: str) -> Iterator[None]:
    """What a file system far away fails with, in words and without what is secret of the URI."""
    try:
        yield
    except _network_errors() as error:
        said = str(error).replace(uri, shown(uri))
        raise OperationError(
            f"{field}: cannot fetch {shown(uri)}: {said}", where=where, remedy="Check address, network and credentials."
        ) from None


def _network_errors() -> tuple[type[Exception], ...]:
    import aiohttp
    from botocore.exceptions import BotoCoreError

    return (OSError, aiohttp.ClientError, BotoCoreError)


def _key(uri: str, files: dict[str, Any]) -> str:
    told = {
        name: [str(info.get(field)) for field in ("size", "ETag", "LastModified", "mtime")]
        for name, info in files.items()
    }
    return sha256(canonical_json([uri, told])).removeprefix("sha256:")[:32]


def _kept(file_system: Any, path: str, files: dict[str, Any], target: Path, start: Start) -> Path:
    if not target.is_dir():
        with disk("keep the dataset", target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
            working = Path(tempfile.mkdtemp(prefix=".fetching-", dir=target.parent))
        try:
            advance = start("fetching the dataset", len(files))
            for name in sorted(files):
                inside = name if name == path else os.path.relpath(name, path)
                local = _inside(working, Path(urlsplit(inside).path).name if name == path else inside)
                local.parent.mkdir(parents=True, exist_ok=True)
                file_system.get_file(name, str(local))
                advance()
                if name == path and local.name.lower().endswith(ARCHIVES):
                    _extract(local, working)
            with contextlib.suppress(FileExistsError):
                working.rename(target)
        finally:
            shutil.rmtree(working, ignore_errors=True)
    return _only_folder(target)


def _inside(folder: Path, name: str) -> Path:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise InputError(f"the dataset names a file outside its folder: {name!r}")
    return path


def _extract(archive: Path, folder: Path) -> None:
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as file:
                for name in file.namelist():
                    _inside(folder, name)
                file.extractall(folder)  # noqa: S202 - every name was checked above
        else:
            with tarfile.open(archive) as file:
                file.extractall(folder, filter="data")
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise InputError(f"not readable as an archive: {error}", where=archive.name) from None
    archive.unlink()


def _only_folder(target: Path) -> Path:
    """The dataset itself, where an archive holds a single folder."""
    entries = list(target.iterdir())
    return entries[0] if len(entries) == 1 and entries[0].is_dir() else target
