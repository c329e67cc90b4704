"""Reports all work of this process to its sinks: the log, and those that were added.

A notice in the log has a name and fields; never a secret, never file content.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

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
from turboupload.errors import ConfigError

if TYPE_CHECKING:
    from turboupload.core.batch import BatchProgress
    from turboupload.core.measures import Kind

__all__ = ["Follower", "Following", "Sink", "add_sink", "describe", "log_notice", "set_logging"]

_LEVELS = {
    Remark: logging.WARNING,
    Retrying: logging.WARNING,
    CompleteLost: logging.WARNING,
    CreateUnclear: logging.WARNING,
    Disowned: logging.WARNING,
    UploadGone: logging.WARNING,
    UploadRefused: logging.WARNING,
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


class Follower(Protocol):
    """Receives the events of one upload, batch or other user of the API."""

    def hear(self, notice: Notice | BatchProgress, /) -> None:
        """Takes a notice in, on the event loop; it must not block."""
        ...

    def ended(self, error: BaseException | None, /) -> None:
        """Takes the end in.

        Args:
            error: What ended it.
        """
        ...


class Sink(Protocol):
    """Makes a follower for each upload, batch or series of calls; it hears the events."""

    def __call__(self, kind: Kind, parent: Follower | None, /) -> Follower:
        """Begins to follow a piece of work.

        Args:
            kind: What it is.
            parent: This sink's follower of the batch that an upload is a row of.
        """
        ...


_sinks: list[Sink] = []


def add_sink(sink: Sink) -> Callable[[], None]:
    """Has a sink follow all work of this process that begins from now on.

    A sink that raises is told nothing more of that piece of work, and a warning is logged: it
    never ends an upload. One that is added again, such as by a notebook's cell that is run again,
    is told everything once, and stays until each addition was taken away.

    Args:
        sink: The sink; one that is equal to it is the same.

    Returns:
        Takes this addition away again.

    Raises:
        ConfigError: It can't be called.
    """
    if not callable(sink):
        raise ConfigError(f"a sink is a function of kind and parent, not {sink!r}")
    _sinks.append(sink)
    left = [sink]

    def remove() -> None:
        if left:
            _sinks.remove(left.pop())

    return remove


def _distinct_sinks() -> list[Sink]:
    found: list[Sink] = []
    for sink in _sinks:
        if sink not in found:
            found.append(sink)
    return found


class Following:
    """A piece of work whose notices go to the log and the sinks; a context manager.

    Args:
        kind: What it is.
        parent: The batch that it is a row of.
    """

    def __init__(self, kind: Kind, parent: Following | None = None) -> None:
        self._followers: dict[int, Follower] = {}
        for sink in _distinct_sinks():
            above = parent._followers.get(id(sink)) if parent is not None else None
            try:
                self._followers[id(sink)] = sink(kind, above)
            except Exception as error:  # an error of a sink must not end an upload
                _tell_broken(error)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.ended(error)

    def hear(self, notice: Notice) -> None:
        """Tells of a notice."""
        log_notice(notice)
        if self._followers:
            self._tell(lambda follower: follower.hear(notice))

    def measure(self, progress: BatchProgress) -> None:
        """Reports the progress of a batch to the sinks, for their figures; it isn't logged."""
        self._tell(lambda follower: follower.hear(progress))

    def ended(self, error: BaseException | None = None) -> None:
        """Tells of the end; later notices are only logged."""
        self._tell(lambda follower: follower.ended(error))
        self._followers = {}

    def _tell(self, told: Callable[[Follower], None]) -> None:
        for key, follower in list(self._followers.items()):
            try:
                told(follower)
            except Exception as error:  # as above
                del self._followers[key]
                _tell_broken(error)


_BROKEN: Final = "a telemetry sink failed and is told nothing more of this work: %s"


def _tell_broken(error: Exception) -> None:
    _LOGGER.warning(_BROKEN, type(error).__name__, exc_info=error)


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
                "source": notice.source,
                "number": notice.number,
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
                "source": notice.source,
                "number": notice.number,
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
        case UploadRefused():
            return "upload.refused", {
                "operation": event.operation,
                "code": event.code,
                "refusal": event.refusal,
            }
        case ReadSetGone():
            return "read_set.gone", {}
        case NothingCame():
            return "upload.nothing_came", {}
        case Disowned():
            return "upload.disowned", {"upload_id": event.upload_id}
        case _:
            raise TypeError(f"{event!r} is no event")
