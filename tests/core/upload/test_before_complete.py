"""The looks right before Complete, and the uploads of others that hold the same parts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.core.upload.states import (
    ALL,
    NOW,
    OPENED,
    OURS,
    PARTS,
    all_there,
    candidate,
    declared,
    looked_in_vain,
    opening,
    resumed,
    rival,
    send_all,
    sent,
    surveyed,
)
from tests.support.values import checksum, listed, record, upload
from turboupload.core.model import Part, PartSource
from turboupload.core.records import UploadPart
from turboupload.core.upload.actions import Complete, ListParts, Survey
from turboupload.core.upload.events import (
    Candidate,
    Completed,
    Completing,
    Disowned,
    Opened,
    Opening,
    PartsListed,
    StatusSeen,
    Surveyed,
)
from turboupload.core.upload.parts.work import SendPart
from turboupload.core.upload.state import UploadOptions
from turboupload.errors import ServiceRefused


def test_it_is_looked_once_more_before_complete() -> None:
    state = all_there(known=("9000000007",))
    old = record("ACTIVE", 10, read_set_id="9000000007")
    assert surveyed(state, old, uploads=(OURS,)) == 0
    assert declared(state) == Completing()
    assert isinstance(state.next(), Complete)


def test_an_upload_of_two_cuts_that_became_whole_is_waited_for() -> None:
    """It has as many parts as when it was left, but two hosts have replaced each other's."""
    mixed = candidate("1000000000", (ALL[0], replace(ALL[1], size=3)), part_size=None)
    state = resumed()
    surveyed(state, uploads=(mixed,))
    begun = declared(state)
    assert isinstance(begun, Opening)
    state.receive(OPENED)
    state.receive(PartsListed(()))
    for part in PARTS:
        state.receive(sent(part))
    state.receive(PartsListed(ALL))
    whole = candidate("1000000000", (_half(1, 5), _half(2, 5)), part_size=5)
    surveyed(state, uploads=(whole, OURS))
    assert state.leaves_way
    assert isinstance(declared(state), Opened), "the older one is completed"


def test_two_that_wait_for_an_upload_which_nobody_can_adopt_complete_the_same_one() -> None:
    cut = candidate("999999999", (replace(ALL[0], size=3),), part_size=None)
    older = candidate("1000000000", ALL)
    state = all_there()
    surveyed(state, uploads=(cut, older, OURS))
    adopted = declared(state)
    assert isinstance(adopted, Opened)
    assert adopted.upload_id == "1000000000"


def _half(number: int, size: int) -> UploadPart:
    return listed(Part(PartSource.SOURCE1, number, (number - 1) * size, size))


def test_a_listing_that_does_not_show_our_own_upload_yet_is_waited_for() -> None:
    state = all_there()
    surveyed(state)
    assert surveyed(state, uploads=(OURS,)) > 0
    assert declared(state) == Completing()
    never = all_there()
    assert looked_in_vain(never) >= 60
    assert declared(never) == Completing()


def test_a_read_set_that_came_meanwhile_is_not_made_again() -> None:
    state = all_there()
    surveyed(state, record("PROCESSING_UPLOAD"), uploads=(OURS,))
    found = declared(state)
    assert found == Completed(read_set_id="9000000001", adopted=True, proof="none")
    state.receive(StatusSeen(record("ACTIVE", 10)))
    with pytest.raises(ServiceRefused, match="nothing here proves"):
        state.next()  # no ETag: that it holds these files isn't known, and is not said


def test_of_two_uploads_with_the_same_parts_the_smaller_id_goes_on_after_a_while() -> None:
    state = all_there()
    uploads = (OURS, rival("1000000002", *ALL))
    assert looked_in_vain(state, uploads=uploads) >= 60
    assert declared(state) == Completing()


@pytest.mark.parametrize("text", [None, "opaque", checksum(PARTS[0])])
def test_and_the_other_leaves_it_the_way(text: str | None) -> None:
    """Also where the listing's checksums don't tell whether they are the same."""
    state = all_there()
    uploads = (OURS, rival("999999999", replace(ALL[0], checksum=text)))
    for _ in range(20):
        surveyed(state, uploads=uploads)
    surveyed(state, record("PROCESSING_UPLOAD"), uploads=(OURS,))
    found = declared(state)
    assert isinstance(found, Completed)
    assert found.proof == "none"


def test_also_where_the_services_checksums_are_no_sha256() -> None:
    """A look into the other upload can't compare them then, and takes them for other bytes."""
    foreign = [replace(row, checksum=checksum(PARTS[0])) for row in ALL]
    state = upload(10)
    state.replay([opening(), OPENED])
    state.receive(PartsListed(()))
    while not state.ledger.ready:
        work = state.ledger.take()
        if isinstance(work, SendPart):
            row = foreign[work.part.number - 1]
            text = checksum(replace(work.part, offset=work.part.offset + 1))
            foreign[work.part.number - 1] = replace(row, checksum=text)
            state.receive(replace(sent(work.part), checksum=text))
        else:
            state.receive(PartsListed(tuple(foreign)))
    other = candidate("999999999", tuple(foreign), probe="differs")
    for _ in range(20):
        surveyed(state, uploads=(OURS, other))


