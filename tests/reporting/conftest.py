"""Boards, clocks and API servers that a test moves by hand: what is reported, and when."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mainstream.errors import OperationError

from ..observability.conftest import HandmadeBoard, board, scheduled  # noqa: TID252 - the same board for whoever shows it

__all__ = ["HandmadeBoard", "board", "scheduled"]


@dataclass
class HandmadeClock:
    """Stands still until a test moves it."""

    at: float = 1000.0

    def seconds(self) -> float:
        return self.at

    def utc(self) -> datetime:
        return datetime(2026, 5, 4, 10, 0, tzinfo=UTC) + timedelta(seconds=self.at)


@dataclass
class HandmadeServer:
    """Keeps the patches that it took; refuses while ``fault`` says why."""

    patches: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    fault: str | None = None
    skew: timedelta = timedelta()
    skew_found: timedelta = timedelta()

    def patch(
        self, path: str, body: Mapping[str, Any], *, content_type: str, query: Mapping[str, str] | None = None
    ) -> None:
        del content_type, query
        if self.fault is not None:
            raise OperationError(self.fault)
        self.skew = self.skew_found
        self.patches.append((path, dict(body)))

    def close(self) -> None:
        """Nothing to do."""

    @property
    def reports(self) -> list[dict[str, Any]]:
        """The reports among the patches."""
        return [body["status"]["runner"] for _, body in self.patches if "status" in body]


@pytest.fixture
def clock() -> HandmadeClock:
    return HandmadeClock()


@pytest.fixture
def server() -> HandmadeServer:
    return HandmadeServer()
