"""What `turboupload upload` says: while it runs, and how it ended."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from turboupload.cli.reporters.page import Reported
from turboupload.cli.ui.events import fields_of
from turboupload.cli.ui.output import say
from turboupload.cli.ui.screen import Screen, open_screen
from turboupload.cli.ui.stream import is_streamed
from turboupload.cli.ui.words import describe_rehearsal, describe_result
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
    UploadRefused,
)
from turboupload.errors import ReadSetRejected, TurbouploadError, UploadBusy

__all__ = ["UploadReporter"]

_RESULT_FIELDS = (
    "read_set_id", "read_set_arn", "status", "upload_id", "existed", "total_bytes", "bytes_sent",
    "parts", "parts_reused", "retries", "verified", "limited_by", "advice", "total_reads",
    "total_bases", "manifest",
)  # fmt: skip


class _State:
    """What is known of an upload while it runs, so that every ending can tell it.

    Attributes:
        upload_id: Once it is open.
        read_set_id: Once it is complete.
        total_bytes: Of the files, or of a stream by now; 0 before they were looked at.
        store_id: The sequence store, once it started.
        bytes_sent: Body bytes put on the wire, resends included.
        parts: In all; 0 before they were planned.
        done_parts: Those that are proven.
        parts_reused: Those of them that an earlier run had sent.
        retries: Failed calls that were made again.
        sending_s: How long the parts took, in seconds; 0 while they are under way.
    """

    def __init__(self) -> None:
        self.upload_id: str | None = None
        self.read_set_id: str | None = None
        self.total_bytes = 0
        self.store_id = ""
        self.bytes_sent = 0
        self.parts = 0
        self.done_parts = 0
        self.parts_reused = 0
        self.retries = 0
        self.sending_s = 0.0
        self._sent: set[tuple[PartSource, int]] = set()
        self._sending_since: float | None = None

    def hear(self, notice: Notice) -> None:
        """Takes a notice in."""
        match notice:
            case Started():
                self.total_bytes = notice.total_bytes
                self.store_id = notice.store_id
            case Opened() | Planned():
                self.upload_id = notice.upload_id
                if isinstance(notice, Planned):
                    self.parts = notice.parts
                    self._sending_since = time.monotonic()
            case PartSeen(origin="sent"):
                self._sent.add((notice.part.source, notice.part.number))
            case Progress():
                self.total_bytes, self.parts = notice.total_bytes, notice.parts
                self.bytes_sent = notice.bytes_sent
                self.done_parts = notice.done_parts
                self.parts_reused = max(0, notice.done_parts - len(self._sent))
            case Completed():
                self.read_set_id = notice.read_set_id
                if self._sending_since is not None:
                    self.sending_s = time.monotonic() - self._sending_since
            case StatusSeen(record):
                self.read_set_id = record.read_set_id
            case UploadGone() | UploadRefused() | ReadSetGone():
                self.upload_id = self.read_set_id = None
            case Retrying() | CompleteLost() | Remark("checksum-differs" | "part-cut-short"):
                self.retries += 1


class UploadReporter(Reported):
    """Reports an upload.

    Args:
        given: The options' values by name.
    """

    def __init__(self, given: Mapping[str, Any]) -> None:
        super().__init__("upload", given, needs_stdout=False)
        self._state = _State()
        self._streamed = is_streamed(given)

    def hear(self, notice: Notice) -> None:
        """Takes a notice in."""
        self._state.hear(notice)
        super().hear(notice)
        # Calls are for the log; how it ended well is the last line's to tell.
        if self.as_json and not isinstance(notice, Calling | Finished):
            from turboupload.events import describe

            self._emit(*describe(notice))

    def tell(self, remark: Remark) -> None:
        """Reports a change from outside."""
        from turboupload.telemetry import log_notice

        log_notice(remark)
        self.hear(remark)

    def _open_screen(self) -> Screen:
        return open_screen(quiet=self.quiet or self.as_json, logging=self.verbosity > 0)

    def ended(self, result: UploadResult | Rehearsal) -> int:
        """Reports success; returns the exit code."""
        if isinstance(result, Rehearsal):
            text, outcome, fields = describe_rehearsal(result), "rehearsed", fields_of(result)
        else:
            text = describe_result(result, sending_s=self._state.sending_s)
            outcome, fields = result.outcome, _result_fields(result)
            if self.quiet:
                text = result.read_set_id
        if self._ends():
            if not self.as_json:
                self.result(text)
                if self._output.failed:
                    say(text)
            self._finish(outcome, **fields)
        return 0

    def failed(self, error: TurbouploadError) -> int:
        """Reports an expected error; returns the exit code."""
        state = self._state
        error.upload_id = state.upload_id = error.upload_id or state.upload_id
        if isinstance(error, ReadSetRejected):
            state.read_set_id = error.read_set_id
        return super().failed(error)

    def _tell_failure(self, error: TurbouploadError) -> None:
        super()._tell_failure(error)
        # The process that is busy with it continues by itself.
        if error.resumable and not isinstance(error, UploadBusy):
            self._tell_how_to_go_on()

    def _tell_interrupt(self) -> None:
        say(f"interrupted; {self._kept()}")
        self._tell_how_to_go_on()

    def _tell_how_to_go_on(self) -> None:
        if self._streamed:
            self._tell_of_stream()
            return
        # A run without resume would begin anew, and leave alone what has just been kept.
        self._tell_command(without=("--no-resume",))

    def _tell_of_stream(self) -> None:
        """A pipe's bytes are gone, so what has arrived of them is of no more use."""
        state = self._state
        say("the output of a pipe can't be read twice: the same command starts from the beginning")
        if state.upload_id is not None and state.read_set_id is None:
            say(
                f"to remove what was sent:\n  turboupload uploads abort {state.upload_id} "
                f"--store {state.store_id}"
            )

    def _kept(self) -> str:
        state = self._state
        if state.read_set_id is not None:
            return f"all parts had arrived, and the service works on read set {state.read_set_id}"
        if state.upload_id is None:
            return "nothing was sent yet"
        parts = (
            f"{state.done_parts:,} of {state.parts:,} parts"
            if state.parts
            else "the parts that arrived"
        )
        return f"{parts} are kept in upload {state.upload_id}"

    def _known(self) -> Mapping[str, Any]:
        state = self._state
        return {
            "read_set_id": state.read_set_id,
            "upload_id": state.upload_id,
            "total_bytes": state.total_bytes,
            "bytes_sent": state.bytes_sent,
            "parts": state.parts,
            "parts_reused": state.parts_reused,
            "retries": state.retries,
            "verified": "none",
            "etag": None,
        }


def _result_fields(result: UploadResult) -> dict[str, Any]:
    """A result for programs; the whole of its receipt is for `receipt show`."""
    fields: dict[str, Any] = {name: getattr(result, name) for name in _RESULT_FIELDS}
    fields["seconds"] = round(result.seconds, 3)
    fields["etag"] = dict(result.etag) or None
    comparison = result.comparison
    fields["etag_compared"] = str(comparison.outcome) if comparison is not None else None
    if result.receipt is not None:
        verdict = result.receipt.verdict
        fields |= {
            "proven": verdict.proven,
            "proven_by": list(verdict.by),
            "statement": verdict.statement,
        }
    return fields
