"""Open uploads of a store: their parts, the processes that hold them, and aborting them.

An upload is never aborted while a process of this machine works on it: aborting takes the lock that
an uploader holds. Nor is it, unless forced, while it may be becoming a read set: it is listed with
its parts then, too, and what Abort does to that read set isn't documented.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import anyio
import anyio.to_thread

from turboupload.clock import Clock
from turboupload.core.formats import FORMATS
from turboupload.core.making import Spared, filter_for, may_be_made_of
from turboupload.core.model import PartSource
from turboupload.core.rate.retry import turns_away
from turboupload.core.records import MultipartUpload, UploadPart
from turboupload.core.upload.events import UploadGone
from turboupload.errors import CallFailed, ConfigError, ServiceRefused, Stopped, UploadBusy
from turboupload.omics.base import NOT_FOUND
from turboupload.runtime.tasks import in_thread
from turboupload.state.journal import Journal
from turboupload.state.journal_reader import KnownOpen, known_open_uploads
from turboupload.state.lock import UploadLock, holder_of, lock_of_upload
from turboupload.stores import SequenceStores

__all__ = ["OpenUploadState", "OpenUploads", "SourceParts"]

CONFIRM_S = 60.0
"""How long an aborted upload may still be listed, in seconds.

botocore's model (1.43) says of Abort: "To confirm that a multipart read set upload has been
stopped, use the ListMultipartReadSetUploads API operation"; how long that takes is not
documented."""

UNCERTAIN_S = 60.0
"""How much later than reported an upload may have been active, in seconds.

The service's hosts differ by moments, and how soon a listing shows a new part isn't documented."""

SKEW_S = 900.0
"""How much this machine's clock may be off if no reply gave the time, in seconds.

