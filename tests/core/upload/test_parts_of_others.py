"""Parts in our upload that are not of our files."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.core.upload.states import (
    ALL,
    EDITED,
    NOW,
    OPENED,
    PARTS,
    candidate,
    declared,
    looked_in_vain,
    opening,
    resumed,
    send_all,
    sent,
    surveyed,
)
from tests.support.values import digest, source
from turboupload.core.records import UploadPart
from turboupload.core.upload.actions import ListParts, SendParts
from turboupload.core.upload.events import (
    Completing,
    Disowned,
    Opened,
    Opening,
    PartSeen,
    PartsListed,
)
from turboupload.core.upload.parts import cuts
from turboupload.core.upload.parts.work import CheckPart, SendPart
from turboupload.core.upload.state import Upload, UploadOptions
from turboupload.errors import IntegrityError


def test_parts_of_others_are_compared_before_anything_is_sent() -> None:
    state = resumed()
    surveyed(state, uploads=(candidate(parts=ALL[:2]),))
    declared(state)
    state.receive(PartsListed(ALL[:2]))
    assert state.next() == SendParts("1000000001", compare_only=True)
    assert state.ledger.take(compare_only=True) == CheckPart(PARTS[0])
    assert state.ledger.take(compare_only=True) == CheckPart(PARTS[1])
    assert state.ledger.take(compare_only=True) is None
    for part in PARTS[:2]:
        state.receive(sent(part, "checked"))
    assert state.next() == SendParts("1000000001")
    state.ledger.rewind()
    assert state.ledger.take() == SendPart(PARTS[2])


def disowned_for(state: Upload, other: UploadPart) -> None:
    """Lists the upload, reads what it has from the files, and finds a part that is of others."""
    assert state.next() == ListParts("1000000001")
    state.receive(PartsListed((ALL[0], other)))
    while isinstance(state.next(), SendParts):
        assert state.next() == SendParts("1000000001", compare_only=True)
        work = state.ledger.take(compare_only=True)
        assert isinstance(work, CheckPart)
        text = state.ledger.confirmed(work.part, digest(work.part))
        state.receive(
            PartSeen(part=work.part, digest=digest(work.part), checksum=text, origin="checked")
        )
    assert declared(state) == Disowned("1000000001")


_LONGER, _SHORTER = replace(ALL[1], size=5), replace(ALL[1], size=3)


@pytest.mark.parametrize(
    ("other", "ours"),
    [(EDITED, False), (_LONGER, False), (_SHORTER, False), (EDITED, True), (_LONGER, True)],
)
def test_an_upload_with_a_part_of_other_files_is_left_untouched(
    other: UploadPart, ours: bool
) -> None:
    """Also where our token brought it: another host's edited copy may have the same token."""
    state = resumed(opening(), OPENED) if ours else resumed()
    if not ours:
        surveyed(state, uploads=(candidate(parts=(ALL[0], other)),))
        declared(state)
    disowned_for(state, other)
    surveyed(state, uploads=(candidate(parts=(ALL[0], other)),))
    begun = declared(state)
    assert isinstance(begun, Opening)
    assert begun.known_uploads == (("1000000001", ALL[0].size + other.size),)
    assert begun.token != "t"


@pytest.mark.parametrize(("other", "listed_still"), [(_SHORTER, False), (EDITED, True)])
def test_one_that_our_token_brought_and_that_is_left_may_be_a_read_set_soon(
    other: UploadPart, listed_still: bool
) -> None:
    """Another host, which had sent that part, may have completed it. Or it has our very files, puts
    the part right, and completes the upload."""
    state = resumed()
    surveyed(state)
    assert isinstance(declared(state), Opening)
    state.receive(OPENED)
    disowned_for(state, other)
    surveyed(state)
    assert isinstance(declared(state), Opening)
    state.receive(replace(OPENED, upload_id="1000000002"))
    send_all(state)
    there = (candidate("1000000001", (ALL[0], other)),) if listed_still else ()
    assert looked_in_vain(state, uploads=(candidate("1000000002", ALL), *there)) >= 60
    assert declared(state) == Completing()


