"""Tables and figures of ``event_f1.py``."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from leads import Measured

from mainstream_demo.figures import NAMES, POLICIES
from mainstream_demo.settings import APPS, DEMO


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()} for row in rows)


def draw(path: Path, lines: Sequence[Mapping[str, Any]], seeds: int) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    colours = {"Mainstream": "#1f6fb2", "MaxSharing": "#d9822b", "NoSharing": "#8a8f98"}
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.2), constrained_layout=True)
    for policy in POLICIES:
        points = [line for line in lines if line["policy"] == policy]
        x = [line["utilization"] for line in points]
        left.plot(x, [line["f1"] for line in points], "o-", color=colours[policy], label=f"{NAMES[policy]}, measured")
        left.plot(x, [line["predicted"] for line in points], ":", color=colours[policy], label="predicted")
        if policy != "Mainstream":
            lead = np.array([line["lead"] for line in points])
            ends = np.array([[line["lead_low"], line["lead_high"]] for line in points]).T
            right.errorbar(
                x, lead, np.abs(ends - lead), fmt="o-", capsize=4, color=colours[policy], label=f"over {NAMES[policy]}"
            )
            right.plot(x, [line["lead_predicted"] for line in points], ":", color=colours[policy])
    left.set(ylim=(0, 1), ylabel="mean event F1", title=f"{len(APPS) * len(DEMO.streams)} applications, {seeds} seeds")
    right.set(ylabel="Mainstream's lead in F1", title="95 % intervals, paired; dotted: predicted")
    right.axhline(0, color="black", linewidth=0.8)
    for axes in (left, right):
        axes.set(xscale="log", xlabel="budget: per cent of one engine's time")
        axes.set_xticks(DEMO.utilizations, [f"{number:g}" for number in DEMO.utilizations])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    figure.savefig(path, dpi=130)


def show(lines: Sequence[Mapping[str, Any]], rows: Sequence[Measured]) -> bool:
    """Print the tables; whether what the benchmark must show holds."""
    print(
        f"\n{'budget':>7} {'policy':12} {'F1':>6} {'model':>6} {'pred.':>6} {'|err|':>6}   lead of Mainstream (predicted)"
    )
    good = True
    for line in lines:
        lead = ""
        if line["policy"] != "Mainstream":
            lead = f"{line['lead']:+.3f} [{line['lead_low']:+.3f}, {line['lead_high']:+.3f}] ({line['lead_predicted']:+.3f})"
            good &= line["lead_high"] >= 0
        print(
            f"{line['utilization']:6g}% {NAMES[line['policy']]:12} {line['f1']:6.3f} {line['f1_model']:6.3f} "
            f"{line['predicted']:6.3f} {line['prediction_error']:6.3f}   {lead}"
        )
    for utilization in DEMO.utilizations:
        others = [line for line in lines if line["utilization"] == utilization and line["policy"] != "Mainstream"]
        better = max(others, key=lambda line: line["predicted"])
        if better["lead_predicted"] >= 0.08:
            good &= better["lead_low"] > 0
    fewest = min(row.true_events for row in rows)
    print(f"\npredicted / measured (f1_model), mean over seeds and streams; at least {fewest} true events per app")
    print(f"{'app':14}" + "".join(f"{f'{u:g}% {p[:4]}':>13}" for u in DEMO.utilizations for p in POLICIES))
    for app in APPS:
        cells = []
        for utilization in DEMO.utilizations:
            for policy in POLICIES:
                chosen = [r for r in rows if (r.app, r.utilization, r.policy) == (app, utilization, policy)]
                cells.append(
                    f"{np.mean([r.predicted for r in chosen]):.2f}/{np.mean([r.f1_model for r in chosen]):.2f}"
                )
        print(f"{app:14}" + "".join(f"{cell:>13}" for cell in cells))
    error = np.mean([abs(r.predicted - r.f1_model) for r in rows])
    bias = np.mean([r.predicted - r.f1_model for r in rows])
    print(f"\nmean |predicted - measured| per app: {error:.3f}; mean difference {bias:+.3f}")
    print(f"what it must show {'holds' if good else 'DOES NOT HOLD'}")
    return bool(good)
