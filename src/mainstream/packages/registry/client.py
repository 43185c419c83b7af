"""RegistryClient: what the distribution specification lets one do with manifests and blobs of one registry.

What is read is verified where it ends up: manifests here, blobs by the layout that they are written to.
"""

import random as random_numbers
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import httpx

from mainstream.documents import sha256
from mainstream.errors import InputError, OperationError, PackageError
from mainstream.packages.descriptor import MANIFEST_TYPE
from mainstream.packages.layout import MANIFEST_LIMIT
from mainstream.packages.registry.connection import Request, join
from mainstream.packages.registry.credentials import Credentials
from mainstream.packages.registry.transport import Answer, Pause, Transport, stopped

CHUNK_BYTES = 256 << 10

_ANSWER_BYTES = 64 << 10
_FRUITFUL_BYTES = 64 << 10
"""A connection that brought so much before it broke was a good one: the next failure counts as the first."""
_RANGE = re.compile(r"bytes (\d+)-\d+/(?:\d+|\*)")

Pushed = Literal["Sent", "Mounted", "There"]
"""What became of a blob: sent, taken over from another repository of the registry, or there already."""
Advance = Callable[[int], None]
"""Told how many bytes more there are; negative where some have to be fetched again."""


class RegistryClient:
    """One registry (``host[:port]``), for several threads. ``pause``, ``random``: see ``Transport``.

    All methods raise ``InputError`` (credentials, rights, names, certificates), ``PackageError`` (content that is not what it
    should be) or ``OperationError`` (away, in trouble, stopped).
    """

    def __init__(
        self,
        registry: str,
        *,
        credentials: Credentials | None = None,
        ca: Path | None = None,
        insecure_http: bool = False,
        pause: Pause | None = None,
        random: Callable[[], float] = random_numbers.random,
    ) -> None:
        self.registry = registry
        self._transport = Transport(
            registry, credentials=credentials, ca=ca, insecure_http=insecure_http, pause=pause, random=random
        )

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def manifest(self, repository: str, target: str) -> bytes:
        """The manifest of a tag or a digest; of a digest it is verified."""
        where = self._where(repository, target)
        request = Request(
            method="GET",
            url=self._url(repository, f"manifests/{target}"),
            scopes=(_pull(repository),),
            where=where,
            ok=frozenset({200}),
            headers={"Accept": MANIFEST_TYPE},
        )
        data = self._transport.exchange(lambda: request, limit=MANIFEST_LIMIT).body
        if target.startswith("sha256:") and sha256(data) != target:
            raise PackageError(
                f"registry {self.registry} gave another manifest (its digest is {sha256(data)})",
                where=where,
                remedy="Its storage is damaged, or somebody is in between: push the artifact again.",
            )
        return data

    def has(self, repository: str, kind: Literal["manifests", "blobs"], target: str) -> bool:
        """Whether a repository has that manifest or blob."""
        request = Request(
            method="HEAD",
            url=self._url(repository, f"{kind}/{target}"),
            scopes=(_pull(repository),),
            where=self._where(repository, target),
            ok=frozenset({200, 404}),
            headers={"Accept": MANIFEST_TYPE} if kind == "manifests" else {},
        )
        return self._transport.exchange(lambda: request, limit=0).status == 200

    def download(self, repository: str, digest: str, *, size: int, to: Path, advance: Advance) -> None:
        """Write a blob of ``size`` bytes into a file that may hold its beginning; goes on where a connection broke.

        The bytes are not verified. ``OSError`` if the file cannot be written.
        """
        where = self._where(repository, digest)
        failures = 0
        with to.open("ab") as file:
            advance(file.tell())
            while (have := file.tell()) < size:
                try:
                    with self._blob(repository, digest, start=have) as (start, chunks):
                        if start != have:
                            advance(start - have)
                            file.truncate(start)
                            file.seek(start)
                        for chunk in chunks:
                            if file.tell() + len(chunk) > size:
                                raise _other(where, f"more than {size} bytes")
                            file.write(chunk)
                            advance(len(chunk))
                            if self._transport.pause(0):
                                raise stopped()
                    if file.tell() < size:
                        raise _other(where, f"{file.tell()} bytes instead of {size}")
                except httpx.TransportError as error:
                    failures = 0 if file.tell() - have >= _FRUITFUL_BYTES else failures
                    self._transport.broken(failures, error, where=where)
                    failures += 1
                finally:
                    file.flush()

    def upload(
        self, repository: str, digest: str, *, size: int, path: Path, mount_from: str | None, advance: Advance
    ) -> Pushed:
        """Make a repository have a blob: it is sent only if it is not there and cannot be mounted from another repository.

        ``path`` is a verified blob's file (``OSError`` if it cannot be read).
        """
        if self.has(repository, "blobs", digest):
            advance(size)
            return "There"
        where = self._where(repository, digest)
        mount = mount_from if mount_from != repository else None
        try:
            begun = self._begin_upload(repository, digest, mount)
        except InputError:
            if mount is None:
                raise
            begun = self._begin_upload(repository, digest, None)  # we may not read the other repository
        if begun.status == 201 and mount is not None:
            advance(size)
            return "Mounted"
        sessions = [begun]
        sent = 0

        def content() -> Iterator[bytes]:
            nonlocal sent
            advance(-sent)
            sent = 0
            with path.open("rb") as file:
                while chunk := file.read(CHUNK_BYTES):
                    yield chunk
                    sent += len(chunk)
                    advance(len(chunk))
                    if self._transport.pause(0):
                        raise stopped()

        def send() -> Request:
            # A session that broke holds half a blob; the next attempt begins one of its own.
            session = sessions.pop() if sessions else self._begin_upload(repository, digest, None)
            place = session.headers.get("Location")
            if place is None:
                raise OperationError(f"registry {self.registry} does not say where to send a blob", where=where)
            return Request(
                method="PUT",
                url=join(session.url, place, where=where).copy_add_param("digest", digest),
                scopes=(_push(repository),),
                where=where,
                ok=frozenset({201, 204}),
                headers={"Content-Type": "application/octet-stream", "Content-Length": str(size)},
                body=content,
            )

        self._transport.exchange(send, limit=_ANSWER_BYTES)
        return "Sent"

    def _begin_upload(self, repository: str, digest: str, mount: str | None) -> Answer:
        url = self._url(repository, "blobs/uploads/")
        scopes: tuple[str, ...] = (_push(repository),)
        if mount is not None:
            url = url.copy_add_param("mount", digest).copy_add_param("from", mount)
            scopes += (_pull(mount),)
        request = Request(
            method="POST",
            url=url,
            scopes=scopes,
            where=self._where(repository, digest),
            ok=frozenset({201, 202}),
            headers={"Content-Length": "0"},
        )
        return self._transport.exchange(lambda: request, limit=_ANSWER_BYTES)

    def put_manifest(self, repository: str, target: str, data: bytes) -> None:
        """Store a manifest under a tag or its digest."""
        request = Request(
            method="PUT",
            url=self._url(repository, f"manifests/{target}"),
            scopes=(_push(repository),),
            where=self._where(repository, target),
            ok=frozenset({201, 202}),
            headers={"Content-Type": MANIFEST_TYPE, "Content-Length": str(len(data))},
            body=lambda: [data],
        )
        self._transport.exchange(lambda: request, limit=_ANSWER_BYTES)

    @contextmanager
    def _blob(self, repository: str, digest: str, *, start: int) -> Iterator[tuple[int, Iterator[bytes]]]:
        """Where the bytes begin (a registry may not know ranges), and the bytes."""
        request = Request(
            method="GET",
            url=self._url(repository, f"blobs/{digest}"),
            scopes=(_pull(repository),),
            where=self._where(repository, digest),
            ok=frozenset({200, 206, 416}),
            headers={"Range": f"bytes={start}-"} if start else {},
        )
        with self._transport.stream(request) as response:
            found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
            begins = int(found[1]) if response.status_code == 206 and found else 0
            if response.status_code == 416:
                raise _other(request.where, f"fewer than {start} bytes")
            if begins not in {0, start}:
                raise OperationError(
                    f"registry {self.registry} sent another part of a blob than asked for", where=request.where
                )
            yield begins, response.iter_raw()  # as they come: what was buffered would be lost with the connection

    def _url(self, repository: str, path: str) -> httpx.URL:
        return self._transport.base.copy_with(path=f"/v2/{repository}/{path}")

    def _where(self, repository: str, target: str) -> str:
        mark = "@" if target.startswith("sha256:") else ":"
        return f"{self.registry}/{repository}{mark}{target}"


def _pull(repository: str) -> str:
    return f"repository:{repository}:pull"


def _push(repository: str) -> str:
    return f"repository:{repository}:pull,push"


def _other(where: str, what: str) -> PackageError:
    return PackageError(
        f"the registry sent {what}", where=where, remedy="Its storage is damaged: push the artifact again."
    )
