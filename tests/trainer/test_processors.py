"""How many threads training uses: the container's CPU limit, under both versions of control groups."""

import os
from pathlib import Path

import pytest

from mainstream_trainer.keras_runtime import processors

ALL = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu.max": "100000 100000\n"}, 1),
        ({"cpu.max": "150000 100000\n"}, min(2, ALL)),
        ({"cpu.max": "max 100000\n"}, ALL),
        ({"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "20000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, ALL),
        ({"cpu/cpu.cfs_quota_us": "900000000\n", "cpu/cpu.cfs_period_us": "100000\n"}, ALL),
        ({"cpu.max": "nonsense"}, ALL),
        ({}, ALL),
    ],
)
def test_the_limit_counts_and_not_the_hosts_processors(tmp_path: Path, files: dict[str, str], expected: int) -> None:
    """A quota is rounded up; without one, or where nothing can be read, it is what the process may use."""
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    assert processors(tmp_path) == expected
