"""ACTIVE and FAILED: is the read set ours, and does it hold what was sent?"""

from __future__ import annotations

from msgspec.structs import replace

from turboupload.core.model import Phase
from turboupload.core.proof.etag import ETagComparison
from turboupload.core.upload.actions import Action, Declare, Done, ListParts, Prove
from turboupload.core.upload.facts import UploadFacts
from turboupload.errors import IntegrityError

__all__ = ["next_confirming"]


def next_confirming(upload: UploadFacts) -> Action:
    """What to do once the service has read the files, or turned them down.

    Raises:
        ServiceRefused: Nothing proves that the read set is ours.
        IntegrityError: Its ETag proves that it holds other content.
    """
    completed = upload.completed
    if completed is not None and completed.proof == "fresh":
        if upload.survey is None:
            return upload.survey_again()
        if upload.gone or not upload.lists_ours:
            # An upload whose read set is ACTIVE or failed isn't listed any more (user guide).
            return Declare(replace(completed, proof="journal"))
        if not upload.patience.exhausted:
            return upload.survey_again()
        if not upload.listed:
            assert upload.upload_id is not None
            return ListParts(upload.upload_id)
        if upload.phase is Phase.FAILED:
            # Our upload is still open, so the failed read set was made of another.
            assert upload.read_set_id is not None
            return upload.return_to_upload(not_its_result=[upload.read_set_id])
    if upload.phase is Phase.FAILED:
        return Done()
    if (family := _family_to_prove(upload)) is not None:
        return Prove(family)
    _require_proof(upload)
    return Done()


def _family_to_prove(upload: UploadFacts) -> str | None:
    """The ETag family to compute now; None where no ETag is needed, or none can be compared."""
    if upload.record is None:
        return None
    # Other sizes would refute a FASTQ, unless its ETag says that it was only recompressed.
    wanted = upload.options.prove or upload.unproven or upload.sizes_of(upload.record) == "no"
    return upload.ownership.family_to_prove(upload.record) if wanted else None


def _require_proof(upload: UploadFacts) -> None:
    """Raises where the read set is not proven to be ours, or proven to be another's."""
    if upload.record is None:
        return
    comparison = upload.comparison
    if upload.unproven:
        raise upload.ownership.refusal(upload.record)
    if comparison is not None and comparison.proves_different:
        raise _other_content(upload, comparison)


def _other_content(upload: UploadFacts, comparison: ETagComparison) -> IntegrityError:
    return IntegrityError(
        f"read set {upload.read_set_id} is {upload.record.status if upload.record else 'there'}, "
        f"but {comparison.sentence}",
        read_set_id=upload.read_set_id,
        path=upload.plan.sources[0].path,
        operation="GetReadSetMetadata",
        hint="keep the files, and don't use the read set; look for what changes bytes (memory, "
        "disk), then upload them again with --force"
        if upload.trusts_journal
        else "these are not exactly the files that were sent: they were modified, replaced or "
        "copied since; if their content changed on purpose, upload them again with --force",
    )
