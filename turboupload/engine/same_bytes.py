"""Before Complete: the files still hold the bytes that were sent.

Where a file has another size, or another time of its last modification, nothing is completed. A
write may set that time back (`touch -r`, `cp -p`, `rsync --inplace`); the time of the inode's last
change tells, which nobody sets back, but `chmod`, `mv` and `ln` change it, too. So where only that
one is new, every part is read again and compared with what was sent.
"""

from __future__ import annotations

from collections.abc import Sequence

import anyio.to_thread

from turboupload.core.model import FileIdentity
from turboupload.core.proof.checksum import FINGERPRINT
from turboupload.engine.run import Run
from turboupload.engine.survey import digest_part
from turboupload.errors import SourceChanged
from turboupload.files.source import PartReaders, check_unchanged, inspect_source

__all__ = ["require_same_bytes"]


async def require_same_bytes(run: Run) -> None:
    """Checks that an upload's files are as they were sent.

    Raises:
        SourceChanged: One isn't.
    """
    sources = run.upload.plan.sources
    now = await anyio.to_thread.run_sync(check_unchanged, sources)
    if not _touched(run.compared_as or run.upload.identities, now):
        return
    run.remark(
        "files-touched",
        "a file was touched while it was sent (by chmod, mv or ln, or by a write after which its "
        "time was set back): the files are read again and compared with what was sent",
    )
    how = "though the time of the last modification is the same"
    for source in sources:
        # Whoever begins now asks for the upload of other files where the samples differ.
        found = await anyio.to_thread.run_sync(inspect_source, source.paths, source.part_source)
        if found.fingerprint != source.fingerprint:
            raise _changed(source.path, f"it has other bytes than when this run began, {how}")
    readers = PartReaders(sources, checksum=FINGERPRINT)
    for part, digest, _ in run.upload.ledger.digests():
        if (await digest_part(readers.reader(part))).fingerprint != digest.fingerprint:
            of = run.upload.plan.source(part.source)
            raise _changed(
                of.path if of else None, f"part {part.number} has other bytes than were sent, {how}"
            )
    again = await anyio.to_thread.run_sync(check_unchanged, sources)
    if _touched(now, again):
        raise _changed(sources[0].path, "it was touched again while it was compared")
    run.compared_as = again


def _touched(before: Sequence[FileIdentity], now: Sequence[FileIdentity]) -> bool:
    return any(new.was_touched(old) for old, new in zip(before, now, strict=True))


def _changed(path: str | None, how: str) -> SourceChanged:
    return SourceChanged(
        f"the file changed while it was being uploaded: {how}",
        path=path,
        hint="nothing was completed; when the file no longer changes, run the same command again: "
        "what was sent is compared with it",
    )
