"""COMPLETING: call Complete; where a read set may have been made, look for it before that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from turboupload.core.rate.retry import NOT_GONE_ON_WITH
from turboupload.core.records import ReadSetDetails
from turboupload.core.upload.actions import Action, Complete, Declare
from turboupload.core.upload.events import Completed, NothingCame, UploadRefused
from turboupload.core.upload.facts import UploadFacts
from turboupload.core.upload.matching import is_finished, is_gone
from turboupload.core.upload.opening import adopt
from turboupload.core.upload.rivals import find_processed, find_unclaimed
from turboupload.errors import ServiceRefused, Stopped

__all__ = ["choose_read_set", "next_completing"]


def next_completing(upload: UploadFacts) -> Action:
    """What to do from the moment that Complete may be called until its result is known.

    Raises:
        Stopped: Whether Complete took effect can't be found out.
        ServiceRefused: The upload is open, and the service doesn't go on with it.
    """
    if not upload.unresolved:
        assert upload.upload_id is not None
        spelling = upload.ledger.spelling(refused=upload.refused_spelling)
        return Complete(upload.upload_id, upload.ledger.for_complete(spelling))
    unknown_upload = upload.upload_id is None
    if upload.survey is None:
        return upload.survey_again(probe=unknown_upload)
    open_still = upload.lists_ours and not upload.gone
    fresh = [
        record
        for record in upload.perhaps_ours()
        if not upload.ownership.proves_different(record)
        and not (open_still and record.status == "UPLOAD_FAILED")
    ]
    # One that failed may be another host's, and ours not be listed yet.
    if any(not is_gone(record) for record in fresh) or (fresh and upload.patience.exhausted):
        return choose_read_set(upload, fresh, open_still=open_still)
    if unknown_upload:
        # Two uploads of the same content would be worse than one that perhaps isn't ours: its
        # parts are compared.
        opened = find_unclaimed(upload, old=upload.patience.exhausted)
        if opened is not None and (opened.parts or upload.patience.exhausted):
            return adopt(upload, opened)
    if upload.patience.exhausted:
        return _nothing_came(upload)
    if upload.lists_ours and not upload.complete_called:
        return upload.return_to_upload()
    return upload.survey_again(probe=unknown_upload)


def choose_read_set(
    upload: UploadFacts, fresh: Sequence[ReadSetDetails], *, open_still: bool
) -> Action:
    """Decides which of the read sets with our metadata that came since is ours.

    Args:
        upload: Our upload.
        fresh: The read sets that came since it was opened; at least one.
        open_still: Whether our upload is still listed as open.

    Raises:
        Stopped: There are several, and their ETags don't tell yet.
    """
    for record in fresh:
        if upload.ownership.proves_equal(record):
            found = Completed(read_set_id=record.read_set_id, adopted=True, proof="etag")
            return Declare(found)
    if len(fresh) > 1:
        return _choose_among(upload, fresh)
    proof: Final = "none" if not upload.complete_called else "fresh" if open_still else "journal"
    return Declare(Completed(read_set_id=fresh[0].read_set_id, adopted=True, proof=proof))


def _choose_among(upload: UploadFacts, fresh: Sequence[ReadSetDetails]) -> Action:
    """As `choose_read_set`, of several of which no known ETag says that it is ours."""
    if (prove := upload.ownership.prove_one_of(fresh)) is not None:
        return prove
    there = [record for record in fresh if not is_gone(record)]
    if not there and not upload.patience.exhausted:
        return upload.survey_again()
    if any(not is_finished(record) for record in there):
        raise _ambiguous(upload, fresh)
    # Nothing more will be known. One that exists blocks the upload; if all failed, none does.
    found = there[0] if there else fresh[0]
    return Declare(Completed(read_set_id=found.read_set_id, adopted=True, proof="none"))


def _nothing_came(upload: UploadFacts) -> Action:
    """What to do when no read set has come for longer than a listing may lag.

    Raises:
        ServiceRefused: The upload is open, and the service doesn't go on with it.
        Stopped: It may be listed only because its read set is still processed, or this run began
            anew before.
    """
    if upload.upload_id is None or upload.leaves_upload:
        return _restart(upload)
    if upload.complete_called and (upload.gone or upload.refused):
        _require_no_lingering(upload)
    if not (upload.asked_at_last and upload.gone):
        return upload.return_to_upload()
    return _restart(upload)


def _require_no_lingering(upload: UploadFacts) -> None:
    """Makes sure that our upload isn't listed only because its read set is still processed.

    That read set was there before this upload was adopted, so it isn't taken for its result; and
    another Complete would only be refused again.

    Raises:
        Stopped: It may be so.
    """
    assert upload.survey is not None
    for each in upload.survey.candidates:
        if each.upload.upload_id != upload.upload_id:
            continue
        if (record := find_processed(upload, each.upload)) is not None:
            raise Stopped(
                f"the service does not complete upload {upload.upload_id}, and still lists it: "
                f"perhaps it became read set {record.read_set_id} ({record.status})",
                path=upload.plan.sources[0].path,
                operation="CompleteMultipartReadSetUpload",
                upload_id=upload.upload_id,
                hint=f"run the same command again when read set {record.read_set_id} is ACTIVE; "
                "to upload another one now, use `turboupload upload --force --no-resume`",
            )


def _restart(upload: UploadFacts) -> Declare:
    """Starts again with a new upload, once in a run.

    Raises:
        ServiceRefused: The upload is open, and the service doesn't go on with it.
        Stopped: This run did so before: a service that keeps opening uploads that it doesn't know
            must not keep us busy. Or somebody ended the upload while its parts were being sent.
    """
    refused = upload.turned_away if upload.lists_ours else None
    if refused is not None and (upload.ended_elsewhere or not upload.leaves_upload):
        raise _refused(upload, refused)
    if upload.ended_elsewhere:
        raise Stopped(
            f"upload {upload.upload_id} was aborted elsewhere while its parts were being sent, or "
            "it expired, and no read set resulted from it",
            path=upload.plan.sources[0].path,
            operation="ListMultipartReadSetUploads",
            hint="if it was not aborted on purpose, run the same command again: it begins a new "
            "upload",
        )
    if upload.restarted:
        raise Stopped(
            f"upload {upload.upload_id or 'of this token'} is not open, and no read set resulted "
            "from it, for the second time in this run",
            path=upload.plan.sources[0].path,
            operation="ListMultipartReadSetUploads",
            hint="run the same command again later: it looks again, and starts from the beginning",
        )
    return Declare(NothingCame())


def _refused(upload: UploadFacts, answer: UploadRefused) -> ServiceRefused:
    """The error for an upload that is open, as the list says, and can't be gone on with."""
    return ServiceRefused(
        f"upload {upload.upload_id} is listed as open, and refused: {answer.refusal}",
        code=answer.code,
        path=upload.plan.sources[0].path,
        operation=answer.operation,
        upload_id=upload.upload_id,
        hint=NOT_GONE_ON_WITH,
    )


def _ambiguous(upload: UploadFacts, fresh: Sequence[ReadSetDetails]) -> Stopped:
    found = ", ".join(f"{record.read_set_id} ({record.status})" for record in fresh)
    return Stopped(
        f"the result of upload {upload.upload_id} is not known: the store shows {found} of this "
        "name, sample and subject, and each could be its result",
        path=upload.plan.sources[0].path,
        operation="CompleteMultipartReadSetUpload",
        upload_id=upload.upload_id,
        hint="when they are ACTIVE, run the same command again: their ETags tell; or compare "
        "them with the files by `turboupload readsets verify`",
    )
