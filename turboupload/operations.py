"""The table of operations, with their quotas."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from types import MappingProxyType
from typing import Final, Literal

from turboupload.value import Value

__all__ = [
    "ABORT_UPLOAD",
    "COMPLETE_UPLOAD",
    "CREATE_UPLOAD",
    "GET_IMPORT_JOB",
    "GET_READ_SET",
    "GET_STORE",
    "LIST_IMPORT_JOBS",
    "LIST_PARTS",
    "LIST_READ_SETS",
    "LIST_STORES",
    "LIST_UPLOADS",
    "SEND_PART",
    "START_IMPORT_JOB",
    "TRANSACTIONS_PER_S",
    "Operation",
    "require_quota",
]


class Operation(Value, frozen=True):
    """An operation of the service.

    Attributes:
        name: The API's name, which is also the key of its quota and its turns.
        rows: The member of the reply that holds a listing's rows.
        repeat: Which failures are retried. `any`: all that may be temporary. `in time`: not a call
            that took too long, because it may have been carried out. `throttled`: only a throttled
            call, which the service certainly did not carry out. Other failures go to the caller,
            which finds out whether the call took effect.
        takes_slot: Whether a call takes a place in the window of parts in flight.
    """

    name: str
    per_s: float
    rows: str = ""
    repeat: Literal["any", "in time", "throttled"] = "any"
    takes_slot: bool = False


CREATE_UPLOAD: Final = Operation("CreateMultipartReadSetUpload", 1, repeat="in time")
SEND_PART: Final = Operation("UploadReadSetPart", 10, takes_slot=True)
COMPLETE_UPLOAD: Final = Operation("CompleteMultipartReadSetUpload", 1, repeat="throttled")
ABORT_UPLOAD: Final = Operation("AbortMultipartReadSetUpload", 1)
LIST_UPLOADS: Final = Operation("ListMultipartReadSetUploads", 5, rows="uploads")
LIST_PARTS: Final = Operation("ListReadSetUploadParts", 5, rows="parts")
GET_READ_SET: Final = Operation("GetReadSetMetadata", 5)
LIST_READ_SETS: Final = Operation("ListReadSets", 5, rows="readSets")
START_IMPORT_JOB: Final = Operation("StartReadSetImportJob", 5)
GET_IMPORT_JOB: Final = Operation("GetReadSetImportJob", 5)
LIST_IMPORT_JOBS: Final = Operation("ListReadSetImportJobs", 5, rows="importJobs")
GET_STORE: Final = Operation("GetSequenceStore", 5)
LIST_STORES: Final = Operation("ListSequenceStores", 5, rows="sequenceStores")

_ALL: Final = (
    CREATE_UPLOAD, SEND_PART, COMPLETE_UPLOAD, ABORT_UPLOAD, LIST_UPLOADS, LIST_PARTS,
    GET_READ_SET, LIST_READ_SETS, START_IMPORT_JOB, GET_IMPORT_JOB, LIST_IMPORT_JOBS,
    GET_STORE, LIST_STORES,
)  # fmt: skip

TRANSACTIONS_PER_S: Final[Mapping[str, float]] = MappingProxyType(
    {each.name: each.per_s for each in _ALL}
)
"""The default quota of each operation, in transactions a second."""


def require_quota(operation: str, per_s: object) -> None:
    """Makes sure that an operation has a quota, and that this can be one.

    Args:
        operation: As the API names it.
        per_s: Transactions a second.

    Raises:
        ValueError: There is no such operation, or that is not a number above zero.
    """
    if operation not in TRANSACTIONS_PER_S:
        from difflib import get_close_matches  # needed for a mistake alone

        alike = get_close_matches(str(operation), TRANSACTIONS_PER_S, n=1)
        meant = f"did you mean {alike[0]}? Those" if alike else "those"
        raise ValueError(
            f"{operation!r} is not an operation with a quota: {meant} that have one are "
            + ", ".join(TRANSACTIONS_PER_S)
        )
    if isinstance(per_s, bool) or not isinstance(per_s, int | float) or not 0 < per_s < inf:
        raise ValueError(
            f"the quota of {operation} is a number of requests a second above zero, not {per_s!r}"
        )
