"""The ledger: any order of facts, any subset of parts there, one verdict."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.values import checksum, digest, listed, plan
from turboupload.core.model import Digest, Part, PartSource
from turboupload.core.records import UploadPart
from turboupload.core.upload.events import PartSeen
from turboupload.core.upload.parts.facts import Verdict
from turboupload.core.upload.parts.ledger import PartLedger
from turboupload.core.upload.parts.work import ListAgain, SendPart
from turboupload.errors import IntegrityError

PLAN = plan(10, 6, part_size=4)
PARTS = list(PLAN.parts())
WRONG = base64.b64encode(hashlib.sha256(b"other bytes").digest()).decode()


def seen(part: Part, *, text: str | None, origin: str, sha256: bool = True) -> PartSeen:
    return PartSeen(
        part=part,
        digest=digest(part, sha256=sha256),
        checksum=text,
        origin=origin,  # type: ignore[arg-type] # the test's own literals
    )


@dataclass(frozen=True)
class Row:
    """One row of the module's table: what is known, and the verdict."""

    there: str | None
    size_right: bool
    ours: str | None
    recorded: str | None
    verdict: Verdict


TABLE = [
    Row(None, True, None, None, Verdict.SEND),
    Row(None, True, "sha256", "ours", Verdict.LIST),
    Row(None, True, "xxh3", "opaque-1", Verdict.LIST),
    Row("ours", False, "sha256", "ours", Verdict.SEND),
    Row("ours", True, None, None, Verdict.CHECK),
    Row(WRONG, True, None, None, Verdict.CHECK),
    Row("opaque-1", True, None, None, Verdict.SEND),
    Row("ours", True, "sha256", "ours", Verdict.PROVEN),
    Row("ours", True, "sha256", None, Verdict.PROVEN),
    Row(WRONG, True, "sha256", WRONG, Verdict.SEND),
    Row("opaque-1", True, "sha256", "opaque-1", Verdict.PROVEN),
    Row("opaque-2", True, "sha256", "opaque-1", Verdict.SEND),
    Row("ours", True, "xxh3", "ours", Verdict.PROVEN),
    Row(WRONG, True, "xxh3", "ours", Verdict.CHECK),
    Row("opaque-1", True, "xxh3", "opaque-1", Verdict.PROVEN),
    Row("opaque-2", True, "xxh3", "opaque-1", Verdict.SEND),
    Row("absent", True, None, None, Verdict.SEND),
    Row("absent", True, "sha256", None, Verdict.SEND),
    Row("absent", True, "sha256", "ours", Verdict.PROVEN),
    Row("absent", True, "sha256", "opaque-1", Verdict.PROVEN),
    Row("absent", True, "sha256", WRONG, Verdict.SEND),
    Row("absent", False, "sha256", "ours", Verdict.SEND),
    Row("absent", True, "xxh3", "ours", Verdict.PROVEN),
    Row("absent", True, "xxh3", None, Verdict.SEND),
]


@pytest.mark.parametrize("row", TABLE)
@pytest.mark.parametrize("listing_first", [True, False])
def test_the_verdict_is_drawn_as_the_table_says(row: Row, listing_first: bool) -> None:
    part = PARTS[0]
    ours = checksum(part)
    ledger = PartLedger(PLAN)

    def listing() -> None:
        if row.there is not None:
            text = {"ours": ours, "absent": None}.get(row.there, row.there)
            size = part.size if row.size_right else part.size + 1
            ledger.listed((UploadPart(part.source, part.number, size, text),))

    if listing_first:
        listing()
    if row.ours is not None:
        text = ours if row.recorded == "ours" else row.recorded
        ledger.seen(seen(part, text=text, origin="journal", sha256=row.ours == "sha256"))
    if not listing_first:
        listing()
    assert ledger.verdict(part) is row.verdict


def test_where_a_listing_has_no_checksum_complete_gets_the_one_of_the_reply() -> None:
    made = plan(3, part_size=4)
    ledger = PartLedger(made)
    part = next(made.parts())
    ledger.seen(seen(part, text=checksum(part), origin="journal"))
    ledger.listed((UploadPart(part.source, 1, 3, None),))
    assert ledger.all_proven
    assert ledger.verified == "sha256"
    assert [row.checksum for row in ledger.for_complete()] == [checksum(part)]


FACTS = st.lists(
    st.tuples(
        st.sampled_from(PARTS),
        st.sampled_from(["good", "wrong", "opaque", "size", "absent"]),
        st.sampled_from(["none", "journal-sha256", "journal-xxh3"]),
    ),
    unique_by=lambda fact: fact[0],
)


def take_in(ledger: PartLedger, facts: list[tuple[Part, str, str]], order: list[int]) -> None:
    """Applies the journal's rows in the given order, the listing in its middle."""
    rows = []
    for part, there, _ in facts:
        if there != "absent":
            text = {"wrong": WRONG, "opaque": f"opaque-{part.number}"}.get(there, checksum(part))
            size = part.size + (there == "size")
            rows.append(UploadPart(part.source, part.number, size, text))
    steps = [("listing", 0)] + [("row", index) for index in range(len(facts))]
    for step in sorted(steps, key=lambda each: order[steps.index(each)]):
        if step[0] == "listing":
            ledger.listed(tuple(rows))
            continue
        part, there, ours = facts[step[1]]
        if ours != "none":
            text = f"opaque-{part.number}" if there == "opaque" else checksum(part)
            ledger.seen(seen(part, text=text, origin="journal", sha256=ours.endswith("sha256")))


