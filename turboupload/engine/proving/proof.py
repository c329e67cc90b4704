"""Proving an upload: its files' ETag is computed while they are sent, and compared at the end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

import anyio
import anyio.abc

from turboupload.config import UploadConfig
from turboupload.core.formats import FORMATS
from turboupload.core.model import FileType, Phase
from turboupload.core.proof.etag import DEFAULT_FAMILY, ContentETag, etag_algorithm
from turboupload.core.upload.events import ETagComputed
from turboupload.engine.run import Run
from turboupload.paths import regular_size

if TYPE_CHECKING:
    from turboupload.engine.proving.background_hash import BackgroundHash
    from turboupload.files.spool import Spool

__all__ = ["Prover", "while_hashing"]


class Prover:
    """Computes the ETags for all uploads of an engine.

    Only a store's read sets tell its ETag family. For the first upload to a store the default
    family is computed beside the sending, and the store's own family afterwards where that is
    another; for later uploads it is known.

    Args:
        config: How to upload.
    """

    def __init__(self, config: UploadConfig) -> None:
        self._config = config
        self._families: dict[str, str] = {}

    def check(self, file_type: FileType) -> None:
        """Makes sure, before anything is sent, that the ETag can be computed at the end.

        Raises:
            ConfigError: It can't be computed here.
            InputError: The reference can't be read.
        """
        if not self._config.prove or not FORMATS[file_type].has_header:
            return
        from turboupload.seqcheck.sam_text import require_alignment_reader

        require_alignment_reader()
        if self._config.reference_fasta is not None:
            regular_size(self._config.reference_fasta)

    async def drive(self, run: Run, drive: Callable[[Run], Awaitable[None]]) -> None:
        """Drives an upload to its end; with `prove`, hashes its files at the same time.

        Raises:
            IntegrityError: A FASTQ turned out to be damaged, or a file changed.
            Exception: An exception of `drive`, unchanged.
        """
        if not run.upload.options.prove or run.spool is not None:
            await drive(run)
            return

        file_hash = run.file_hash = self._new_hash(run)

        async def work() -> None:
            await drive(run)
            if not run.wait_for_end:
                # The read set is compared later, and the files are read now.
                await file_hash.computed()

        await while_hashing(file_hash, work)

    def _new_hash(self, run: Run) -> BackgroundHash:
        # Imported here: an upload's first byte shouldn't wait for what few uploads need.
        from turboupload.engine.proving.background_hash import BackgroundHash
        from turboupload.engine.proving.hashing import ContentHasher

        upload = run.upload
        hasher = ContentHasher(
            upload.plan.sources, upload.file_type, reference=self._config.reference_fasta
        )
        family = self.family(upload.store_id)
        file_hash = BackgroundHash(hasher, family, run.notify)
        if upload.phase not in (Phase.PLANNED, Phase.OPENING, Phase.OPEN):
            file_hash.hurry()
        return file_hash

    async def answer(self, run: Run, family: str) -> ETagComputed:
        """Waits for the ETag of the files in the service's family.

        If no hashing is under way, it starts now: a read set that exists already must be compared
        with the files.

        Raises:
            IntegrityError: A FASTQ is damaged, or a file changed while it was read.
        """
        self._families[run.upload.store_id] = family
        computed = await self._computed(run, family)
        if computed.etag is None:
            run.remark("etag-unknown", f"the ETag can't be computed here: {computed.reason}")
        return computed

    def family(self, store_id: str) -> str:
        """The ETag family that a store has, as far as is known."""
        return self._families.get(store_id, DEFAULT_FAMILY)

    async def _computed(self, run: Run, family: str) -> ETagComputed:
        if run.spool is not None:
            return _of_stream(run.spool, run.upload.file_type, family)
        if run.file_hash is None:
            if not _can_compute(run.upload.file_type):
                return ETagComputed(family=family, etag=None, reason=NO_READER)
            file_hash = self._new_hash(run)
            await while_hashing(file_hash, file_hash.computed)
            run.file_hash = file_hash
        return await run.file_hash.computed(family)


def _of_stream(spool: Spool, file_type: FileType, family: str) -> ETagComputed:
    found = spool.etag
    if found is None:
        why = "that of a stream is known once it was sent with --prove, and never of a CRAM"
        return ETagComputed(family=family, etag=None, reason=why)
    if family != spool.family:
        why = f"the pipe's content was hashed for {spool.family}, and can't be read again"
        return ETagComputed(family=family, etag=None, sha256=(spool.sha256,), reason=why)
    return ETagComputed(
        family=family,
        etag=ContentETag(etag_algorithm(file_type, family), found.digest),
        sha256=(spool.sha256,),
        reads=found.reads,
        reader=found.reader,
        reservation=found.reservation,
    )


NO_READER = "that needs pysam: pip install 'turboupload[preflight]'"


def _can_compute(file_type: FileType) -> bool:
    if not FORMATS[file_type].has_header:
        return True
    from turboupload.seqcheck.sam_text import can_read_alignments

    return can_read_alignments()


class Hashes(Protocol):
    """Hashes files."""

    async def run(self) -> None:
        """Hashes them all."""
        ...


async def while_hashing(file_hash: Hashes, work: Callable[[], Awaitable[object]]) -> None:
    """Runs `work` while the files are hashed, and no longer; if one fails, the other is ended."""
    failures: list[Exception] = []

    async def hashing(group: anyio.abc.TaskGroup) -> None:
        try:
            await file_hash.run()
        except Exception as error:  # raised again below, outside the group
            failures.append(error)
            group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(hashing, group)
        try:
            await work()
        except Exception as error:  # as above
            failures.append(error)
        group.cancel_scope.cancel()
    if failures:
        raise failures[0]
