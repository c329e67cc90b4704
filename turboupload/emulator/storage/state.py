"""The data that every operation works on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from turboupload.emulator.config import EmulatorConfig
from turboupload.emulator.storage.blobs import BlobFolder
from turboupload.emulator.storage.database import Database
from turboupload.emulator.storage.listing import Pager
from turboupload.emulator.world import World, Worlds

__all__ = ["State"]


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """One emulator's data. Safe to use from any thread.

    Attributes:
        config: The configuration.
        worlds: How the service behaves now.
        database: Its rows.
        blobs: Its files.
        pager: Cuts listings into pages.
        part_secret: The key of opaque checksums.
        clock: Seconds since the epoch.
        wake_ingest: Called when there is new work for ingest.
    """

    config: EmulatorConfig
    worlds: Worlds
    database: Database
    blobs: BlobFolder
    pager: Pager
    part_secret: bytes
    clock: Callable[[], float]
    wake_ingest: Callable[[], None]

    @property
    def world(self) -> World:
        """How the service behaves now; read it once for each request."""
        return self.worlds.current

    def arn(self, path: str) -> str:
        """The ARN of a resource in this Region and account."""
        return f"arn:aws:omics:{self.config.region}:{self.config.account}:{path}"
