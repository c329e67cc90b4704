"""An upload that is cut anew in the middle."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.upload.states import Service, drive
from tests.support.values import listed, upload
from turboupload.core.model import Part, PartSource
from turboupload.core.upload.actions import Declare, SendParts
from turboupload.core.upload.events import Completed, Disowned, Event, Opened, PartSeen
from turboupload.core.upload.state import Upload


def opened_and_cut_anew(service: Service, journal: list[Event]) -> Upload:
    """An upload of 10 bytes, cut into 8 and 2, and then, before any part was sent, by 4."""
    state = upload(10, part_size=8)
    state.replay([])
    while not isinstance(action := state.next(), SendParts):
        drive(state, service, journal, 1)
    token = state.token
    recut = Opened(upload_id=action.upload_id, adopted=False, part_size=4)
    journal.append(recut)
    state.receive(recut)
    assert (state.plan.part_size, state.token) == (4, token)
    return state


@pytest.mark.parametrize("resumed", [False, True])
@pytest.mark.parametrize("left", [None, 3, 4, 7])
def test_an_upload_that_is_cut_anew_goes_on_whatever_is_left_of_the_part_before(
    left: int | None, resumed: bool
) -> None:
    service, journal = Service(), list[Event]()
    state = opened_and_cut_anew(service, journal)
    (upload_id,) = service.open
    if left is not None:
        part = replace(listed(Part(PartSource.SOURCE1, 1, 0, left)), size=left)
        service.open[upload_id][PartSource.SOURCE1, 1] = part
    if resumed:
        state = upload(10, part_size=8)
        state.replay(journal)
    assert drive(state, service, journal)
    assert service.creates == 1
    assert [each.sizes for each in service.read_sets] == [{PartSource.SOURCE1: 10}]
    fits = left == 4
    assert [part.number for part in service.sent] == ([2, 3] if fits else [1, 2, 3])


def test_a_whole_part_of_the_cut_before_is_another_hosts_and_left_alone() -> None:
    service, journal = Service(), list[Event]()
    state = opened_and_cut_anew(service, journal)
    (upload_id,) = service.open
    whole = Part(PartSource.SOURCE1, 1, 0, 8)
    service.open[upload_id][PartSource.SOURCE1, 1] = listed(whole)
    drive(state, service, journal, 1)
    assert state.next() == Declare(Disowned(upload_id))


def test_what_a_new_cut_would_send_again_is_what_is_known_at_the_service() -> None:
    service, journal = Service(), list[Event]()
    state = upload(10, 6)
    state.replay([])
    while not service.sent:
        assert state.ledger.bytes_there == 0
        drive(state, service, journal, 1)
    assert state.ledger.bytes_there > 0


@given(
    cuts=st.lists(st.integers(1, 12), max_size=6),
    lose_journal=st.lists(st.booleans(), min_size=7, max_size=7),
    lose_reply=st.lists(st.booleans(), min_size=7, max_size=7),
)
@settings(max_examples=300)
def test_deaths_anywhere_make_one_read_set_and_send_no_proven_part_again(
    cuts: list[int], lose_journal: list[bool], lose_reply: list[bool]
) -> None:
    """Dies after some steps, with the last facts not journalled or the journal lost."""
    service, journal = Service(), list[Event]()
    for index, cut in enumerate([*cuts, 1000]):
        state = upload(10, 6)
        state.replay(journal)
        before = len(journal)
        done = drive(state, service, journal, cut)
        if done:
            break
        if (
            lose_reply[index]
            and len(journal) > before
            and isinstance(journal[-1], Opened | PartSeen | Completed)
        ):
            journal.pop()
        if lose_journal[index]:
            journal.clear()
    else:
        pytest.fail("did not end")
    assert len(service.read_sets) == 1
    assert not service.open or all(not parts for parts in service.open.values())
    assert len(service.sent) == len(set(service.sent)) == state.plan.total_parts
