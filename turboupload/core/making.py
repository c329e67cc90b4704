"""Which open uploads may be becoming read sets; nothing but Complete's reply ties the two together.

An upload may be listed, with its parts, while its read set is processed; what Abort does then isn't
documented, and it may destroy the read set.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from turboupload.core.fields import text_fault
from turboupload.core.filters import ReadSetFilter
from turboupload.core.records import MultipartUpload, ReadSetDetails
from turboupload.core.upload.matching import is_finished, is_gone
from turboupload.errors import Stopped
from turboupload.value import Value

__all__ = ["MADE_LATELY_S", "Spared", "filter_for", "may_be_made_of"]

MADE_LATELY_S: Final = 7200.0
"""How old a read set may be whose upload is still listed though it is finished, in seconds.

Recorded are 73 s to an hour of processing; how soon an upload is no longer listed after that isn't
documented. Where an upload is listed for longer, its finished read set doesn't need its parts.
"""

_APART_S: Final = 60.0
"""How far apart the clocks of the service's hosts may be, in seconds; it isn't documented."""


class Spared(Value, frozen=True, kw_only=True):
    """Why an upload may be a read set in the making.

    Attributes:
        reason: A stable word for programs: `read-set`, `completing` or `ended`.
        why: The same as a sentence.
        hint: What to do about it.
    """

    reason: str
    why: str
    hint: str

    def error(self, upload_id: str) -> Stopped:
        """The error of an Abort that isn't made for this."""
        error = Stopped(
            f"upload {upload_id} is left alone: {self.why}",
            upload_id=upload_id,
            hint=f"{self.hint}; `turboupload uploads abort` with --force aborts it all the same",
        )
        error.code = self.reason
        return error


def filter_for(upload: MultipartUpload) -> ReadSetFilter:
    """Asks for the read sets that may be made of an upload; the rows are to be compared again.

    What the service took for an upload need not be what our filter takes, so what doesn't pass is
    left out.
    """
    asked = {
        label: getattr(upload, label)
        for label in ("name", "sample_id", "subject_id")
        if text_fault(label, getattr(upload, label)) is None
    }
    return ReadSetFilter(**asked)


def may_be_made_of(upload: MultipartUpload, record: ReadSetDetails, now: datetime | None) -> bool:
    """Whether a read set may be made of an upload; what a reply leaves out contradicts nothing.

    Args:
        upload: As it is listed.
        record: As it is listed.
        now: The time by the service's clock; None if unknown.
    """
    pairs = (
        (record.name, upload.name),
        (record.sample_id, upload.sample_id),
        (record.subject_id, upload.subject_id),
        (record.file_type, upload.file_type),
        (record.creation_type, "UPLOAD"),
    )
    if is_gone(record) or any(one and other and one != other for one, other in pairs):
        return False
    made = record.created_at
    if made is None:
        return True
    opened = upload.created_at
    if opened is not None and (opened - made).total_seconds() > _APART_S:
        return False
    # The files of an upload that was given up were often sent again, in another upload, and that
    # one's read set must not keep it for ever.
    return not is_finished(record) or now is None or (now - made).total_seconds() <= MADE_LATELY_S
