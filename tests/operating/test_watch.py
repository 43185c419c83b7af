"""Growing pauses with jitter, for a server that is away."""

from mainstream_operator.shell import BACKOFFS
from mainstream_operator.watch import LONGEST_SECONDS, pause_seconds


def test_pauses_grow_and_differ() -> None:
    """From half to the whole of what doubles, up to the longest."""
    assert [pause_seconds(failures, 1.0) for failures in range(4)] == [0.5, 1.0, 2.0, 4.0]
    assert pause_seconds(3, 0.0) == 2.0
    assert pause_seconds(1000, 1.0) == LONGEST_SECONDS


def test_kopf_is_patient_for_longer_than_an_api_server_is_away() -> None:
    """Two minutes of outage are no restart."""
    assert sum(BACKOFFS) * 0.7 > 300
