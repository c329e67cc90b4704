"""How rows end: their results, advice for the user, and which errors stop the batch."""

from __future__ import annotations

from typing import Any, Literal

from turboupload.batch.elsewhere import WORKERS
from turboupload.core.model import PartSource
from turboupload.core.notices import UploadResult
from turboupload.core.rate.retry import concerns_the_account
from turboupload.core.rows import RowStatus
from turboupload.errors import (
    CallFailed,
    ConfigError,
    InputError,
    IntegrityError,
    LinkFailed,
    ReadSetRejected,
    ServiceRefused,
    Stopped,
    TurbouploadError,
    UploadBusy,
)

__all__ = ["Reach", "StopRule", "ended_row", "reach_of", "what_to_do"]

MOST_OUTAGES = 3
"""If so many rows in sequence get no answer within `give_up_after_s`, the service counts as down,
and all rows stop; a single row may have a reason of its own."""

_GUESSED = "known by the journal's word alone: no byte was compared"
_COMPARE = (
    "before the files are deleted, compare them: add --prove, or `turboupload readsets verify`"
)

_ABOUT_THE_STORE = frozenset(
    {"ListReadSets", "ListMultipartReadSetUploads", "CreateMultipartReadSetUpload"}
)

Reach = Literal["row", "outage", "all"]
"""Which rows an error concerns.

- `row`: only this row.
- `outage`: this row or all rows: the service did not answer, or only with temporary errors.
- `all`: every row would fail in the same way: wrong credentials, an unknown store, a quota that is
  used up, a full disk under the journal. Continuing would only repeat the error for each row.
"""


def reach_of(error: TurbouploadError) -> Reach:
    """Which rows an error concerns."""
    cause = error.__cause__
    if isinstance(error, ConfigError) or error.operation == "journal":
        return "all"
    if not isinstance(cause, CallFailed | LinkFailed):
        return "row"
    if isinstance(error, Stopped):
        return "outage"
    unknown_store = (
        isinstance(cause, CallFailed)
        and cause.code == "ResourceNotFoundException"
        and cause.operation in _ABOUT_THE_STORE
    )
    return "all" if unknown_store or concerns_the_account(cause) else "row"


def what_to_do(error: TurbouploadError) -> str:
    """What to do about a row that failed, in a sentence."""
    match error:
        case ReadSetRejected():
            return (
                "correct the file or its type, then run the same command again; to upload the very "
                "same file anew, use `turboupload upload --force`"
            )
        case ServiceRefused() if error.code == "ReadSetExists":
            return (
                "if it holds these files, nothing is left to do; if it is another data set, choose "
                "another name; to upload these files all the same, use `turboupload upload --force`"
            )
        case _ if error.hint:
            return error.hint
        case InputError():
            return "correct the file or the row, then run the same command again"
        case Stopped():
            return "run the same command again: it goes on where it stopped"
        case IntegrityError():
            return "check the file and its disk, then run the same command again"
        case _:
            return "correct what the message says, then run the same command again"


class StopRule:
    """Decides after each row whether the batch must stop.

    Args:
        max_failures: The number of failed rows that stops the batch; None never stops it.

    Attributes:
        stopped_by: The error that stopped the batch for all rows, if any.
    """

    def __init__(self, max_failures: int | None) -> None:
        self._max_failures = max_failures
        self._failures = 0
        self._outages = 0
        self.stopped_by: TurbouploadError | None = None

    def stops(self, ended: UploadResult | TurbouploadError) -> bool:
        """Counts how a row ended; returns whether the batch must stop."""
        if isinstance(ended, UploadResult):
            self._outages = 0
            return False
        if _wrong_with_nothing(ended):
            return False
        reach = reach_of(ended)
        self._failures += 1
        self._outages = self._outages + 1 if reach == "outage" else 0
        if reach == "all" or self._outages == MOST_OUTAGES:
            ended.path = None  # the error doesn't concern that row's file
            self.stopped_by = self.stopped_by or ended
            return True
        return self._failures == self._max_failures


def ended_row(ended: UploadResult | TurbouploadError, known_id: str | None) -> dict[str, Any]:
    """The fields of `RowResult` that change when a row ends.

    Args:
        ended: The row's result or error.
        known_id: The id of the row's read set, if it is known already.
    """
    if isinstance(ended, UploadResult):
        guessed = _is_guess(ended)
        notes = [] if ended.status == "ACTIVE" else [f"it is {ended.status}"]
        return {
            "status": "exists" if ended.existed else "active",
            "read_set_id": ended.read_set_id,
            "message": "; ".join([*notes, _GUESSED] if guessed else notes),
            "what_to_do": _COMPARE if guessed else "",
            "manifest": ended.manifest,
            **_known_of(ended),
        }
    concerns_row = reach_of(ended) == "row"
    status: RowStatus = "rejected" if isinstance(ended, InputError) else "failed"
    # A read set that was made exists even if the service could not be asked about it.
    made = None if concerns_row else known_id
    return {
        "status": status if concerns_row and not _wrong_with_nothing(ended) else "stopped",
        "read_set_id": ended.read_set_id if isinstance(ended, ReadSetRejected) else made,
        "message": str(ended),
        "what_to_do": what_to_do(ended),
    }


def _wrong_with_nothing(error: TurbouploadError) -> bool:
    """Whether a row may simply continue later: it is being sent, or no worker is available."""
    return isinstance(error, UploadBusy) or error.operation == WORKERS


def _known_of(ended: UploadResult) -> dict[str, Any]:
    """What the next step wants to know of a read set that exists."""
    uris, etag = ended.s3_uris, ended.etag
    return {
        "read_set_arn": ended.read_set_arn,
        "s3_source1": uris.get(PartSource.SOURCE1),
        "s3_source2": uris.get(PartSource.SOURCE2),
        "etag_algorithm": etag.get("algorithm"),
        "etag_source1": etag.get("source1"),
        "etag_source2": etag.get("source2"),
        "verified": ended.verified,
        "proven": ended.receipt.verdict.proven if ended.receipt is not None else None,
    }


def _is_guess(ended: UploadResult) -> bool:
    """Whether the journal knows the read set, but not how exactly these files were proven.

    The files were touched or copied since, or an earlier run compared only the ETag.
    """
    compared = ended.comparison is not None or ended.verified != "none"
    return ended.existed and not compared and ended.parts_reused == 0
