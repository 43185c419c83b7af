"""When two statuses mean the same: then nothing is written."""

from mainstream_operator.apply import meaning

READY = {"type": "Ready", "status": "True", "reason": "Ready"}
TRAINED = {"type": "Trained", "status": "True", "reason": "Ready"}


def test_neither_the_order_of_names_nor_that_of_entries_means_anything() -> None:
    """The API server orders names by the alphabet, and lists with keys as they were applied."""
    stored = {"conditions": [dict(sorted(TRAINED.items())), dict(sorted(READY.items()))]}
    assert meaning({"conditions": [READY, TRAINED]}) == meaning(stored)


def test_what_is_empty_is_as_good_as_absent() -> None:
    """The API server leaves empty lists out."""
    assert meaning({"conditions": [READY], "apps": []}) == meaning({"conditions": [READY]})


def test_another_reason_means_something_else() -> None:
    """So it is written."""
    assert meaning({"conditions": [READY]}) != meaning({"conditions": [READY | {"reason": "NoApps"}]})
