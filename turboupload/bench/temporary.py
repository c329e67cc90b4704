"""An upload that is aborted in the end, whatever happens meanwhile."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import anyio
import anyio.lowlevel

from turboupload.clock import Clock
from turboupload.core.bench import Aborted, BenchNotice, Opened, Opening
from turboupload.core.metadata import Description
from turboupload.core.model import FileType
from turboupload.core.records import MultipartUpload
from turboupload.errors import CallFailed, LinkFailed, Stopped
from turboupload.omics.base import NOT_FOUND, UploadRef
from turboupload.omics.client import OmicsClient
from turboupload.omics.pager import all_pages
from turboupload.operations import ABORT_UPLOAD, CREATE_UPLOAD
from turboupload.units import format_duration

__all__ = ["CONTROL_S", "TemporaryUpload"]

NAME: Final = "turboupload-bench"

CONTROL_S: Final = 20.0
"""How long Create or Abort may fail, over all its tries, in seconds."""

CONFIRM_S: Final = 10.0
"""How long to wait until an aborted upload is no longer listed, in seconds."""


class TemporaryUpload:
    """Opens an upload, and aborts it.

    Args:
        service: The service, with the policies around every call.
        clock: The time.
        tell: Receives the upload's events.
        was_repeated: Says whether Create was called more than once.
    """

    def __init__(
        self,
        service: OmicsClient,
        clock: Clock,
        tell: Callable[[BenchNotice], None],
        was_repeated: Callable[[], bool],
    ) -> None:
        self._service = service
        self._clock = clock
        self._tell = tell
        self._was_repeated = was_repeated

    @asynccontextmanager
    async def opened(self, store_id: str) -> AsyncIterator[UploadRef]:
        """Opens an upload, and aborts it in the end, also where the caller was cancelled.

        Args:
            store_id: The store.

        Raises:
            CallFailed: Create was refused.
            LinkFailed: Create was not answered.
            Stopped: It may still be open.
        """
        name = f"{NAME}-{secrets.token_hex(8)}"
        self._tell(Opening(name))
        ref = await self._open(store_id, name)
        try:
            self._tell(Opened(ref.upload_id))
            # An interrupt may have come while it was being opened.
            await anyio.lowlevel.checkpoint()
            yield ref
        finally:
            with anyio.CancelScope(shield=True):
                try:
                    await self._abort(ref)
                finally:
                    if self._was_repeated():
                        # Whether a known token makes no second upload is not documented.
                        await self._abort_named(store_id, name, but=ref.upload_id)

    async def _open(self, store_id: str, name: str) -> UploadRef:
        message = f"no answer within {format_duration(CONTROL_S)}"
        failure: CallFailed | LinkFailed = LinkFailed(
            CREATE_UPLOAD.name, fault="stalled", message=message
        )
        # Shielded: an upload that is opened after a cancellation would stay open.
        with anyio.move_on_after(CONTROL_S, shield=True):
            try:
                about = Description(
                    name=name,
                    sample_id=NAME,
                    subject_id=NAME,
                    description="made-up bytes of a measurement; to be aborted",
                )
                made = await self._service.create_upload(store_id, about, FileType.FASTQ, name)
                return UploadRef(store_id, made.upload_id)
            except (CallFailed, LinkFailed) as error:
                failure = error
        with anyio.CancelScope(shield=True):
            if isinstance(failure, LinkFailed) or self._was_repeated():
                await self._abort_lost(store_id, name)
            else:
                self._tell(Aborted(None))
        raise failure

    async def _abort_lost(self, store_id: str, name: str) -> None:
        """Aborts an upload that may have been opened by a Create whose reply was lost."""
        deadline, pause_s = self._clock.now() + CONFIRM_S, 0.25
        while not await self._abort_named(store_id, name) and self._clock.now() < deadline:
            await self._clock.sleep(pause_s)
            pause_s *= 2

    async def _abort_named(self, store_id: str, name: str, *, but: str | None = None) -> bool:
        """Aborts all uploads of our name but one; returns whether there were any."""
        found = [
            row.upload_id
            for row in await self._listed(store_id)
            if row.name == name and row.upload_id != but
        ]
        for upload_id in found:
            await self._abort(UploadRef(store_id, upload_id))
        return bool(found)

    async def _listed(self, store_id: str) -> list[MultipartUpload]:
        pages = all_pages(partial(self._service.list_uploads, store_id))
        return [row async for page in pages for row in page.rows]

    async def _abort(self, ref: UploadRef) -> None:
        """Aborts the upload; it is fine if it is gone.

        Raises:
            Stopped: It may still be open.
        """
        why = f"no answer within {format_duration(CONTROL_S)}"
        with anyio.move_on_after(CONTROL_S):
            try:
                await self._service.abort_upload(ref)
                why = ""
            except (CallFailed, LinkFailed) as failure:
                gone = isinstance(failure, CallFailed) and failure.code == NOT_FOUND
                why = "" if gone else failure.message
        if why:
            raise Stopped(
                f"upload {ref.upload_id} of this measurement could not be aborted: {why}",
                operation=ABORT_UPLOAD.name,
                hint="abort it: "
                f"turboupload uploads abort {ref.upload_id} --store {ref.store_id} --yes",
                upload_id=ref.upload_id,
            )
        self._tell(Aborted(ref.upload_id))

    async def is_gone(self, ref: UploadRef) -> bool:
        """Whether the upload is no longer listed: Abort may take effect later, and listings lag."""
        deadline, pause_s = self._clock.now() + CONFIRM_S, 0.25
        while ref.upload_id in [row.upload_id for row in await self._listed(ref.store_id)]:
            if self._clock.now() >= deadline:
                return False
            await self._clock.sleep(pause_s)
            pause_s *= 2
        return True
