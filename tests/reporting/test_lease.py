"""The Lease: renewed four times as often as it must be, while the loop comes round, by the server's clock."""

from datetime import timedelta

import pytest

from mainstream_runner.report.lease import LeaseKeeper

from .conftest import HandmadeBoard, HandmadeClock, HandmadeServer


@pytest.fixture
def keeper(board: HandmadeBoard, server: HandmadeServer, clock: HandmadeClock) -> LeaseKeeper:
    return LeaseKeeper(
        board,
        server,
        edge_node="gate.3",
        namespace="mainstream",
        holder="pod-1",
        lease_seconds=40,
        clock=clock,
        random=lambda: 0.5,
        warn=lambda _message, **_fields: None,
    )


def test_it_renews_in_good_time(keeper: LeaseKeeper, server: HandmadeServer) -> None:
    """A quarter of its time, a little less: so four renewals may fail."""
    assert 8.0 <= keeper.renew() <= 10.0
    path, body = server.patches[0]
    assert path.startswith("/apis/coordination.k8s.io/v1/namespaces/mainstream/leases/mainstream-runner-gate-3-")
    assert body["spec"]["holderIdentity"] == "pod-1"
    assert body["spec"]["acquireTime"] == body["spec"]["renewTime"] == "2026-05-04T10:16:40.000000Z"
    keeper.renew()
    assert "acquireTime" not in server.patches[1][1]["spec"]


def test_a_loop_that_hangs_loses_it(keeper: LeaseKeeper, server: HandmadeServer, board: HandmadeBoard) -> None:
    """A process that lives and does nothing is no runner."""
    board.age = 60.0
    keeper.renew()
    assert not server.patches
    board.age = 0.1
    keeper.renew()
    assert len(server.patches) == 1


def test_failures_are_tried_again_sooner(keeper: LeaseKeeper, server: HandmadeServer) -> None:
    """With growing pauses, never longer than the ordinary one."""
    server.fault = "away"
    pauses = [keeper.renew() for _ in range(12)]
    assert pauses[0] < pauses[2] < pauses[4]
    assert max(pauses) <= 10.0


def test_a_box_whose_clock_is_wrong_writes_the_servers_time(keeper: LeaseKeeper, server: HandmadeServer) -> None:
    """A box without a clock that outlives a power cut must not look dead: it corrects itself at once."""
    server.skew_found = timedelta(days=400)
    assert keeper.renew() == 0.0
    keeper.renew()
    assert server.patches[1][1]["spec"]["renewTime"] == "2027-06-08T10:16:40.000000Z"
