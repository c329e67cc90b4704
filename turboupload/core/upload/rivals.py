"""Other open uploads that may hold the same files, and which one of them to continue."""

from __future__ import annotations

from collections.abc import Sequence

from turboupload.core.records import MultipartUpload, ReadSetDetails
from turboupload.core.upload.events import Candidate
from turboupload.core.upload.facts import UploadFacts
from turboupload.core.upload.matching import goes_first, is_finished

__all__ = [
    "find_older",
    "find_processed",
    "find_rivals",
    "find_unclaimed",
    "find_whole",
    "may_adopt",
    "may_be_processed",
    "may_be_whole",
    "open_besides",
    "upload_ids",
]


def find_rivals(upload: UploadFacts) -> tuple[tuple[str, int], ...]:
    """Other open uploads that may hold our parts, with what each holds, in bytes.

    Leaves out uploads to which nothing was added since ours was opened, and those that are read
    sets by now: no host works on them.
    """
    assert upload.survey is not None
    return tuple(
        (each.upload.upload_id, each.size)
        for each in upload.survey.candidates
        if each.upload.upload_id not in upload.spent | {upload.upload_id}
        and not _is_left_over(upload, each)
        and _may_be_equal(upload, each)
    )


def may_be_whole(upload: UploadFacts, candidate: Candidate) -> bool:
    """Whether an upload may hold our files whole, so that somebody may have completed it.

    Its parts may be listed later, so an upload without any part may hold them, too.
    """
    return candidate.size in (0, upload.plan.total_bytes) and _may_be_equal(upload, candidate)


def find_whole(upload: UploadFacts) -> frozenset[str]:
    """Other open uploads that hold our files whole, so that a Complete may be under way.

    Of rivals it is enough that they may. One that is left over counts where a part of it was seen
    to be ours: whoever called Complete may have died, with its journal. Where nothing can be
    compared it may be of any other files, and isn't waited for so long.
    """
    assert upload.survey is not None
    rivals = {upload_id for upload_id, _ in upload.rivals}
    settled = upload.spent | upload.waited_out | {upload.upload_id}
    left = {
        each.upload.upload_id
        for each in upload.survey.candidates
        if each.probe == "equal" and _may_be_equal(upload, each)
    }
    return frozenset(
        each.upload.upload_id
        for each in upload.survey.candidates
        if each.size == upload.plan.total_bytes
        and each.upload.upload_id in rivals | (left - settled)
    )


def find_older(upload: UploadFacts, *, whole: bool) -> Candidate | None:
    """The rival that is to be completed instead of ours, if a part of it was seen to be ours.

    It is adopted rather than only waited for: two hosts that complete the same upload make one
    read set, while two that wait for each other may both stop waiting at the same moment.

    Args:
        upload: Our upload.
        whole: Whether the rival must have all its parts, because more may still be coming to it.
            Otherwise a rival without parts is abandoned, and must not keep two other hosts from
            completing the same upload.
    """
    assert upload.survey is not None
    rivals = {upload_id for upload_id, _ in upload.rivals}
    # One that nobody can adopt must not keep two hosts from completing the same upload, either.
    there = [
        each
        for each in upload.survey.candidates
        if each.upload.upload_id in rivals and (whole or each.parts) and may_adopt(upload, each)
    ]
    for each in there:
        if (
            goes_first(each.upload.upload_id, [*_besides(each, there), upload.upload_id or ""])
            and each.probe == "equal"
            and (each.size == upload.plan.total_bytes or not whole)
        ):
            return each
    return None


def find_unclaimed(upload: UploadFacts, *, old: bool = False) -> Candidate | None:
    """The open upload that our token may have made, found in the list for want of its id.

    One with a part of our files comes first. One without parts may be another host's that has just
    begun, of other files: it is taken only when its parts have had the time to be listed.

    Args:
        upload: Our upload.
        old: Whether one without parts may have been there before we called Create. Another host
            may have used the token, and have died before it sent a part.
    """
    assert upload.survey is not None
    there = [
        each
        for each in upload.survey.candidates
        if may_adopt(upload, each)
        and (each.probe == "equal" or (not each.parts and each.probe != "gone"))
        and (
            each.upload.upload_id not in upload.known_uploads
            or (_may_be_continued(upload, each) and (old or each.probe == "equal"))
        )
    ]
    there = [each for each in there if each.probe == "equal"] or there
    for each in there:
        if goes_first(each.upload.upload_id, _besides(each, there)):
            return each
    return None


