"""A spread row: several workers send its parts, into one upload that this machine decides.

The coordinator's engine creates and completes the upload, records every part, and computes what
proves it, by the code that does so for a file of its own. Workers are told which parts to read and
send, and answer with the service's reply and their digest of the bytes. A part whose worker was
lost is looked up in the service's list before anybody sends it again (`engine.carrying`).
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from turboupload.batch.elsewhere import WORKERS
from turboupload.cluster.attempts import Attempts, WorkerLost
from turboupload.cluster.connection import Connection, words
from turboupload.cluster.membership import Member, Membership
from turboupload.cluster.messages import Failure, PartOrder, PartTold, SpreadUpload, Steering
from turboupload.cluster.worker import NotExamined, send_part, take_upload
from turboupload.core.model import FileIdentity, Part, Source
from turboupload.core.notices import Notice, Remark, Retrying
from turboupload.core.rate.meter import Limiter
from turboupload.core.rate.retry import turns_away
from turboupload.core.upload.events import PartSeen
from turboupload.engine.run import PartLost, Run
from turboupload.errors import CallFailed, SourceChanged, Stopped

__all__ = ["Spread", "identities_of"]

MOST_DEATHS: Final = 5
"""So many workers may be lost with the same part: another one would be lost, too."""

TELL_AGAIN_S: Final = 0.5
"""The pause before another worker is looked for, where one did not hear, in seconds."""

_Trouble = str | None


class Spread:
    """Has workers send the parts of a row's upload; see `PartCarrier`.

    Args:
        topic: Of the batch.
        connection: To the scheduler.
        membership: The workers.
        attempts: What they have in hand.
        steering: What each is to keep to now.
        able: Whether a worker sees the very files that this machine does.
        tell: Hears who can't send.
        on_sent: Called with a worker's name, and how many bytes it has sent since.

    Attributes:
        limited_by: What limits the worker that was heard of last.
    """

    def __init__(
        self,
        topic: str,
        connection: Connection,
        membership: Membership,
        attempts: Attempts,
        *,
        steering: Callable[[], Steering],
        able: Callable[[Member], bool],
        tell: Callable[[Notice], None],
        on_sent: Callable[[str, int], None],
    ) -> None:
        self._topic = topic
        self._connection = connection
        self._membership = membership
        self._attempts = attempts
        self._steering = steering
        self._able = able
        self._tell = tell
        self._on_sent = on_sent
        self._told: dict[tuple[Member, str], asyncio.Task[_Trouble]] = {}
        self._left_out: dict[Member, Exception] = {}
        self._deaths: Counter[Part] = Counter()
        self.limited_by: Limiter | None = None

    @property
    def room(self) -> int:
        """How many parts may be in the workers' hands at a time."""
        return sum(each.room for each in self._membership.members.values() if self._may(each))

    def _may(self, member: Member) -> bool:
        return member not in self._left_out and self._able(member)

    async def send(self, run: Run, part: Part) -> PartSeen:
        """Has a worker send a part; see `PartCarrier`.

        Raises:
            PartLost: Its worker is gone, or gave it back.
            CallFailed: The upload isn't open.
            SourceChanged: A file changed.
            TurbouploadError: No worker could send it.
        """
        member = await self._member(run, part)
        attempt = f"part-{part.source}-{part.number}-{os.urandom(6).hex()}"
        counted = _Counted(run, part, member)
        with self._attempts.in_hand(member, member.parts, attempt, part.size):
            member.kept_to = steering = self._steering()
            order = PartOrder(self._topic, attempt, run.ref.upload_id, part, steering)
            try:
                done = await self._attempts.make(
                    member, send_part, order, lambda told: self._hear(counted, told)
                )
                if done is not None:
                    self._hear(counted, done.told)
            except WorkerLost:
                self._deaths[part] += 1
                if self._deaths[part] >= MOST_DEATHS:
                    raise _too_many_deaths(run, part) from None
                raise PartLost from None
            finally:
                run.partial_bytes.pop(part, None)
        if done is None:  # the scheduler was lost
            raise PartLost
        if isinstance(done.ended, PartSeen):
            return done.ended
        raise self._unsent(member, done.ended)

    def _unsent(self, member: Member, failure: Failure) -> Exception:
        """What a worker's failure means: mostly that another one is to send the part."""
        error = failure.restored()
        if isinstance(error, SourceChanged) or (
            isinstance(error, CallFailed) and turns_away(error)
        ):
            return error
        self._leave_out(member, error)
        return PartLost()

    def _leave_out(self, member: Member, error: Exception) -> None:
        if member not in self._left_out:
            self._left_out[member] = error
            text = f"worker {member.worker.name} gets no more parts of this file: {words(error)}"
            self._tell(Remark("worker-left-out", text))
            self._membership.wake()

    def _hear(self, counted: _Counted, told: PartTold) -> None:
        self.limited_by = told.limited_by
        if (count := counted.take(told)) > 0:
            self._on_sent(counted.member.worker.name, count)

    async def _member(self, run: Run, part: Part) -> Member:
        """A worker that has room for another part, and was told of the upload.

        Raises:
            TurbouploadError: None has come for too long, or each has failed.
        """
        source = run.upload.plan.source(part.source)
        assert source is not None
        while True:
            member = await self._membership.pick(
                self._may,
                _has_room,
                lambda each: (len(each.parts) / each.room, sum(each.rows.values())),
                path=source.path,
                check=self._check_failures,
            )
            try:
                trouble = await self._told_of(run, member)
            except (OSError, RuntimeError, NotExamined):
                # It went, or is found gone within a moment.
                self._told.pop((member, run.ref.upload_id), None)
                await asyncio.sleep(TELL_AGAIN_S)
                continue
            if trouble is not None:
                self._leave_out(member, Stopped(trouble, operation=WORKERS))
            elif _has_room(member):  # others may have had the same thought meanwhile
                return member

    def _check_failures(self) -> None:
        """Raises what the last worker has failed with, where none is left to try."""
        able = [each for each in self._membership.members.values() if self._able(each)]
        failed = [self._left_out[each] for each in able if each in self._left_out]
        if able and len(failed) == len(able):
            raise failed[-1]

    async def _told_of(self, run: Run, member: Member) -> _Trouble:
        """Tells a worker of the upload, once; returns what keeps it from sending, if anything."""
        key = member, run.ref.upload_id
        if (telling := self._told.get(key)) is None:
            upload = run.upload
            spread = SpreadUpload(
                run.ref,
                tuple(_absolute(each) for each in upload.plan.sources),
                upload.checksum,
                upload.plan.total_bytes,
            )
            telling = self._told[key] = asyncio.ensure_future(
                self._connection.run(member.worker.address, take_upload, self._topic, spread)
            )
            # Nobody may be left who wants to know.
            telling.add_done_callback(lambda it: it.cancelled() or it.exception())
        try:
            return await asyncio.shield(telling)
        except asyncio.CancelledError:
            if telling.cancelled():  # by Dask, with its connection
                raise OSError("the connection to the scheduler was lost") from None
            raise


