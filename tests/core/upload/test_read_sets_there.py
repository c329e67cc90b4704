"""Read sets that are there already, with and without `--force`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.core.upload.states import (
    ALL,
    ETAG,
    NOW,
    OPENED,
    OURS,
    PARTS,
    candidate,
    declared,
    looked_in_vain,
    opening,
    ours_in,
    resumed,
    rival,
    send_all,
    sent,
    surveyed,
)
from tests.support.values import record, upload
from turboupload.core.model import FileType, PartSource
from turboupload.core.proof.etag import ContentETag
from turboupload.core.records import ReadSetDetails, ReadSetFiles, UploadPart
from turboupload.core.upload.actions import Declare, Done, ListParts, PollReadSet, Prove, Survey
from turboupload.core.upload.events import (
    Candidate,
    Completed,
    CompleteLost,
    Completing,
    ETagComputed,
    Event,
    NothingCame,
    Opened,
    Opening,
    PartsListed,
    ReadSetGone,
    StatusSeen,
    Surveyed,
    UploadGone,
)
from turboupload.core.upload.state import Upload, UploadOptions
from turboupload.errors import ServiceRefused, Stopped


def take_for_now(state: Upload, there: ReadSetDetails) -> None:
    """A read set is recorded before it is judged, and asked for by its id."""
    found = declared(state)
    assert found == Completed(read_set_id=there.read_set_id, adopted=True, proof="none")
    state.receive(StatusSeen(there))


@pytest.mark.parametrize("force", [False, True])
def test_an_upload_that_is_named_does_not_pass_over_the_read_set_that_was_made(
    force: bool,
) -> None:
    """A listing that lags may not show it; whoever wants another one says so."""
    made = Completed(read_set_id="9000000001")
    options = UploadOptions(upload_id="1000000009", force=force, now=NOW)
    state = resumed(opening(), OPENED, Completing(), made, options=options)
    assert state.next() == (Survey(probe=True) if force else PollReadSet("9000000001"))


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("how", ["aborted", "--no-resume", "--upload-id"])
def test_a_whole_upload_that_is_left_may_be_a_read_set_by_now(how: str, whole: bool) -> None:
    """A run may have seen it, and have ended before that was recorded; a listing may be older."""
    there = [sent(part, "journal") for part in (PARTS if whole else PARTS[:2])]
    other = candidate("1000000002", ALL)
    options = UploadOptions(
        now=NOW,
        resume=how != "--no-resume",
        upload_id="1000000002" if how == "--upload-id" else None,
    )
    ended = [UploadGone(aborted=True)] if how == "aborted" else []
    few = [replace(each, checksum=None) for each in ALL[:2]]
    listed_still = () if whole or ended else (rival("1000000001", *few),)
    state = resumed(opening(), OPENED, *there, *ended, options=options)
    surveyed(state, uploads=(*listed_still, other) if how == "--upload-id" else listed_still)
    begun = declared(state)
    if isinstance(begun, Opening):
        state.receive(replace(OPENED, upload_id="1000000002"))
    send_all(state)
    waited = looked_in_vain(state, uploads=(*listed_still, other))
    assert waited >= 60 if whole else waited == 0
    assert declared(state) == Completing()


@pytest.mark.parametrize("upload_id", [None, "1000000003"])
@pytest.mark.parametrize(
    "events",
    [
        (opening(), OPENED),
        (opening(), OPENED, opening(attempt=1)),
        (opening(), OPENED, opening(attempt=1), opening(attempt=2)),
        (replace(opening(), known_uploads=(("1000000001", 10),)),),
        (replace(opening(), known_uploads=(("1000000001", 10),)), opening(attempt=1)),
        (opening(), replace(OPENED, upload_id="7", known_uploads=(("1000000001", 10),))),
    ],
)
def test_one_that_is_passed_over_and_not_listed_may_be_a_read_set_by_now(
    events: tuple[Event, ...], upload_id: str | None
) -> None:
    """Its run had completed it, and the journal was set back, or another host's did.

    Runs that were killed since may have been shown it for the last time.
    """
    options = UploadOptions(now=NOW, resume=upload_id is not None, upload_id=upload_id)
    third = candidate("1000000003", ALL[:1] if upload_id else ALL)
    state = resumed(*events, options=options)
    surveyed(state, uploads=(third,) if upload_id else ())
    if isinstance(declared(state), Opening):
        state.receive(replace(OPENED, upload_id="1000000003"))
    send_all(state)
    assert looked_in_vain(state, uploads=(third,)) >= 60
    assert declared(state) == Completing()


def test_a_read_set_that_was_made_since_ends_that_doubt() -> None:
    """What is uploaded once more, by `--force`, isn't waited for."""
    there = [sent(part, "journal") for part in PARTS]
    anew = replace(OPENED, upload_id="1000000002")
    made = Completed(read_set_id="9")
    gone = UploadGone(aborted=True)
    seen = replace(opening(), known_uploads=(("999999999", 10),))
    events: list[Event] = [OPENED, *there, gone, opening(), anew, Completing(), made]
    state = resumed(seen, *events, options=UploadOptions(force=True, now=NOW))
    surveyed(state, record("ACTIVE", 10))
    assert isinstance(declared(state), Opening)
    third = replace(OPENED, upload_id="1000000003")
    state.receive(third)
    send_all(state)
    assert looked_in_vain(state, uploads=(candidate("1000000003", probe="unknown"),)) == 0
    assert declared(state) == Completing()