def may_adopt(upload: UploadFacts, candidate: Candidate) -> bool:
    """Whether an upload wasn't found to have parts of other files, or to be a read set by now."""
    known = upload.left_alone | upload.spent
    return candidate.upload.upload_id not in known and not candidate.has_no_cut


def may_be_processed(upload: UploadFacts, candidate: Candidate) -> bool:
    """Whether an upload may be a read set by now, so that Complete would be refused."""
    whole = candidate.size == upload.plan.total_bytes
    return whole and find_processed(upload, candidate.upload) is not None


def find_processed(upload: UploadFacts, listed: MultipartUpload) -> ReadSetDetails | None:
    """The read set because of which an upload may be listed that is not open any more.

    The service lists an upload for as long as it processes its read set. One that was made before
    the upload comes of another.
    """
    assert upload.survey is not None
    for record in upload.survey.read_sets:
        if upload.ownership.could_be_ours(record) and not is_finished(record):
            made, opened = record.created_at, listed.created_at
            if made is None or opened is None or made >= opened:
                return record
    return None


def _may_be_continued(upload: UploadFacts, candidate: Candidate) -> bool:
    """Whether an upload that was there before may be gone on with, as when a run begins."""
    return upload.options.resume and not may_be_processed(upload, candidate)


def _is_left_over(upload: UploadFacts, candidate: Candidate) -> bool:
    """Whether an upload was there before ours was opened, and got no part since.

    An upload that could not be compared then, and now has the checksums of our parts, is another
    host's upload of the same content.
    """
    if candidate.has_no_cut:
        # It was no candidate to continue, whole as it may be: somebody may still complete it.
        return False
    whole = candidate.probe == "unknown" and candidate.size == upload.plan.total_bytes
    if candidate.upload.upload_id in upload.left_alone and (whole or candidate.probe == "equal"):
        # A part of it was cut short when it was left, or of another cut: a host was sending into
        # it, and may have called Complete.
        return False
    if upload.known_uploads.get(candidate.upload.upload_id) != candidate.size:
        return False
    uncertain = candidate.probe == "unknown" or upload.ledger.algorithm == "another"
    return not (uncertain and upload.options.resume and upload.ledger.repeated_by(candidate.parts))


def _may_be_equal(upload: UploadFacts, candidate: Candidate) -> bool:
    if not candidate.parts:
        # Its parts may be listed later.
        return candidate.probe != "gone"
    if candidate.has_no_cut:
        # Not adopted, but waited for: another host may be about to complete it.
        return candidate.probe == "equal"
    if candidate.part_size == upload.plan.part_size:
        return not upload.ledger.contradicted_by(candidate.parts)
    # It is cut otherwise, so only its probe tells, and only where checksums can be compared.
    return candidate.probe != "differs" or upload.ledger.algorithm == "another"


def open_besides(upload: UploadFacts, ours: str | None = None) -> tuple[tuple[str, int], ...]:
    """The open uploads but ours, with what each holds, in bytes.

    Hosts of unlike cuts replace each other's parts: as many parts as before don't mean that nothing
    has come. Those that were seen open, and aren't listed any more, hold nothing as far as is
    known.
    """
    assert upload.survey is not None
    listed = {each.upload.upload_id: each.size for each in upload.survey.candidates}
    there = dict.fromkeys(sorted(upload.seen_uploads - upload.spent), 0) | listed
    there.pop(ours or "", None)
    return tuple(there.items())


def upload_ids(rivals: Sequence[tuple[str, int]]) -> list[str]:
    """The ids alone, sorted."""
    return sorted(upload_id for upload_id, _ in rivals)


def _besides(one: Candidate, among: Sequence[Candidate]) -> list[str]:
    return [each.upload.upload_id for each in among if each is not one]
