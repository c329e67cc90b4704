"""Which open uploads may be becoming read sets; nothing but Complete's reply ties the two together.

An upload may be listed, with its parts, while its read set is processed; what Abort does then isn't
documented, and it may destroy the read set.
"""

from __future__ import annotations

from typing import Final

from turboupload.core.fields import text_fault
from turboupload.core.filters import ReadSetFilter
from turboupload.core.records import MultipartUpload, ReadSetDetails
from turboupload.core.upload.matching import has_ended
from turboupload.errors import Stopped
from turboupload.value import Value

__all__ = ["Spared", "filter_for", "may_be_made_of"]

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


def may_be_made_of(upload: MultipartUpload, record: ReadSetDetails) -> bool:
    """Whether a read set may be in the making of an upload.

    What a reply leaves out contradicts nothing. A read set that is finished doesn't need the parts
    any more: the service lists no upload that is ACTIVE (user guide), or it lags.

    Args:
        upload: As it is listed.
        record: As it is listed.
    """
    pairs = (
        (record.name, upload.name),
        (record.sample_id, upload.sample_id),
        (record.subject_id, upload.subject_id),
        (record.file_type, upload.file_type),
        (record.creation_type, "UPLOAD"),
    )
    if any(one and other and one != other for one, other in pairs):
        return False
    opened, made = upload.created_at, record.created_at
    older = opened and made and (opened - made).total_seconds() > _APART_S
    return not older and not has_ended(record)