def test_an_upload_that_is_whole_when_a_run_begins_is_looked_at_with_patience() -> None:
    """The journal may have been set back to before Complete was called."""
    state = resumed(opening(), OPENED, *[sent(part, "journal") for part in PARTS])
    state.receive(PartsListed(ALL))
    assert looked_in_vain(state, uploads=(OURS,)) >= 60
    assert declared(state) == Completing()


def test_a_read_set_that_was_in_the_way_is_known_to_the_next_run_whatever_is_listed_then() -> None:
    state = resumed(Completed(read_set_id="9000000001", adopted=True, proof="none"))
    assert state.next() == PollReadSet("9000000001")
    state.receive(StatusSeen(record("ACTIVE", 10)))
    with pytest.raises(ServiceRefused, match="nothing here proves"):
        state.next()


@pytest.mark.parametrize("file_type", [FileType.FASTQ, FileType.BAM])
def test_sizes_alone_make_no_read_set_ours(file_type: FileType) -> None:
    state = upload(10, file_type=file_type)
    state.replay([])
    there = replace(record("ACTIVE", 10), file_type=file_type)
    surveyed(state, there)
    take_for_now(state, there)
    with pytest.raises(ServiceRefused, match=r"nothing here proves.* no ETag to compare") as caught:
        state.next()
    assert ("sizes are those" in str(caught.value)) == (file_type is FileType.FASTQ)


def test_an_equal_etag_makes_it_ours() -> None:
    state = resumed()
    surveyed(state, replace(record("ACTIVE", 11), etag=ETAG))
    assert state.next() == Prove("MD5up")
    state.receive(ours_in("MD5up"))
    assert state.next() == Declare(Completed(read_set_id="9000000001", adopted=True, proof="etag"))


def test_a_read_set_of_other_sizes_is_in_the_way() -> None:
    state = resumed()
    there = record("ACTIVE", 11)
    state.receive(Surveyed((), (there,)))
    take_for_now(state, there)
    with pytest.raises(ServiceRefused, match="nothing here proves") as caught:
        state.next()
    assert "--force" in str(caught.value.hint)


@pytest.mark.parametrize("status", ["UPLOAD_FAILED", "DELETED", "DELETING"])
def test_a_read_set_that_is_gone_is_in_nobodys_way(status: str) -> None:
    state = resumed()
    state.receive(Surveyed((), (record(status),)))
    assert isinstance(state.next(), Declare)


def test_one_that_is_processing_must_prove_itself_when_it_is_active() -> None:
    state = resumed()
    state.receive(Surveyed((), (record("PROCESSING_UPLOAD"),)))
    action = state.next()
    assert isinstance(action, Declare)
    state.receive(action.event)
    assert state.next() == PollReadSet("9000000001")
    state.receive(StatusSeen(record("ACTIVE", 10)))
    with pytest.raises(ServiceRefused, match="nothing here proves"):
        state.next()
    other = resumed()
    other.receive(Surveyed((), (record("PROCESSING_UPLOAD"),)))
    other.receive(action.event)
    other.receive(StatusSeen(replace(record("ACTIVE", 10), etag=ETAG)))
    assert other.next() == Prove("MD5up")
    other.receive(ours_in("MD5up"))
    assert other.next() == Done()
    assert not other.unproven


def test_force_uploads_anew_although_the_read_set_is_there() -> None:
    options = UploadOptions(force=True, now=NOW)
    finished: list[Event] = [
        opening(),
        OPENED,
        *[sent(part, "journal") for part in PARTS],
        Completing(),
        Completed(read_set_id="9000000001"),
    ]
    state = resumed(*finished, options=options)
    state.receive(Surveyed((), (record("ACTIVE", 10),)))
    action = state.next()
    assert isinstance(action, Declare)
    assert isinstance(action.event, Opening)
    assert action.event.known_read_sets == ("9000000001",)