@given(facts=FACTS, data=st.data())
def test_facts_in_any_order_lead_to_the_same_verdicts(
    facts: list[tuple[Part, str, str]], data: st.DataObject
) -> None:
    steps = len(facts) + 1
    one, other = PartLedger(PLAN), PartLedger(PLAN)
    take_in(one, facts, list(range(steps)))
    take_in(other, facts, data.draw(st.permutations(range(steps))))
    assert [one.verdict(part) for part in PARTS] == [other.verdict(part) for part in PARTS]
    assert one.counts.proven_parts == other.counts.proven_parts
    assert one.counts.proven_bytes == other.counts.proven_bytes


@given(facts=FACTS)
def test_whatever_is_there_the_rest_is_sent_and_nothing_proven_is_sent_again(
    facts: list[tuple[Part, str, str]],
) -> None:
    ledger = PartLedger(PLAN)
    take_in(ledger, facts, list(range(len(facts) + 1)))
    proven = {part for part in PARTS if ledger.verdict(part) is Verdict.PROVEN}
    there = {part: kind != "absent" for part, kind, _ in facts}
    sent, checked = [], []
    while (work := ledger.take()) is not None:
        if isinstance(work, SendPart):
            sent.append(work.part)
            there[work.part] = True
            ledger.seen(seen(work.part, text=checksum(work.part), origin="sent"))
        elif isinstance(work, ListAgain):
            ledger.listed(tuple(listed(part) for part in PARTS if there.get(part)))
        else:
            checked.append(work.part)
            text = ledger.confirmed(work.part, digest(work.part))
            ledger.seen(seen(work.part, text=text, origin="checked"))
    assert ledger.ready
    assert not proven & set(sent)
    assert len(sent) == len(set(sent))
    assert len(checked) == len(set(checked))
    assert ledger.counts.proven_bytes == PLAN.total_bytes
    assert ledger.counts.reused_parts == len(PARTS) - len(sent)
    assert [(row.source, row.number) for row in ledger.for_complete()] == [
        (part.source, part.number) for part in PARTS
    ]


def test_complete_gets_exactly_the_strings_the_service_gave() -> None:
    ledger = PartLedger(PLAN)
    texts = [
        checksum(part).encode().hex()[:8] if part.number == 1 else checksum(part) for part in PARTS
    ]
    for part, text in zip(PARTS, texts, strict=True):
        ledger.take()
        ledger.seen(seen(part, text=text, origin="sent"))
    assert [row.checksum for row in ledger.for_complete()] == texts
    assert ledger.verified == "opaque"


def test_a_part_with_a_wrong_checksum_is_sent_again_and_then_given_up() -> None:
    ledger = PartLedger(PLAN)
    ledger.listed((listed(PARTS[1]),))
    ledger.seen(seen(PARTS[1], text=checksum(PARTS[1]), origin="journal"))
    first = ledger.take()
    assert first == SendPart(PARTS[0])
    ledger.seen(seen(PARTS[0], text=WRONG, origin="sent"))
    assert ledger.take() == SendPart(PARTS[0])
    ledger.seen(seen(PARTS[0], text=WRONG, origin="sent"))
    assert ledger.take() == SendPart(PARTS[0])
    with pytest.raises(IntegrityError, match="part 1 was sent 3 times") as caught:
        ledger.seen(seen(PARTS[0], text=WRONG, origin="sent"))
    assert caught.value.path == "/data/SOURCE1"


def test_rows_of_other_cuts_and_other_sources_are_passed_over() -> None:
    ledger = PartLedger(plan(10, part_size=4))
    ledger.listed(
        (
            UploadPart(PartSource.SOURCE2, 1, 4, checksum(PARTS[0])),
            UploadPart(PartSource.SOURCE1, 99, 4, checksum(PARTS[0])),
        )
    )
    other_cut = Part(PartSource.SOURCE1, 1, 0, 5)
    ledger.seen(seen(other_cut, text=checksum(other_cut), origin="journal"))
    assert ledger.take() == SendPart(PARTS[0])
    assert ledger.counts.proven_parts == 0


def test_with_xxh3_alone_nothing_counts_as_verified() -> None:
    made = plan(3, part_size=4)
    ledger = PartLedger(made)
    part = next(made.parts())
    ledger.seen(seen(part, text=checksum(part), origin="sent", sha256=False))
    assert not ledger.all_proven
    ledger.listed((listed(part),))
    assert ledger.ready
    assert ledger.verified == "none"


def test_what_was_recorded_counts_once_the_read_set_was_completed() -> None:
    made = plan(3, part_size=4)
    ledger = PartLedger(made)
    part = next(made.parts())
    ledger.seen(seen(part, text=checksum(part), origin="journal"))
    proven_before = ledger.counts.proven_parts
    ledger.completed()
    assert (proven_before, ledger.counts.proven_parts) == (0, 1)
    assert ledger.verified == "sha256"
    assert [(each, text) for each, _, text in ledger.digests()] == [(part, checksum(part))]


def test_listed_parts_are_counted() -> None:
    ledger = PartLedger(PLAN)
    ledger.listed((listed(PARTS[0]), listed(PARTS[1])))
    assert ledger.listed_parts == 2


def test_a_digest_without_sha256_confirms_nothing() -> None:
    ledger = PartLedger(PLAN)
    ledger.listed((listed(PARTS[0]),))
    assert ledger.confirmed(PARTS[0], Digest(xxh3=b"x")) is None
    assert ledger.confirmed(PARTS[0], digest(PARTS[0])) == checksum(PARTS[0])
