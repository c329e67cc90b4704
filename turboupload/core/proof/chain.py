"""The chain of a journal's receipts: what was edited, dropped or moved in it.

Each receipt holds its number and the digest of the one before, and the journal beside them has the
number and the digest of the last. So every change is named, except by somebody who writes the whole
chain anew. That takes a signature of the chain's head to notice (`files.signatures`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from msgspec import Struct, field

from turboupload.core.proof.receipt import ChainLink, Receipt, own_digest
from turboupload.core.proof.receipt_reading import read_receipt
from turboupload.errors import InputError, IntegrityError
from turboupload.value import Value

__all__ = [
    "ChainCheck",
    "ChainFault",
    "Head",
    "KeptRow",
    "check_chain",
    "check_documents",
    "head_statement",
    "parse_document",
    "read_statement",
]

MAX_NAMED = 1000
"""How many missing receipts are named one by one."""


class Head(Value, frozen=True):
    """The last receipt of a chain, as the journal has it beside the receipts.

    Attributes:
        chain: The chain's id.
        number: The last receipt's number; 0 for none yet.
        receipt_sha256: Its digest; None for none yet.
    """

    chain: str
    number: int
    receipt_sha256: str | None


class KeptRow(Value, frozen=True):
    """A receipt as the journal keeps it.

    Attributes:
        number: The place it is kept at.
        read_set_id: The read set's id, as the journal says beside the receipt.
        name: The read set's name, likewise.
        strength: The receipt's strength, likewise.
        body: The document, as text.
    """

    number: int
    read_set_id: str
    name: str
    strength: int
    body: str


class ChainFault(Value, frozen=True):
    """A receipt that isn't what was kept.

    Attributes:
        number: Its number in the chain; None for one without.
        path: Its file; None for one in the journal.
        read_set_id: The read set, as far as it is known.
        sentence: What is wrong, in words.
    """

    number: int | None
    path: str | None
    read_set_id: str | None
    sentence: str

    def __str__(self) -> str:
        where = self.path or (f"receipt {self.number}" if self.number else "the chain")
        about = f" (read set {self.read_set_id})" if self.read_set_id else ""
        return f"{where}{about}: {self.sentence}"


class ChainCheck(Struct):
    """The result of checking a chain.

    Attributes:
        chain: The chain's id; None if the journal has no chained receipt.
        receipts: How many receipts the chain has.
        faults: What is wrong; none if the chain is whole.
        digests: The digest of each receipt that is there, computed now, by its number.
    """

    chain: str | None
    receipts: int = 0
    faults: list[ChainFault] = field(default_factory=list)
    digests: dict[int, str] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


def check_chain(rows: Iterable[KeptRow], head: Head | None) -> ChainCheck:
    """Checks the chain of a journal.

    Args:
        rows: The receipts in the order of their places; they may be read one at a time.
        head: What the journal says of the last; None if it says nothing.
    """
    check = ChainCheck(head.chain if head is not None else None)
    last: tuple[int, str | None] = (0, None)
    before_was_edited = False
    for row in rows:
        for number in _missing(last[0] + 1, row.number, check):
            _miss(check, number)
        follows = last if row.number == last[0] + 1 else None
        digest, edited = _check_row(check, row, follows, blame_before=not before_was_edited)
        last, before_was_edited = (row.number, digest), edited
        check.receipts += 1
        if digest is not None:
            check.digests[row.number] = digest
    _check_head(check, head, last, last_was_edited=before_was_edited)
    return check


def _check_row(
    check: ChainCheck, row: KeptRow, follows: tuple[int, str | None] | None, *, blame_before: bool
) -> tuple[str | None, bool]:
    """Checks one receipt; returns its digest, and whether it was found to be wrong by itself."""

    def fault(sentence: str, number: int = row.number) -> None:
        about = row.read_set_id if number == row.number else None
        check.faults.append(ChainFault(number, None, about, sentence))

    try:
        document = parse_document(row.body)
        receipt = read_receipt(document)
    except (InputError, IntegrityError) as error:
        fault(f"was edited: {error.message}")
        return None, True
    digest: str = document["receipt_sha256"]
    link = receipt.link
    if link is None:
        fault("was edited: it has no place in the chain")
        return digest, True
    if link.number != row.number:
        fault(f"was moved: it is receipt {link.number}, kept at place {row.number}")
        return digest, True
    if check.chain is not None and link.chain != check.chain:
        fault(f"is of another chain ({link.chain})")
        return digest, True
    if (wrong := _beside(row, receipt)) is not None:
        fault(f"is kept under another {wrong} than it has")
    if follows is not None and blame_before and link.previous != follows[1]:
        fault(
            f"was edited or replaced, or the next one was: receipt {row.number} follows another",
            number=row.number - 1,
        )
    return digest, False


def _beside(row: KeptRow, receipt: Receipt) -> str | None:
    """What the journal says wrongly of a receipt beside it, in words."""
    if row.read_set_id != receipt.read_set.get("id"):
        return "read set id"
    if row.name != receipt.read_set.get("name"):
        return "name"
    return "strength" if row.strength != receipt.strength else None


def _check_head(
    check: ChainCheck, head: Head | None, last: tuple[int, str | None], *, last_was_edited: bool
) -> None:
    number, digest = last
    if head is None:
        if check.receipts:
            check.faults.append(ChainFault(None, None, None, "the journal lost its head"))
        return
    for each in _missing(number + 1, head.number + 1, check):
        _miss(check, each)
    if number > head.number:
        sentence = f"comes after the last one, which is receipt {head.number}"
        check.faults.append(ChainFault(number, None, None, sentence))
    elif number == head.number and digest != head.receipt_sha256 and not last_was_edited:
        sentence = "was edited or replaced: the chain's head has another digest of it"
        check.faults.append(ChainFault(number, None, None, sentence))


def _missing(first: int, end: int, check: ChainCheck) -> Iterator[int]:
    if end - first > MAX_NAMED:
        sentence = f"receipts {first:,} to {end - 1:,} are missing"
        check.faults.append(ChainFault(None, None, None, sentence))
        return
    yield from range(first, end)


def _miss(check: ChainCheck, number: int) -> None:
    check.faults.append(ChainFault(number, None, None, "is missing"))


def check_documents(
    found: Iterable[tuple[str, Any]], journal: ChainCheck | None = None
) -> tuple[list[ChainFault], list[str], int]:
    """Checks receipts of files against each other, and against their journal's chain.

    Args:
        found: The files, each with its receipt's document, which has its own digest.
        journal: The chain of the journal at hand; files of other chains are compared with each
            other alone.

    Returns:
        What is wrong; sentences about receipts that aren't here, which may never have been written
        to files; and how many are unchained, as older versions wrote them.
    """
    chains: dict[str, dict[int, tuple[str, str, ChainLink, str | None]]] = {}
    faults: list[ChainFault] = []
    unchained = 0
    for path, document in found:
        if "chain" not in document:
            unchained += 1
            continue
        link, digest = ChainLink(**document["chain"]), own_digest(document)
        about = document["read_set"].get("id")
        right = None
        if journal is not None and journal.chain == link.chain:
            right = journal.digests.get(link.number)
        if right not in (None, digest):
            sentence = f"isn't receipt {link.number} of the journal, which differs"
            faults.append(ChainFault(link.number, path, about, sentence))
            continue
        same = chains.setdefault(link.chain, {}).setdefault(
            link.number, (path, digest, link, about)
        )
        if same[1] != digest:
            # Nothing tells which of the two is right, so neither is believed.
            for one, other, of in ((path, same[0], about), (same[0], path, same[3])):
                sentence = f"has the number {link.number} of its chain, as {other} has, and differs"
                faults.append(ChainFault(link.number, one, of, sentence))
    gaps: list[str] = []
    for chain, files in chains.items():
        faults += _check_files(files)
        if journal is None or journal.chain != chain:
            gaps += _gaps(chain, sorted(files))
    return faults, gaps, unchained


def _check_files(files: dict[int, tuple[str, str, ChainLink, str | None]]) -> Iterator[ChainFault]:
    for number, (path, digest, link, about) in sorted(files.items()):
        before, after = files.get(number - 1), files.get(number + 1)
        if before is None or link.previous == before[1]:
            continue
        sentence = f"was edited, or the next one of its chain was, which is {path}"
        yield ChainFault(number - 1, before[0], before[3], sentence)
        # The one after it may vouch for it; where none does, either may be the edited one.
        if after is None or after[2].previous != digest:
            sentence = f"was edited, or the one before it in its chain was, which is {before[0]}"
            yield ChainFault(number, path, about, sentence)


def _gaps(chain: str, numbers: list[int]) -> Iterator[str]:
    last = 0
    for number in numbers:
        if number > last + 1:
            which = f"{last + 1} to {number - 1}" if number > last + 2 else f"{number - 1}"
            yield f"of chain {chain}, {which} isn't here: kept in its journal only, or dropped"
        last = number


def parse_document(body: str) -> Any:
    """A receipt's document from its text; None where it is no JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


_STATEMENT: Final = (
    "turboupload receipts\nchain {chain}\nnumber {number}\nreceipt_sha256 {digest}\nsigned {at}\n"
)
_STATED: Final = re.compile(
    _STATEMENT.format(
        chain="([0-9a-f]+)", number="([1-9][0-9]{0,17})", digest="([0-9a-f]{64})", at="([0-9TZ:-]+)"
    )
)


def head_statement(head: Head, at: str) -> str:
    """What a signature of a chain's head signs: every receipt up to it follows from its digest.

    Args:
        head: The head, of at least one receipt.
        at: When, as ISO 8601 text in UTC, to the second.
    """
    return _STATEMENT.format(
        chain=head.chain, number=head.number, digest=head.receipt_sha256, at=at
    )


def read_statement(text: str) -> tuple[Head, str] | None:
    """The head that was signed, and when; None if it is no such statement."""
    found = _STATED.fullmatch(text)
    if found is None:
        return None
    return Head(found[1], int(found[2]), found[3]), found[4]
