"""Measured event F1 of Mainstream, Max-Sharing and No-Sharing at five budgets, on the demo's scene.

    python benchmarks/event_f1.py [--seeds 11 12 13] [--directory build/event_f1] [--verify] [--figures docs/figures]

For each seed: streams and training videos of their own, composed and then trained, profiled and planned by the user's own
verbs. Every candidate's probabilities on every test frame are computed once, by the runner's engine on one merged graph;
each schedule is then *replayed*: the runner's own loop samples, votes and emits, and gets the recorded probabilities for an
engine (any level of a merged graph gives bit-identical outputs). ``--verify`` runs one schedule for real and compares.

Finished parts are kept in the directory; a second call only draws what is missing.
"""

import argparse
import csv
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from mainstream.cli.output import Output
from mainstream.evaluation.matching import Interval, match
from mainstream.events_csv import read_events_csv
from mainstream.packages.folder import StoreFolder
from mainstream.resources.manifests import load
from mainstream.schedule import Schedule, ScheduledApp, Stem
from mainstream.scheduling.assemble import Assembled
from mainstream.scheduling.planning import Plan, choose_edge_node, decide, prepare, with_utilization
from mainstream_demo import manifests
from mainstream_demo.compose import compose
from mainstream_demo.figures import NAMES, POLICIES, Policy
from mainstream_demo.settings import APPS, DEMO, Settings
from mainstream_demo.story import WEIGHTS
from mainstream_demo.video import write_text
from mainstream_runner.clock import SystemClock
from mainstream_runner.convert import SwscaleConvert
from mainstream_runner.executor import open_stems
from mainstream_runner.frames import Frame
from mainstream_runner.litert import LiteRT
from mainstream_runner.pipeline import Pipeline
from mainstream_runner.source import SourceInfo, StreamEnd, open_stream

TEST_FRAMES = 8100
"""Of each stream: nine minutes at 15 fps, in which each object passes more than 60 times."""
BLOCK_SECONDS = 30
DRAWS = 4000
MAINSTREAM = (sys.executable, "-c", "from mainstream.cli.main import main; main()")


def settings(seed: int) -> Settings:
    """The demo's, with longer test streams."""
    return replace(DEMO, seed=seed, test_frames=TEST_FRAMES)


# --- one seed: compose, train, record ---------------------------------------------------------------------------------


def prepare_seed(root: Path, seed: int, profiled: Path | None) -> None:
    """Compose, import, train, profile; each is passed over when it is there.

    ``profiled`` is the folder of a seed that was profiled before: one machine has one profile, so that budgets mean the same.
    """
    chosen = settings(seed)
    if not (root / "data/test/events.csv").exists():
        compose(chosen, root / "data", Output())
    write_text(root / "manifests/edge-node.yaml", manifests.edge_node(chosen))
    for stream in chosen.streams:
        write_text(root / f"manifests/{stream}.yaml", manifests.applications(chosen, stream))
    name = manifests.base_dnn(chosen)
    network = ("--architecture", "MobileNet", "--alpha", "1.0", "--input-size", str(chosen.input_size))
    verb(root, "import", "base", "import", *network, "--weights", str(WEIGHTS), "--name", name, "--store", "store")
    verb(root, "train", "train", "-f", "manifests", "--store", "store")
    if profiled is None:
        verb(root, "profile", "profile", "-f", "manifests", "--store", "store")
    else:
        shutil.copytree(profiled / "store/profiles", root / "store/profiles", dirs_exist_ok=True)


def verb(root: Path, stamp: str, *arguments: str) -> None:
    """Run a verb in the seed's folder, once."""
    done = root / f".{stamp}-done"
    if not done.exists():
        started = time.monotonic()
        subprocess.run([*MAINSTREAM, *arguments], cwd=root, check=True, stdout=subprocess.DEVNULL)
        done.write_text(f"{time.monotonic() - started:.1f}\n")


def everything(plan: Plan, assembled: Assembled, stream: str) -> Schedule:
    """A schedule that runs every candidate of the stream's apps on every frame, on one stem."""
    members = [member for member in assembled.members if member.stream.name == stream]
    base = members[0].base_dnn
    like = next(stem for stem in plan.schedule.stems if stem.stream == stream)
    template = next(app for app in plan.schedule.apps if app.stem.startswith(f"{stream}/"))
    whole = next(stem for stem in [like])
    segments = tuple(
        like.segments[0].model_copy(update={"end": segment.end, "digest": segment.digest})
        for segment in base.config.segments
    )
    stem = whole.model_copy(update={"name": f"{stream}/all", "segments": segments})
    apps = [
        template.model_copy(
            update={
                "app": f"{member.app.key}.{candidate.branchpoint}",
                "stem": stem.name,
                "branchpoint": candidate.branchpoint,
                "depth": base.config.depth(candidate.branchpoint),
                "branch_digest": candidate.branch_digest,
                "fps": member.stream.capture_fps,
                "classes": member.package.config.classes,
                "events": member.app.spec.events,
            }
        )
        for member in members
        for candidate in member.package.config.candidates
    ]
    streams = tuple(item for item in plan.schedule.streams if item.name == stream)
    return plan.schedule.model_copy(update={"streams": streams, "stems": (stem,), "apps": tuple(apps)})


