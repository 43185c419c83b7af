"""What people write for a place in a registry, and whose credentials go there."""

import base64
import json
from pathlib import Path

import pytest

from mainstream.errors import InputError
from mainstream.packages.registry.credentials import CredentialStore, default_credentials, read_credentials
from mainstream.packages.registry.reference import Reference, is_this_machine, parse_reference

DIGEST = "sha256:" + "0a" * 32


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("registry.example/team/app", Reference(registry="registry.example", repository="team/app")),
        ("registry:5000/app:V1.0_x-", Reference(registry="registry:5000", repository="app", tag="V1.0_x-")),
        (f"localhost/a/b/c@{DIGEST}", Reference(registry="localhost", repository="a/b/c", digest=DIGEST)),
        (
            f"oci://[::1]:5000/app:t@{DIGEST}",
            Reference(registry="[::1]:5000", repository="app", tag="t", digest=DIGEST),
        ),
    ],
)
def test_references_are_read_and_written(text: str, expected: Reference):
    """Registry, repository, tag and digest; written as it was read."""
    assert parse_reference(text) == expected
    assert str(expected) == text.removeprefix("oci://")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "team/app",
        "mpackage/default/apple",
        "registry.example",
        "registry.example/",
        "registry.example/../app",
        "registry.example/a//b",
        "registry.example/app:",
        "registry.example/app@sha256:12",
        "registry.example/app@",
        "https://registry.example/app",
        "user:password@registry.example/app",
        "regis try.example/app",
        "registry.example\n/app",
        "registry.example/app\n",
        "-registry.example/app",
        "registry.example/" + "a/" * 600 + "a",
    ],
)
def test_what_is_no_reference_is_refused(text: str):
    """Names of a local store among them."""
    with pytest.raises(InputError):
        parse_reference(text)


@pytest.mark.parametrize(
    ("registry", "expected"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("127.0.0.1:5000", True),
        ("127.9.9.9", True),
        ("[::1]:5000", True),
        ("localhost.example", False),
        ("127.0.0.1.example:80", False),
        ("10.0.0.7:5000", False),
    ],
)
def test_plain_http_is_for_this_machine(registry: str, expected: bool):
    """Nobody can be in between there."""
    assert is_this_machine(registry) is expected


def _config(**auths: object) -> str:
    return json.dumps({"auths": auths})


def test_the_longest_entry_counts(tmp_path: Path):
    """A tenant's entry for a repository goes before the registry's."""
    both = base64.b64encode(b"all:first:part").decode()
    file = tmp_path / "config.json"
    entries = {"https://Registry.example:5000/v2/": {"auth": both}, "registry.example:5000/team": {"username": "team"}}
    file.write_text(_config(**entries))
    store = read_credentials(file)
    found = {
        name: store.find(parse_reference(f"registry.example:5000/{name}")) for name in ("team/app", "teams/app", "x")
    }
    assert {name: one and one.username for name, one in found.items()} == {
        "team/app": "team",
        "teams/app": "all",
        "x": "all",
    }
    other = found["x"]
    assert other is not None
    assert (other.password, "first:part" in repr(other), "first:part" in repr(store)) == ("first:part", False, False)
    assert store.find(parse_reference("other.example/x")) is None


def test_a_mounted_secret_is_a_folder(tmp_path: Path):
    """Type kubernetes.io/dockerconfigjson: key .dockerconfigjson, a symbolic link as the kubelet makes it."""
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "x").write_text(_config(**{"r.example": {"username": "u", "password": "p"}}))
    (tmp_path / ".dockerconfigjson").symlink_to(tmp_path / "..data" / "x")
    assert read_credentials(tmp_path).find(parse_reference("r.example/a")) is not None


@pytest.mark.parametrize(
    "text",
    [
        "secret-value",
        "[]",
        '{"auths": []}',
        '{"auths": {"r.example": "secret-value"}}',
        '{"auths": {"r.example": {"auth": "secret-value!"}}}',
        '{"auths": {"r.example": {"username": "u", "password": "secret-value\\n"}}}',
        '{"credsStore": "secret-value"}',
    ],
)
def test_broken_credentials_are_said_without_their_values(tmp_path: Path, text: str):
    """The message names the file."""
    file = tmp_path / "config.json"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        read_credentials(file)
    assert str(file) in str(caught.value)
    assert "secret-value" not in str(caught.value)


def test_a_login_that_another_program_keeps_is_no_error_by_default(tmp_path: Path):
    """Nobody named the file, so whoever needs no login is not stopped."""
    (tmp_path / "config.json").write_text('{"credsStore": "desktop"}')
    assert default_credentials({"DOCKER_CONFIG": str(tmp_path)}) == CredentialStore()
    assert default_credentials({"HOME": str(tmp_path / "nobody")}) == CredentialStore()


def test_missing_credentials_are_said(tmp_path: Path):
    """The message names the file."""
    with pytest.raises(InputError, match="cannot read the credentials"):
        read_credentials(tmp_path / "none")
