"""An upload that is to be proven: its files' ETag is computed beside it, for the end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
import anyio.abc

from turboupload.clock import Clock
from turboupload.config import UploadConfig
from turboupload.core.etag import DEFAULT_FAMILY
from turboupload.core.events import ETagComputed
from turboupload.core.model import FileType, Phase
from turboupload.engine.follower import Follower
from turboupload.engine.hashing import ContentHasher
from turboupload.engine.run import Run
from turboupload.local.etag import require_alignment_reader
from turboupload.local.formats import regular_size

__all__ = ["answer", "check_provable", "drive_proving"]


def check_provable(file_type: FileType, config: UploadConfig) -> None:
    """What is wanted at the end must be possible at the begin.

    Raises:
        ConfigError: It isn't.
        InputError: The reference can't be read.
    """
    if config.prove and file_type is not FileType.FASTQ:
        require_alignment_reader()
        if config.reference_fasta is not None:
            regular_size(config.reference_fasta)


async def drive_proving(
    run: Run, config: UploadConfig, clock: Clock, drive: Callable[[Run], Awaitable[None]]
) -> None:
    """Drives an upload to its end, beside the hashing of its files where that was asked for.

    Raises:
        IntegrityError: A FASTQ turned out to be damaged, or a file changed.
        Exception: Whatever `drive` raised, as it is.
    """
    if not run.upload.options.prove:
        await drive(run)
        return
    upload = run.upload
    hasher = ContentHasher(upload.plan.sources, upload.file_type, reference=config.reference_fasta)
    follower = run.follower = Follower(hasher, clock, run.notify)
    if upload.phase not in (Phase.PLANNED, Phase.OPENING, Phase.OPEN):
        follower.hurry()
    failures: list[Exception] = []

    async def beside(group: anyio.abc.TaskGroup) -> None:
        try:
            await follower.follow()
        except Exception as error:  # raised again below, outside the group
            failures.append(error)
            group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(beside, group)
        try:
            await drive(run)
            if not run.follows:
                # Whoever looks at the read set later has the answer then.
                await follower.computed(DEFAULT_FAMILY)
        except Exception as error:  # as above
            failures.append(error)
        group.cancel_scope.cancel()
    if failures:
        raise failures[0]


async def answer(run: Run, family: str) -> ETagComputed:
    """The ETag of the files in the service's family, when it is ready."""
    assert run.follower is not None
    computed = await run.follower.computed(family)
    if computed.etag is None:
        run.remark("etag-unknown", f"the ETag can't be computed here: {computed.reason}")
    return computed
