"""Lists, parsed one by one."""

import json

import pytest

from mainstream_operator import kinds
from mainstream_operator.listing import Listing

ITEMS = [
    {"metadata": {"name": name, "annotations": {"note": '"items":[ {'}}, "items": [1, 2]} for name in ("a", "b", "c")
]


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize("sort", [True, False])
def test_a_list_is_gone_through(sort: bool, separators: tuple[str, str]) -> None:
    """In the order of typed lists (items last) and of custom resources (by name); what looks like a list inside is none."""
    plain = {"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "17"}, "items": ITEMS}
    listing = Listing(json.dumps(plain, sort_keys=sort, separators=separators), kinds.POD)
    assert list(listing) == [{**item, "kind": "Pod", "apiVersion": "v1"} for item in ITEMS]
    assert listing.version == "17"


@pytest.mark.parametrize("items", [{"items": []}, {"items": None}, {}])
def test_an_empty_list(items: dict[str, object]) -> None:
    """However it is written."""
    listing = Listing(json.dumps({"kind": "PodList", "metadata": {"resourceVersion": "3"}, **items}), kinds.POD)
    assert (list(listing), listing.version) == ([], "3")


@pytest.mark.parametrize("text", ["", "<html>", '{"items":[{"a":1},', '{"items":[{"a":1}]'])
def test_what_is_no_list(text: str) -> None:
    """A proxy's page, an answer that was cut."""
    with pytest.raises((ValueError, KeyError)):
        list(Listing(text, kinds.POD))
