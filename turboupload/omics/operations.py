"""The table of operations; their quotas are in `core.limits`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

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
    "Operation",
]


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of the service.

    Attributes:
        name: The API's name, which is also the key of its quota and its token bucket.
        rows: The member of the reply that holds a listing's rows.
        repeat: Which failures are retried. `any`: all that may be temporary. `in time`: not a call
            that took too long, because it may have been carried out. `throttled`: only a throttled
            call, which the service certainly did not carry out. Other failures go to the caller,
            which finds out whether the call took effect.
        takes_slot: Whether a call takes a place in the window of parts in flight.
    """

    name: str
    rows: str = ""
    repeat: Literal["any", "in time", "throttled"] = "any"
    takes_slot: bool = False


CREATE_UPLOAD: Final = Operation("CreateMultipartReadSetUpload", repeat="in time")
SEND_PART: Final = Operation("UploadReadSetPart", takes_slot=True)
COMPLETE_UPLOAD: Final = Operation("CompleteMultipartReadSetUpload", repeat="throttled")
ABORT_UPLOAD: Final = Operation("AbortMultipartReadSetUpload")
LIST_UPLOADS: Final = Operation("ListMultipartReadSetUploads", rows="uploads")
LIST_PARTS: Final = Operation("ListReadSetUploadParts", rows="parts")
GET_READ_SET: Final = Operation("GetReadSetMetadata")
LIST_READ_SETS: Final = Operation("ListReadSets", rows="readSets")
START_IMPORT_JOB: Final = Operation("StartReadSetImportJob")
GET_IMPORT_JOB: Final = Operation("GetReadSetImportJob")
LIST_IMPORT_JOBS: Final = Operation("ListReadSetImportJobs", rows="importJobs")
GET_STORE: Final = Operation("GetSequenceStore")
LIST_STORES: Final = Operation("ListSequenceStores", rows="sequenceStores")
