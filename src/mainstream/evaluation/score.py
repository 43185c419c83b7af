"""Scores of a run's apps against a CSV of true events (formats, Events)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from mainstream.errors import InputError
from mainstream.evaluation.matching import Matching, match
from mainstream.evaluation.records import Run
from mainstream.events_csv import LabelledEvent
from mainstream.resources.app import MainstreamApp
from mainstream.resources.faults import meant


@dataclass(frozen=True, slots=True, kw_only=True)
class AppScore:
    """One app's score. ``ran`` is False for an app of the manifests that the run did not have: it found nothing.

    ``f1`` is None where there was nothing to find and nothing was emitted: it says nothing, and stays out of the mean.
    """

    app: str
    stream: str
    events: tuple[str, ...]
    expected_f1: float | None
    ran: bool
    matching: Matching

    @property
    def counts(self) -> bool:
        """Whether there is anything to score; an app that should have run and did not always is."""
        return bool(self.matching.true_events or self.matching.emitted or not self.ran)

    def plain(self) -> dict[str, Any]:
        """As plain values for JSON."""
        matching = self.matching
        return {
            "app": self.app,
            "namespace": self.app.partition("/")[0],
            "name": self.app.partition("/")[2],
            "stream": self.stream,
            "ran": self.ran,
            "f1": matching.f1 if self.counts else None,
            "f1_model": matching.f1_model if self.counts else None,
            "expected_f1": self.expected_f1,
            "precision": matching.precision,
            "recall": matching.recall,
            "true_events": len(matching.true_events),
            "found": len(matching.pairs),
            "merged": len(matching.merged),
            "emitted": len(matching.emitted),
            "fragments": len(matching.fragments),
            "false": len(matching.false),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The scores of all apps, by name, and what to know about them."""

    apps: tuple[AppScore, ...]
    warnings: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """``{"apps": [...], "mean": {...}, "warnings": [...]}``; the mean is over the apps that have an F1."""
        scored = [app.plain() for app in self.apps if app.counts]
        mean = {key: sum(app[key] for app in scored) / len(scored) if scored else None for key in _MEANS}
        expected = [app["expected_f1"] or 0.0 for app in scored]
        known = any(app["expected_f1"] is not None for app in scored)
        mean["expected_f1"] = sum(expected) / len(expected) if known else None
        return {
            "apps": [app.plain() for app in self.apps],
            "mean": {**mean, "apps": len(scored)},
            "warnings": list(self.warnings),
        }


_MEANS = ("f1", "f1_model", "precision", "recall")


def evaluate(
    run: Run,
    apps: Sequence[MainstreamApp],
    truth: Sequence[LabelledEvent],
    *,
    truth_path: object,
    videos: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
) -> Evaluation:
    """Score the apps of the run, and those of ``apps`` (the manifests') that it did not have.

    ``videos`` says by stream which video of the truth it showed; otherwise the file's name does (``files``: of streams that
    the run did not open). ``InputError`` if a stream's video is not in the truth, or an event lies past its end.
    """
    known = list(dict.fromkeys(event.video for event in truth))
    shown, warnings = _videos(run, truth, dict(videos or {}), truth_path)
    _check_ends(run, truth, shown, truth_path)
    warnings += _reading_warnings(run)
    scores = []
    for key, app in run.apps.items():
        true_events = _true(truth, shown[app.stream], app.events)
        scores.append(
            AppScore(
                app=key, stream=app.stream, events=app.events, expected_f1=app.expected_f1, ran=True,
                matching=match(true_events, app.emitted),
            )
        )  # fmt: skip
    for missing in apps:
        if missing.key in run.apps:
            continue
        spec = missing.spec
        warnings.append(f"app {missing.key} did not run (it was not admitted, or added later): counted as F1 = 0")
        video = (
            shown.get(spec.stream)
            or (videos or {}).get(spec.stream)
            or _video_of((files or {}).get(spec.stream), known)
        )
        true_events = _true(truth, video, spec.events) if video else []
        scores.append(
            AppScore(
                app=missing.key, stream=spec.stream, events=spec.events, expected_f1=None, ran=False,
                matching=match(true_events, ()),
            )
        )  # fmt: skip
    warnings += [
        f"app {score.app} has no true event ({', '.join(score.events)}) on stream {score.stream}"
        for score in scores
        if not score.matching.true_events
    ]
    return Evaluation(apps=tuple(sorted(scores, key=lambda score: score.app)), warnings=tuple(warnings))


def _true(truth: Sequence[LabelledEvent], video: str, labels: Sequence[str]) -> list[tuple[int, int]]:
    return [(event.start_frame, event.end_frame) for event in truth if event.video == video and event.label in labels]


def _videos(
    run: Run, truth: Sequence[LabelledEvent], given: dict[str, str], truth_path: object
) -> tuple[dict[str, str], list[str]]:
    """The truth's name for the video of each stream in use."""
    known = list(dict.fromkeys(event.video for event in truth))
    for stream in given:
        if stream not in run.streams:
            raise InputError(
                f"--stream: the run has no stream {stream!r}{meant(stream, list(run.streams))}", where=run.path
            )
    shown, warnings = {}, []
    for name in dict.fromkeys(app.stream for app in run.apps.values()):
        video = given.get(name) or _video_of(run.streams[name].file, known)
        if video is None and truth:
            file = run.streams[name].file
            raise InputError(
                f"video: no event of {PurePath(file).name!r}, which stream {name!r} showed; there is: {', '.join(known[:10])}",
                where=truth_path,
                remedy=f"Say which of them it is: --stream {name}=VIDEO",
            )
        if name in given and given[name] not in known:
            warnings.append(f"{truth_path}: has no event of {given[name]}, given for stream {name}")
        shown[name] = video or ""
    return shown, warnings


def _video_of(path: str | None, known: Sequence[str]) -> str | None:
    """The video that has the file's name, folders aside; by the whole path if two have."""
    file = PurePath(path or "")
    same = [video for video in known if PurePath(video.replace("\\", "/")).name == file.name]
    exact = [video for video in same if file.as_posix().endswith(video.replace("\\", "/"))]
    candidates = exact if len(same) > 1 else same
    return candidates[0] if len(candidates) == 1 else None


def _check_ends(run: Run, truth: Sequence[LabelledEvent], shown: Mapping[str, str], truth_path: object) -> None:
    for name, video in shown.items():
        stream = run.streams[name]
        if stream.loop or stream.frames is None:
            continue
        frames = max(stream.frames, stream.read or 0)
        for event in truth:
            if event.video == video and event.end_frame >= frames:
                raise InputError(
                    f"end_frame: {event.end_frame} is past the end of {video}, which has {frames} frames (0 to {frames - 1})",
                    where=f"{truth_path}:{event.line}",
                    remedy="Correct the event, or say which video the stream showed: --stream NAME=VIDEO",
                )


def _reading_warnings(run: Run) -> list[str]:
    return [
        *run.notes,
        *(
            f"stream {stream.name} was read to frame {stream.read} of {stream.frames}: true events after that count as missed"
            for stream in run.streams.values()
            if stream.read is not None and stream.frames is not None and stream.read < stream.frames and not stream.loop
        ),
    ]
