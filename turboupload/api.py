"""The library's API for one read set, or any number in parallel."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from os import PathLike
from types import TracebackType
from typing import Self

from turboupload.config import UploadConfig, config_of
from turboupload.core.controls import Controls
from turboupload.core.metadata import check_id, check_kind
from turboupload.core.model import FileType, ReadSet
from turboupload.core.notices import Notice, Rehearsal, UploadResult
from turboupload.engine import Engine, OnNotice
from turboupload.engine.compose import open_engine
from turboupload.errors import ConfigError
from turboupload.listening import Listener
from turboupload.runtime.eventloop import blocking
from turboupload.runtime.tasks import CallsUnderWay, undisturbed
from turboupload.telemetry import Following
from turboupload.units import MIB

__all__ = [
    "Uploader",
    "rehearse",
    "rehearse_sync",
    "upload",
    "upload_stream",
    "upload_stream_sync",
    "upload_sync",
]

OnEvent = Callable[[Notice], object]
"""Called with every event, on the event loop; what an `async` function returns is awaited."""

SPOOL_BYTES = 512 * MIB
"""What of a stream is kept by default, in bytes: four parts of 100 MiB, and one that is filled."""

READ_SET_HINT = "write: turboupload.ReadSet(sources=[...], name=...)"

PATIENCE_S = 5.0
"""How long to wait for cancelled uploads, in seconds, before and after they must hurry."""


class Uploader:
    """Uploads read sets, any number in parallel, over one window and one set of connections.

    An async context manager, for asyncio and uvloop, in any running loop; any of its tasks may call
    it, and none of another loop. Cancelling the scope or the task in which `upload` was called ends
    that upload cleanly, and leaves it resumable. Leaving the context ends running uploads in the
    same way: their callers get `Stopped`.

    Args:
        config: How to upload.

    Raises:
        ConfigError: On entering: the Region, the profile, a certificate or the state folder can't
            be used.

    Example:
        ```python
        async with turboupload.Uploader(turboupload.UploadConfig(region="eu-west-1")) as uploader:
            async with anyio.create_task_group() as group:
                for read_set in read_sets:
                    group.start_soon(uploader.upload, read_set, "1234567890")
        ```
    """

    def __init__(self, config: UploadConfig | None = None) -> None:
        self._config = config_of(config)
        self._stack = AsyncExitStack()
        self._engine: Engine | None = None
        self._calls = CallsUnderWay("the Uploader")

    async def __aenter__(self) -> Self:
        if self._engine is not None:
            raise RuntimeError("this Uploader is entered already")
        self._engine = await self._stack.enter_async_context(open_engine(self._config))
        self._calls.begin()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            await undisturbed(self._leave(engine))

    async def _leave(self, engine: Engine) -> None:
        if not await self._calls.end(PATIENCE_S):
            engine.hurry()
            # Don't wait for ever for a thread that hangs on a dead disk.
            await self._calls.end(PATIENCE_S)
        await self._stack.aclose()

    @property
    def controls(self) -> Controls:
        """Pauses, caps and widens what runs; see `turboupload.Controls`."""
        return self._entered()

    async def upload(
        self,
        read_set: ReadSet,
        store_id: str,
        *,
        receipt_path: str | PathLike[str] | None = None,
        on_event: OnEvent | None = None,
    ) -> UploadResult:
        """Uploads a read set; goes on where an earlier call stopped, here or elsewhere.

        Args:
            read_set: The files and their description.
            store_id: The sequence store, 10 to 36 digits.
            receipt_path: Where to write the receipt; the journal always keeps it.
            on_event: Called with every event, on the event loop; it may be `async`. An exception
                that it raises stops the upload, which stays resumable.

        Returns:
            The result; with `wait`, once the read set is ACTIVE.

        Raises:
            InputError: A file was rejected; nothing was sent.
            ServiceRefused: The service refused.
            Stopped: The upload was interrupted; the same call continues it.
            IntegrityError: Checksums differ, or a file changed.
            ReadSetRejected: Uploaded, then turned down by the service.
        """
        engine, listener = self._checked(read_set, store_id), Listener(on_event)
        with Following("upload") as following:
            notify = _notify_both(following, listener)
            return await self._calls.run(
                lambda: listener.during(
                    lambda: engine.upload(read_set, store_id, notify, receipt_path=receipt_path)
                )
            )

    async def upload_stream(
        self,
        read_set: ReadSet,
        store_id: str,
        stream: object,
        *,
        spool_bytes: int = SPOOL_BYTES,
        spool_dir: str | PathLike[str] | None = None,
        receipt_path: str | PathLike[str] | None = None,
        on_event: OnEvent | None = None,
    ) -> UploadResult:
        """Uploads what a binary stream gives, such as the standard output of another process.

        The stream is read once, in a thread, so an upload that is interrupted can't be resumed: the
        same call begins anew, and never makes a second read set of the same bytes. Its length
        needn't be known: with parts of 100 MiB it may have 976 GiB.

        Args:
            read_set: The description; `sources` is `["-"]`. A pair isn't possible.
            store_id: The sequence store, 10 to 36 digits.
            stream: An open file descriptor, or a binary stream with `readinto` or `read`, which
                block. What it raises ends the upload, and nothing is completed. An `async` stream
                is not taken: hand its bytes to a pipe.
            spool_bytes: How much is kept for parts that are on their way, in bytes.
            spool_dir: Keep that on this folder's disk; None keeps it in memory.
            receipt_path: Where to write the receipt; the journal always keeps it.
            on_event: As for `upload`.

        Returns:
            The result; with `wait`, once the read set is ACTIVE.

        Raises:
            InputError: The stream can't be uploaded, or isn't whole. Nothing was completed.
            TurbouploadError: As `upload` would.
        """
        # Few uploads are of streams, and those of files shouldn't wait for what these need.
        from turboupload.files.producers import producer_of
        from turboupload.files.spool import Spool, stream_part_size

        engine, listener = self._checked(read_set, store_id), Listener(on_event)
        config = self._config
        check_streamed(read_set, config)
        producer = producer_of(stream)
        part_size = stream_part_size(spool_bytes, config.part_size_bytes)

        def open_spool(family: str | None) -> Spool:
            return Spool(
                producer,
                size=spool_bytes,
                part_size=part_size,
                checksum=config.checksum,
                folder=spool_dir,
                declared=read_set.file_type,
                family=family,
            )

        with Following("upload") as following:
            notify = _notify_both(following, listener)
            return await self._calls.run(
                lambda: listener.during(
                    lambda: engine.upload_stream(
                        read_set, store_id, notify, open_spool, receipt_path=receipt_path
                    )
                )
            )

    async def rehearse(
        self, read_set: ReadSet, store_id: str, *, on_event: OnEvent | None = None
    ) -> Rehearsal:
        """Finds out what `upload` would do, without any change.

        Raises:
            TurbouploadError: As `upload` would.
        """
        engine, listener = self._checked(read_set, store_id), Listener(on_event)
        with Following("calls") as following:
            notify = _notify_both(following, listener)
            return await self._calls.run(
                lambda: listener.during(lambda: engine.rehearse(read_set, store_id, notify))
            )

    def _entered(self) -> Engine:
        if self._engine is None:
            raise RuntimeError("an Uploader is used inside `async with`")
        return self._engine

    def _checked(self, read_set: ReadSet, store_id: str) -> Engine:
        engine = self._entered()
        check_kind("read_set", read_set, ReadSet, hint=READ_SET_HINT)
        check_id("a store", store_id)
        if self._config.upload_id is not None:
            check_id("an upload", self._config.upload_id)
        return engine


def check_streamed(read_set: ReadSet, config: UploadConfig) -> None:
    """Checks that a stream can be uploaded in this way.

    Raises:
        ConfigError: It can't.
    """
    if len(read_set.paths) > 1:
        raise ConfigError(
            "a pair can't be a stream: its two files would have to come at the same time",
            hint="write the files to a disk first, or upload one interleaved BAM",
        )
    if config.upload_id is not None:
        raise ConfigError("a stream's upload can't be resumed", hint="leave the upload id out")
    if config.manifests or config.md5_beside or read_set.checksums:
        raise ConfigError(
            "a stream can't be compared with manifests, which name files",
            hint="leave --md5 out; `turboupload readsets verify --md5` compares the read set's "
            "ETag with the MD5 of a FASTQ's content",
        )
    if config.prove and read_set.file_type == FileType.CRAM:
        raise ConfigError(
            "the ETag of a CRAM can't be computed while it is streamed",
            hint="leave --prove out; `turboupload readsets verify` compares with a file",
        )


def _notify_both(following: Following, listener: Listener[Notice]) -> OnNotice:
    def notify(notice: Notice) -> None:
        following.hear(notice)
        listener(notice)

    return notify


async def upload(
    read_set: ReadSet,
    *,
    store_id: str,
    config: UploadConfig | None = None,
    receipt_path: str | PathLike[str] | None = None,
    on_event: OnEvent | None = None,
) -> UploadResult:
    """Uploads one read set; see `Uploader.upload`.

    Args:
        read_set: The files and their description.
        store_id: The sequence store.
        config: How to upload.
        receipt_path: Where to write the receipt; the journal always keeps it.
        on_event: Called with every event.
    """
    check_id("a store", store_id)
    async with Uploader(config) as uploader:
        return await uploader.upload(
            read_set, store_id, receipt_path=receipt_path, on_event=on_event
        )


upload_sync = blocking(upload)


async def upload_stream(
    read_set: ReadSet,
    stream: object,
    *,
    store_id: str,
    config: UploadConfig | None = None,
    spool_bytes: int = SPOOL_BYTES,
    spool_dir: str | PathLike[str] | None = None,
    receipt_path: str | PathLike[str] | None = None,
    on_event: OnEvent | None = None,
) -> UploadResult:
    """Uploads what a binary stream gives; see `Uploader.upload_stream`."""
    check_id("a store", store_id)
    async with Uploader(config) as uploader:
        return await uploader.upload_stream(
            read_set,
            store_id,
            stream,
            spool_bytes=spool_bytes,
            spool_dir=spool_dir,
            receipt_path=receipt_path,
            on_event=on_event,
        )


upload_stream_sync = blocking(upload_stream)


async def rehearse(
    read_set: ReadSet,
    *,
    store_id: str,
    config: UploadConfig | None = None,
    on_event: OnEvent | None = None,
) -> Rehearsal:
    """Finds out what `upload` would do, without any change; see `Uploader.rehearse`."""
    check_id("a store", store_id)
    async with Uploader(config) as uploader:
        return await uploader.rehearse(read_set, store_id, on_event=on_event)


rehearse_sync = blocking(rehearse)