@pytest.mark.parametrize("edited", [False, True])
def test_so_may_one_that_others_have_cut_but_not_one_of_the_files_before_an_edit(
    edited: bool,
) -> None:
    """Whoever cut it has these files, too; what the files were before is nobody's any more."""
    mine = replace(OPENED, part_size=3)
    state = resumed(opening(part_size=3), mine, mtime_ns=2 if edited else 1)
    if not edited:
        assert state.next() == ListParts("1000000001")
        state.receive(PartsListed((ALL[0], EDITED)))
    taken = declared(state)
    assert isinstance(taken, Opened)
    state.receive(replace(taken, part_size=4))
    disowned_for(state, EDITED)
    there = candidate(parts=(ALL[0], EDITED))
    surveyed(state, uploads=(there,))
    assert isinstance(declared(state), Opening)
    state.receive(replace(OPENED, upload_id="1000000002"))
    send_all(state)
    waited = looked_in_vain(state, uploads=(candidate("1000000002", ALL), there))
    assert waited == 0 if edited else waited >= 60
    assert declared(state) == Completing()


@pytest.mark.parametrize("theirs", [EDITED, replace(ALL[2], size=4)])
@pytest.mark.parametrize("adopted", [True, False])
def test_what_replaced_our_parts_is_left_in_an_upload_that_was_found(
    adopted: bool, theirs: UploadPart
) -> None:
    """Another host's edited, or longer, copy goes on in it; in our own its part is sent again."""
    identity = source().files[0].identity
    found = replace(OPENED, adopted=adopted, identities=(identity,) if adopted else ())
    state = resumed(opening(), found, *[sent(part, "journal") for part in PARTS])
    state.receive(PartsListed(tuple(theirs if row.number == theirs.number else row for row in ALL)))
    if adopted:
        assert declared(state) == Disowned("1000000001")
    else:
        assert state.next() == SendParts("1000000001")
        assert state.ledger.take() == SendPart(PARTS[theirs.number - 1])


def test_beside_an_upload_of_other_files_the_first_token_is_asked_for() -> None:
    """Another host may have made the read set with it, and the listing may not show it yet."""
    state = resumed(options=UploadOptions(now=NOW))
    others = candidate(parts=(ALL[0], EDITED))
    surveyed(state, uploads=(others,))
    assert isinstance(declared(state), Opened)
    disowned_for(state, EDITED)
    surveyed(state, uploads=(others,))
    begun = declared(state)
    assert isinstance(begun, Opening)
    alone = resumed()
    surveyed(alone)
    first = declared(alone)
    assert isinstance(first, Opening)
    assert (begun.attempt, begun.token) == (0, first.token)
    # It brings that very upload: another host's edited copy went on with ours.
    state.receive(OPENED)
    disowned_for(state, EDITED)
    surveyed(state, uploads=(others,))
    anew = declared(state)
    assert isinstance(anew, Opening)
    assert anew.attempt >= int(NOW)


@pytest.mark.parametrize("grain", [1, cuts.GRAIN])
def test_a_part_that_was_cut_short_as_an_earlier_run_ended_is_sent_again(
    monkeypatch: pytest.MonkeyPatch, grain: int
) -> None:
    """Only this journal's runs have sent anything, and the reply was not recorded any more.

    That holds as well where it has the size of a smaller cut: ours would replace its parts.
    """
    monkeypatch.setattr(cuts, "GRAIN", grain)
    state = resumed(opening(), OPENED, sent(PARTS[0], "journal"))
    state.receive(PartsListed((ALL[0], _SHORTER)))
    assert state.next() == SendParts("1000000001")
    assert [state.ledger.take(), state.ledger.take()] == [SendPart(PARTS[1]), SendPart(PARTS[2])]


def test_a_part_of_ours_that_arrived_wrong_is_sent_again_in_the_same_upload() -> None:
    state = resumed(opening(), OPENED, sent(PARTS[0], "journal"))
    state.receive(PartsListed((replace(ALL[0], size=3),)))
    assert state.next() == SendParts("1000000001")
    assert state.ledger.take() == SendPart(PARTS[0])


def test_a_told_upload_with_a_part_of_other_files_is_an_error() -> None:
    state = resumed(options=UploadOptions(upload_id="1000000001", now=NOW))
    parts = (ALL[0], replace(ALL[1], size=3))
    surveyed(state, uploads=(candidate(parts=parts),))
    declared(state)
    state.receive(PartsListed(parts))
    with pytest.raises(IntegrityError, match="not of these files"):
        state.next()