@pytest.mark.parametrize(
    "looks",
    [
        ((OURS, candidate("999999999", probe="gone", part_size=None)),),
        ((rival("999999999"),), (OURS,)),
    ],
)
def test_an_upload_that_is_gone_when_it_is_asked_may_be_a_read_set_by_now(
    looks: tuple[tuple[Candidate, ...], ...],
) -> None:
    """It was listed with our metadata, and a listing of read sets may not show it yet."""
    state = all_there()
    for uploads in looks:
        surveyed(state, uploads=uploads)
    assert looked_in_vain(state, uploads=looks[-1]) >= 60
    assert declared(state) == Completing()


def test_one_that_could_not_be_compared_before_is_told_by_its_strings() -> None:
    state = resumed()
    left = rival("999999999", *ALL)
    surveyed(state, uploads=(left,))
    declared(state)
    state.receive(OPENED)
    send_all(state)
    for _ in range(20):
        surveyed(state, uploads=(OURS, left))


def test_it_leaves_the_way_for_as_long_as_something_comes_of_it() -> None:
    state = all_there()
    waited = 0.0
    for count in (1, 2, 3):
        for _ in range(50):
            waited += surveyed(state, uploads=(OURS, rival("999999999", *ALL[:count])))
    assert waited > 1500
    assert looked_in_vain(state, uploads=(OURS, rival("999999999", *ALL))) < 900
    assert declared(state) == Completing()


def test_an_older_upload_that_has_the_same_parts_is_completed_instead() -> None:
    """Two that wait for each other may both stop at the same moment; one upload is one read set."""
    state = all_there()
    surveyed(state, uploads=(OURS, candidate("999999999", ALL)))
    taken = declared(state)
    assert isinstance(taken, Opened)
    assert (taken.upload_id, taken.adopted) == ("999999999", True)
    assert state.next() == ListParts("999999999")
    assert not state.ledger.all_proven  # its parts are compared first, each of them


def test_an_older_upload_to_which_more_may_come_is_taken_over_once_nothing_does() -> None:
    state = all_there()
    uploads = (OURS, candidate("999999999", ALL[:1]))
    assert looked_in_vain(state, uploads=uploads) >= 900
    taken = declared(state)
    assert isinstance(taken, Opened)
    assert taken.upload_id == "999999999"


def test_no_other_upload_is_completed_than_the_one_that_was_told() -> None:
    state = all_there(options=UploadOptions(upload_id="1000000001"))
    assert looked_in_vain(state, uploads=(OURS, candidate("999999999", ALL))) >= 900
    assert declared(state) == Completing()


def test_nor_is_one_gone_on_with_that_was_to_be_left_alone() -> None:
    state = upload(10, options=UploadOptions(resume=False, now=NOW))
    state.replay([])
    surveyed(state)
    assert isinstance(declared(state), Opening)
    state.receive(OPENED)
    send_all(state)
    assert looked_in_vain(state, uploads=(OURS, candidate("999999999", ALL))) >= 900
    assert declared(state) == Completing()


@pytest.mark.parametrize("whole", [True, False])
def test_one_that_was_left_for_a_part_that_was_cut_short_may_be_completed_slowly(
    whole: bool,
) -> None:
    """Nothing of it can be compared, and it has the size of our files: a Complete may be on."""
    parts = tuple(replace(each, checksum=None) for each in (ALL if whole else ALL[:2]))
    state = resumed(options=UploadOptions(now=NOW))
    surveyed(state, uploads=(candidate("999999999", ALL),))
    assert isinstance(declared(state), Opened)
    state.receive(Disowned("999999999"))
    surveyed(state, uploads=(rival("999999999", *parts),))
    assert isinstance(declared(state), Opening)
    state.receive(OPENED)
    send_all(state)
    waited = looked_in_vain(state, uploads=(OURS, rival("999999999", *parts)))
    assert waited >= 900 if whole else waited == 0
    assert declared(state) == Completing()


def test_one_that_stays_empty_does_not_keep_two_hosts_from_completing_the_same_upload() -> None:
    """Somebody died after Create, and each of two hosts waits for that upload, to the end."""
    empty, older = rival("999999998"), candidate("999999999", ALL)
    one, other = all_there(), all_there()
    looked_in_vain(one, uploads=(OURS, empty, older))
    taken = declared(one)
    assert isinstance(taken, Opened)
    assert taken.upload_id == "999999999"
    looked_in_vain(other, uploads=(OURS, empty, candidate("1000000002", ALL)))
    assert declared(other) == Completing()


def test_one_whose_parts_may_be_listed_later_is_left_the_way() -> None:
    state = all_there()
    assert surveyed(state, uploads=(OURS, rival("999999999"))) == 0
    assert state.waits_for_others
    assert looked_in_vain(state, uploads=(OURS, rival("999999999"))) > 60


def test_one_that_went_away_may_be_a_read_set_by_now() -> None:
    state = all_there()
    surveyed(state, uploads=(OURS, rival("999999999", *ALL)))
    assert looked_in_vain(state, uploads=(OURS,)) >= 60
    assert declared(state) == Completing()


