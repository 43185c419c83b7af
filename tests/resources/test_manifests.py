"""Manifests: what is read, and what is said when it cannot be."""

import contextlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainstream.errors import InputError
from mainstream.resources.manifests import Manifests, load

NODE = """\
apiVersion: mainstream.dev/v1alpha1
kind: EdgeNode
metadata: {name: box, labels: {site: gate}}
spec:
  streams:
  - name: north
    source: {file: {path: videos/north.mp4}}
    captureFps: "12.5"
    views:
    - {name: gate, crop: ["0.5", "0", "0.5", "1"]}
"""

APP = """\
apiVersion: mainstream.dev/v1alpha1
kind: MainstreamApp
metadata: {name: car}
spec:
  edgeNodes: {matchNames: [box]}
  stream: north
  events: [car]
  training:
    baseDnn: {architecture: MobileNet, inputSize: 224, weights: imagenet}
    dataset: {uri: data}
"""


def write(folder: Path, **files: str) -> Path:
    """Write ``name=text`` as ``name.yaml``."""
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


def said(path: Path) -> str:
    """What is said about wrong manifests."""
    with pytest.raises(InputError) as caught:
        load(path)
    assert caught.value.exit_status == 2
    return str(caught.value)


def read(path: Path) -> Manifests:
    """Manifests without notes."""
    manifests = load(path)
    assert manifests.notes == ()
    return manifests


def test_a_folder_is_read_with_several_documents_in_a_file(tmp_path: Path) -> None:
    """Documents of all files come together, in order."""
    write(tmp_path, a=NODE, b=f"{APP}---\n{APP.replace('name: car', 'name: van')}---\n")
    manifests = read(tmp_path)
    assert [node.metadata.name for node in manifests.edge_nodes] == ["box"]
    assert [app.key for app in manifests.apps] == ["default/car", "default/van"]
    assert manifests.apps_of(manifests.edge_nodes[0]) == manifests.apps
    assert manifests.edge_nodes_of(manifests.apps[0]) == manifests.edge_nodes


def test_paths_are_relative_to_the_manifest(tmp_path: Path) -> None:
    """A relative path starts at the manifest's folder, an absolute one stays."""
    manifests = read(write(tmp_path, a=NODE))
    node = manifests.edge_nodes[0]
    assert manifests.resolve(node, "videos/north.mp4") == tmp_path / "videos/north.mp4"
    assert manifests.resolve(node, "/videos/north.mp4") == Path("/videos/north.mp4")


def test_the_line_of_a_field_is_known(tmp_path: Path) -> None:
    """Later messages can name file and line of any field."""
    manifests = read(write(tmp_path, a=f"{NODE}---\n{APP}"))
    assert manifests.where(manifests.apps[0], "spec", "training", "dataset", "uri") == f"{tmp_path / 'a.yaml'}:21"
    assert manifests.where(manifests.edge_nodes[0], "spec", "streams", 0, "captureFps") == f"{tmp_path / 'a.yaml'}:8"
    assert manifests.where(manifests.apps[0], "spec", "minF1") == f"{tmp_path / 'a.yaml'}:15"  # not there: around it


def test_a_list_counts_as_its_items(tmp_path: Path) -> None:
    """What `kubectl get -o yaml` prints can be read, status and server-side metadata included."""
    items = "".join(
        "- " + text.replace("\n", "\n  ").rstrip() + "\n" + "  status: {observedGeneration: 3}\n"
        for text in (NODE, APP.replace("{name: car}", "{name: car, uid: 1-2, creationTimestamp: 2026-01-01T00:00:00Z}"))
    )
    manifests = read(write(tmp_path, a=f"apiVersion: v1\nkind: List\nitems:\n{items}"))
    assert manifests.apps[0].key == "default/car"
    assert manifests.where(manifests.apps[0], "spec", "stream") == f"{tmp_path / 'a.yaml'}:20"