class Recorder:
    """An engine that keeps what another one computed, frame by frame."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.outputs: list[Sequence[np.ndarray]] = []

    def run(self, pixels: np.ndarray, due: int) -> Sequence[np.ndarray]:
        outputs = self.inner.run(pixels, due)
        self.outputs.append([output.copy() for output in outputs])
        return outputs


class Nowhere:
    """A sink that keeps only the records of ended events."""

    def __init__(self) -> None:
        self.events: list[Mapping[str, Any]] = []

    def write(self, record: Mapping[str, Any]) -> None:
        if record["type"] == "dev.mainstream.event.ended":
            self.events.append(record["data"])


def record(root: Path, plan: Plan, assembled: Assembled, stream: str) -> dict[str, np.ndarray]:
    """Probabilities of every candidate on every frame, ``(frames, classes)`` each; kept in the folder."""
    kept = root / f"scores-{stream}.npz"
    if not kept.exists():
        schedule = everything(plan, assembled, stream)
        layout = StoreFolder(root / "store").layout
        with (
            open_stream(schedule.streams[0], until_end=True) as source,
            open_stems(schedule, read=layout.read_blob, engine=LiteRT()) as stems,
        ):
            recorders = {name: Recorder(stem) for name, stem in stems.items()}
            Pipeline(
                schedule,
                sources={stream: source},
                engines=recorders,
                convert=SwscaleConvert,
                sink=Nowhere(),
                clock=SystemClock(),
                stop=threading.Event(),
            ).run()
        outputs = next(iter(recorders.values())).outputs
        order = sorted(schedule.apps, key=lambda app: app.app)
        assert len(outputs) == TEST_FRAMES, f"{len(outputs)} of {TEST_FRAMES} frames were analysed"
        scores = {app.app: np.stack([frame[place] for frame in outputs]) for place, app in enumerate(order)}
        np.savez(kept, **{name.replace("/", "|"): array for name, array in scores.items()})
    with np.load(kept) as data:
        return {name.replace("|", "/"): data[name] for name in data.files}


# --- replay -----------------------------------------------------------------------------------------------------------


class RecordedFrames:
    """A stream whose pictures are their own numbers."""

    def __init__(self, name: str, frames: int, fps: Fraction) -> None:
        self.info = SourceInfo(file=f"{name}.mp4", width=0, height=0, fps=fps, frames=frames, loop=False)
        self.end: StreamEnd | None = None
        self.corrupt_packets = 0
        self._fps = fps

    def frames(self) -> Iterator[Frame]:
        for index in range(self.info.frames or 0):
            yield Frame(index=index, seconds=index / self._fps, picture=index)  # type: ignore[arg-type]
        self.end = StreamEnd(reason="EndOfFile")

    def close(self) -> None:
        """Nothing is open."""


class RecordedScores:
    """An engine that looks probabilities up; its "pixels" are a frame's number."""

    def __init__(self, apps: Sequence[ScheduledApp], scores: Mapping[str, np.ndarray]) -> None:
        self._arrays = [scores[f"{app.app}.{app.branchpoint}"] for app in apps]

    def run(self, pixels: Any, due: int) -> Sequence[np.ndarray]:
        return [array[pixels] for array in self._arrays[:due]]


def replay(schedule: Schedule, scores: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, list[Interval]]:
    """The events that the runner emits with the recorded probabilities: frames, by app."""
    sink = Nowhere()
    Pipeline(
        schedule,
        sources={item.name: RecordedFrames(item.name, TEST_FRAMES, item.capture_fps) for item in schedule.streams},
        engines={
            stem.name: RecordedScores(_fastest_first(schedule, stem), scores[stem.stream]) for stem in schedule.stems
        },
        convert=lambda: lambda picture, _wanted: picture,
        sink=sink,
        clock=SystemClock(),
        stop=threading.Event(),
    ).run()
    events: dict[str, list[Interval]] = {app.app: [] for app in schedule.apps}
    for event in sink.events:
        events[event["app"]].append((event["startFrame"], event["endFrame"]))
    return events


