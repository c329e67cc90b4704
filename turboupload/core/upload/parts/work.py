"""What the ledger of parts asks for: send a part, compare one, or list them all."""

from __future__ import annotations

from turboupload.core.model import Part
from turboupload.value import Value

__all__ = ["CheckPart", "ListAgain", "SendPart", "Work"]


class SendPart(Value, frozen=True):
    """Read the part, send it, and report what the service replied."""

    part: Part


class CheckPart(Value, frozen=True):
    """Read the part and report its digest, so that it can be compared with the service's."""

    part: Part


class ListAgain(Value, frozen=True):
    """List all parts that the service has.

    Attributes:
        after_s: Wait so long first.
        paged: Whether to bring each page to `PartLedger.page` as it comes.
    """

    after_s: float = 0.0
    paged: bool = False


Work = SendPart | CheckPart | ListAgain
