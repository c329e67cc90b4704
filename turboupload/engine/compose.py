"""Opens the service and the journal, and makes the engine that uses them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, closing

from turboupload.config import MAX_CONCURRENCY, UploadConfig
from turboupload.core.rate.risk import LinkRate
from turboupload.engine.loop import Engine
from turboupload.engine.sharing import open_quotas
from turboupload.http.bandwidth import BandwidthCap
from turboupload.omics.client import OmicsClient
from turboupload.omics.opening import open_connection
from turboupload.runtime.eventloop import require_asyncio
from turboupload.runtime.tasks import beside, in_thread
from turboupload.state.journal import Journal

__all__ = ["open_engine"]


@asynccontextmanager
async def open_engine(config: UploadConfig) -> AsyncIterator[Engine]:
    """Opens the journal and the service, and closes both in the end.

    Args:
        config: How to upload.

    Raises:
        ConfigError: The Region, the profile, a certificate or the state folder can't be used.
        Stopped: The journal can't be opened at this moment.
    """
    require_asyncio()
    async with AsyncExitStack() as stack:
        # Closed even if a cancellation comes while it is being opened.
        journals = ExitStack()
        stack.push_async_callback(in_thread, journals.close)

        def open_journal() -> Journal:
            return journals.enter_context(closing(Journal(config.state_folder)))

        pace = BandwidthCap(config.max_bandwidth)
        async with beside(open_journal) as opening:
            connection = await stack.enter_async_context(
                open_connection(config, workers=MAX_CONCURRENCY, pace=pace)
            )
            journal = await opening
        remembered = await in_thread(journal.rate, connection.where)
        yield Engine(
            OmicsClient(connection),
            journal,
            config,
            where=connection.where,
            endpoint=connection.endpoint,
            quotas=open_quotas(config, connection.where),
            link=LinkRate(cap=config.max_bandwidth, remembered=remembered),
            queued_bytes=connection.queued_bytes,
            dropped_bytes=connection.dropped_bytes,
            pace=pace,
            access=connection,
        )