def _fastest_first(schedule: Schedule, stem: Stem) -> list[ScheduledApp]:
    apps = [app for app in schedule.apps if app.stem == stem.name]
    return sorted(apps, key=lambda app: (-app.fps, app.app))


def verify(root: Path, plan: Plan, utilization: float, policy: Policy, events: Mapping[str, list[Interval]]) -> bool:
    """Whether the real ``mainstream run`` emits exactly the replayed events."""
    file = root / f"verify-{policy}-{utilization:g}.jsonl"
    arguments = ("run", "-f", "manifests", "--store", "store", "--fast", "--until-end", "--sharing", policy)
    budget = ("--utilization", f"{utilization:g}", "--events", file.name)
    subprocess.run([*MAINSTREAM, *arguments, *budget], cwd=root, check=True, stdout=subprocess.DEVNULL)
    real: dict[str, list[Interval]] = {app.app: [] for app in plan.schedule.apps}
    for line in file.read_text().splitlines():
        item = json.loads(line)
        if item["type"] == "dev.mainstream.event.ended":
            real[item["data"]["app"]].append((item["data"]["startFrame"], item["data"]["endFrame"]))
    return all(sorted(real[app]) == sorted(events[app]) for app in real) and real.keys() == events.keys()


# --- measure ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One app under one policy at one budget. ``blocks``: (blocks, 4): found, missed, false, false once per gap."""

    seed: int
    stream: str
    app: str
    policy: Policy
    utilization: float
    branchpoint: str
    fps: float
    votes: int
    threshold: int
    true_events: int
    predicted: float
    f1: float
    f1_model: float
    recall: float
    precision: float
    blocks: np.ndarray


def measure(
    seed: int, utilization: float, policy: Policy, plan: Plan, events: Mapping[str, list[Interval]], truth: Any
) -> list[Measured]:
    """Every app of the edge node; one that was not admitted has found nothing."""
    decided = {app.app: app for app in plan.schedule.apps}
    rows = []
    for member in plan.assembled.members:
        key, stream, labels = member.app.key, member.stream.name, member.app.spec.events
        true = [(e.start_frame, e.end_frame) for e in truth if e.video == f"{stream}.mp4" and e.label in labels]
        matching = match(true, events.get(key, []))
        app = decided.get(key)
        rows.append(
            Measured(
                seed=seed,
                stream=stream,
                app=member.app.metadata.name,
                policy=policy,
                utilization=utilization,
                branchpoint=app.branchpoint if app else "",
                fps=float(app.fps) if app else 0.0,
                votes=app.votes if app else 0,
                threshold=app.threshold if app else 0,
                true_events=len(matching.true_events),
                predicted=app.expected_f1 if app else 0.0,
                f1=matching.f1,
                f1_model=matching.f1_model,
                recall=matching.recall,
                precision=matching.precision,
                blocks=blocks(matching, float(member.stream.capture_fps)),
            )
        )
    return rows


def blocks(matching: Any, fps: float) -> np.ndarray:
    """Found, missed, false, and gaps with a false event, by the block of time in which each begins."""
    frames = BLOCK_SECONDS * fps
    counts = np.zeros((int(np.ceil(TEST_FRAMES / frames)), 4))
    found = {true for _, true in matching.pairs}
    starts = [event[0] for event in matching.true_events]
    for place, start in enumerate(starts):
        counts[int(start / frames), 0 if place in found else 1] += 1
    gaps = set()
    for place in matching.false:
        start = matching.emitted[place][0]
        counts[int(start / frames), 2] += 1
        gap = int(np.searchsorted(starts, start))
        counts[int(start / frames), 3] += gap not in gaps
        gaps.add(gap)
    return counts


def f1_of(counts: np.ndarray, false: int = 2) -> np.ndarray:
    """F1 from summed counts ``(..., 4)``; 0 where nothing was found."""
    found, missed = counts[..., 0], counts[..., 1]
    total = 2 * found + missed + counts[..., false]
    return np.divide(2 * found, total, out=np.zeros_like(total), where=total > 0)