@pytest.mark.parametrize(
    "parts",
    [
        (replace(ALL[0], checksum=checksum(PARTS[1])),),
        (replace(ALL[0], size=3),),
        (ALL[0], replace(ALL[1], checksum=checksum(PARTS[0]))),
    ],
)
def test_an_upload_with_other_parts_is_in_nobodys_way(parts: tuple[UploadPart, ...]) -> None:
    state = all_there()
    surveyed(state, uploads=(OURS, rival("999999999", *parts)))
    assert declared(state) == Completing()


@pytest.mark.parametrize(
    ("left", "waits_s"),
    [
        (rival("999999999", *ALL[:2]), (0, 0)),
        (rival("999999999", *ALL), (60, 120)),
        (candidate("999999999", ALL), (300, 360)),
        (rival("999999999"), (60, 120)),
    ],
)
def test_what_an_earlier_run_left_open_is_waited_for_only_where_it_may_be_completed(
    left: Candidate, waits_s: tuple[float, float]
) -> None:
    """One that is whole and ours for as long as a Complete may take whose process has died."""
    state = upload(10, options=UploadOptions(resume=False, now=NOW))
    state.replay([])
    surveyed(state, uploads=(left,))
    opened = declared(state)
    assert isinstance(opened, Opening)
    assert opened.known_uploads == (("999999999", left.size),)
    state.receive(OPENED)
    send_all(state)
    assert waits_s[0] <= looked_in_vain(state, uploads=(OURS, left)) <= waits_s[1]
    assert declared(state) == Completing()


@pytest.mark.parametrize(("upload_id", "waits_s"), [("999999999", 300), ("1000000002", 450)])
def test_hosts_that_have_seen_each_other_s_whole_upload_do_not_stop_waiting_at_once(
    upload_id: str, waits_s: float
) -> None:
    """The read set of the younger one, made after 300 s, is listed while the older one waits."""
    theirs = candidate(upload_id, ALL)
    state = resumed(opening(), replace(OPENED, known_uploads=((upload_id, theirs.size),)))
    send_all(state)
    assert waits_s <= looked_in_vain(state, uploads=(OURS, theirs)) < waits_s + 30
    assert declared(state) == Completing()


def test_one_left_whole_that_goes_at_the_last_moment_may_have_become_a_read_set() -> None:
    state = upload(10, options=UploadOptions(resume=False, now=NOW))
    state.replay([])
    left = candidate("999999999", ALL)
    surveyed(state, uploads=(left,))
    declared(state)
    state.receive(OPENED)
    send_all(state)
    waited = 0.0
    while waited < 270:
        waited += surveyed(state, uploads=(OURS, left))
    assert looked_in_vain(state, uploads=(OURS,)) >= 60
    assert declared(state) == Completing()


@pytest.mark.parametrize("uploads", [(OURS,), (OURS, rival("999999999", *ALL))])
def test_one_that_was_there_before_and_has_moved_or_gone_since_is_waited_for(
    uploads: tuple[Candidate, ...],
) -> None:
    state = upload(10)
    state.replay([])
    surveyed(state, uploads=(rival("999999999", *ALL[:1]),))
    declared(state)
    state.receive(OPENED)
    send_all(state)
    assert looked_in_vain(state, uploads=uploads) >= 60
    assert declared(state) == Completing()


def test_one_that_only_another_read_sets_listing_showed_is_waited_for() -> None:
    state = all_there()
    ours, other = OURS.upload.upload_id, "999999999"
    assert isinstance(state.next(), Survey)
    state.receive(Surveyed((OURS,), (), shown=frozenset({ours, other})))
    assert looked_in_vain(state, uploads=(OURS,)) >= 60
    assert declared(state) == Completing()


def test_also_by_the_next_run_where_it_was_shown_before_ours_was_opened() -> None:
    state = upload(10)
    state.replay([])
    assert isinstance(state.next(), Survey)
    state.receive(Surveyed((), (), shown=frozenset({"999999999"})))
    begun = declared(state)
    assert isinstance(begun, Opening)
    after = resumed(begun, OPENED, *[sent(part, "journal") for part in PARTS[:-1]])
    after.receive(PartsListed(ALL[:-1]))
    after.receive(sent(PARTS[-1]))
    after.receive(PartsListed(ALL))
    assert looked_in_vain(after, uploads=(OURS,)) >= 60
    assert declared(after) == Completing()


def test_our_own_that_another_listing_showed_too_is_not() -> None:
    state = all_there()
    assert isinstance(state.next(), Survey)
    state.receive(Surveyed((OURS,), (), shown=frozenset({OURS.upload.upload_id})))
    assert declared(state) == Completing()


def test_an_adopted_upload_that_had_all_its_parts_may_be_completed_by_somebody() -> None:
    state = resumed()
    surveyed(state, uploads=(candidate(parts=ALL),))
    declared(state)
    state.receive(PartsListed(ALL))
    for part in PARTS:
        state.receive(sent(part, "checked"))
    assert looked_in_vain(state, uploads=(candidate(parts=ALL),)) >= 60
    assert declared(state) == Completing()
