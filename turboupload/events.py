"""Every event that `on_event` receives, and its form as a line of JSON.

The command's `--json` lines are these events: `describe` gives an event's name and fields, and the
command adds `event`, `time` and `version`. `docs/library.md` lists them, and
`docs/events.schema.json` is their schema.

Events are frozen and can be pickled. New kinds and new fields may come with any version of the
package; `VERSION` is raised where one changes its meaning or goes.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from turboupload.core.batch import (
    BatchNotice,
    BatchProgress,
    BatchResult,
    BatchStarted,
    RowChanged,
    RowNotice,
    RowUnderWay,
)
from turboupload.core.imports.rows import (
    ImportJobChanged,
    ImportJobStarted,
    ImportNotice,
    ImportPlanned,
    ImportRowChanged,
)
from turboupload.core.notices import (
    Calling,
    Finished,
    Hashing,
    Notice,
    Planned,
    Progress,
    Remark,
    Retrying,
    Started,
    WindowChanged,
)
from turboupload.core.upload.events import (
    Completed,
    CompleteLost,
    Completing,
    CreateUnclear,
    Disowned,
    ETagComputed,
    NothingCame,
    Opened,
    Opening,
    PartSeen,
    PartsListed,
    ReadSetGone,
    SourceGrew,
    StatusSeen,
    Surveyed,
    UploadGone,
    UploadRefused,
)
from turboupload.core.watch.notices import (
    RunChanged,
    RunNotice,
    RunSent,
    WatchNotice,
    WatchStarted,
)
from turboupload.telemetry import describe as _describe_notice

__all__ = [
    "VERSION",
    "BatchEvent",
    "BatchProgress",
    "BatchStarted",
    "Calling",
    "CompleteLost",
    "Completed",
    "Completing",
    "CreateUnclear",
    "Disowned",
    "ETagComputed",
    "Finished",
    "Hashing",
    "ImportEvent",
    "ImportJobChanged",
    "ImportJobStarted",
    "ImportPlanned",
    "ImportRowChanged",
    "NothingCame",
    "Opened",
    "Opening",
    "PartSeen",
    "PartsListed",
    "Planned",
    "Progress",
    "ReadSetGone",
    "Remark",
    "Retrying",
    "RowChanged",
    "RowNotice",
    "RowUnderWay",
    "RunChanged",
    "RunNotice",
    "RunSent",
    "SourceGrew",
    "Started",
    "StatusSeen",
    "Surveyed",
    "UploadEvent",
    "UploadGone",
    "UploadRefused",
    "WatchEvent",
    "WatchStarted",
    "WindowChanged",
    "describe",
]

VERSION: Final = 1
"""The version of the names and fields of all events; every line of `--json` has it as `version`."""

UploadEvent = Notice
"""The events of `upload`, `Uploader` and `SequenceStores`."""

BatchEvent = BatchNotice
"""The events of `upload_batch`; those of one row, such as a retry, come in a `RowNotice`."""

ImportEvent = ImportNotice | Notice
"""The events of `import_read_sets`: of the import, and of each call."""


WatchEvent = WatchNotice
"""The events of `watch`; those of a run's batch come in a `RunNotice`."""


def describe(
    event: UploadEvent | BatchEvent | ImportEvent | WatchEvent,
) -> tuple[str, dict[str, Any]]:
    """An event's name, such as `upload.progress`, and its fields, ready for JSON.

    Raises:
        TypeError: It is none.
    """
    match event:
        case BatchStarted():
            return "batch.started", dataclasses.asdict(event)
        case RowChanged(result):
            return "batch.row", dataclasses.asdict(result)
        case RowNotice(row, inner):
            name, fields = _describe_notice(inner)
            return name, {"row": row, **fields}
        case BatchProgress():
            return "batch.progress", _batch_progress(event)
        case ImportPlanned():
            return "import.planned", {**dataclasses.asdict(event), "counts": dict(event.counts)}
        case ImportJobStarted():
            return "import.job", {**dataclasses.asdict(event), "status": None}
        case ImportJobChanged():
            return "import.job", dataclasses.asdict(event)
        case ImportRowChanged():
            return "import.row", {**dataclasses.asdict(event.result), "job_id": event.job_id}
        case WatchStarted():
            return "watch.started", dataclasses.asdict(event)
        case RunChanged(run):
            return "watch.run", {**dataclasses.asdict(run), "counts": dict(run.counts)}
        case RunSent(run, result):
            return "watch.sent", {"run": run, **_batch_result(result)}
        case RunNotice(run, inner):
            name, fields = describe(inner)
            return name, {"run": run, **fields}
        case _:
            return _describe_notice(event)


def _batch_result(result: BatchResult) -> dict[str, Any]:
    return {
        "rows": len(result.rows),
        "counts": dict(result.counts),
        "bytes_sent": result.bytes_sent,
        "retries": result.retries,
        "seconds": round(result.seconds, 3),
        "limited_by": result.limited_by,
        "quota": result.quota,
        "advice": result.advice,
        "stopped_by": None if result.stopped_by is None else result.stopped_by.message,
    }


def _batch_progress(event: BatchProgress) -> dict[str, Any]:
    return {
        "rows": event.rows,
        "counts": dict(event.counts),
        "total_bytes": event.total_bytes,
        "done_bytes": event.done_bytes,
        "in_flight_bytes": event.in_flight_bytes,
        "bytes_sent": event.bytes_sent,
        "bytes_per_s": round(event.bytes_per_s),
        "eta_s": None if event.eta_s is None else round(event.eta_s, 1),
        "in_flight": event.in_flight,
        "window": event.window,
        "limited_by": event.limited_by,
        "waits_for_create": event.waits_for_create,
        "paused": event.paused,
        "under_way": [each.row for each in event.under_way],
        "workers": {name: round(rate) for name, rate in event.workers.items()},
    }
