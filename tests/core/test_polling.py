"""When a read set is looked at, and what a look means."""

from __future__ import annotations

import pytest

from turboupload.core.polling import Absence, is_active, pause_before
from turboupload.core.records import ReadSetDetails
from turboupload.errors import ReadSetRejected, ServiceRefused


def test_looks_become_rarer_up_to_a_bound() -> None:
    pauses = [pause_before(look, longest_s=30.0) for look in range(1000)]
    assert pauses[0] == 0.0
    assert pauses == sorted(pauses)
    assert pauses[1] < 0.5
    assert pauses[-1] == 30.0


def test_an_absence_is_believed_when_it_lasts() -> None:
    absence = Absence(10.0)
    assert [absence.is_believed(now) for now in (5.0, 14.9, 15.0)] == [False, False, True]
    absence.ends()
    assert [absence.is_believed(now) for now in (20.0, 29.9, 30.0)] == [False, False, True]
    assert Absence(0.0).is_believed(7.0)


def details(status: str | None, reason: str | None = None) -> ReadSetDetails:
    return ReadSetDetails(read_set_id="1234567890", status=status, status_message=reason)


def test_active_is_the_end() -> None:
    assert is_active(details("ACTIVE"))


@pytest.mark.parametrize("status", ["PROCESSING_UPLOAD", "ACTIVATING", "A_NEW_WORD", None])
def test_what_may_become_active_is_waited_for(status: str | None) -> None:
    assert not is_active(details(status))


@pytest.mark.parametrize(("reason", "words"), [("not gzip", "not gzip"), (None, "no reason")])
def test_a_failure_says_why(reason: str | None, words: str) -> None:
    with pytest.raises(ReadSetRejected, match=words) as caught:
        is_active(details("UPLOAD_FAILED", reason))
    assert caught.value.read_set_id == "1234567890"


@pytest.mark.parametrize("status", ["ARCHIVED", "DELETING", "DELETED"])
def test_what_never_becomes_active_is_not_waited_for(status: str) -> None:
    with pytest.raises(ServiceRefused, match=f"is {status}"):
        is_active(details(status))
