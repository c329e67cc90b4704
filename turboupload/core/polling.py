"""Polls what the service works on: when to poll, what a status means, when absence is believed."""

from __future__ import annotations

from turboupload.core.records import ReadSetDetails, ReadSetStatus
from turboupload.errors import ReadSetRejected, ServiceRefused

__all__ = ["Absence", "is_active", "pause_before"]

FIRST_PAUSE_S = 0.25
PAUSE_FACTOR = 1.6
"""The pause before the second poll, in seconds, and its growth factor."""


def pause_before(poll: int, *, longest_s: float) -> float:
    """How long to wait before a poll, in seconds; 0 before the first.

    Args:
        poll: The poll's number, from 0.
        longest_s: The longest pause, in seconds.
    """
    return 0.0 if poll == 0 else min(longest_s, FIRST_PAUSE_S * PAUSE_FACTOR ** min(poll, 20))


class Absence:
    """For how long a read set, or a job, has not been shown; one reply may miss what is there.

    Args:
        believed_after_s: When that is believed, in seconds.
    """

    def __init__(self, believed_after_s: float) -> None:
        self._believed_after_s = believed_after_s
        self._since: float | None = None

    def ends(self) -> None:
        """It was shown."""
        self._since = None

    def is_believed(self, now: float) -> bool:
        """Whether it is, once more not being shown; `now` is in seconds."""
        if self._since is None:
            self._since = now
        return now - self._since >= self._believed_after_s


def is_active(found: ReadSetDetails) -> bool:
    """Whether a read set is ACTIVE; False if it may still become ACTIVE.

    Raises:
        ReadSetRejected: The service rejected it.
        ServiceRefused: It will not become ACTIVE by itself.
    """
    match found.status:
        case ReadSetStatus.ACTIVE:
            return True
        case ReadSetStatus.UPLOAD_FAILED:
            raise ReadSetRejected(
                f"read set {found.read_set_id} was turned down by the service: "
                f"{found.status_message or 'it gave no reason'}",
                read_set_id=found.read_set_id,
                hint="correct the file or its type, and upload it again",
            )
        case ReadSetStatus.ARCHIVED | ReadSetStatus.DELETING | ReadSetStatus.DELETED:
            raise ServiceRefused(
                f"read set {found.read_set_id} is {found.status}, "
                "and does not become ACTIVE by itself",
                operation="GetReadSetMetadata",
                hint="activate it first (StartReadSetActivationJob)"
                if found.status == ReadSetStatus.ARCHIVED
                else None,
            )
    return False