def test_force_makes_another_although_the_first_one_is_listed_late() -> None:
    forced = UploadOptions(force=True, now=NOW)
    done: list[Event] = [opening(), OPENED, Completing(), Completed(read_set_id="9000000001")]
    state = resumed(*done, options=forced)
    surveyed(state)
    begun = declared(state)
    assert isinstance(begun, Opening)
    # The same run, and one that goes on after a crash.
    for going_on in (state, resumed(*done, begun)):
        going_on.receive(Opened(upload_id="1000000002", adopted=False, part_size=4))
        going_on.receive(UploadGone())
        surveyed(going_on, record("ACTIVE"))
        assert isinstance(going_on.next(), Survey)


def test_force_leaves_the_upload_whose_read_set_is_still_processed() -> None:
    # It is listed, with all its parts, until its read set is ACTIVE.
    state = resumed(
        opening(),
        OPENED,
        *[sent(part, "journal") for part in PARTS],
        Completing(),
        Completed(read_set_id="9000000001"),
        options=UploadOptions(force=True, now=NOW),
    )
    lingering = candidate(parts=ALL)
    surveyed(state, record("PROCESSING_UPLOAD"), uploads=(lingering,))
    assert isinstance(declared(state), Opening)
    state.receive(Opened(upload_id="1000000002", adopted=False, part_size=4))
    state.receive(PartsListed(()))
    for part in PARTS:
        state.receive(sent(part))
    state.receive(PartsListed(ALL))
    ours = candidate("1000000002", ALL)
    surveyed(state, record("PROCESSING_UPLOAD"), uploads=(lingering, ours))
    assert declared(state) == Completing(), "nobody works on it, so there is nothing to wait for"


@pytest.mark.parametrize(
    ("opened", "made", "has", "status", "continued"),
    [
        pytest.param(5, 6, ALL, "PROCESSING_UPLOAD", False, id="it may be the read set"),
        pytest.param(5, 5, ALL, "PROCESSING_UPLOAD", False, id="times have whole seconds"),
        pytest.param(5, None, ALL, "PROCESSING_UPLOAD", False, id="one time is not told"),
        pytest.param(6, 5, ALL, "PROCESSING_UPLOAD", True, id="the read set was there before"),
        pytest.param(5, 6, ALL, "ACTIVE", True, id="it would not be listed any more"),
        pytest.param(5, 6, ALL[:1], "PROCESSING_UPLOAD", True, id="nobody can have completed it"),
    ],
)
def test_force_without_a_journal_leaves_an_upload_that_may_be_a_read_set(
    opened: int, made: int | None, has: tuple[UploadPart, ...], status: str, continued: bool
) -> None:
    state = resumed(options=UploadOptions(force=True, now=NOW))
    listed = candidate(parts=has)
    listed = replace(listed, upload=replace(listed.upload, created_at=_moment(opened)))
    there = replace(record(status), created_at=None if made is None else _moment(made))
    surveyed(state, there, uploads=(listed,))
    assert isinstance(declared(state), Opened if continued else Opening)


def _moment(second: int) -> datetime:
    return datetime(2026, 3, 4, 5, 6, second, tzinfo=UTC)


def test_nor_is_it_continued_where_it_is_named() -> None:
    state = resumed(
        opening(),
        OPENED,
        Completing(),
        Completed(read_set_id="9000000001"),
        options=UploadOptions(force=True, upload_id="1000000001", now=NOW),
    )
    surveyed(state, record("PROCESSING_UPLOAD"), uploads=(candidate(parts=ALL),))
    with pytest.raises(ServiceRefused, match="upload 1000000001 is not open"):
        state.next()


def _lingering(*, force: bool = False, resume: bool = True) -> Upload:
    """An upload that was adopted although a read set was being made of it, and completed again."""
    return resumed(
        opening(),
        Opened(upload_id="1000000001", adopted=True, part_size=4, known_read_sets=("9000000001",)),
        *[sent(part, "journal") for part in PARTS],
        Completing(),
        options=UploadOptions(now=NOW, force=force, resume=resume),
    )


def _look_until_it_is_believed(state: Upload, there: ReadSetDetails, *uploads: Candidate) -> None:
    while not state.patience.exhausted:
        surveyed(state, there, uploads=uploads)


@pytest.mark.parametrize("answer", [CompleteLost(gone=True), CompleteLost(refused=True)])
def test_an_upload_that_is_listed_because_a_known_read_set_is_processed(
    answer: CompleteLost,
) -> None:
    state = _lingering()
    state.receive(answer)
    _look_until_it_is_believed(state, record("PROCESSING_UPLOAD"), OURS)
    with pytest.raises(Stopped, match="perhaps it became read set 9000000001") as caught:
        state.next()
    hint = str(caught.value.hint)
    assert "again when read set 9000000001 is ACTIVE" in hint
    assert "--force --no-resume" in hint


