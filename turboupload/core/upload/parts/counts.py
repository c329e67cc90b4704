"""How many parts of an upload are proven, waited for, to be compared, or of other files."""

from __future__ import annotations

from msgspec import Struct

from turboupload.core.upload.parts.facts import Others, PartFacts, Verdict

__all__ = ["PartCounts"]


class PartCounts(Struct):
    """The counters of a ledger, kept up to date part by part.

    Attributes:
        proven_parts: How many parts are done.
        proven_bytes: Their bytes.
        waiting_parts: How many the service took, as it said, and a listing must show.
        waiting_bytes: Their bytes.
        reused_parts: How many of those done were not sent by this run.
        to_compare: How many parts the service has whose bytes here were never read.
        strange: How many it has from another run or host that are not of these files.
        cut_short: How many it has from another run or host that may be the beginnings of ours.
        replaced: How many had arrived as ours, and were replaced by parts of other files.
    """

    proven_parts: int = 0
    proven_bytes: int = 0
    waiting_parts: int = 0
    waiting_bytes: int = 0
    reused_parts: int = 0
    to_compare: int = 0
    strange: int = 0
    cut_short: int = 0
    replaced: int = 0

    @property
    def arrived_parts(self) -> int:
        """How many parts the service has taken, as it said."""
        return self.proven_parts + self.waiting_parts

    @property
    def arrived_bytes(self) -> int:
        """Their bytes."""
        return self.proven_bytes + self.waiting_bytes

    def add(
        self, known: PartFacts, verdict: Verdict, *, size: int, others: Others, sign: int
    ) -> None:
        """Counts a part.

        Args:
            known: What is known of it.
            verdict: What is to be done with it.
            size: In bytes.
            others: What the service has of another run or host, if that isn't the part.
            sign: 1 to count it, -1 to take it out before something about it changes.
        """
        self.to_compare += sign * (verdict is Verdict.CHECK)
        self.strange += sign * (others == "strange")
        self.cut_short += sign * (others == "cut short")
        self.replaced += sign * (others == "replaced")
        if verdict is Verdict.LIST:
            self.waiting_parts += sign
            self.waiting_bytes += sign * size
        if verdict is not Verdict.PROVEN:
            return
        self.proven_parts += sign
        self.proven_bytes += sign * size
        if not known.sends:
            self.reused_parts += sign
