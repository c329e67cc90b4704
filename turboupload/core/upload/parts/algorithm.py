"""Finds out whether the service's part checksums are our SHA-256, or of another algorithm.

That the checksum is a SHA-256 is documented nowhere. One of its form that is not ours may mean that
the bytes were changed on their way, or that the service computes something else. One part is sent
again to find out, and others like it wait for the answer: the same bytes with the same string again
mean another algorithm, unless any string of the service is known to equal our SHA-256. From then on
these strings are as opaque as any other.
"""

from __future__ import annotations

from turboupload.core.model import Part
from turboupload.core.proof.checksum import Algorithm, same
from turboupload.core.upload.parts.facts import PartFacts

__all__ = ["ChecksumAlgorithm"]


class ChecksumAlgorithm:
    """What is known of the algorithm, from every string that the service gave.

    Attributes:
        known: Whose it is, as far as that is known.
    """

    def __init__(self) -> None:
        self.known: Algorithm | None = None
        self._assumed: Algorithm | None = None
        self._equal_seen = False
        self._same_again = False
        self._differs_seen = self._differed = False
        self._trial: Part | None = None

    @property
    def of_others(self) -> Algorithm | None:
        """By which the parts of other hosts are judged: where ours differ, theirs may as well."""
        return "another" if self.known is None and self._differed else self.known

    def assume(self, algorithm: Algorithm | None) -> None:
        """Takes in what another upload has shown."""
        self._assumed = algorithm

    def seen(self, known: PartFacts) -> None:
        """Takes in what the service says of a part: replied, and listed."""
        self._equal_seen |= any(known.match(each, None) == "equal" for each in known.strings)

    def replied(self, known: PartFacts, checksum: str, *, before: set[str | None]) -> None:
        """Takes in the reply to a part.

        Args:
            known: What is known of the part now.
            checksum: The service's string.
            before: The checksum that it gave for the same bytes before.
        """
        if known.match(checksum, None) == "differs":
            self._differs_seen = True
            self._same_again |= any(same(checksum, each) for each in before)

    def completed(self, known: PartFacts) -> None:
        """Takes in a part of a read set that was made: it was proven, so also its string."""
        self._same_again |= known.match(known.recorded, None) == "differs"

    def judge(self) -> bool:
        """Draws the conclusion; a string that equals our SHA-256 outweighs everything else.

        Returns:
            Whether that changed anything, so that every part must be judged again.
        """
        if self._equal_seen or self._assumed == "ours":
            found: Algorithm | None = "ours"
        else:
            found = "another" if self._same_again else self._assumed
        if (found, self._differs_seen) == (self.known, self._differed):
            return False
        self.known, self._differed = found, self._differs_seen
        self._trial = None
        return True

    # --- the part that is sent again to find out ----------------------------------------------

    def may_send(self, part: Part, known: PartFacts | None) -> bool:
        """Whether a part may be sent now: of those in doubt one tries it out, others wait."""
        if not self._in_doubt(known):
            return True
        if self._trial is None:
            self._trial = part
        return self._trial == part

    def ends_trial(self, part: Part, known: PartFacts) -> bool:
        """Whether the part that others waited for is in doubt no more."""
        if part != self._trial or self._in_doubt(known):
            return False
        self._trial = None
        return True

    def forget_trial(self) -> None:
        """Takes note that no part is in flight any more."""
        self._trial = None

    def _in_doubt(self, known: PartFacts | None) -> bool:
        """Whether a string of the service's is not ours, and that may mean either of two things."""
        if self.known is not None or known is None:
            return False
        return any(known.match(each, None) == "differs" for each in known.strings)