def test_when_it_is_active_it_is_compared() -> None:
    state, active = _lingering(), replace(record("ACTIVE"), etag=ETAG)
    _look_until_it_is_believed(state, active)
    assert isinstance(declared(state), Opened)
    state.receive(UploadGone())
    _look_until_it_is_believed(state, active)
    assert declared(state) == NothingCame()
    surveyed(state, active)
    assert state.next() == Prove("MD5up")


def test_whoever_wants_another_one_at_once_gets_it() -> None:
    state = _lingering(force=True, resume=False)
    _look_until_it_is_believed(state, record("PROCESSING_UPLOAD"), OURS)
    assert declared(state) == NothingCame()
    surveyed(state, record("PROCESSING_UPLOAD"), uploads=(OURS,))
    assert isinstance(declared(state), Opening)


def test_an_upload_that_proves_to_be_a_read_set_is_not_the_one_that_force_asks_for() -> None:
    state = _lingering(force=True)
    state.receive(Completed(read_set_id="9000000001"))
    surveyed(state, record("ACTIVE"), uploads=(OURS,))
    begun = declared(state)
    assert isinstance(begun, Opening)
    assert "9000000001" in begun.known_read_sets
    state.receive(Opened(upload_id="1000000002", adopted=False, part_size=4))
    state.receive(Completing())
    # Of a service that always answers so, nothing more is asked.
    state.receive(Completed(read_set_id="9000000001"))
    assert state.next() == PollReadSet("9000000001")


def test_without_force_it_is_the_result() -> None:
    state = _lingering()
    state.receive(Completed(read_set_id="9000000001"))
    assert state.next() == PollReadSet("9000000001")


def test_force_goes_on_with_a_forced_upload_that_was_interrupted() -> None:
    state = resumed(opening(attempt=5), OPENED, options=UploadOptions(force=True, now=NOW))
    there = record("ACTIVE", 10)
    surveyed(state, there)  # what is there now is in nobody's way either: it was said again
    again = declared(state)
    assert isinstance(again, Opened)
    assert again.known_read_sets == (there.read_set_id,)
    assert state.next() == ListParts("1000000001")


def test_a_finished_upload_is_looked_at_again_and_not_sent() -> None:
    state = resumed(
        opening(),
        OPENED,
        *[sent(part, "journal") for part in PARTS],
        Completing(),
        Completed(read_set_id="9000000001"),
        StatusSeen(record("ACTIVE", 10)),
    )
    assert state.next() == PollReadSet("9000000001")
    state.receive(StatusSeen(record("ACTIVE", 10)))
    assert state.next() == Done()
    assert state.verified == "sha256"


def test_a_read_set_that_was_deleted_meanwhile_is_made_anew() -> None:
    state = resumed(opening(), OPENED, Completing(), Completed(read_set_id="9000000001"))
    state.receive(ReadSetGone())
    surveyed(state)
    assert isinstance(declared(state), Opening)


def test_a_read_set_that_is_listed_and_not_described_is_not_made_anew() -> None:
    state = resumed(opening(), OPENED, Completing(), Completed(read_set_id="9000000001"))
    state.receive(ReadSetGone())
    surveyed(state, record("ACTIVE"))
    with pytest.raises(Stopped, match="lists read set 9000000001"):
        state.next()


GONE = (opening(), OPENED, Completing(), Completed(read_set_id="9000000001"), ReadSetGone())


def test_a_read_set_that_was_denied_by_an_earlier_run_and_is_there_again_is_the_one() -> None:
    state = resumed(*GONE)
    surveyed(state, record("PROCESSING_UPLOAD"))
    assert declared(state) == Completed(read_set_id="9000000001", adopted=True, proof="none")
    state.receive(ReadSetGone())
    surveyed(state, record("PROCESSING_UPLOAD"))
    with pytest.raises(Stopped, match="lists read set 9000000001"):
        state.next()


def test_one_that_was_denied_by_an_earlier_run_and_is_only_listed_is_not_made_anew() -> None:
    state = resumed(*GONE)
    surveyed(state, replace(record("ACTIVE"), described=False))
    with pytest.raises(Stopped, match="lists read set 9000000001"):
        state.next()


def test_one_file_is_not_proven_by_a_pair_of_which_the_service_hashes_only_the_first() -> None:
    pair = ReadSetFiles.of_sizes({PartSource.SOURCE1: 10, PartSource.SOURCE2: 12})
    there = replace(record("ACTIVE"), files=pair, etag=replace(ETAG, source2=None))
    state = resumed()
    surveyed(state, there)
    assert state.next() == Prove("MD5up")
    state.receive(ETagComputed(family="MD5up", etag=ContentETag("FASTQ_MD5up", "aa" * 16)))
    take_for_now(state, there)
    with pytest.raises(ServiceRefused, match="also has a source2") as caught:
        state.next()
    assert caught.value.code == "ReadSetExists"
