"""A client without a caller: one attempt at each call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from turboupload.config import UploadConfig
from turboupload.omics.client import OmicsClient
from turboupload.omics.opening import open_connection

__all__ = ["open_client"]


@asynccontextmanager
async def open_client(config: UploadConfig, *, workers: int) -> AsyncIterator[OmicsClient]:
    async with open_connection(config, workers=workers) as connection:
        yield OmicsClient(connection)
