"""Whatever is done to a chain of receipts, but writing all of it anew, is named."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from tests.support.receipts import check_schema, small_receipt
from turboupload.core.proof.chain import ChainCheck, Head, KeptRow, check_chain, check_documents
from turboupload.core.proof.receipt import ChainLink, own_digest
from turboupload.core.proof.receipt_reading import read_receipt

CHAIN = "5f0c"
LENGTH = 7


def chain(length: int = LENGTH, chain: str = CHAIN) -> tuple[list[KeptRow], Head]:
    rows: list[KeptRow] = []
    digest: str | None = None
    for number in range(1, length + 1):
        receipt = replace(small_receipt(f"{number}"), link=ChainLink(chain, number, digest))
        document = receipt.document()
        digest = document["receipt_sha256"]
        body = json.dumps(document)
        rows.append(KeptRow(number, f"{number}", "lane 1", receipt.strength, body))
    return rows, Head(chain, length, digest)


ROWS, HEAD = chain()
PLACES = st.integers(1, LENGTH)


def named(rows: list[KeptRow], head: Head | None = HEAD) -> set[int | None]:
    check = check_chain(rows, head)
    assert check.whole is not bool(check.faults)
    return {each.number for each in check.faults}


def edited(row: KeptRow, *way: Any, to: Any, fits: bool) -> KeptRow:
    document = json.loads(row.body)
    place = document
    for key in way[:-1]:
        place = place[key]
    place[way[-1]] = to
    if fits:
        document["receipt_sha256"] = own_digest(document)
    return structs.replace(row, body=json.dumps(document))


def test_what_was_kept_is_whole() -> None:
    check = check_chain(ROWS, HEAD)
    assert check.whole
    assert (check.chain, check.receipts) == (CHAIN, LENGTH)
    assert check.digests[LENGTH] == HEAD.receipt_sha256
    assert check_chain([], None) == ChainCheck(None)
    assert json.loads(ROWS[2].body)["chain"] == {
        "chain": CHAIN, "number": 3, "previous": json.loads(ROWS[1].body)["receipt_sha256"],
    }  # fmt: skip


@given(PLACES, st.booleans(), st.data())
def test_an_edit_is_named(number: int, fits: bool, data: st.DataObject) -> None:
    """Also where the receipt's own digest was made to fit."""
    document = json.loads(ROWS[number - 1].body)
    way: list[Any] = []
    place: Any = document
    while isinstance(place, dict | list) and place:
        keys = sorted(set(place) - {"receipt_sha256"}) if isinstance(place, dict) else None
        way.append(data.draw(st.sampled_from(keys or range(len(place)))))
        place = place[way[-1]]
    to: Any = data.draw(st.sampled_from(["x", 7, None, [], "PROCESSING_UPLOAD"]))
    if to == place and type(to) is type(place):
        return
    rows = list(ROWS)
    rows[number - 1] = edited(rows[number - 1], *way, to=to, fits=fits)
    found = named(rows)
    # An edit of what it says of the one before may be either one's.
    allowed = {number, number - 1} if way == ["chain", "previous"] else {number}
    assert found
    assert found <= allowed


@given(PLACES, st.text(max_size=20))
def test_what_is_no_receipt_is_named(number: int, body: str) -> None:
    rows = list(ROWS)
    rows[number - 1] = structs.replace(rows[number - 1], body=body)
    assert named(rows) == {number}


@given(st.sets(PLACES, min_size=1))
def test_what_was_dropped_is_named(numbers: set[int]) -> None:
    """The last ones, too, for the head has their number."""
    assert named([row for row in ROWS if row.number not in numbers]) == numbers


@given(st.permutations(range(LENGTH)))
def test_what_was_moved_is_named(order: list[int]) -> None:
    moved = [structs.replace(ROWS[from_], number=at) for at, from_ in enumerate(order, start=1)]
    # As the journal keeps it beside each, so that only the documents contradict.
    assert named(moved) == {at for at, from_ in enumerate(order, start=1) if at != from_ + 1}


