"""Results and events as JSON, one object a line on stdout, the last one `upload.finished`."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from turboupload.cli.ui.output import Output
from turboupload.core.model import PartSource
from turboupload.core.notices import (
    Calling,
    Finished,
    Notice,
    Planned,
    Progress,
    Rehearsal,
    Remark,
    Retrying,
    Started,
    UploadResult,
)
from turboupload.core.upload.events import (
    Completed,
    CompleteLost,
    Opened,
    PartSeen,
    ReadSetGone,
    StatusSeen,
    UploadGone,
)
from turboupload.errors import InputError, ReadSetRejected, ServiceRefused, TurbouploadError

__all__ = ["Ending", "JsonLines"]


class Ending:
    """What is known of an upload while it runs, so that every ending can tell it.

    Attributes:
        upload_id: Once it is open.
        read_set_id: Once it is complete.
        total_bytes: Of the files; 0 before they were looked at.
        sent_bytes: Body bytes put on the wire, resends included.
        parts: In all; 0 before they were planned.
        done_parts: Those that are proven.
        retries: Failed calls that were made again.
        sending_s: How long the parts took, in seconds; 0 while they are under way.
    """

    def __init__(self) -> None:
        self.upload_id: str | None = None
        self.read_set_id: str | None = None
        self.total_bytes = 0
        self.sent_bytes = 0
        self.parts = 0
        self.retries = 0
        self.done_parts = 0
        self._sent: set[tuple[PartSource, int]] = set()
        self._reused = 0
        self._began = time.monotonic()
        self._sending_since: float | None = None
        self.sending_s = 0.0

    @property
    def seconds(self) -> float:
        """Since the command began."""
        return time.monotonic() - self._began

    @property
    def parts_reused(self) -> int:
        """Parts that an earlier run had sent and that have been proven so far."""
        return self._reused

    def hear(self, notice: Notice) -> None:
        """Takes a notice in."""
        match notice:
            case Started():
                self.total_bytes = notice.total_bytes
            case Opened() | Planned():
                self.upload_id = notice.upload_id
                if isinstance(notice, Planned):
                    self.parts = notice.parts
                    self._sending_since = time.monotonic()
            case PartSeen(origin="sent"):
                self._sent.add((notice.part.source, notice.part.number))
            case Progress():
                self.sent_bytes = notice.sent_bytes
                self.done_parts = notice.done_parts
                self._reused = max(0, notice.done_parts - len(self._sent))
            case Completed():
                self.read_set_id = notice.read_set_id
                if self._sending_since is not None:
                    self.sending_s = time.monotonic() - self._sending_since
            case StatusSeen(record):
                self.read_set_id = record.read_set_id
            case UploadGone() | ReadSetGone():
                self.upload_id = self.read_set_id = None
            case Retrying() | CompleteLost() | Remark("checksum-differs" | "part-cut-short"):
                self.retries += 1


class JsonLines:
    """Writes every notice, and at last exactly one `upload.finished`.

    Args:
        ending: What is known of the upload.
        output: Where lines go.
        last_only: Write `upload.finished` and nothing before it.
    """

    def __init__(self, ending: Ending, output: Output, *, last_only: bool = False) -> None:
        self._ending = ending
        self._output = output
        self._last_only = last_only

    def hear(self, notice: Notice) -> None:
        """Writes a notice."""
        from turboupload.telemetry import describe

        # Calls are for the log; how it ended well is the last line's to tell.
        if not self._last_only and not isinstance(notice, Calling | Finished):
            self._write(*describe(notice))

    def finish(self, result: UploadResult) -> None:
        """Writes how an upload ended well."""
        self._finished(
            result.outcome,
            read_set_id=result.read_set_id,
            read_set_arn=result.read_set_arn,
            status=result.status,
            upload_id=result.upload_id,
            existed=result.existed,
            bytes=result.total_bytes,
            bytes_sent=result.bytes_sent,
            parts=result.parts,
            parts_reused=result.parts_reused,
            retries=result.retries,
            seconds=round(result.seconds, 3),
            verified=result.verified,
            limited_by=result.limited_by,
            etag=dict(result.etag) or None,
            reads=result.total_reads,
            bases=result.total_bases,
            **_proof(result),
        )

    def rehearsed(self, found: Rehearsal) -> None:
        """Writes what an upload would do."""
        self._finished(
            "rehearsed",
            verdict=found.verdict,
            read_set_id=found.read_set_id,
            upload_id=found.upload_id,
            bytes=found.total_bytes,
            bytes_to_send=found.bytes_to_send,
            part_size=found.part_size,
            parts=found.parts,
            parts_reused=found.parts_there,
            parts_to_check=found.parts_to_check,
        )

    def fail(self, error: TurbouploadError) -> None:
        """Writes how an upload ended otherwise."""
        known = self._ending
        self._finished(
            error.outcome,
            read_set_id=error.read_set_id
            if isinstance(error, ReadSetRejected)
            else known.read_set_id,
            upload_id=error.upload_id or known.upload_id,
            error=_told(error),
        )

    def misused(self, error: click.UsageError) -> None:
        """Writes that the command line makes no sense."""
        self._finished("usage", error=_error(error.format_message()))

    def interrupted(self) -> None:
        """Writes that a signal ended it."""
        self._finished("interrupted")

    def unexpected(self, error: BaseException) -> None:
        """Writes that a bug ended it."""
        self._finished("error", error=_error(f"{type(error).__name__}: {error}"))

    def _finished(self, outcome: str, **more: Any) -> None:
        known = self._ending
        fields = {
            "outcome": outcome,
            "read_set_id": known.read_set_id,
            "upload_id": known.upload_id,
            "bytes": known.total_bytes,
            "bytes_sent": known.sent_bytes,
            "parts": known.parts,
            "parts_reused": known.parts_reused,
            "retries": known.retries,
            "seconds": round(known.seconds, 3),
            "verified": "none",
            "etag": None,
            "error": None,
        }
        self._write("upload.finished", {**fields, **more})

    def _write(self, event: str, fields: Mapping[str, Any]) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._output.line(json.dumps({"event": event, "time": now, **fields}))


def _proof(result: UploadResult) -> dict[str, Any]:
    """What the receipt says, in a few fields; the whole of it is for `receipt show`."""
    comparison = result.comparison
    fields: dict[str, Any] = {
        "etag_compared": str(comparison.outcome) if comparison is not None else None
    }
    if result.receipt is not None:
        verdict = result.receipt.verdict
        fields |= {
            "proven": verdict.proven,
            "proven_by": list(verdict.by),
            "statement": verdict.statement,
        }
    return fields


def _told(error: TurbouploadError) -> dict[str, Any]:
    code = error.code if isinstance(error, ServiceRefused | InputError) else ""
    others = error.others if isinstance(error, InputError) else ()
    return _error(
        error.message,
        hint=error.hint,
        code=code or None,
        operation=error.operation,
        path=error.path,
        others=[_told(each) for each in others],
    )


def _error(
    message: str,
    *,
    hint: str | None = None,
    code: str | None = None,
    operation: str | None = None,
    path: str | None = None,
    others: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    return {
        "message": message, "hint": hint, "code": code, "operation": operation, "path": path,
        "others": list(others),
    }  # fmt: skip
