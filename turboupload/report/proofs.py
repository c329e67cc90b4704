"""What the receipts of the journal say of read sets."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from pathlib import Path

from turboupload.core.proof.receipt import Receipt
from turboupload.core.proof.receipt_reading import read_receipt
from turboupload.core.report.document import Proof, Report, ReportRow, proof_of
from turboupload.errors import InputError, IntegrityError
from turboupload.state.journal_reader import kept_receipts

__all__ = ["report_afterwards", "with_proofs"]


def with_proofs(report: Report, folder: Path) -> Report:
    """A report with what the journal's receipts say.

    Args:
        report: Without it.
        folder: The state folder.

    Raises:
        ConfigError: The journal can't be read.
    """
    wanted = report.read_set_ids
    # One receipt at a time: that of the largest pair has about 8 MB.
    proofs = {
        str(receipt.read_set.get("id")): proof_of(receipt)
        for receipt in _receipts(folder, wanted)
        if receipt is not None
    }
    return report.proven_by(proofs) if wanted else report


def report_afterwards(folder: Path, words: Collection[str], *, began: str) -> Report:
    """A report of what the journal has receipts of.

    Args:
        folder: The state folder.
        words: Ids or names of read sets; none for all.
        began: When it is made, as ISO 8601 text in UTC.

    Raises:
        ConfigError: The journal can't be read.
        InputError: It has no receipt of one of them.
    """
    rows: dict[str, ReportRow] = {}
    for read_set_id, name, body in kept_receipts(folder):
        if not words or read_set_id in words or name in words:
            rows[read_set_id] = _row(read_set_id, name, _read(body))
    known = {*rows, *(each.name for each in rows.values())}
    missing = sorted(set(words) - known)
    if missing or not rows:
        raise InputError(
            f"the journal has no receipt of {', '.join(missing) or 'anything'}",
            path=str(folder),
            hint="it has those of uploads that were made with it; another folder is named with "
            "--state-dir",
        )
    return Report(title="Read sets of this journal", began=began, rows=tuple(rows.values()))


def _receipts(folder: Path, wanted: Collection[str]) -> Iterator[Receipt | None]:
    for read_set_id, _, body in kept_receipts(folder):
        if read_set_id in wanted:
            yield _read(body)


def _read(body: str) -> Receipt | None:
    """A receipt; None where it is damaged."""
    try:
        return read_receipt(json.loads(body))
    except (ValueError, RecursionError, InputError, IntegrityError):
        return None


def _row(read_set_id: str, name: str, receipt: Receipt | None) -> ReportRow:
    if receipt is None:
        proof = Proof(statement="The receipt is damaged.")
        return ReportRow(name=name, outcome="unknown", read_set_id=read_set_id, proof=proof)
    return ReportRow(
        name=name,
        sample=receipt.read_set.get("sample_id"),
        outcome=str(receipt.read_set.get("status") or "unknown").lower(),
        read_set_id=read_set_id,
        bytes=sum(each.size for each in receipt.files),
        proof=proof_of(receipt),
    )
