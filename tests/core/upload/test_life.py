"""An upload from its begin to its end, and whenever it dies between."""

from __future__ import annotations

from tests.core.upload.states import NOTHING, Service, drive
from tests.support.values import upload
from turboupload.core.model import FileType, Phase
from turboupload.core.upload.actions import Create, Declare
from turboupload.core.upload.events import Completed, Completing, Event, Opened, Opening, StatusSeen
from turboupload.core.upload.identity import client_token


def test_a_new_upload_goes_through_its_life_once() -> None:
    service, journal = Service(), list[Event]()
    state = upload(10, 6)
    state.replay([])
    assert drive(state, service, journal)
    assert state.phase is Phase.ACTIVE
    assert state.verified == "sha256"
    assert service.creates == 1
    assert len(service.sent) == state.plan.total_parts
    assert [type(event) for event in journal[:2]] == [Opening, Opened]
    assert [type(event) for event in journal[-3:]] == [Completing, Completed, StatusSeen]


def test_the_token_is_declared_before_create_and_names_this_content() -> None:
    state = upload(10)
    state.replay([])
    state.receive(NOTHING)
    action = state.next()
    assert isinstance(action, Declare)
    opening = action.event
    assert isinstance(opening, Opening)
    assert opening.token == client_token(
        store_id=state.store_id,
        read_set=state.read_set,
        file_type=FileType.FASTQ,
        sources=state.plan.sources,
        attempt=0,
    )
    state.receive(opening)
    assert state.next() == Create(opening.token)
