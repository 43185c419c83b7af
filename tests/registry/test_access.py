"""Passwords, tokens and certificates: a real registry behind each."""

import base64
import hashlib
import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from mainstream.errors import InputError, OperationError
from mainstream.packages.artifacts import read_mpackage
from mainstream.packages.folder import StoreFolder
from mainstream.packages.registry.client import RegistryClient
from mainstream.packages.registry.credentials import Credentials

APPLE = "mpackage/default/apple"
GATE = Credentials(username="gate", password="correct horse")


@pytest.fixture
def store(make_store: Any) -> Any:
    """A base DNN and an M-Package."""
    made = make_store()
    made.add(APPLE)
    return made


@pytest.fixture
def closed(start_registry: Any, authority: Any) -> Any:
    """A registry with TLS by a CA of its own, and a password."""
    return start_registry(certificate=authority.certificate, key=authority.key, auth="password")


def login(path: Path, registry: str, password: str) -> Path:
    """A file as ``docker login`` leaves it."""
    both = base64.b64encode(f"gate:{password}".encode()).decode()
    path.write_text(json.dumps({"auths": {registry: {"auth": both}}}))
    return path


def test_a_private_ca_and_a_password(store: Any, closed: Any, authority: Any, run: Any, tmp_path: Path):
    """Push and pull with both, the credentials as a mounted Secret has them."""
    secret = tmp_path / "secret"
    secret.mkdir()
    login(secret / ".dockerconfigjson", closed.address, "correct horse")
    access = ["--ca", authority.ca, "--credentials", secret]
    place = f"{closed.address}/team/apple:v1"
    pushed = run("push", APPLE, "--to", place, *access, "--store", store.folder.root)
    assert pushed.returncode == 0, pushed.stderr
    pulled = run("pull", place, *access, "--store", tmp_path / "other")
    assert pulled.returncode == 0, pulled.stderr
    digest = read_mpackage(store.layout, APPLE).digest
    assert read_mpackage(StoreFolder(tmp_path / "other").layout, "team/apple").digest == digest


def test_each_refusal_says_what_it_is(store: Any, closed: Any, authority: Any, run: Any, tmp_path: Path):
    """No credentials, a wrong password, an unknown CA, a CA that is none, plain HTTP: told apart, no password shown."""
    wrong = login(tmp_path / "wrong.json", closed.address, "wrong-secret")
    ca = ["--ca", authority.ca]
    expected = {
        "asks for credentials": ca,
        "does not accept the password or token of 'gate'": [*ca, "--credentials", wrong],
        "it seems to speak TLS": [],
        "is no certificate that can be read": ["--ca", wrong],
        "cannot be trusted": ["--ca", authority.key.with_name("other.crt")],
    }
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=Other CA"]
    new += ["-keyout", str(tmp_path / "x"), "-out", str(authority.key.with_name("other.crt"))]
    subprocess.run(new, check=True, capture_output=True)
    for words, access in expected.items():
        done = run("push", APPLE, "--to", f"{closed.address}/team/apple", *access, "--store", store.folder.root)
        assert (done.returncode, words in done.stderr) == (2, True), (words, done.stderr)
        assert closed.address in done.stderr or "--ca" not in words
        assert "wrong-secret" not in done.stderr
        assert "Traceback" not in done.stderr


def test_a_registry_without_tls_is_said(registry: Any, authority: Any):
    """A CA was given, so TLS is meant."""
    client = RegistryClient(registry.address, ca=authority.ca, pause=never)
    with pytest.raises(InputError, match="no TLS connection"):
        client.manifest("team/apple", "v1")
    client.close()


def test_plain_http_needs_to_be_asked_for():
    """Elsewhere than on this machine it is https, unless somebody says so; neither host exists."""
    urls = []
    for insecure in (False, True):
        client = RegistryClient("registry.invalid", insecure_http=insecure, pause=never)
        urls.append(str(client._transport.base))
        with pytest.raises(OperationError, match=r"registry\.invalid cannot be reached"):
            client.manifest("team/apple", "v1")
        client.close()
    assert urls == ["https://registry.invalid", "http://registry.invalid"]