The service accepts no signature that is older or newer by more.
"""

_FIRST_PAUSE_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceParts:
    """The parts that an open upload has of one source.

    Attributes:
        source: The file.
        parts: The number of parts.
        bytes: The sum of their sizes.
        highest: The highest part number, 0 without parts; greater than `parts` if some are missing.
        first_at: When the first part arrived.
        last_at: When the last part arrived, or was replaced.
        undated: The number of parts without a time in the reply.
    """

    source: PartSource
    parts: int = 0
    bytes: int = 0
    highest: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    undated: int = 0

    def with_part(self, part: UploadPart) -> SourceParts:
        """The same with one part more."""
        came = [each for each in (part.created_at, part.updated_at) if each is not None]
        return SourceParts(
            source=self.source,
            parts=self.parts + 1,
            bytes=self.bytes + part.size,
            highest=max(self.highest, part.number),
            first_at=min([*came, *([self.first_at] if self.first_at else [])], default=None),
            last_at=max([*came, *([self.last_at] if self.last_at else [])], default=None),
            undated=self.undated + (not came),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenUploadState:
    """An open upload, and what this machine knows about it.

    Attributes:
        upload: As the service lists it.
        sources: Its parts by source; None if they weren't listed, or the upload ended meanwhile.
        known: Its entry in this machine's journal.
        held_by: Process id of the local process that works on it, empty if the id is unknown; None
            if no process does.
        seen_at: When its parts were listed, by the service's clock; None if unknown.
    """

    upload: MultipartUpload
    sources: tuple[SourceParts, ...] | None = None
    known: KnownOpen | None = None
    held_by: str | None = None
    seen_at: datetime | None = None

    @property
    def parts(self) -> int | None:
        """The number of parts of all sources."""
        return None if self.sources is None else sum(each.parts for each in self.sources)

    @property
    def bytes(self) -> int | None:
        """The bytes of all sources."""
        return None if self.sources is None else sum(each.bytes for each in self.sources)

    @property
    def last_active_at(self) -> datetime | None:
        """When it was opened or received its last part, by the service's clock.

        None if unknown: the times of a part are optional in a reply (botocore's model 1.43), and
        the latest part may have none.
        """
        if any(each.undated for each in self.sources or ()):
            return None
        moments = [self.upload.created_at, *(each.last_at for each in self.sources or ())]
        return max((each for each in moments if each is not None), default=None)

    def idle_s(self, now: float) -> float | None:
        """For how long it has certainly been idle, in seconds.

        Args:
            now: Seconds since the epoch by this machine's clock, used if the service's time is
                unknown.

        Returns:
            None if the time of the last activity is unknown.
        """
        last = self.last_active_at
        if last is None:
            return None
        earliest = now - SKEW_S if self.seen_at is None else self.seen_at.timestamp()
        return earliest - last.timestamp() - UNCERTAIN_S


class OpenUploads:
    """The open uploads of one store, as known on this machine.

    Args:
        stores: The stores' API; entered.
        store_id: The sequence store, 10 to 36 digits.
        folder: The state folder, where the journal and the locks are.
        clock: The time.

    Attributes:
        journal_error: Why the journal couldn't be read; None if it could. The rest works without
            it.
    """

    def __init__(
        self,
        stores: SequenceStores,
        store_id: str,
        folder: Path,
        *,
        clock: Clock | None = None,
    ) -> None:
        self._stores = stores
        self._store_id = store_id
        self._folder = folder
        self._clock = clock or Clock()
        self._known: dict[str, KnownOpen] | None = None
        self.journal_error: ConfigError | None = None

    async def uploads(self) -> AsyncIterator[OpenUploadState]:
        """Every open upload of the store, as listed, without its parts."""
        async for upload in self._stores.list_multipart_read_set_uploads(self._store_id):
            yield await self._with_local_state(upload)

    async def find(self, upload_ids: Collection[str]) -> dict[str, OpenUploadState]:
        """The given uploads that are open; the service has no call for a single upload."""
        wanted = set(upload_ids)
        return {
            state.upload.upload_id: state
            async for state in self.uploads()
            if state.upload.upload_id in wanted
        }

    async def with_parts(self, state: OpenUploadState) -> OpenUploadState:
        """The same upload with its parts: one call for each hundred parts of each source."""
        upload = state.upload
        known = FORMATS.get(upload.file_type or "")
        alone = known is not None and not known.paired
        sources = (PartSource.SOURCE1,) if alone else tuple(PartSource)
        try:
            found = tuple([await self._parts(upload.upload_id, source) for source in sources])
        except ServiceRefused as error:
            if not _turns_away(error):
                raise
            found = None  # completed or aborted meanwhile, or expired
        return replace(state, sources=found, seen_at=self._stores.service_time)

    async def _parts(self, upload_id: str, source: PartSource) -> SourceParts:
        counted = SourceParts(source=source)
        async for part in self._stores.list_read_set_upload_parts(
            self._store_id, upload_id, source
        ):
            counted = counted.with_part(part)
        return counted

    async def _with_local_state(self, upload: MultipartUpload) -> OpenUploadState:
        if self._known is None:
            self._known = await anyio.to_thread.run_sync(self._read_journal)
        key = lock_of_upload(upload.upload_id)
        return OpenUploadState(
            upload=upload,
            known=self._known.get(upload.upload_id),
            held_by=await anyio.to_thread.run_sync(holder_of, self._folder, key),
            seen_at=self._stores.service_time,
        )

    def _read_journal(self) -> dict[str, KnownOpen]:
        try:
            return known_open_uploads(
                self._folder, where=self._stores.where, store_id=self._store_id
            )
        except ConfigError as error:
            self.journal_error = error
            return {}

    # --- aborting ---------------------------------------------------------------------------

    async def why_spared(self, state: OpenUploadState) -> Spared | None:
        """Why an upload may be a read set in the making, which an Abort might destroy.

        Listings may lag, and another machine may call Complete at any moment: that nothing speaks
        for it is no proof.

        Returns:
            None if nothing speaks for it.
        """
        return await self._read_set_of(state) or self._ended_here(state, state.known)

    async def abort(self, state: OpenUploadState, *, force: bool = False) -> bool:
        """Aborts an upload, and records that in the journal.

        Args:
            state: As it was found.
            force: Whether to abort it even if it may be a read set in the making.

        Returns:
            Whether the service took the Abort. If not, it has no such upload any more: it was
            completed or aborted, also by an earlier try of this call whose reply was lost, or has
            expired. Then it may be listed for much longer.

        Raises:
            UploadBusy: A process of this machine works on it.
            Stopped: It may be a read set in the making.
            ServiceRefused: The service refused.
        """
        upload_id = state.upload.upload_id
        with ExitStack() as locks:
            try:
                self._hold(locks, lock_of_upload(upload_id))
                if state.known is not None:
                    self._hold(locks, state.known.key)
            except UploadBusy as error:
                error.message = f"upload {upload_id} is left alone: {error.message}"
                error.hint = "wait for that process to end, or stop it"
                error.upload_id = upload_id
                raise
            # An uploader that held it until now may have sent parts since it was listed, or have
            # completed it.
            journal = await anyio.to_thread.run_sync(self._read_journal)
            known = journal.get(upload_id)
            if not force:
                spared = await self._read_set_of(state) or self._ended_here(state, known)
                if spared is not None:
                    raise spared.error(upload_id)
            was_open = await self._abort(upload_id)
            if known is not None and state.known is not None and known.key == state.known.key:
                await in_thread(self._record_aborted, known, was_open)
            return was_open

    def _ended_here(self, state: OpenUploadState, known: KnownOpen | None) -> Spared | None:
        """Whether this machine's journal says that Complete may have worked.

        Args:
            state: As it was found.
            known: Its entry in the journal as it is now.
        """
        if known is not None and known.completing:
            return Spared(
                reason="completing",
                why="Complete was called for it from here, and its read set isn't known to have "
                "ended",
                hint="run the same upload again: it looks for the read set first, and goes on",
            )
        if known is None and state.known is not None and self.journal_error is None:
            return Spared(
                reason="ended",
                why="a process of this machine has ended it since it was listed",
                hint="look again with `turboupload uploads list`",
            )
        return None

    async def _read_set_of(self, state: OpenUploadState) -> Spared | None:
        """Whether the store shows a read set that may be made of an upload.

        No reply ties the two together, so it goes by name, sample and subject, and by time.
        """
        upload = state.upload
        listing = self._stores.list_read_sets(self._store_id, filter_for(upload))
        found = [record async for record in listing if may_be_made_of(upload, record)]
        if not found:
            return None
        record = found[0]
        return Spared(
            reason="read-set",
            why=f"read set {record.read_set_id} ({record.status or 'no status'}) has its name, "
            "sample and subject, and may be made of it",
            hint=f"`turboupload readsets wait {record.read_set_id} --store {self._store_id}` "
            "waits for the read set; if it is made of this upload, nothing is left to abort",
        )

    async def _abort(self, upload_id: str) -> bool:
        """Aborts an upload; False if it ended since it was listed.

        A 404 says so even if it is listed: it may be a read set by now, or have expired, and
        listings lag. For other answers the list of open uploads is the truth.
        """
        try:
            await self._stores.abort_multipart_read_set_upload(self._store_id, upload_id)
        except ServiceRefused as error:
            if not _turns_away(error):
                raise
            if error.code != NOT_FOUND and await self.find([upload_id]):
                raise
            return False
        return True

    def _hold(self, locks: ExitStack, key: str) -> None:
        if self._folder.exists():
            locks.enter_context(UploadLock(self._folder, key))

    def _record_aborted(self, known: KnownOpen, was_open: bool) -> None:
        if known.completing or not was_open:
            # It may have become a read set: an upload is listed while the service processes it, and
            # what Abort does then isn't documented. The next upload of these files looks for the
            # read set.
            return
        # If the journal can't be written, the next upload of these files needs one more call.
        with suppress(ConfigError, Stopped):
            journal = Journal(self._folder)
            try:
                journal.append([(known.key, UploadGone(aborted=True))])
            finally:
                journal.close()

    async def await_gone(
        self,
        upload_ids: Sequence[str],
        *,
        on_wait: Callable[[int], None] = lambda _: None,
        timeout_s: float = CONFIRM_S,
    ) -> None:
        """Waits until none of these uploads is listed any more.

        Args:
            upload_ids: The uploads whose Abort the service took; others may be listed for ever.
            on_wait: Called with the number still listed, before each pause.
            timeout_s: How long to wait, in seconds.

        Raises:
            Stopped: Some are still listed.
        """
        deadline = self._clock.now() + timeout_s
        pause = _FIRST_PAUSE_S
        while left := await self.find(upload_ids):
            if self._clock.now() >= deadline:
                raise Stopped(
                    f"still listed: {', '.join(sorted(left))}",
                    operation="ListMultipartReadSetUploads",
                    hint="the service accepted the request and may need longer; list again later",
                )
            on_wait(len(left))
            await self._clock.sleep(pause)
            pause = min(5.0, pause * 2)


def _turns_away(error: ServiceRefused) -> bool:
    return isinstance(error.__cause__, CallFailed) and turns_away(error.__cause__)
