"""Parts that are sent before the listing of a resumed upload has been read to its end.

A listing has 100 parts a page, and there are five pages a second, so 10,000 parts take 20 s to be
listed. Nothing need wait for that where only the runs of this journal have sent anything: what they
sent they have recorded, and nothing else has been sent. So the state allows it only where this
journal made the upload, of these very files, and never found it taken over
(`UploadFacts.sole_sender`).

What the journal can't know, and what is done about it:

- Parts in flight when the last run ended, which the service may have all the same. They are among
  the next `IN_FLIGHT` after the last one recorded, because parts leave in one order
  (`Plan.in_sending_order`), and wait for the whole listing.
- Another host, without our journal, that took the upload over since. Its first part that a page
  shows stops this, and then the usual rules hold: what others have sent is compared, and where it
  is of other files, the upload is left to them. Until then we may send a part that it has sent: the
  same bytes twice, or, if its files differ from ours behind everything that we had sent, a part of
  ours in the place of one of its own. Then Complete with the checksums that it was given is
  refused.

The order of the rows doesn't matter: `IN_FLIGHT` alone decides what may be there, and a page proves
only the parts that it has, never the absence of others. In a service that lists in ascending order,
which is what was seen, somebody else's parts come up last; in any other order, sooner.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from itertools import islice
from typing import Final

from turboupload.config import MAX_CONCURRENCY
from turboupload.core.model import Part, PartSource
from turboupload.core.upload.plan import Plan

__all__ = ["IN_FLIGHT", "EarlyParts", "is_long"]

IN_FLIGHT: Final = 2 * MAX_CONCURRENCY
"""As many parts as any run may have had under way: twice its window, which a user may have set."""

_Key = tuple[PartSource, int]


def is_long(plan: Plan) -> bool:
    """Whether there are parts that may be sent before the listing has been read to its end."""
    return plan.total_parts > IN_FLIGHT


class EarlyParts:
    """The parts that may be sent before the listing has been read to its end.

    Args:
        plan: How the sources are cut.
        recorded: The parts that the journal knows.

    Attributes:
        sent: Those that were handed out: the listing says nothing about them.
    """

    def __init__(self, plan: Plan, recorded: Container[_Key]) -> None:
        self.sent: set[_Key] = set()
        self._rest = _beyond(plan, recorded)
        self._begun = False

    def page(self, *, as_recorded: bool) -> None:
        """Takes in a page of the listing.

        Args:
            as_recorded: Whether the journal knows each of its parts, as it is listed.
        """
        self._begun = True
        if not as_recorded:
            self._rest = iter(())

    def take(self) -> Part | None:
        """The next part; None while there is none."""
        # The first page tells that the upload is still open.
        part = next(self._rest, None) if self._begun else None
        if part is not None:
            self.sent.add((part.source, part.number))
        return part


def _beyond(plan: Plan, recorded: Container[_Key]) -> Iterator[Part]:
    last = -1
    for place, part in enumerate(plan.in_sending_order()):
        if (part.source, part.number) in recorded:
            last = place
    return islice(plan.in_sending_order(), last + 1 + IN_FLIGHT, None)