def interval(ours: Sequence[Measured], theirs: Sequence[Measured], random: np.random.Generator) -> tuple[float, float]:
    """95 % interval of the difference of mean F1. Seeds are drawn with replacement, in each stream blocks of time;
    both policies and all apps of a stream get the same draw."""
    by_place: dict[tuple[int, str], list[tuple[np.ndarray, np.ndarray]]] = {}
    for one, other in zip(ours, theirs, strict=True):
        assert (one.seed, one.stream, one.app) == (other.seed, other.stream, other.app)
        by_place.setdefault((one.seed, one.stream), []).append((one.blocks, other.blocks))
    seeds = sorted({seed for seed, _ in by_place})
    by_seed = np.zeros((len(seeds), DRAWS))
    for number, seed in enumerate(seeds):
        differences = []
        for (at, _), pairs in by_place.items():
            if at == seed:
                count = len(pairs[0][0])
                drawn = random.integers(count, size=(DRAWS, count))
                differences += [f1_of(a[drawn].sum(axis=1)) - f1_of(b[drawn].sum(axis=1)) for a, b in pairs]
        by_seed[number] = np.mean(differences, axis=0)
    chosen = random.integers(len(seeds), size=(DRAWS, len(seeds)))
    means = np.take_along_axis(by_seed.T, chosen, axis=1).mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def run_seed(root: Path, seed: int, check: bool, profiled: Path | None) -> list[Measured]:
    """All budgets and policies of one seed."""
    prepare_seed(root, seed, profiled)
    read = load(root / "manifests")
    assembled = prepare(read, StoreFolder(root / "store"), choose_edge_node(read))
    truth = read_events_csv(root / "data/test/events.csv")
    rows: list[Measured] = []
    scores: dict[str, dict[str, np.ndarray]] = {}
    for utilization in DEMO.utilizations:
        for policy in POLICIES:
            plan = decide(with_utilization(assembled, utilization), read, sharing=policy)
            for stream in DEMO.streams:
                if stream not in scores:
                    full = decide(with_utilization(assembled, 100), read, sharing="Mainstream")
                    scores[stream] = record(root, full, assembled, stream)
            events = replay(plan.schedule, scores)
            if check and utilization == DEMO.utilizations[len(DEMO.utilizations) // 2]:
                same = verify(root, plan, utilization, policy, events)
                print(f"replay equals `mainstream run` ({NAMES[policy]}, {utilization:g} %): {'yes' if same else 'NO'}")
                assert same
            rows += measure(seed, utilization, policy, plan, events, truth)
            mean = np.mean([row.f1 for row in rows[-len(assembled.members) :]])
            print(f"seed {seed}, {utilization:3g} %, {NAMES[policy]:12}: F1 {mean:.3f}", flush=True)
    return rows


# --- show -------------------------------------------------------------------------------------------------------------


def summarise(rows: Sequence[Measured]) -> list[dict[str, Any]]:
    """A row for each budget and policy, with the interval of Mainstream's lead over that policy."""
    random = np.random.default_rng(0)
    lines = []
    for utilization in sorted({row.utilization for row in rows}):
        chosen = {p: [r for r in rows if r.utilization == utilization and r.policy == p] for p in POLICIES}
        for policy in POLICIES:
            low, high = (0.0, 0.0)
            if policy != "Mainstream":
                low, high = interval(chosen["Mainstream"], chosen[policy], random)
            mean = {
                key: float(np.mean([getattr(r, key) for r in chosen[policy]]))
                for key in ("predicted", "f1", "f1_model")
            }
            ours = {key: float(np.mean([getattr(r, key) for r in chosen["Mainstream"]])) for key in ("predicted", "f1")}
            error = float(np.mean([abs(r.predicted - r.f1_model) for r in chosen[policy]]))
            lines.append(
                {
                    "utilization": utilization,
                    "policy": policy,
                    **mean,
                    "prediction_error": error,
                    "lead_predicted": ours["predicted"] - mean["predicted"],
                    "lead": ours["f1"] - mean["f1"],
                    "lead_low": low,
                    "lead_high": high,
                }
            )
    return lines


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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13])
    parser.add_argument("--directory", type=Path, default=Path("build/event_f1"))
    parser.add_argument("--verify", action="store_true", help="run the middle budget for real and compare events")
    parser.add_argument("--figures", type=Path, help="write event_f1.png and CSV files there")
    parser.add_argument("--profiled", type=Path, help="a folder with store/profiles of this machine; none is taken then")
    options = parser.parse_args()
    rows: list[Measured] = []
    profiled: Path | None = options.profiled
    for seed in options.seeds:
        root = options.directory.resolve() / f"seed-{seed}"
        root.mkdir(parents=True, exist_ok=True)
        rows += run_seed(root, seed, options.verify and seed == options.seeds[0], profiled)
        profiled = profiled or root
    lines = summarise(rows)
    good = show(lines, rows)
    if options.figures:
        options.figures.mkdir(parents=True, exist_ok=True)
        write_csv(options.figures / "event_f1.csv", lines)
        fields = [name for name in Measured.__slots__ if name != "blocks"]
        write_csv(options.figures / "event_f1_apps.csv", [{f: getattr(row, f) for f in fields} for row in rows])
        draw(options.figures / "event_f1.png", lines, len(options.seeds))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
