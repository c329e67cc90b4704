"""Uploads of streams: what of a stream's upload differs from that of files.

A pipe gives its bytes once. So a stream's upload is never resumed: each run begins a new one. Where
an earlier run of the same description had sent its whole stream, its outcome is found first, so
that no second read set is made; then the new bytes are compared with what was sent.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from turboupload import limits
from turboupload.core.model import Phase, ReadSet
from turboupload.core.notices import Notice, Remark
from turboupload.core.upload.actions import Action
from turboupload.core.upload.events import Event, StatusSeen, UploadGone
from turboupload.core.upload.plan import plan_of_stream
from turboupload.engine.delivery import Delivery
from turboupload.engine.prepare import Prepared, described
from turboupload.engine.run import Run
from turboupload.errors import CallFailed, InputError, LinkFailed, ServiceRefused, TurbouploadError
from turboupload.units import format_size

if TYPE_CHECKING:
    from turboupload.files.spool import Spool

__all__ = ["abort_stream", "prepare_stream", "resolve_earlier"]

ABORT_S = 20.0
"""How long the upload of a stream that isn't whole may take to be aborted, in seconds."""


async def prepare_stream(
    read_set: ReadSet, spool: Spool, tell: Callable[[Notice], None]
) -> Prepared:
    """Waits for a stream's start, and finds its type.

    Args:
        read_set: As the user described it.
        spool: Where the stream is read.
        tell: Receives remarks.

    Raises:
        InputError: It can't be uploaded, or not as this read set; it names all reasons.
    """
    start = await spool.start()
    read_set = described(read_set, start.file_type, start.header, tell, path=spool.name)
    if not spool.producer.tells_success:
        tell(
            Remark(
                "producer-unknown",
                "a pipe doesn't tell whether the command that writes succeeded: only a missing end "
                "is noticed. `turboupload upload --from-command … -- COMMAND` runs it, and "
                "completes nothing where it fails; --producer-exit FILE takes its exit code",
            )
        )
    if spool.part_size < limits.MAX_PART_BYTES:
        tell(
            Remark(
                "stream-limit",
                f"parts of {format_size(spool.part_size)}: a stream of more than "
                f"{format_size(spool.part_size * limits.MAX_PARTS)} would need more than "
                f"{limits.MAX_PARTS:,}, and couldn't be completed",
            )
        )
    plan = plan_of_stream(spool.name, f"stream {uuid.uuid4().hex}", spool.part_size)
    return Prepared(read_set, start.file_type, plan)


async def resolve_earlier(
    run: Run,
    spool: Spool,
    *,
    perform: Callable[[Run, Action], Awaitable[Event | None]],
    delivery: Delivery,
) -> None:
    """Finds the outcome of an earlier run that had sent all of its stream.

    Where it made a read set, this stream is read and compared with what was sent then.

    Raises:
        ServiceRefused: The read set holds something else.
    """
    upload = run.upload
    while upload.phase in (Phase.COMPLETING, Phase.PROCESSING):
        action = upload.next()
        event = await perform(run, action)
        if event is not None:
            await delivery.deliver(run, event)
        if isinstance(event, StatusSeen):
            break
    if upload.phase is Phase.FAILED:
        # It holds nothing, and whether these are the same bytes can't be known before they came.
        upload.forget()
    sent = [digest.fingerprint for _, digest, _ in upload.ledger.digests()]
    if upload.phase not in (Phase.PROCESSING, Phase.ACTIVE) or not sent:
        return  # or it was found, and only its ETag can tell whose it is
    run.remark(
        "stream-compared",
        f"an earlier run of this command made read set {upload.read_set_id}: what comes is "
        "compared with what was sent then, and nothing is sent",
    )
    found = [each async for each in spool.digests(upload.plan.part_size)]
    if found != sent:
        raise ServiceRefused(
            f"read set {upload.read_set_id} has this name, sample and subject already, and was "
            "made of other bytes than these",
            code="ReadSetExists",
            path=spool.name,
            hint="if it is the same data all the same (a BAM's header has the command line that "
            "made it), nothing is left to do; if it is another data set, choose another name; to "
            "upload it all the same, add --force",
        )


async def abort_stream(run: Run, error: InputError, delivery: Delivery) -> None:
    """Aborts the upload of a stream that turned out not to be whole, since it can't be completed.

    Args:
        run: The run that ends with the error.
        error: Gets the upload's id, where it can't be aborted.
        delivery: Records that it was aborted.
    """
    if run.spool is None or run.upload.phase is not Phase.OPEN:
        return
    upload_id, error.upload_id = run.upload.upload_id, run.upload.upload_id
    failures = (CallFailed, LinkFailed, TurbouploadError)
    with suppress(*failures), anyio.move_on_after(ABORT_S, shield=True):
        await run.service.abort_upload(run.ref)
        await delivery.deliver(run, UploadGone(aborted=True))
        error.upload_id = None
        run.remark("stream-aborted", f"upload {upload_id} was aborted: its stream isn't whole")
        return
    run.remark("stream-left-open", f"upload {upload_id} couldn't be aborted, and is still open")
