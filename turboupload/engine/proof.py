"""An upload that is to be proven: its files' ETag is computed beside it, for the end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import anyio
import anyio.abc

from turboupload.config import UploadConfig
from turboupload.core.formats import FORMATS
from turboupload.core.model import FileType, Phase
from turboupload.core.proof.etag import DEFAULT_FAMILY
from turboupload.core.upload.events import ETagComputed
from turboupload.engine.run import Run
from turboupload.paths import regular_size

if TYPE_CHECKING:
    from turboupload.engine.background_hash import Follower

__all__ = ["Prover"]


class Prover:
    """Computes ETags for all uploads of an engine that are to be proven.

    A store's ETag family is told by its read sets alone. The first of a store has the default
    computed beside it and the right one afterwards, where that is another; the next ones know.

    Args:
        config: How to upload.
    """

    def __init__(self, config: UploadConfig) -> None:
        self._config = config
        self._families: dict[str, str] = {}

    def check(self, file_type: FileType) -> None:
        """What is wanted at the end must be possible at the begin.

        Raises:
            ConfigError: It isn't.
            InputError: The reference can't be read.
        """
        if not self._config.prove or not FORMATS[file_type].has_header:
            return
        from turboupload.seqcheck.sam_text import require_alignment_reader

        require_alignment_reader()
        if self._config.reference_fasta is not None:
            regular_size(self._config.reference_fasta)

    async def drive(self, run: Run, drive: Callable[[Run], Awaitable[None]]) -> None:
        """Drives an upload to its end, beside the hashing of its files where that is wanted.

        Raises:
            IntegrityError: A FASTQ turned out to be damaged, or a file changed.
            Exception: Whatever `drive` raised, as it is.
        """
        if not run.upload.options.prove:
            await drive(run)
            return

        follower = run.follower = self._follower(run)

        async def work() -> None:
            await drive(run)
            if not run.follows:
                # Whoever looks at the read set later has the answer then.
                await follower.computed()

        await _beside(follower, work)

    def _follower(self, run: Run) -> Follower:
        # Imported where it is wanted: an upload's first byte shouldn't wait for what few ask for.
        from turboupload.engine.background_hash import Follower
        from turboupload.engine.hashing import ContentHasher

        upload = run.upload
        hasher = ContentHasher(
            upload.plan.sources, upload.file_type, reference=self._config.reference_fasta
        )
        family = self._families.get(upload.store_id, DEFAULT_FAMILY)
        follower = Follower(hasher, family, run.notify)
        if upload.phase not in (Phase.PLANNED, Phase.OPENING, Phase.OPEN):
            follower.hurry()
        return follower

    async def answer(self, run: Run, family: str) -> ETagComputed:
        """The ETag of the files in the service's family, when it is ready.

        Where no upload is to be proven, it is computed now: a read set that is there already is
        to be compared with the files.

        Raises:
            IntegrityError: A FASTQ is damaged, or a file changed while it was read.
        """
        self._families[run.upload.store_id] = family
        computed = await self._computed(run, family)
        if computed.etag is None:
            run.remark("etag-unknown", f"the ETag can't be computed here: {computed.reason}")
        return computed

    async def _computed(self, run: Run, family: str) -> ETagComputed:
        if run.follower is None:
            if not _can_compute(run.upload.file_type):
                return ETagComputed(family=family, etag=None, reason=NO_READER)
            follower = self._follower(run)
            await _beside(follower, follower.computed)
            run.follower = follower
        return await run.follower.computed(family)


NO_READER = "that needs pysam: pip install 'turboupload[preflight]'"


def _can_compute(file_type: FileType) -> bool:
    if not FORMATS[file_type].has_header:
        return True
    from turboupload.seqcheck.sam_text import can_read_alignments

    return can_read_alignments()


async def _beside(follower: Follower, work: Callable[[], Awaitable[object]]) -> None:
    """Works while the files are hashed, and no longer; whichever fails ends the other."""
    failures: list[Exception] = []

    async def hashing(group: anyio.abc.TaskGroup) -> None:
        try:
            await follower.follow()
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