def never(_seconds: float) -> bool:
    """No pauses, never stopped."""
    return False


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """An HTTP server of the test's own; its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_tokens(store: Any, start_registry: Any, authority: Any, tmp_path: Path):
    """A real registry that takes tokens only, and who gives them: one for each scope, asked for once, with a password."""
    asked: list[tuple[str, ...]] = []

    class Tokens(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            # The registry names scopes, and the actions of a scope, in the order of maps of its own.
            named = (scope.rpartition(":") for scope in parse_qs(urlsplit(self.path).query).get("scope", []))
            scopes = tuple(
                sorted(f"{repository}:{','.join(sorted(actions.split(',')))}" for repository, _, actions in named)
            )
            both = base64.b64encode(b"gate:correct horse").decode()
            right = self.headers.get("Authorization") == f"Basic {both}"
            asked.append(scopes)
            body = json.dumps({"token": token(authority, scopes)}).encode() if right else b"{}"
            self.send_response(200 if right else 401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    package = read_mpackage(store.layout, APPLE)
    with serving(Tokens) as tokens:
        auth = {
            "realm": f"http://{tokens}/token",
            "service": "registry",
            "issuer": "issuer",
            "rootcertbundle": str(authority.certificate),
        }
        registry = start_registry(auth={"token": auth})
        client = RegistryClient(registry.address, credentials=GATE, pause=never)
        branch = package.config.candidates[0]
        path = store.layout.blob_path(branch.branch_digest)
        for place in ("team/a", "team/b"):
            became = client.upload(
                place,
                branch.branch_digest,
                size=branch.branch_size,
                path=path,
                mount_from="team/a",
                advance=lambda _: None,
            )
            assert became == {"team/a": "Sent", "team/b": "Mounted"}[place]
        client.download(
            "team/b", branch.branch_digest, size=branch.branch_size, to=tmp_path / "half", advance=lambda _: None
        )
        assert (tmp_path / "half").read_bytes() == path.read_bytes()
        client.close()
        assert sorted(asked) == [
            ("repository:team/a:pull",),
            ("repository:team/a:pull", "repository:team/b:pull,push"),
            ("repository:team/a:pull,push",),
            ("repository:team/b:pull",),
        ]
        wrong = RegistryClient(registry.address, credentials=Credentials(username="gate", password="no"), pause=never)
        with pytest.raises(InputError, match="does not accept the password or token of 'gate'"):
            wrong.has("team/a", "blobs", branch.branch_digest)
        wrong.close()


def token(authority: Any, scopes: tuple[str, ...]) -> str:
    """A JSON web token for those scopes, signed with the key of the registry's certificate."""

    def encoded(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    pem = authority.certificate.read_text()
    header = {"alg": "RS256", "typ": "JWT", "x5c": ["".join(pem.split("-----")[2].split())]}
    access = []
    for scope in scopes:
        kind, name, actions = scope.split(":")
        access.append({"type": kind, "name": name, "actions": actions.split(",")})
    claims = {
        "iss": "issuer",
        "aud": "registry",
        "exp": 1 << 40,
        "nbf": 0,
        "iat": 0,
        "jti": "1",
        "sub": "",
        "access": access,
    }
    text = ".".join(encoded(json.dumps(part).encode()) for part in (header, claims))
    signing = ["openssl", "dgst", "-sha256", "-sign", str(authority.key)]
    signed = subprocess.run(signing, input=text.encode(), check=True, capture_output=True).stdout
    return f"{text}.{encoded(signed)}"


def test_credentials_stay_with_the_registry(tmp_path: Path):
    """A redirect to another host goes without them, one within the registry with them."""
    seen: list[tuple[str, str | None]] = []
    data = b"a blob"
    digest = "sha256:" + hashlib.sha256(data).hexdigest()

    class Host(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append((self.path.partition("?")[0].rpartition("/")[2], self.headers.get("Authorization")))
            if self.headers.get("Authorization") is None and self.path.startswith("/v2/"):
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="x"')
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif "data" not in self.path:
                self.send_response(307)
                place = "/v2/inside" if "inside" not in self.path else f"http://{elsewhere}/data"
                self.send_header("Location", place)
                self.send_header("Content-Length", "0")
                self.end_headers()
            else:
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with serving(Host) as elsewhere, serving(Host) as registry:
        client = RegistryClient(registry, credentials=GATE, pause=never)
        client.download("team/a", digest, size=len(data), to=tmp_path / "half", advance=lambda _: None)
        client.close()
    assert (tmp_path / "half").read_bytes() == data
    basic = "Basic " + base64.b64encode(b"gate:correct horse").decode()
    assert seen == [(digest, None), (digest, basic), ("inside", basic), ("data", None)]


def test_a_redirect_to_plain_http_is_refused(tmp_path: Path):
    """Who is redirected to a host that is not this machine does not go there without TLS."""

    class Host(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(307)
            self.send_header("Location", "http://storage.example/data")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with serving(Host) as registry:
        client = RegistryClient(registry, pause=never)
        with pytest.raises(InputError, match=r"points to http://storage\.example"):
            client.download("team/a", "sha256:" + "0" * 64, size=5, to=tmp_path / "half", advance=lambda _: None)
        client.close()
