"""A batch as JSON, one object a line on stdout, the last one `batch.finished`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from turboupload.cli.ui.output import Output
from turboupload.core.batch import (
    BatchNotice,
    BatchProgress,
    BatchRehearsal,
    BatchResult,
    BatchStarted,
    RowChanged,
    RowNotice,
)
from turboupload.core.notices import Rehearsal
from turboupload.core.sheet.model import SheetFinding
from turboupload.errors import ServiceRefused, TurbouploadError

__all__ = ["BatchLines", "outcome_of"]


def outcome_of(result: BatchResult) -> str:
    """The word that programs branch on."""
    if result.stopped_by is not None:
        return result.stopped_by.outcome
    if result.failed:
        return "some_failed"
    if all(row.status == "processing" and not row.message for row in result.unfinished):
        return "processing" if result.unfinished else "active"
    return "stopped"


class BatchLines:
    """Writes what happens, and at last exactly one `batch.finished`.

    Args:
        output: Where lines go.
        last_only: Write `batch.finished` and nothing before it.
    """

    def __init__(self, output: Output, *, last_only: bool = False) -> None:
        self._output = output
        self._last_only = last_only
        self._began = time.monotonic()
        self._progress: BatchProgress | None = None

    def hear(self, notice: BatchNotice) -> None:
        """Writes a notice."""
        if isinstance(notice, BatchProgress):
            self._progress = notice
        if not self._last_only:
            self._write(*_described(notice))

    def found(self, findings: Iterable[SheetFinding]) -> None:
        """Writes what was found in the sheet."""
        if not self._last_only:
            for finding in findings:
                self._write("batch.finding", asdict(finding))

    def finish(self, result: BatchResult) -> None:
        """Writes how a batch ended."""
        error = result.stopped_by
        self._finished(
            outcome_of(result),
            rows=len(result.rows),
            counts=dict(result.counts),
            bytes_sent=result.bytes_sent,
            retries=result.retries,
            seconds=round(result.seconds, 3),
            error=_error(error) if error is not None else None,
        )

    def rehearsed(self, found: BatchRehearsal) -> None:
        """Writes what a batch would do."""
        if not self._last_only:
            for row, each in found.rows:
                about = {"row": row.number, "name": row.read_set.name}
                self._write("batch.rehearsed", {**about, **_rehearsal(each)})
        well = [each for _, each in found.rows if isinstance(each, Rehearsal)]
        counts = dict.fromkeys(("create", "resume", "complete", "exists"), 0)
        for each in well:
            counts[each.verdict] += 1
        self._finished(
            "rehearsed",
            rows=len(found.rows),
            counts={**counts, "refused": len(found.rows) - len(well)},
            bytes_to_send=sum(each.bytes_to_send for each in well),
        )

    def fail(self, error: TurbouploadError) -> None:
        """Writes what kept the batch from being sent."""
        self._finished(error.outcome, error=_error(error))

    def misused(self, message: str) -> None:
        """Writes that the command line makes no sense."""
        self._finished("usage", error={"message": message})

    def interrupted(self) -> None:
        """Writes that a signal ended it."""
        self._finished("interrupted")

    def unexpected(self, error: BaseException) -> None:
        """Writes that a bug ended it."""
        self._finished("error", error={"message": f"{type(error).__name__}: {error}"})

    def _finished(self, outcome: str, **more: Any) -> None:
        known = self._progress
        fields: dict[str, Any] = {
            "outcome": outcome,
            "rows": known.rows if known else 0,
            "counts": dict(known.counts) if known else {},
            "bytes_sent": known.sent_bytes if known else 0,
            "seconds": round(time.monotonic() - self._began, 3),
            "error": None,
        }
        self._write("batch.finished", {**fields, **more})

    def _write(self, event: str, fields: Mapping[str, Any]) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._output.line(json.dumps({"event": event, "time": now, **fields}))


def _described(notice: BatchNotice) -> tuple[str, dict[str, Any]]:
    match notice:
        case BatchStarted():
            return "batch.started", {
                "store_id": notice.store_id,
                "rows": notice.rows,
                "bytes": notice.total_bytes,
            }
        case RowChanged(result):
            return "batch.row", asdict(result)
        case RowNotice(row, inner):
            from turboupload.telemetry import describe

            event, fields = describe(inner)
            return event, {"row": row, **fields}
        case BatchProgress():
            return "batch.progress", {
                "rows": notice.rows,
                "counts": dict(notice.counts),
                "bytes": notice.total_bytes,
                "bytes_done": notice.done_bytes,
                "bytes_sent": notice.sent_bytes,
                "bytes_per_s": round(notice.bytes_per_s),
                "eta_s": None if notice.eta_s is None else round(notice.eta_s, 1),
                "in_flight": notice.in_flight,
                "limited_by": "create" if notice.waits_for_create else notice.limited_by,
                "under_way": [each.row for each in notice.under_way],
            }


def _rehearsal(found: Rehearsal | TurbouploadError) -> dict[str, Any]:
    if isinstance(found, TurbouploadError):
        return {"verdict": "refused", "error": _error(found)}
    return {
        "verdict": found.verdict,
        "read_set_id": found.read_set_id,
        "upload_id": found.upload_id,
        "bytes": found.total_bytes,
        "bytes_to_send": found.bytes_to_send,
        "parts": found.parts,
        "parts_reused": found.parts_there,
        "parts_to_check": found.parts_to_check,
    }


def _error(error: TurbouploadError) -> dict[str, str | None]:
    return {
        "message": error.message,
        "hint": error.hint,
        "code": (error.code or None) if isinstance(error, ServiceRefused) else None,
        "operation": error.operation,
        "path": error.path,
    }