def test_json_is_read_and_its_lines_are_known(tmp_path: Path) -> None:
    """A manifest may be JSON, with tabs."""
    path = tmp_path / "node.json"
    text = '{\n\t"apiVersion": "mainstream.dev/v1alpha1",\n\t"kind": "EdgeNode",\n\t"metadata": {"name": "box"},\n'
    text += '\t"spec": {%s}\n}'
    path.write_text(text % '"objective": "MeanF1"')
    assert read(path).edge_nodes[0].metadata.name == "box"
    path.write_text(text % '"objectiv": "MeanF1"')
    assert f'{path}:5: spec.objectiv: unknown field; did you mean "objective"?' in said(path)


def test_what_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    """Secrets, ConfigMaps and Kustomizations are notes; files of other kinds are not looked at."""
    write(
        tmp_path,
        a=NODE,
        b="apiVersion: v1\nkind: Secret\nmetadata: {name: s3}\n",
        kustomization="resources: [a.yaml]\n",
    )
    (tmp_path / "README.md").write_text("not: [a manifest")
    notes = load(tmp_path).notes
    assert len(notes) == 2
    assert "b.yaml:1: kind Secret is not Mainstream's; left alone" in notes[0]
    assert "kustomization.yaml" in notes[1]


def test_a_misspelt_field_is_named_with_its_line_and_what_was_meant(tmp_path: Path) -> None:
    """`evnts` gives its file, line and `events`."""
    message = said(write(tmp_path, apps=APP.replace("events:", "evnts:")))
    assert f'{tmp_path / "apps.yaml"}:7: spec.evnts: unknown field; did you mean "events"?' in message
    assert "spec.events: required field is missing" in message


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("captureFps", "capture_fps", '6: spec.streams[0].captureFps: required field is missing'),
        ("captureFps", "capture_fps", '8: spec.streams[0].capture_fps: unknown field; did you mean "captureFps"?'),
        ('"12.5"', "12.5", '8: spec.streams[0].captureFps: expected an exact number: write it in quotes, "12.5"'),
        ('"12.5"', "fast", "8: spec.streams[0].captureFps: expected a number such as 15, \"12.5\" or \"30000"),
        ('"12.5"', "0", "8: spec.streams[0].captureFps: expected greater than 0, got 0"),
        ("{path: videos/north.mp4}", "north.mp4", "7: spec.streams[0].source.file: expected a mapping, got 'north.mp4'"),
        ("path: videos", "pth: videos", '7: spec.streams[0].source.file.pth: unknown field; did you mean "path"?'),
        ("name: box", "nam: box", '3: metadata.nam: unknown field; did you mean "name"?'),
        ("name: box", "name: Box", "3: metadata.name: expected a name of lower-case letters, digits and '-'"),
        ('"0.5", "1"]', '"0.6", "1"]', "10: spec.streams[0].views[0]: the crop reaches past the picture"),
        ("{file: {path: videos/north.mp4}}", "{}", "7: spec.streams[0].source: give exactly one of rtsp, http, file"),
        ("spec:", "spec:\n  objective: Best", "5: spec.objective: expected 'MeanF1', 'MaxMinF1' or"),
        ("spec:", "spec:\n  budget: {cpu: lots}", "5: spec.budget.cpu: expected a quantity such as \"2\", "),
        ("spec:", "spec:\n  budget: {utilization: 0}", "5: spec.budget.utilization: expected greater than 0, got 0"),
        ("spec:", "spec:\n  budget:", "5: spec.budget: expected a mapping, got nothing"),
    ],
)  # fmt: skip
def test_wrong_fields_of_an_edge_node(tmp_path: Path, old: str, new: str, message: str) -> None:
    """File, line, field, what was expected and what is there."""
    assert f"{tmp_path / 'node.yaml'}:{message}" in said(write(tmp_path, node=NODE.replace(old, new)))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("stream: north", "stream: 5", "6: spec.stream: expected a string, got 5"),
        ("events: [car]", "events: car", "7: spec.events: expected a list, got 'car'"),
        ("events: [car]", "events: []", "7: spec.events: expected an entry or more, got a list"),
        ("events: [car]", "events: [car]\n  votes: many", "8: spec.votes: expected 'Auto' or an integer, got 'many'"),
        ("events: [car]", "events: [car]\n  suspend: perhaps", "8: spec.suspend: expected true or false, got 'perhaps'"),
        ("events: [car]", "events: [car]\n  minF1: 1.5", "8: spec.minF1: expected less than or equal to 1, got 1.5"),
        ("events: [car]", "events: [background]", "spec: 'background' is the label of everything that is no event"),
        ("dataset: {uri: data}", "dataset: data", "10: spec.training.dataset: expected a mapping, got 'data'"),
        ("inputSize: 224", "inputSize: big", "9: spec.training.baseDnn.inputSize: expected an integer, got 'big'"),
        ("MobileNet", "MobilNet", "9: spec.training.baseDnn.architecture: expected 'MobileNet', 'ResNet50' or 'InceptionV3'"),
        ("{matchNames: [box]}", "[box]", "5: spec.edgeNodes: expected a mapping, got a list"),
        ("{matchNames: [box]}", "{}", "5: spec.edgeNodes: give exactly one of matchNames and matchLabels"),
    ],
)  # fmt: skip
def test_wrong_fields_of_an_app(tmp_path: Path, old: str, new: str, message: str) -> None:
    """File, line, field, what was expected and what is there."""
    text = said(write(tmp_path, app=APP.replace(old, new)))
    assert message in text
    assert f"{tmp_path / 'app.yaml'}:" in text


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    """Problems of all files and documents come together."""
    write(tmp_path, a=NODE.replace("captureFps", "captureRate"), b=APP.replace("events:", "event:"), c="a: [1\nb: 2\n")
    message = said(tmp_path)
    assert message.startswith("5 problems in the manifests:")
    for part in (
        "a.yaml:8: spec.streams[0].captureRate",
        "b.yaml:7: spec.event: unknown",
        "c.yaml:2: not readable as YAML",
        "(begun in line 1)",
    ):
        assert part in message


