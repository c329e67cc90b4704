"""The content of a report, before it is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from turboupload.core.proof.receipt import Receipt
from turboupload.core.rate.meter import Limiter
from turboupload.core.report.timeline import Span
from turboupload.core.report.tries import Try

__all__ = ["Proof", "Report", "ReportRow", "proof_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a receipt says of a read set.

    Attributes:
        etag: The service's ETag of each source, in words; empty until it is known.
        statement: Whether the files are proven to be in the store, and by what.
        receipt: How to get the whole receipt.
    """

    etag: str = ""
    statement: str = ""
    receipt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRow:
    """A read set.

    Attributes:
        row: Its line in the sheet; None where there is no sheet.
        name: Its name.
        sample: The sample's id.
        outcome: Its outcome, as a word.
        read_set_id: The service's id, once it exists.
        bytes: Size of its files; None where that isn't known.
        message: One sentence about what happened; may be empty.
        proof: What its receipt says.
    """

    name: str
    outcome: str
    row: int | None = None
    sample: str | None = None
    read_set_id: str | None = None
    bytes: int | None = None
    message: str = ""
    proof: Proof = Proof()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A run, or what is known of read sets afterwards.

    Attributes:
        title: What it is about.
        outcome: How the run ended, in a word; empty where there was none.
        began: When, as ISO 8601 text in UTC.
        seconds: How long it took.
        rows: The read sets.
        not_begun: Rows of the sheet that the run didn't come to.
        spans: The run over time; empty where no time is known.
        tries: Every try to send a part; empty where they are too many to be drawn.
        message: The error that ended it.
    """

    title: str
    began: str
    rows: tuple[ReportRow, ...]
    outcome: str = ""
    seconds: float = 0.0
    not_begun: int = 0
    spans: tuple[Span, ...] = ()
    tries: tuple[Try, ...] = ()
    message: str = ""

    @property
    def read_set_ids(self) -> frozenset[str]:
        """Those that have one."""
        return frozenset(each.read_set_id for each in self.rows if each.read_set_id)

    @property
    def bytes_sent(self) -> int:
        """Body bytes that left, resends included."""
        return sum(each.bytes_sent for each in self.spans)

    @property
    def retries(self) -> int:
        """Calls that failed and were made again."""
        return sum(each.retries for each in self.spans)

    @property
    def limits(self) -> Mapping[Limiter, float]:
        """How long each limit held, in seconds, the longest first."""
        seconds: dict[Limiter, float] = {}
        for each in self.spans:
            if each.limited_by is not None:
                seconds[each.limited_by] = seconds.get(each.limited_by, 0.0) + each.seconds
        return dict(sorted(seconds.items(), key=lambda item: -item[1]))

    def proven_by(self, proofs: Mapping[str, Proof]) -> Report:
        """The same with what receipts say, by read set id."""
        rows = (
            replace(each, proof=proofs.get(each.read_set_id or "", each.proof))
            for each in self.rows
        )
        return replace(self, rows=tuple(rows))


def proof_of(receipt: Receipt) -> Proof:
    """What a receipt says of its read set."""
    read_set = receipt.read_set
    etag = read_set.get("etag")
    words = (
        [f"{key}: {value}" for key, value in etag.items() if value]
        if isinstance(etag, Mapping)
        else []
    )
    return Proof(
        etag=", ".join(words),
        statement=receipt.verdict.statement,
        receipt=f"turboupload receipt show {read_set.get('id')}",
    )
