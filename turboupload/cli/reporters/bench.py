"""What `turboupload bench` says: while it runs, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from turboupload.cli.reporters.reporter import Reporter
from turboupload.cli.reporters.tables import record_lines
from turboupload.cli.ui.events import fields_of
from turboupload.cli.ui.output import say
from turboupload.cli.ui.words import LIMITS
from turboupload.core.bench import Aborted, BenchNotice, BenchResult, Opened, Opening, Sample
from turboupload.errors import TurbouploadError
from turboupload.units import format_duration, format_rate, format_size

__all__ = ["BenchReporter"]

_CHECKSUMS: Final = {
    "equal": "the service's checksums equal the parts' SHA-256",
    "differs": "the service's checksums are no SHA-256 of the parts",
    "opaque": "the service's checksums can't be computed here, or were not asked for",
    "none": "no part was accepted in that time",
}

PROGRESS_EVERY_S: Final = 1.0
LINE_EVERY_S: Final = 3.0
"""How often a program and a person are told, in seconds."""


class BenchReporter(Reporter):
    """Reports a measurement, and at every ending what is left of it.

    Args:
        given: The options' values by name.
    """

    def __init__(self, given: Mapping[str, Any]) -> None:
        super().__init__("bench", given)
        self._store_id = ""
        self._local = False
        self._told_at = 0.0
        self._sent_before = 0
        self.left_behind = "nothing was created"
        self.about = {"store_id": None, "upload_id": None, "aborted": None}

    def begin(self, store_id: str, *, local: bool = False) -> None:
        """Takes in which store it is, and whether that is a local service's."""
        self._store_id, self._local = store_id, local
        self.about["store_id"] = store_id

    def take(self, notice: BenchNotice) -> None:
        """Takes in the upload's events."""
        match notice:
            case Opening(name):
                self.left_behind = (
                    f"an upload named {name} may be open: "
                    f"turboupload uploads list --store {self._store_id}"
                )
                self.event("opening", {"name": name})
            case Opened(upload_id):
                command = f"turboupload uploads abort {upload_id} --store {self._store_id} --yes"
                self.left_behind = f"upload {upload_id} may be open still, abort it: {command}"
                self.about |= {"upload_id": upload_id, "aborted": False}
                self.event("opened", {"upload_id": upload_id})
                if not self.as_json:
                    self.note(
                        f"sending to upload {upload_id}, which is aborted in the end; where even "
                        f"that is prevented: {command}"
                    )
            case Aborted(upload_id):
                self.left_behind = "the upload was aborted, nothing remains"
                self.about["upload_id"] = self.about["upload_id"] or upload_id
                self.about["aborted"] = True
                self.event("aborted", {"upload_id": upload_id})
            case Sample():
                self._progress(notice)

    def _progress(self, sample: Sample) -> None:
        seconds = self.seconds - self._told_at
        if seconds < (PROGRESS_EVERY_S if self.as_json else LINE_EVERY_S):
            return
        rate = (sample.left_bytes - self._sent_before) / seconds if self._told_at else None
        self._told_at, self._sent_before = self.seconds, sample.left_bytes
        if rate is not None and not self.as_json:
            parts = f"{sample.parts:,} parts accepted, {sample.window} may be in flight"
            self.note(f"{format_rate(rate)}, {parts}")
        self.event(
            "progress",
            {
                "bytes_sent": sample.left_bytes,
                "bytes_per_s": rate,
                "parts": sample.parts,
                "window": sample.window,
            },
        )

    def ended(self, result: BenchResult) -> int:
        """Reports the result; returns the exit code."""
        if not self.as_json:
            self.result(record_lines(self._lines(result)))
        return self.done(**{**fields_of(result), "seconds": round(result.seconds, 3)})

    def _lines(self, result: BenchResult) -> list[tuple[str, str]]:
        limit = f", {LIMITS[result.limited_by]}" if result.limited_by else ""
        trip = "" if result.round_trip_s is None else f"{1000 * result.round_trip_s:.1f} ms; "
        retries = (
            f", {result.retries:,} {'retry' if result.retries == 1 else 'retries'}"
            if result.retries
            else ""
        )
        lines = [
            ("rate", f"{format_rate(result.bytes_per_s)}{limit}"),
            (
                "parts",
                f"{result.parts_per_s:.1f} a second, up to {format_size(result.part_bytes)} each, "
                f"{result.window} in flight at the most",
            ),
            ("round trip", f"{trip}a call takes {1000 * result.call_s:.0f} ms"),
            (
                "sent",
                f"{format_size(result.bytes_sent)} in {format_duration(result.seconds)}, "
                f"{result.parts:,} parts accepted{retries}",
            ),
            ("checksums", _CHECKSUMS[result.checksums]),
            ("left", self._left(result)),
        ]
        if self._local:
            lines.append(
                ("note", "the other end was a local service, which had a share of the processors")
            )
        return lines

    def _left(self, result: BenchResult) -> str:
        if not result.still_listed:
            return f"nothing: upload {result.upload_id} was aborted"
        return (
            f"upload {result.upload_id} was aborted, and is listed still, which may take a while: "
            f"turboupload uploads list --store {result.store_id}"
        )

    def _tell_failure(self, error: TurbouploadError) -> None:
        super()._tell_failure(error)
        if error.upload_id is None:
            say(self.left_behind)
