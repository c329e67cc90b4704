"""Starts a run: what the journal knows of the upload becomes a new state."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from msgspec import structs

from turboupload.clock import Clock
from turboupload.config import UploadConfig
from turboupload.core.upload.events import (
    Completed,
    Event,
    Opening,
    ReadSetGone,
    UploadGone,
)
from turboupload.core.upload.identity import upload_key
from turboupload.core.upload.patience import patience_for
from turboupload.core.upload.state import Upload, UploadOptions
from turboupload.engine.calls import Calls
from turboupload.engine.prepare import Prepared
from turboupload.engine.run import OnNotice, Run
from turboupload.runtime.tasks import in_thread
from turboupload.state.journal import Journal

__all__ = ["Forced", "RunLoader"]

Forced = Callable[[str, str | None], bool]
"""Decides whether to upload anew, by the key and the read set that the journal has; blocking."""

SLOW_STALLS = 5
"""How many stall time-outs a Complete that didn't answer is waited for, before it is made again."""


class RunLoader:
    """Starts runs where the journal says that earlier ones ended.

    Args:
        journal: The journal.
        calls: The service.
        config: How to upload.
        clock: The time.
        where: The endpoint or Region, for the journal's keys.
    """

    def __init__(
        self,
        journal: Journal,
        calls: Calls,
        config: UploadConfig,
        clock: Clock,
        *,
        where: str,
    ) -> None:
        self._journal = journal
        self._calls = calls
        self._config = config
        self._clock = clock
        self._where = where

    def key(self, prepared: Prepared, store_id: str) -> str:
        """The upload's key in the journal."""
        sources = prepared.plan.sources
        if prepared.plan.streamed:
            # The same for each stream, so that a run finds what the one before it left.
            sources = (replace(sources[0], fingerprint="stream"),)
        return upload_key(
            where=self._where,
            store_id=store_id,
            read_set=prepared.read_set,
            file_type=prepared.file_type,
            sources=sources,
        )

    async def load(
        self,
        prepared: Prepared,
        store_id: str,
        key: str,
        notify: OnNotice,
        *,
        remember: bool = True,
        forced: Forced | None = None,
    ) -> Run:
        """A run of an upload, as far as earlier runs got.

        Args:
            prepared: What to upload.
            store_id: The sequence store.
            key: Its key in the journal.
            notify: Called with remarks about a damaged journal.
            remember: Whether the journal may be written to.
            forced: Decides whether to upload anew; None leaves that to the configuration.
        """
        started = self._clock.now()
        # The smallest first, and of equals the one that began first.
        rank = (prepared.plan.total_bytes, started)
        run = Run(
            upload=self._fresh(prepared, store_id, remember=remember),
            key=key,
            served=lambda retry, part: self._calls.service_for(notify, retry, rank, part),
            notify=notify,
            started=started,
            started_at=self._clock.wall(),
        )
        await self._replay(run, prepared, remember=remember, forced=forced)
        if remember:
            about = {
                "name": prepared.read_set.name,
                "store_id": store_id,
                "where": self._where,
                "paths": [prepared.plan.sources[0].path]
                if prepared.plan.streamed
                else _absolute(prepared.read_set.paths),
            }
            await in_thread(self._journal.about, key, about)
        return run

    async def _replay(
        self, run: Run, prepared: Prepared, *, remember: bool, forced: Forced | None
    ) -> None:
        events = await in_thread(self._journal.load, run.key)
        if forced is not None:
            under_way, finished = _how_far(events)
            force = under_way or await in_thread(forced, run.key, finished)
            run.upload.options = structs.replace(run.upload.options, force=force)
        if self._journal.set_aside is not None:
            run.remark(
                "journal-damaged",
                f"the journal was damaged and set aside as {self._journal.set_aside}; "
                "what the service has is compared with the files instead",
            )
        try:
            run.upload.replay(events)
        except ValueError:
            run.upload = self._fresh(prepared, run.upload.store_id, remember=remember)
            run.upload.replay([])
            run.remark(
                "journal-unusable", "the journal's rows of this upload make no sense; left aside"
            )
            if remember:
                await in_thread(self._journal.forget, run.key)
        run.resumed = run.upload.upload_id is not None

    def _fresh(self, prepared: Prepared, store_id: str, *, remember: bool) -> Upload:
        config = self._config
        patience_s = patience_for(config.listing_lag_s)
        slow_patience_s = max(patience_s, SLOW_STALLS * config.stall_timeout_s)
        return Upload(
            store_id=store_id,
            read_set=prepared.read_set,
            file_type=prepared.file_type,
            plan=prepared.plan,
            options=UploadOptions(
                checksum=config.checksum,
                # What a stream gave can't be read again, to be compared with what is there.
                resume=config.resume and not prepared.plan.streamed,
                force=config.force,
                upload_id=config.upload_id,
                prove=config.prove and remember,
                now=self._clock.wall(),
                patience_s=patience_s,
                slow_patience_s=slow_patience_s,
                # Whoever goes first waits for a slow Complete, too, and its own may be as slow.
                stand_aside_s=max(config.give_up_after_s, 2 * (slow_patience_s + patience_s)),
            ),
        )


def _how_far(events: Iterable[Event]) -> tuple[bool, str | None]:
    """Whether an upload is under way by the journal, and the read set that one made last."""
    under_way, finished = False, None
    for event in events:
        if isinstance(event, Opening):
            under_way = True
        elif isinstance(event, Completed):
            under_way, finished = False, event.read_set_id
        elif isinstance(event, ReadSetGone):
            under_way, finished = False, None
        elif isinstance(event, UploadGone):
            under_way = False
    return under_way, finished


def _absolute(paths: Iterable[str]) -> list[str]:
    """Paths that can be found from anywhere, for people who look at the journal."""
    return [str(Path(path).absolute()) for path in paths]
