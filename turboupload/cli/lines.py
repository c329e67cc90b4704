"""Results and events as JSON, one object a line on stdout."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import click

from turboupload.cli.failures import exit_code_for
from turboupload.core.model import Opened
from turboupload.core.notices import (
    Notice,
    Planned,
    Progress,
    Rehearsal,
    Retrying,
    UploadResult,
)
from turboupload.errors import ReadSetRejected, ServiceRefused, TurbouploadError
from turboupload.telemetry import describe

__all__ = ["Ending", "JsonLines"]


class Ending:
    """What is known of an upload while it runs, so that every ending can tell it."""

    def __init__(self) -> None:
        self.upload_id: str | None = None
        self.total_bytes = 0
        self.sent_bytes = 0
        self.parts = 0
        self.parts_there = 0
        self.retries = 0

    def hear(self, notice: Notice) -> None:
        """Takes a notice in."""
        match notice:
            case Opened():
                self.upload_id = notice.upload_id
            case Planned():
                self.upload_id = notice.upload_id
                self.total_bytes = notice.total_bytes
                self.parts = notice.parts
                self.parts_there = notice.parts_there
            case Retrying():
                self.retries += 1
            case Progress():
                self.sent_bytes = notice.sent_bytes


class JsonLines:
    """Writes every notice, and at last exactly one `upload.finished`."""

    def __init__(self, ending: Ending) -> None:
        self._ending = ending

    def hear(self, notice: Notice) -> None:
        """Writes a notice."""
        name, fields = describe(notice)
        self.write(name, fields)

    def write(self, event: str, fields: dict[str, Any]) -> None:
        """Writes one object, and flushes it: whoever reads may be waiting for it."""
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        click.echo(json.dumps({"event": event, "time": time, **fields}))

    def finish(self, result: UploadResult) -> None:
        """Writes how an upload ended well."""
        self.write(
            "upload.finished",
            {
                "outcome": result.outcome,
                "read_set_id": result.read_set_id,
                "read_set_arn": result.read_set_arn,
                "status": result.status,
                "upload_id": result.upload_id,
                "existed": result.existed,
                "bytes": result.total_bytes,
                "bytes_sent": result.bytes_sent,
                "parts": result.parts,
                "parts_reused": result.parts_reused,
                "retries": result.retries,
                "seconds": round(result.seconds, 3),
                "verified": result.verified,
                "etag": dict(result.etag) or None,
                "reads": result.total_reads,
                "bases": result.total_bases,
                "error": None,
            },
        )

    def rehearsed(self, found: Rehearsal) -> None:
        """Writes what an upload would do."""
        self.write(
            "upload.finished",
            {
                "outcome": "rehearsed",
                "verdict": found.verdict,
                "read_set_id": found.read_set_id,
                "upload_id": found.upload_id,
                "bytes": found.total_bytes,
                "bytes_sent": 0,
                "bytes_to_send": found.bytes_to_send,
                "part_size": found.part_size,
                "parts": found.parts,
                "parts_reused": found.parts_there,
                "parts_to_check": found.parts_to_check,
                "retries": 0,
                "seconds": None,
                "verified": "none",
                "etag": None,
                "error": None,
            },
        )

    def fail(self, error: TurbouploadError, seconds: float) -> None:
        """Writes how an upload ended otherwise."""
        self._end(
            error.outcome,
            seconds,
            {
                "message": error.message,
                "hint": error.hint,
                "path": error.path,
                "operation": error.operation,
                "code": error.code if isinstance(error, ServiceRefused) else None,
                "exit_code": exit_code_for(error),
            },
            upload_id=error.upload_id,
            read_set_id=error.read_set_id if isinstance(error, ReadSetRejected) else None,
        )

    def interrupted(self, seconds: float) -> None:
        """Writes that a signal ended it."""
        self._end("interrupted", seconds, None)

    def unexpected(self, error: BaseException, seconds: float) -> None:
        """Writes that a bug ended it."""
        self._end("error", seconds, {"message": f"{type(error).__name__}: {error}"})

    def _end(
        self,
        outcome: str,
        seconds: float,
        error: dict[str, Any] | None,
        *,
        upload_id: str | None = None,
        read_set_id: str | None = None,
    ) -> None:
        known = self._ending
        self.write(
            "upload.finished",
            {
                "outcome": outcome,
                "read_set_id": read_set_id,
                "upload_id": upload_id or known.upload_id,
                "bytes": known.total_bytes,
                "bytes_sent": known.sent_bytes,
                "parts": known.parts,
                "parts_reused": known.parts_there,
                "retries": known.retries,
                "seconds": round(seconds, 3),
                "verified": "none",
                "etag": None,
                "error": error,
            },
        )
