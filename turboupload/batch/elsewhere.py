"""What a batch needs of other machines that are to send its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

from turboupload.batch.listing import RowListing
from turboupload.core.batch import BatchRow
from turboupload.core.model import ReadSet
from turboupload.core.notices import Notice, UploadResult
from turboupload.core.sheet.model import SheetFinding
from turboupload.engine import Engine
from turboupload.engine.run import PartCarrier

WORKERS: Final = "workers"
"""The `operation` of an error that is about the machines, and not about the row or the service."""

__all__ = ["WORKERS", "Elsewhere", "RowListener", "Senders"]


class RowListener(Protocol):
    """Receives the events of a row that is sent elsewhere; called on the event loop."""

    def on(self, worker: str) -> None:
        """A worker has taken the row."""
        ...

    def hear(self, notice: Notice) -> None:
        """Takes a notice of the row's upload."""
        ...

    def sent(self, read_set_id: str | None) -> None:
        """Everything has arrived, and the service is working on it."""
        ...


class Senders(Protocol):
    """Machines that send rows, each with an engine of its own."""

    @property
    def count(self) -> int:
        """How many engines there are now."""
        ...

    async def look(
        self, read_sets: Mapping[int, ReadSet]
    ) -> tuple[list[BatchRow], list[SheetFinding]]:
        """Looks at the files of all rows where they can be read.

        Args:
            read_sets: By row number, in the order of the sheet.

        Returns:
            The rows that may be sent, and what is wrong with the others.
        """
        ...

    async def spread(
        self, row: BatchRow, on_sent: Callable[[str, int], None]
    ) -> PartCarrier | None:
        """Who sends the parts of a row that several machines send; this one does the rest.

        Args:
            row: The row.
            on_sent: Called with the name of one of them, and how many bytes it has sent since.

        Returns:
            Who does; None where one of them uploads the row whole.
        """
        ...

    async def upload(
        self, row: BatchRow, listener: RowListener, listed: RowListing | None
    ) -> UploadResult | None:
        """Uploads a row's read set, and follows it for as long as is configured.

        Args:
            row: The row.
            listener: Hears what becomes of it.
            listed: What the store has for it; None has it ask.

        Returns:
            The result; None where the service is still working on it.

        Raises:
            TurbouploadError: As `Engine.upload`; its cause is kept.
        """
        ...


class Elsewhere(Protocol):
    """Where to find such machines."""

    def opened(
        self, engine: Engine, store_id: str, tell: Callable[[Notice], None]
    ) -> AbstractAsyncContextManager[Senders]:
        """Finds them, and watches them during the `async with`.

        Args:
            engine: This machine's; what its controls say holds for all.
            store_id: The sequence store.
            tell: Hears what concerns all rows.

        Raises:
            ConfigError: None of them can be used; the message says why.
        """
        ...