def test_two_apps_of_one_name_name_both_places(tmp_path: Path) -> None:
    """The second place is where the message points, the first is in it."""
    write(tmp_path, a=NODE, b=APP, c=APP)
    assert said(tmp_path) == (
        f"{tmp_path / 'c.yaml'}:3: metadata.name: MainstreamApp default/car is defined twice, first at "
        f"{tmp_path / 'b.yaml'}:3\n  Give one of them another name, or remove it."
    )


def test_apps_of_one_name_in_two_namespaces_are_two_apps(tmp_path: Path) -> None:
    """The namespace is part of the name."""
    write(tmp_path, a=NODE, b=APP, c=APP.replace("{name: car}", "{name: car, namespace: yard}"))
    assert [app.key for app in read(tmp_path).apps] == ["default/car", "yard/car"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("stream: north", "stream: nort", "6: spec.stream: EdgeNode 'box' has no stream 'nort'; did you mean \"north\"?"),
        ("stream: north", "stream: gate-7", "6: spec.stream: EdgeNode 'box' has no stream 'gate-7'; known: north"),
        ("stream: north", "stream: north\n  view: gaet", "7: spec.view: stream 'north' has no view 'gaet'; did you mean "),
        ("[box]", "[box, barn]", "5: spec.edgeNodes.matchNames[1]: no EdgeNode 'barn'; known: box"),
        ("{matchNames: [box]}", "{matchLabels: {site: yard}}", "5: spec.edgeNodes.matchLabels: no EdgeNode has the labels"),
    ],
)  # fmt: skip
def test_references_that_lead_nowhere(tmp_path: Path, old: str, new: str, message: str) -> None:
    """An app must name a known edge node, stream and view; what is known is said."""
    write(tmp_path, node=NODE, app=APP.replace(old, new))
    assert f"{tmp_path / 'app.yaml'}:{message}" in said(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (APP.replace("MainstreamApp", "MainstreamAp"), "2: kind: unknown kind 'MainstreamAp'; did you mean \"MainstreamApp\"?"),
        (APP.replace("v1alpha1", "v1"), "1: apiVersion: unknown version 'mainstream.dev/v1'; expected"),
        (APP.replace("mainstream.dev/v1alpha1", "v1"), "1: apiVersion: unknown version 'v1'; expected"),
        (APP.replace("kind: MainstreamApp\n", ""), "1: kind: required field is missing; expected EdgeNode or MainstreamApp"),
        (APP.replace("apiVersion: mainstream.dev/v1alpha1\n", ""), "1: apiVersion: required field is missing"),
        ("- a\n- b\n", "1: is no manifest"),
        ("a: 1\na: 2\n", "2: a: is given twice, first in line 1"),
        ("a: &x [1]\nb: *x\n", "2: the alias *x: aliases are not taken"),
        ("a: !!python/object:os.system x\n", "1: the tag !!python/object:os.system is not taken"),
        ("a:\n\t- b\n", "2: not readable as YAML"),
        ("[" * 200, "1: nested deeper than 50 levels"),
        ("? [a, b]\n: 1\n", "1: a field's name must be a string"),
        (APP.replace("kind: MainstreamApp", "kind: [a]"), "2: kind: unknown kind ['a']; expected EdgeNode or MainstreamApp"),
        ("a: 1\nb: \x1b[31m\n", "2: holds the character U+001B"),
        ("", " holds no EdgeNode and no MainstreamApp"),
        ("apiVersion: v1\nkind: Secret\n", " holds no EdgeNode and no MainstreamApp"),
    ],
)  # fmt: skip
def test_files_that_are_no_manifests(tmp_path: Path, text: str, message: str) -> None:
    """What is wrong, with its line."""
    path = tmp_path / "m.yaml"
    path.write_text(text)
    assert f"{path}:{message}" in said(path)


