"""``benchmarks/markov.py``, small: the F1 model against chains that are drawn frame by frame."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "markov.py"


def simulated(*options: str) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, str(PROGRAM), "--output", "json", *options]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    return ran.returncode, json.loads(ran.stdout)


def test_the_f1_model_agrees_with_simulated_chains() -> None:
    """40 configurations of 3,000 windows: as sampled with the real slots, Eq. 1 with even spacing; legacy is far off."""
    status, answer = simulated("--configurations", "40", "--windows", "3000", "--goal", "0.01")
    errors = {(row["model"], row["simulation"]): row["meanError"] for row in answer["rows"]}
    assert status == 0
    assert errors["corrected, as sampled", "real slots"] <= 0.01
    assert errors["corrected, ideal (Eq. 1)", "even"] <= 0.01
    assert errors["legacy", "real slots"] >= 0.05


def test_an_error_above_the_goal_is_said() -> None:
    """Exit status 1; the same seed gives the same errors."""
    runs = [simulated("--configurations", "6", "--windows", "500", "--goal", "0", "--seed", "3") for _ in range(2)]
    assert [status for status, _ in runs] == [1, 1]
    assert runs[0] == runs[1]
    assert not all(row["good"] for row in runs[0][1]["rows"] if row["goal"] is not None)
