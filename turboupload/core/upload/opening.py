"""PLANNED and OPENING: continue an upload that is open, or open a new one."""

from __future__ import annotations

from collections.abc import Sequence

from turboupload.core.model import Phase
from turboupload.core.records import ReadSetDetails
from turboupload.core.upload.actions import Action, Create, Declare, Survey
from turboupload.core.upload.events import Candidate, Opened, Opening, Surveyed
from turboupload.core.upload.facts import UploadFacts
from turboupload.core.upload.identity import client_token
from turboupload.core.upload.matching import choose_candidate, is_gone
from turboupload.core.upload.rivals import find_unclaimed, may_adopt, may_be_processed, open_besides
from turboupload.errors import IntegrityError, ServiceRefused, Stopped

__all__ = ["adopt", "next_opening", "next_planned", "not_of_these_files"]


def next_planned(upload: UploadFacts) -> Action:
    """What to do before anything is open: use what the service has, or start an attempt.

    Raises:
        ServiceRefused: Another read set has our name, sample and subject, or the upload that the
            user named isn't open.
        IntegrityError: The upload that the user named has parts of other files.
        Stopped: The service contradicts itself about a read set.
    """
    told = upload.options.upload_id
    if upload.survey is None:
        return Survey(probe=True)
    survey = upload.survey
    if upload.vanished is not None:
        _require_gone(upload, survey, upload.vanished)
    if not upload.options.force and (found := _existing(upload, survey.read_sets)) is not None:
        return found
    if told is not None:
        return adopt(upload, _named_candidate(upload, told))
    others = [
        each
        for each in survey.candidates
        if may_adopt(upload, each) and not may_be_processed(upload, each)
    ]
    if upload.options.resume and (ours := choose_candidate(others)) is not None:
        return adopt(upload, ours)
    return Declare(_new_attempt(upload))


def _existing(upload: UploadFacts, read_sets: Sequence[ReadSetDetails]) -> Action | None:
    """What to do about the read sets that have our metadata already; None where nothing.

    Raises:
        ServiceRefused: One of them isn't known to be ours.
    """
    ours = [record for record in read_sets if upload.ownership.could_be_ours(record)]
    if (prove := upload.ownership.prove_one_of(ours)) is not None:
        return prove
    found = upload.ownership.existing(read_sets)
    return None if found is None else Declare(found)


def _require_gone(upload: UploadFacts, survey: Surveyed, read_set_id: str) -> None:
    """Makes sure that the list agrees that a read set doesn't exist any more.

    One that was denied in an earlier run and is described now is there again. In one run a service
    isn't believed both ways: one that goes on contradicting itself would never let it end.

    Raises:
        Stopped: It is still listed.
    """
    for record in survey.read_sets:
        there_again = upload.vanished_before and record.described
        if record.read_set_id == read_set_id and not is_gone(record) and not there_again:
            raise Stopped(
                f"the service lists read set {read_set_id} ({record.status}) and says "
                "that it does not exist",
                path=upload.plan.sources[0].path,
                operation="GetReadSetMetadata",
                hint="run the same command again later: nothing is sent while it is listed",
            )


def _named_candidate(upload: UploadFacts, upload_id: str) -> Candidate:
    """The upload that the user named.

    Raises:
        ServiceRefused: It isn't open, or was made for other metadata.
        IntegrityError: It has parts of other files.
    """
    assert upload.survey is not None
    for candidate in upload.survey.candidates:
        if candidate.upload.upload_id == upload_id and upload_id not in upload.spent:
            break
    else:
        raise ServiceRefused(
            f"upload {upload_id} is not open in store {upload.store_id}, "
            "or was made for other metadata",
            code="ResourceNotFoundException",
            operation="ListMultipartReadSetUploads",
            hint="leave the upload id out: a matching upload is found automatically",
        )
    if candidate.probe == "differs" or candidate.has_no_cut or upload_id in upload.left_alone:
        raise not_of_these_files(upload, upload_id)
    return candidate


def not_of_these_files(upload: UploadFacts, upload_id: str) -> IntegrityError:
    """The error for an upload that the user named and that has parts of other files."""
    return IntegrityError(
        f"upload {upload_id} has parts that are not of these files",
        path=upload.plan.sources[0].path,
        upload_id=upload_id,
        hint="leave the upload id out to begin a new upload",
    )


def adopt(upload: UploadFacts, candidate: Candidate) -> Declare:
    """The action that makes an open upload ours."""
    assert upload.survey is not None
    return Declare(
        Opened(
            upload_id=candidate.upload.upload_id,
            adopted=True,
            part_size=candidate.part_size or upload.plan.part_size,
            identities=upload.identities,
            known_read_sets=_known_read_sets(upload),
            known_uploads=open_besides(upload, candidate.upload.upload_id),
        )
    )


def _known_read_sets(upload: UploadFacts) -> tuple[str, ...]:
    """The read sets that can't be the result of what is begun or adopted now."""
    assert upload.survey is not None
    if upload.phase is not Phase.PLANNED:
        # One that came since the attempt began may be that of the upload that is adopted now.
        return tuple(sorted(upload.known_read_sets))
    listed = {each.read_set_id for each in upload.survey.read_sets}
    return tuple(sorted(listed | upload.passed_over))


def _new_attempt(upload: UploadFacts) -> Opening:
    """The next attempt.

    Where its token must differ from that of every earlier attempt, its number is taken from the
    clock, since the journal that counted them may be lost. An upload of other files that was only
    found is no reason for that: the first token still tells what other hosts made by it.
    """
    assert upload.survey is not None
    attempt = 0 if upload.attempt is None else upload.attempt + 1
    if upload.wants_another or (upload.left_alone and upload.attempt is not None):
        attempt = max(attempt, int(upload.options.now))
    return Opening(
        attempt=attempt,
        token=client_token(
            store_id=upload.store_id,
            read_set=upload.read_set,
            file_type=upload.file_type,
            sources=upload.plan.sources,
            attempt=attempt,
        ),
        part_size=upload.plan.part_size,
        checksum=upload.options.checksum,
        identities=upload.identities,
        known_read_sets=_known_read_sets(upload),
        started=upload.options.now,
        known_uploads=open_besides(upload),
    )


def next_opening(upload: UploadFacts) -> Action:
    """What to do once the token is durable: Create, or find what an unclear Create opened."""
    if not upload.unresolved:
        return Create(upload.token)
    if upload.survey is None:
        return upload.survey_again(probe=True)
    opened = find_unclaimed(upload)
    if opened is None:
        return Create(upload.token)
    if opened.parts or upload.patience.exhausted:
        return adopt(upload, opened)
    return upload.survey_again(probe=True)
