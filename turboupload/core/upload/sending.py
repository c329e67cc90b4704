"""OPEN: send the parts, and check that no other host makes the read set before completing it."""

from __future__ import annotations

from turboupload.core.upload.actions import Action, Declare, ListParts, SendParts, Survey
from turboupload.core.upload.completing import choose_read_set
from turboupload.core.upload.early_parts import is_long
from turboupload.core.upload.events import Completed, Completing, Disowned, Opened
from turboupload.core.upload.facts import UploadFacts
from turboupload.core.upload.matching import is_gone
from turboupload.core.upload.opening import adopt, not_of_these_files
from turboupload.core.upload.rivals import find_older

__all__ = ["next_open"]


def next_open(upload: UploadFacts) -> Action:
    """What to do while the upload is open.

    Raises:
        IntegrityError: The upload that the user named has parts of other files.
        Stopped: Several read sets have come, and which one is ours can't be told.
    """
    assert upload.upload_id is not None
    if upload.accepts_existing and upload.survey is None:
        return Survey()
    if upload.accepts_existing or not upload.trusts_journal:
        # The files are others than the journal knows, or copies: its digests may be of other bytes.
        return _go_on(upload, upload.upload_id, part_size=upload.plan.part_size)
    if upload.cut_of_others is not None:
        return _go_on(upload, upload.upload_id, part_size=upload.cut_of_others)
    if not upload.listed:
        return ListParts(upload.upload_id, send=upload.sole_sender and is_long(upload.plan))
    if upload.has_parts_of_others:
        if upload.options.upload_id == upload.upload_id:
            raise not_of_these_files(upload, upload.upload_id)
        return Declare(Disowned(upload.upload_id))
    if upload.ledger.counts.to_compare:
        return SendParts(upload.upload_id, compare_only=True)
    if not upload.ledger.ready:
        return SendParts(upload.upload_id)
    return _check_before_completing(upload)


def _go_on(upload: UploadFacts, upload_id: str, *, part_size: int) -> Declare:
    """Continues the upload as one in which other files, or another host, may have a part."""
    known = upload.survey.read_sets if upload.survey is not None else ()
    return Declare(
        Opened(
            upload_id=upload_id,
            adopted=True,
            part_size=part_size,
            identities=upload.identities,
            known_read_sets=tuple(each.read_set_id for each in known),
        )
    )


def _check_before_completing(upload: UploadFacts) -> Action:
    """Makes sure that no other host has made this read set, or is about to.

    Our own upload must be listed: then every older one is listed, too, if a listing shows the
    state of one moment. An upload with the same parts was opened by another host under another
    token; the smaller id decides which of the two is completed. Even the host that completes
    waits first, since the other one may have checked before there was anything to see.
    """
    if upload.survey is None:
        return upload.survey_again(probe=True)
    fresh = [each for each in upload.new_read_sets() if not is_gone(each)]
    ours = [each for each in upload.perhaps_ours() if not is_gone(each)]
    if ours and upload.complete_called:
        return choose_read_set(upload, ours, open_still=upload.lists_ours)
    if (prove := upload.ownership.prove_one_of(fresh)) is not None:
        return prove
    if fresh:
        # Recorded before it is judged: the next run's survey may not show it.
        proven = next((each for each in fresh if upload.ownership.proves_equal(each)), None)
        return Declare(
            Completed(
                read_set_id=(proven or fresh[0]).read_set_id,
                adopted=True,
                proof="etag" if proven else "none",
            )
        )
    failed = [each.read_set_id for each in upload.new_read_sets()]
    if failed and not upload.complete_called:
        # Recorded: none of them is the result of the Complete that comes now.
        return upload.return_to_upload(not_its_result=failed)
    exhausted = upload.patience.exhausted
    # Not where the user named an upload, or wants a new one.
    free = upload.options.resume and upload.options.upload_id is None
    older = find_older(upload, whole=not exhausted) if free else None
    if older is not None:
        return adopt(upload, older)
    if (upload.lists_ours and not upload.perhaps_made) or exhausted:
        return Declare(Completing())
    return upload.survey_again(probe=True)
