"""An operation as a row of the tables in this folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from turboupload.emulator.storage.state import State
from turboupload.emulator.validate import Params

__all__ = ["Operation"]


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of the service.

    Attributes:
        per_s: Its quota, in transactions a second.
        perform: Makes the reply from the data and a checked input; None where bytes are moved.

    Source of the quotas: https://docs.aws.amazon.com/omics/latest/dev/service-quotas.html (read
    2026-11).
    """

    per_s: float
    perform: Callable[[State, Params], Params] | None = None