@given(PLACES, PLACES)
def test_a_receipt_in_anothers_place_is_named(number: int, other: int) -> None:
    if number != other:
        rows = list(ROWS)
        rows[number - 1] = structs.replace(rows[other - 1], number=number)
        assert named(rows) == {number}


@given(PLACES)
def test_what_stands_beside_a_receipt_is_compared(number: int) -> None:
    wrong: dict[str, Any]
    for wrong in ({"read_set_id": "99"}, {"name": "lane 9"}, {"strength": 99}):
        rows = list(ROWS)
        rows[number - 1] = structs.replace(rows[number - 1], **wrong)
        assert named(rows) == {number}


def test_a_receipt_of_another_chain_and_a_lost_head_are_named() -> None:
    others, _ = chain(chain="other")
    assert named([*ROWS[:3], others[3], *ROWS[4:]]) == {4}
    assert named(ROWS, None) == {None}
    assert named(ROWS, structs.replace(HEAD, number=LENGTH - 1)) == {LENGTH}
    assert named(ROWS, structs.replace(HEAD, receipt_sha256="0" * 64)) == {LENGTH}
    assert named(ROWS, structs.replace(HEAD, number=10_000_000)) == {None}


def document_of(row: KeptRow) -> Any:
    return json.loads(row.body)


def test_files_are_compared_with_each_other_and_with_the_journal() -> None:
    files = [(f"{row.number}.json", document_of(row)) for row in ROWS]
    whole = check_chain(ROWS, HEAD)
    assert check_documents(files) == ([], [], 0)
    assert check_documents(reversed(files), whole) == ([], [], 0)
    # One is missing: said where the journal isn't at hand, since it may never have been written.
    faults, gaps, _ = check_documents(files[:3] + files[5:])
    assert not faults
    assert gaps == [f"of chain {CHAIN}, 4 to 5 isn't here: kept in its journal only, or dropped"]
    assert check_documents(files[:3] + files[5:], whole) == ([], [], 0)
    # One was made to fit.
    forged = copy.deepcopy(files)
    forged[3][1]["read_set"]["status"] = "ARCHIVED"
    forged[3][1]["receipt_sha256"] = own_digest(forged[3][1])
    assert [each.number for each in check_documents(forged)[0]] == [4]
    assert [each.path for each in check_documents([forged[3]], whole)[0]] == ["4.json"]


def test_of_files_that_contradict_each_other_none_is_believed() -> None:
    files = [(f"{row.number}.json", document_of(row)) for row in ROWS]
    forged = copy.deepcopy(files[3][1])
    forged["read_set"]["status"] = "ARCHIVED"
    forged["receipt_sha256"] = own_digest(forged)
    two = [files[3], ("forged.json", forged)]
    for order in (two, two[::-1]):
        wrong, _, _ = check_documents(order)
        assert {each.path for each in wrong} == {"4.json", "forged.json"}
        # The journal knows which one it wrote.
        wrong, _, _ = check_documents(order, check_chain(ROWS, HEAD))
        assert {each.path for each in wrong} == {"forged.json"}
    # The last of those that are here was made to fit, or the one before it was.
    forged = copy.deepcopy(files[4][1])
    forged["chain"]["previous"] = "0" * 64
    forged["receipt_sha256"] = own_digest(forged)
    wrong, _, _ = check_documents([files[3], ("forged.json", forged)])
    assert {each.path for each in wrong} == {"4.json", "forged.json"}


def test_a_receipt_without_a_chain_is_read_and_counted() -> None:
    document = small_receipt().document()
    assert "chain" not in document
    assert read_receipt(document).link is None
    assert check_documents([("old.json", document)]) == ([], [], 1)


def test_the_place_in_the_chain_is_part_of_the_schema(tmp_path: Any) -> None:
    from tests.support.receipts import receipt_of

    path = tmp_path / "data"
    path.write_bytes(b"0123456789")
    linked = replace(receipt_of(path), link=ChainLink(CHAIN, 1, None))
    check_schema(linked.document())
    assert read_receipt(linked.document()) == linked
    assert linked.facts() == receipt_of(path).facts()
