"""While a listing is read, what nobody can have sent leaves, whatever the order of its rows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.values import checksum, digest, plan
from turboupload.core.model import Part
from turboupload.core.records import UploadPart
from turboupload.core.upload import early_parts
from turboupload.core.upload.events import PartSeen
from turboupload.core.upload.parts.ledger import PartLedger
from turboupload.core.upload.parts.work import ListAgain, SendPart

PLAN = plan(80, 40, part_size=4)
PARTS = list(PLAN.in_sending_order())


@pytest.fixture(autouse=True, scope="module")
def few_in_flight() -> Iterator[None]:
    usual = early_parts.IN_FLIGHT
    early_parts.IN_FLIGHT = 3  # type: ignore[misc] # as many as suit a short plan
    yield
    early_parts.IN_FLIGHT = usual  # type: ignore[misc] # as it was


def seen(part: Part, origin: str) -> PartSeen:
    return PartSeen(
        part=part,
        digest=digest(part),
        checksum=checksum(part),
        origin=origin,  # type: ignore[arg-type] # the test's own literals
    )


def row(part: Part) -> UploadPart:
    return UploadPart(part.source, part.number, part.size, checksum(part))


def resumed(recorded: int) -> PartLedger:
    ledger = PartLedger(PLAN)
    for part in PARTS[:recorded]:
        ledger.seen(seen(part, "journal"))
    ledger.begin_listing()
    assert ledger.take() == ListAgain(paged=True)
    return ledger


def taken(ledger: PartLedger, most: int = len(PARTS)) -> list[Part]:
    parts: list[Part] = []
    while len(parts) < most and isinstance(work := ledger.take(), SendPart):
        parts.append(work.part)
    return parts


@given(
    recorded=st.integers(0, len(PARTS)),
    unheard=st.sets(st.integers(0, 2)),
    page_rows=st.integers(1, 10),
    before_end=st.integers(0, 10),
    draw=st.randoms(use_true_random=False),
)
def test_each_part_is_sent_once_whatever_the_order_of_the_rows(
    recorded: int, unheard: set[int], page_rows: int, before_end: int, draw: object
) -> None:
    there = PARTS[:recorded] + [PARTS[recorded + n] for n in unheard if recorded + n < len(PARTS)]
    rows = [row(part) for part in there]
    draw.shuffle(rows)  # type: ignore[attr-defined] # a random.Random
    ledger = resumed(recorded)
    assert taken(ledger) == []
    sent: list[Part] = []
    for begin in range(0, max(1, len(rows)), page_rows):
        ledger.page(rows[begin : begin + page_rows])
        sent += taken(ledger, 2)
    done, in_flight = sent[:before_end], sent[before_end:]
    for part in done:
        ledger.seen(seen(part, "sent"))
    ledger.listed(tuple(rows))
    for part in in_flight:
        ledger.seen(seen(part, "sent"))
    while (
        isinstance(work := ledger.take(compare_only=ledger.counts.to_compare > 0), object) and work
    ):
        if isinstance(work, ListAgain):
            ledger.listed(tuple(row(part) for part in PARTS))
            continue
        if isinstance(work, SendPart):
            sent.append(work.part)
        ledger.seen(seen(work.part, "sent" if isinstance(work, SendPart) else "checked"))
    assert ledger.ready
    assert sorted(sent, key=PARTS.index) == [part for part in PARTS if part not in there]


@pytest.mark.parametrize("listed", ["unknown", "other bytes", "other size"])
def test_a_part_that_is_not_as_recorded_stops_it(listed: str) -> None:
    ledger = resumed(10)
    ledger.page([row(PARTS[0])])
    assert taken(ledger, 1) == [PARTS[13]]
    strange = {
        "unknown": row(PARTS[11]),
        "other bytes": UploadPart(PARTS[1].source, 2, 4, checksum(PARTS[2])),
        "other size": UploadPart(PARTS[1].source, 2, 3, None),
    }[listed]
    ledger.page([strange])
    assert taken(ledger) == []


def test_what_was_sent_meanwhile_is_no_strangers_part() -> None:
    ledger = resumed(10)
    ledger.page([row(PARTS[0])])
    (part,) = taken(ledger, 1)
    ledger.page([row(part)])
    assert taken(ledger, 1) == [PARTS[14]]


def test_a_short_upload_is_listed_first() -> None:
    assert early_parts.is_long(plan(16, part_size=4))
    assert not early_parts.is_long(plan(12, part_size=4))
