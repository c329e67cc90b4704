"""The service's clock by the Date of its replies, whatever this machine's clock says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from turboupload.omics.service_time import ServiceTime

NOON = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


def reply(date: object) -> dict[str, Any]:
    return {"ResponseMetadata": {"HTTPHeaders": {"date": date}}}


def test_it_goes_on_from_the_last_date_that_was_heard() -> None:
    steady = [100.0]
    time = ServiceTime(steady=lambda: steady[0])
    assert time.earliest_now() is None
    time.update(reply("Tue, 24 Nov 2026 11:00:00 GMT"))
    steady[0] = 103.5
    time.update(reply("Tue, 24 Nov 2026 12:00:00 GMT"))
    assert time.earliest_now() == NOON
    steady[0] = 163.5
    assert time.earliest_now() == NOON + timedelta(minutes=1)


@pytest.mark.parametrize(
    "nothing",
    [
        {},
        {"ResponseMetadata": None},
        {"ResponseMetadata": {}},
        {"ResponseMetadata": {"HTTPHeaders": None}},
        reply(None),
        reply(7),
        reply(""),
        reply("yesterday"),
        reply("Tue, 99 Nov 2026 12:00:00 GMT"),
        reply("Tue, 24 Nov 99999999999 12:00:00 GMT"),
    ],
)
def test_a_reply_without_a_date_changes_nothing(nothing: dict[str, Any]) -> None:
    time = ServiceTime(steady=lambda: 0.0)
    time.update(nothing)
    assert time.earliest_now() is None
    time.update(reply("Tue, 24 Nov 2026 12:00:00 -0000"))
    time.update(nothing)
    assert time.earliest_now() == NOON
