"""What a run says: CloudEvents 1.0 in JSON (formats, Events).

Every record is a CloudEvent: ``dev.mainstream.run.started`` first (apps, labels, streams, files, rates, frames), then
``dev.mainstream.event.started`` and ``.ended``, last ``dev.mainstream.run.ended`` with the summary. Rules:

* ``data.event`` is an event's id, one from start to end. CloudEvents asks that ``source`` and ``id`` together name one
  record, and consumers drop a second one as a repetition; so ``id`` is the event's id with ``-started`` or ``-ended``;
* ``data.frame`` and ``data.streamSeconds`` are where the record was decided; ``time`` is when that frame came, for a file the
  run's start plus the frame's own time;
  the event's interval, both ends included, is ``startFrame`` to ``endFrame`` and ``startSeconds`` to ``endSeconds``;
* numbers that are not integers are decimal strings; seconds have six decimals at most.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from mainstream.documents import fraction_text, number_text
from mainstream.schedule import Schedule, ScheduledApp
from mainstream_runner.sources.source import SourceInfo
from mainstream_runner.voting import Detection

RUN_STARTED = "dev.mainstream.run.started"
RUN_ENDED = "dev.mainstream.run.ended"
EVENT_STARTED = "dev.mainstream.event.started"
EVENT_ENDED = "dev.mainstream.event.ended"

Record = dict[str, Any]


def seconds_text(seconds: Fraction | float) -> str:
    """Seconds to the microsecond as a decimal string without needless zeros."""
    text = format(Decimal(round(seconds * 1_000_000)) / 1_000_000, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def time_text(time: datetime) -> str:
    """RFC 3339 with microseconds, UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """Makes the records of one run. ``started`` is UTC; it is part of every id, so two runs never share one."""

    edge_node: str
    started: datetime

    @property
    def run(self) -> str:
        """The run's id."""
        return self.started.strftime("%Y%m%dT%H%M%S%fZ")

    def header(self, schedule: Schedule, sources: Mapping[str, SourceInfo], *, real_time: bool) -> Record:
        """The record that comes first; an app that emits nothing is known from it."""
        stems = {stem.name: stem for stem in schedule.stems}
        data = {
            "run": self.run,
            "schedule": schedule.digest,
            "edgeNode": self.edge_node,
            "realTime": real_time,
            "streams": [
                {"name": stream.name, "captureFps": fraction_text(stream.capture_fps), **_info(sources[stream.name])}
                for stream in schedule.streams
                if stream.name in sources
            ],
            "apps": [
                {
                    "app": app.app,
                    "namespace": app.app.partition("/")[0],
                    "name": app.app.partition("/")[2],
                    "stream": stems[app.stem].stream,
                    "view": stems[app.stem].view,
                    "events": list(app.events),
                    "branchpoint": app.branchpoint,
                    "precision": app.precision,
                    "fps": fraction_text(app.fps),
                    "votes": app.votes,
                    "threshold": app.threshold,
                    "expectedF1": number_text(app.expected_f1),
                }
                for app in schedule.apps
            ],
        }
        return self._record(RUN_STARTED, f"{self.run}-started", self.started, data)

    def footer(self, summary: Mapping[str, Any], *, digest: str, wall_seconds: float) -> Record:
        """The record that comes last; ``digest`` is the schedule's that ran last."""
        data = {"run": self.run, "schedule": digest, **summary}
        return self._record(RUN_ENDED, f"{self.run}-ended", self.started + timedelta(seconds=wall_seconds), data)

    def event(
        self,
        app: ScheduledApp,
        stream: str,
        detection: Detection,
        *,
        digest: str,
        time: datetime,
        picture: Record | None = None,
    ) -> Record:
        """An event's start, or its end where the detection has a reason. ``digest`` is the schedule's."""
        event = f"{app.app.replace('/', '.')}-{self.run}-{detection.number}"
        namespace, _, name = app.app.partition("/")
        data: Record = {
            "event": event,
            "app": app.app,
            "namespace": namespace,
            "name": name,
            "stream": stream,
            "label": detection.label,
            "score": number_text(round(detection.score, 6)),
            "votes": app.votes,
            "positives": detection.positives,
            "frame": detection.frame,
            "streamSeconds": seconds_text(detection.seconds),
            "startFrame": detection.start_frame,
            "startSeconds": seconds_text(detection.start_seconds),
            "schedule": digest,
        }
        if picture is not None:
            data["snapshot"] = picture
        kind, suffix = EVENT_STARTED, "started"
        if detection.reason is not None:
            kind, suffix = EVENT_ENDED, "ended"
            data |= {
                "endFrame": detection.end_frame,
                "endSeconds": seconds_text(detection.end_seconds),
                "reason": detection.reason,
            }
        record = self._record(kind, f"{event}-{suffix}", time, data)
        return {**record, "source": f"{record['source']}/streams/{stream}", "subject": app.app}

    def _record(self, kind: str, record_id: str, time: datetime, data: Mapping[str, Any]) -> Record:
        return {
            "specversion": "1.0",
            "id": record_id,
            "type": kind,
            "source": f"/edgenodes/{self.edge_node}",
            "time": time_text(time),
            "datacontenttype": "application/json",
            "data": data,
        }


def _info(info: SourceInfo) -> Record:
    known: Record = {"file": info.file, "width": info.width, "height": info.height, "loop": info.loop}
    if info.fps is not None:
        known["fps"] = fraction_text(info.fps)
    if info.frames is not None:
        known["frames"] = info.frames
    return known
