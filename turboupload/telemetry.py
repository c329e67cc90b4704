"""Logs notices as structlog events with fields; never a secret, never file content."""

from __future__ import annotations

import logging
import sys
from typing import Any

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
)

__all__ = ["describe", "log_notice", "set_logging"]

_LEVELS = {
    Remark: logging.WARNING,
    Retrying: logging.WARNING,
    CompleteLost: logging.WARNING,
    CreateUnclear: logging.WARNING,
    Disowned: logging.WARNING,
    UploadGone: logging.WARNING,
    ReadSetGone: logging.WARNING,
    Started: logging.INFO,
    Planned: logging.INFO,
    Opened: logging.INFO,
    Completed: logging.INFO,
    StatusSeen: logging.INFO,
    Finished: logging.INFO,
}


_LOGGER = logging.getLogger("turboupload")
_LOGGER.addHandler(logging.NullHandler())

_enabled = True


def set_logging(*, enabled: bool) -> None:
    """Turns the logging of notices in this process on or off; it is on by default.

    Args:
        enabled: Whether notices are logged from now on.
    """
    global _enabled
    _enabled = enabled


def log_notice(notice: Notice) -> None:
    """Logs one notice: at level info if it may interest a user, else at debug.

    It uses structlog if the program has configured it, else the standard library's logger
    `turboupload`, which is silent by default. It never imports structlog itself: that imports rich,
    which takes 60 ms.
    """
    if not _enabled:
        return
    level = _LEVELS.get(type(notice), logging.DEBUG)
    structlog = sys.modules.get("structlog")
    if structlog is not None and structlog.is_configured():
        name, fields = describe(notice)
        method = logging.getLevelName(level).lower()
        getattr(structlog.get_logger("turboupload"), method)(name, **fields)
    elif _LOGGER.isEnabledFor(level):
        name, fields = describe(notice)
        text = " ".join(f"{key}={value!r}" for key, value in fields.items())
        _LOGGER.log(level, "%s %s", name, text)


def describe(notice: Notice) -> tuple[str, dict[str, Any]]:
    """A notice as an event name and fields that are ready for JSON."""
    match notice:
        case Started():
            return "upload.started", {
                "name": notice.name,
                "store_id": notice.store_id,
                "file_type": str(notice.file_type),
                "paths": list(notice.paths),
                "total_bytes": notice.total_bytes,
            }
        case Planned():
            return "upload.planned", {
                "upload_id": notice.upload_id,
                "resumed": notice.resumed,
                "part_size": notice.part_size,
                "parts": notice.parts,
                "parts_there": notice.parts_there,
                "total_bytes": notice.total_bytes,
            }
        case Progress():
            return "upload.progress", {
                "total_bytes": notice.total_bytes,
                "done_bytes": notice.done_bytes,
                "in_flight_bytes": notice.in_flight_bytes,
                "bytes_sent": notice.bytes_sent,
                "parts": notice.parts,
                "done_parts": notice.done_parts,
                "bytes_per_s": round(notice.bytes_per_s),
                "eta_s": None if notice.eta_s is None else round(notice.eta_s, 1),
                "in_flight": notice.in_flight,
                "window": notice.window,
                "limited_by": notice.limited_by,
                "paused": notice.paused,
            }
        case Hashing():
            return "proof.progress", {
                "total_bytes": notice.total_bytes,
                "done_bytes": notice.done_bytes,
            }
        case Retrying():
            return "call.retrying", {
                "operation": notice.operation,
                "reason": notice.reason,
                "message": notice.message,
                "pause_s": round(notice.pause_s, 3),
            }
        case WindowChanged():
            return "window.changed", {"size": notice.size, "before": notice.before}
        case Remark():
            return "upload.remark", {"code": notice.code, "text": notice.text}
        case Calling():
            return "call.ended", {
                "operation": notice.operation,
                "seconds": round(notice.seconds, 4),
                "outcome": notice.outcome,
            }
        case Finished(result):
            return "upload.done", {
                "read_set_id": result.read_set_id,
                "status": result.status,
                "bytes_sent": result.bytes_sent,
                "parts_reused": result.parts_reused,
                "seconds": round(result.seconds, 3),
                "verified": result.verified,
            }
        case _:
            return _describe_event(notice)


def _describe_event(event: Notice) -> tuple[str, dict[str, Any]]:
    match event:
        case Surveyed():
            return "service.surveyed", {
                "open_uploads": [each.upload.upload_id for each in event.candidates],
                "read_sets": [each.read_set_id for each in event.read_sets],
            }
        case Opening():
            return "upload.opening", {"attempt": event.attempt, "part_size": event.part_size}
        case Opened():
            return "upload.opened", {"upload_id": event.upload_id, "adopted": event.adopted}
        case PartsListed():
            return "upload.parts_listed", {"parts": len(event.parts)}
        case PartSeen():
            return f"part.{event.origin}", {
                "source": str(event.part.source),
                "number": event.part.number,
                "size": event.part.size,
                "checksum": event.checksum,
                "xxh3": event.digest.fingerprint.hex(),
            }
        case SourceGrew():
            return "upload.stream_read", {"size": event.size, "ended": event.ended}
        case Completing():
            return "upload.completing", {}
        case CreateUnclear():
            return "upload.create_unclear", {"token_used": event.token_used}
        case CompleteLost():
            return "upload.complete_lost", {}
        case Completed():
            return "upload.completed", {
                "read_set_id": event.read_set_id,
                "adopted": event.adopted,
                "proof": event.proof,
            }
        case StatusSeen(record):
            return "read_set.status", {
                "read_set_id": record.read_set_id,
                "status": record.status,
                "status_message": record.status_message,
            }
        case ETagComputed():
            etag = event.etag
            return "proof.computed", {
                "algorithm": etag.algorithm if etag is not None else None,
                "etag": list(etag.sources) if etag is not None else None,
                "reads": event.reads,
                "reason": event.reason or None,
                "reader": event.reader or None,
                "reservation": event.reservation or None,
            }
        case UploadGone():
            return "upload.gone", {}
        case ReadSetGone():
            return "read_set.gone", {}
        case NothingCame():
            return "upload.nothing_came", {}
        case Disowned():
            return "upload.disowned", {"upload_id": event.upload_id}
        case _:
            raise TypeError(f"{event!r} is no event")
