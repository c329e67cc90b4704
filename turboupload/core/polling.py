"""Following a read set until it is ACTIVE: when to look, and what a look means."""

from __future__ import annotations

from turboupload.core.records import ReadSetDetails, ReadSetStatus
from turboupload.errors import ReadSetRejected, ServiceRefused

__all__ = ["is_active", "pause_before"]

FIRST_LOOK_S = 0.25
LOOK_FACTOR = 1.6
"""The pause before the second look, in seconds, and how it grows."""


def pause_before(look: int, *, longest_s: float) -> float:
    """How long to wait before a look, in seconds; not before the first.

    Args:
        look: Its number, from 0.
        longest_s: Never longer than this, in seconds.
    """
    return 0.0 if look == 0 else min(longest_s, FIRST_LOOK_S * LOOK_FACTOR ** min(look, 20))


def is_active(found: ReadSetDetails) -> bool:
    """Whether a read set is ACTIVE; False where it may still become that.

    Raises:
        ReadSetRejected: The service turned it down.
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
                hint="mend the file or its type, and upload it anew",
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