class _Counted:
    """Counts what a worker says of a part in the upload's run."""

    def __init__(self, run: Run, part: Part, member: Member) -> None:
        self.member = member
        self._run = run
        self._part = part
        self._sent_bytes = 0

    def take(self, told: PartTold) -> int:
        """Returns how many bytes were sent since the last message."""
        run, since = self._run, told.sent_bytes - self._sent_bytes
        run.sent_bytes += since
        self._sent_bytes = told.sent_bytes
        run.partial_bytes[self._part] = told.partial_bytes
        self.member.room = told.room
        if told.limited_by is not None:
            run.limits_seen[told.limited_by] += 1
        try:
            for notice in told.notices:
                if isinstance(notice, Retrying):
                    run.count_retry()
                run.notify(notice)
        except Exception as error:  # the caller's own; raised by whoever sends the upload's parts
            run.failure = run.failure or error
            run.wake()
        return since


def identities_of(paths: Sequence[str]) -> list[FileIdentity]:
    """The files as this machine sees them.

    Raises:
        OSError: One can't be seen.
    """
    return [FileIdentity.of(Path(path).stat()) for path in paths]


def _has_room(member: Member) -> bool:
    return len(member.parts) < member.room


def _absolute(source: Source) -> Source:
    """A source with absolute paths, for whatever folder a worker is in."""
    whole = os.path.abspath
    return replace(source, files=tuple(replace(it, path=whole(it.path)) for it in source.files))


def _too_many_deaths(run: Run, part: Part) -> Stopped:
    source = run.upload.plan.source(part.source)
    return Stopped(
        f"{MOST_DEATHS} workers were lost while they had part {part.number} in hand",
        operation=WORKERS,
        path=source.path if source is not None else None,
        hint="look at the workers' logs (are they out of memory?), then give the same command "
        "again: it goes on",
    )
