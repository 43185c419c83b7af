"""What the chart is checked with beside the cluster's own programs, from ``tools/chart-tools.sh``."""

import subprocess
from functools import cache
from pathlib import Path

from .releases import CHART


def chart_tool(name: str) -> Path:
    """``helm`` (Helm 3) or ``helm-unittest``; built if they are not there yet."""
    return _folder() / name


def monitoring_crds() -> list[Path]:
    """The Prometheus operator's CRDs for ServiceMonitors and PodMonitors."""
    return sorted(_folder().glob("monitoring.coreos.com_*.yaml"))


@cache
def _folder() -> Path:
    script = CHART.parents[1] / "tools" / "chart-tools.sh"
    done = subprocess.run(["sh", str(script)], capture_output=True, text=True, check=False, timeout=850)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())
