"""The table of phases and facts."""

from __future__ import annotations

import pytest

from tests.core.upload.states import NOTHING, OPENED, PARTS, REFUSED, opening, ours_in, sent
from tests.support.values import record, upload
from turboupload.core.model import Phase
from turboupload.core.upload.actions import Done
from turboupload.core.upload.events import (
    Completed,
    CompleteLost,
    Completing,
    CreateUnclear,
    Disowned,
    Event,
    NothingCame,
    PartsListed,
    ReadSetGone,
    StatusSeen,
    UploadGone,
)
from turboupload.core.upload.state import TRANSITIONS


def test_every_phase_is_in_the_table() -> None:
    assert set(TRANSITIONS) == set(Phase)


@pytest.mark.parametrize("phase", list(Phase))
def test_a_fact_that_cannot_happen_is_refused(phase: Phase) -> None:
    events: list[Event] = [
        NOTHING,
        opening(),
        OPENED,
        PartsListed(()),
        sent(PARTS[0]),
        Completing(),
        CreateUnclear(token_used=False),
        CompleteLost(),
        Completed(read_set_id="9"),
        StatusSeen(record("ACTIVE", 10)),
        UploadGone(),
        REFUSED,
        ReadSetGone(),
        NothingCame(),
        Disowned("1000000001"),
        ours_in("MD5up"),
    ]
    for event in events:
        state = upload(10)
        state.phase = phase
        if type(event) in TRANSITIONS[phase]:
            state.receive(event)
            assert state.phase in TRANSITIONS[phase][type(event)]
        else:
            with pytest.raises(ValueError, match="can't happen"):
                state.receive(event)
            assert state.phase is phase


def test_a_failed_read_set_ends_there() -> None:
    state = upload(10)
    state.phase = Phase.PROCESSING
    state.receive(StatusSeen(record("UPLOAD_FAILED")))
    assert state.next() == Done()
    assert state.phase is Phase.FAILED


def test_a_status_that_nobody_knows_yet_is_waited_out() -> None:
    state = upload(10)
    state.phase = Phase.PROCESSING
    state.receive(StatusSeen(record("VALIDATING")))
    assert state.phase is Phase.PROCESSING
