"""What the box needs to log in anywhere: gathered into one Secret, each tenant's apart."""

import base64
import json

from mainstream_operator.credentials import DOCKER_CONFIG, SecretKey, delivered, gathered, missing, needed

from .conftest import app, edge_node

HERE = "mainstream-system"


def _docker(**auths: str) -> dict[str, bytes]:
    entries = {
        place.replace("_", "/"): {"auth": base64.b64encode(text.encode()).decode()} for place, text in auths.items()
    }
    return {DOCKER_CONFIG: json.dumps({"auths": entries}).encode()}


def _camera(secret: str) -> dict[str, object]:
    source = {"rtsp": {"url": "rtsp://10.0.0.7/s", "credentialsSecretRef": {"name": secret}}}
    return {"name": "north", "source": source, "captureFps": 10}


def test_streams_and_sinks_have_keys_of_their_own() -> None:
    """Two namespaces may call their Secrets alike."""
    node = edge_node(streams=[_camera("cam")])
    sink = {"mqtt": {"url": "mqtt://broker", "topic": "t", "secretRef": {"name": "mqtt"}}}
    one, two = app("one", "a", sinks=[sink]), app("two", "b", sinks=[sink])
    secrets = {
        SecretKey(HERE, "cam"): {"username": b"u", "password": b"p"},
        SecretKey("a", "mqtt"): {"password": b"of a"},
        SecretKey("b", "mqtt"): {"password": b"of b"},
    }
    reference = "registry.test:5000/x@sha256:" + "1" * 64
    found = gathered(node, {"a/one": (one, reference), "b/two": (two, reference)}, HERE, secrets)
    assert found["stream.cam.password"] == b"p"
    assert (found["app.a.mqtt.password"], found["app.b.mqtt.password"]) == (b"of a", b"of b")
    schedule_name = delivered(one, reference).spec.sinks[0].mqtt
    assert schedule_name is not None
    assert schedule_name.secret_ref is not None
    assert schedule_name.secret_ref.name == "app.a.mqtt"
    assert needed(node, [one, two], HERE) >= set(secrets)


def test_a_tenants_registry_credentials_are_for_its_own_repository_only() -> None:
    """Two tenants have accounts at the same registry: neither's opens the other's packages."""
    one, two = app("one", "a"), app("two", "b")
    secrets = {
        SecretKey("a", "mainstream-registry"): _docker(**{"registry.test:5000": "a:secret-a"}),
        SecretKey("b", "mainstream-registry"): _docker(**{"registry.test:5000_b": "b:secret-b"}),
    }
    digest = "@sha256:" + "1" * 64
    packages = {
        "a/one": (one, f"registry.test:5000/a/one{digest}"),
        "b/two": (two, f"registry.test:5000/b/two{digest}"),
    }
    auths = json.loads(gathered(edge_node(), packages, HERE, secrets)[DOCKER_CONFIG])["auths"]
    assert set(auths) == {"registry.test:5000/a/one", "registry.test:5000/b/two"}
    assert base64.b64decode(auths["registry.test:5000/a/one"]["auth"]) == b"a:secret-a"
    assert base64.b64decode(auths["registry.test:5000/b/two"]["auth"]) == b"b:secret-b"


def test_an_entry_that_is_for_another_repository_is_not_handed_on() -> None:
    """The longest that the reference begins with counts, or none."""
    secrets = {SecretKey("a", "mainstream-registry"): _docker(**{"registry.test:5000_other": "x:y"})}
    packages = {"a/one": (app("one", "a"), "registry.test:5000/a/one@sha256:" + "1" * 64)}
    assert json.loads(gathered(edge_node(), packages, HERE, secrets)[DOCKER_CONFIG]) == {"auths": {}}


def test_broken_credentials_open_nothing_and_stop_nobody() -> None:
    """A Secret that is no Docker config."""
    secrets = {SecretKey("a", "mainstream-registry"): {DOCKER_CONFIG: b"not JSON"}}
    packages = {"a/one": (app("one", "a"), "registry.test:5000/a/one@sha256:" + "1" * 64)}
    assert json.loads(gathered(edge_node(), packages, HERE, secrets)[DOCKER_CONFIG]) == {"auths": {}}


def test_a_secret_that_a_stream_names_and_is_not_there_is_named() -> None:
    """A sink's is its runner's to report."""
    node = edge_node(streams=[_camera("cam")])
    assert [str(key) for key in missing(node, HERE, {SecretKey(HERE, "cam"): None})] == [f"{HERE}/cam"]
    assert missing(node, HERE, {SecretKey(HERE, "cam"): {}}) == []
