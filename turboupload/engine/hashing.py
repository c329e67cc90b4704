"""The ETag of files, computed in threads of their own beside other work.

One thread for each file hashes its content, and another the file as it is, so that the files of a
pair are hashed side by side and neither hash waits for the other. While the files are being sent,
a gate keeps the threads behind the sending: what they read is in the page cache already, or the
sending is about to read it.

Memory: below 10 MiB a file, whatever its size.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

import anyio

from turboupload.core.formats import FORMATS
from turboupload.core.model import FileType, Part, PartSource, Source
from turboupload.core.proof.etag import ContentETag, etag_algorithm
from turboupload.core.upload.events import ETagComputed
from turboupload.errors import InputError, IntegrityError, SourceChanged
from turboupload.files.digests import FileHashes, hash_files
from turboupload.files.etag import ContentHash, hash_content
from turboupload.files.source import check_unchanged

__all__ = ["ContentHasher", "Gate"]

NICENESS = 5
"""The threads' nice value, so that the event loop goes first, as for the part transport's threads;
on Linux only."""

SHUTDOWN_TIMEOUT_S = 2.0
"""How long a cancellation waits for the threads to end, in seconds: only a read that hangs in the
operating system takes that long."""


class _Abandoned(Exception):
    """The hashing was cancelled."""


class Gate:
    """How far into each file the threads may read."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._upto: dict[PartSource, int] = {}
        self._open = False
        self._closed = False

    def advance(self, part: Part) -> None:
        """Lets the file be read up to the end of a part, which is being sent."""
        with self._changed:
            self._upto[part.source] = max(part.offset + part.size, self._upto.get(part.source, 0))
            self._changed.notify_all()

    def open(self) -> None:
        """Lets the files be read to their end."""
        with self._changed:
            self._open = True
            self._changed.notify_all()

    def close(self) -> None:
        """Wakes all waiters; later waits raise."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def wait(self, source: PartSource, position: int) -> None:
        """Waits until a file may be read up to there.

        Raises:
            _Abandoned: The gate was closed.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._closed or self._open or position <= self._upto.get(source, 0)
            )
            if self._closed:
                raise _Abandoned


class ContentHasher:
    """Computes the ETag of an upload's files.

    Args:
        sources: The files.
        file_type: What they are.
        reference: The reference FASTA of a CRAM.
        as_is: Whether to compute the SHA-256 of each file as it is, too.

    Attributes:
        gate: How far the threads may read.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        file_type: FileType,
        *,
        reference: str | os.PathLike[str] | None = None,
        as_is: bool = True,
    ) -> None:
        self.gate = Gate()
        self._sources = tuple(sources)
        self._file_type = file_type
        self._reference = reference
        self._as_is = as_is
        self._positions: dict[PartSource, int] = {}
        self._sha256: dict[PartSource, FileHashes] = {}

    @property
    def total_bytes(self) -> int:
        """Of the files."""
        return sum(source.size for source in self._sources)

    @property
    def done_bytes(self) -> int:
        """How far the content has been hashed, in bytes of the files."""
        return sum(self._positions.values())

    async def compute(self, family: str) -> ETagComputed:
        """Hashes the files; a cancellation ends the threads.

        Raises:
            IntegrityError: A FASTQ is damaged, or a file changed while it was read.
        """
        pool = ThreadPoolExecutor(
            2 * len(self._sources), thread_name_prefix="etag", initializer=_lower_priority
        )
        try:
            contents = await self._hash(pool, family)
        except InputError as error:
            if not FORMATS[self._file_type].has_header:
                raise _damaged(error) from error
            return ETagComputed(family=family, etag=None, reason=str(error))
        finally:
            self.gate.close()
            await _shut_down(pool)
            self.gate = Gate()
            self.gate.open()
        await asyncio.to_thread(_check_at_rest, self._sources)
        digests = [each.digest for each in contents]
        reads = [each.reads for each in contents]
        hashes = [self._sha256[each.part_source] for each in self._sources if self._as_is]
        return ETagComputed(
            family=family,
            etag=ContentETag(
                etag_algorithm(self._file_type, family),
                digests[0],
                digests[1] if len(digests) > 1 else None,
            ),
            sha256=tuple(each.whole for each in hashes),
            files_sha256=tuple(each.each for each in hashes),
            reads=sum(each or 0 for each in reads) if all(reads) else None,
            reader=contents[0].reader,
            reservation=contents[0].reservation,
        )

    async def _hash(self, pool: ThreadPoolExecutor, family: str) -> list[ContentHash]:
        contents: dict[PartSource, ContentHash] = {}
        failures: list[Exception] = []

        async def in_thread(work: Callable[[], object]) -> None:
            loop = asyncio.get_running_loop()
            try:
                await loop.run_in_executor(pool, work)
            except Exception as error:  # raised again below, outside the group
                failures.append(error)
                group.cancel_scope.cancel()

        def hash_text(source: Source) -> None:
            contents[source.part_source] = self._hash_content(source, family)

        async with anyio.create_task_group() as group:
            for source in self._sources:
                group.start_soon(in_thread, partial(hash_text, source))
                if self._as_is and source.part_source not in self._sha256:
                    group.start_soon(in_thread, partial(self._hash_file, source))
        if failures:
            raise failures[0]
        return [contents[each.part_source] for each in self._sources]

    def _hash_content(self, source: Source, family: str) -> ContentHash:
        gate, which = self.gate, source.part_source

        def progress(position: int, size: int) -> None:
            self._positions[which] = position
            gate.wait(which, position)

        return hash_content(source.paths, self._file_type, family, self._reference, progress)

    def _hash_file(self, source: Source) -> None:
        gate, position = self.gate, 0

        def advance(count: int) -> None:
            nonlocal position
            position += count
            gate.wait(source.part_source, position)

        self._sha256[source.part_source] = hash_files(source.paths, advance)


def _check_at_rest(sources: Sequence[Source]) -> None:
    try:
        check_unchanged(sources)
    except SourceChanged as error:
        raise SourceChanged(
            f"{error.message}; so its ETag says nothing of what was sent",
            path=error.path,
            hint="the read set may be complete all the same; when the file is at rest, "
            "run the same command again",
        ) from error


def _damaged(error: InputError) -> IntegrityError:
    return IntegrityError(
        f"its ETag can't be computed: {error.message}",
        path=error.path,
        operation="ETag",
        hint="check the file; if it is damaged, get it again: the service would turn it down",
    )


def _lower_priority() -> None:
    if sys.platform == "linux":  # elsewhere it would be the whole process
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


async def _shut_down(pool: ThreadPoolExecutor) -> None:
    """Waits for the threads to end, but not for ever."""
    left = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wait() -> None:
        pool.shutdown(cancel_futures=True)
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(left.set)

    threading.Thread(target=wait, name="etag-shutdown", daemon=True).start()
    with anyio.move_on_after(SHUTDOWN_TIMEOUT_S, shield=True):
        await left.wait()