def test_expanding_aliases_are_refused_at_once(tmp_path: Path) -> None:
    """A billion laughs are not laughed."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    assert "aliases are not taken" in said(write(tmp_path, a="\n".join(lines)))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0", "is no text (byte 0 is not UTF-8): that is no manifest"),
        (b"PK\x03\x04\0\0", "is no text (it holds NUL bytes): that is no manifest"),
    ],
)
def test_binary_files(tmp_path: Path, data: bytes, message: str) -> None:
    """A picture is no manifest."""
    path = tmp_path / "m.yaml"
    path.write_bytes(data)
    assert f"{path}: {message}" in said(path)


def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path: Path) -> None:
    """As editors on Windows write them."""
    path = tmp_path / "m.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + NODE.replace("\n", "\r\n").encode())
    assert read(path).edge_nodes[0].metadata.name == "box"


def test_paths_that_hold_nothing(tmp_path: Path) -> None:
    """No such path, an empty folder, a folder of folders."""
    assert "no such file or folder" in said(tmp_path / "nowhere")
    write(tmp_path).joinpath("inner").mkdir()
    assert "has no manifest (*.yaml, *.yml, *.json) in it" in said(tmp_path)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["box", "Auto", "1/2"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_stands_in_a_field_a_manifest_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    """Any field of valid manifests replaced by anything: no other error."""
    documents = [*yaml.safe_load_all(NODE), *yaml.safe_load_all(APP)]
    at: Any = data.draw(st.sampled_from(documents))
    while True:
        key = data.draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
        if not isinstance(at[key], dict | list) or data.draw(st.booleans()):
            break
        at = at[key]
    at[key] = data.draw(JSON)
    path = tmp_path / "m.yaml"
    path.write_text(yaml.safe_dump_all(documents, allow_unicode=True))
    with contextlib.suppress(InputError):
        load(path)
