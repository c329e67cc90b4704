"""The way to the service: messages that take time, get lost, or come too late."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from tests.simulation.process import Died, Process
from tests.simulation.service import refusal
from tests.support.called import OPERATIONS as CALLED
from turboupload.core.filters import ReadSetFilter
from turboupload.core.metadata import Description
from turboupload.core.model import FileType, Part, PartSource
from turboupload.core.records import MultipartUpload, ReadSetDetails, UploadPart
from turboupload.errors import CallFailed, LinkFailed
from turboupload.http.body import OpenBody
from turboupload.omics.base import Call, Page, UploadRef
from turboupload.operations import Operation

if TYPE_CHECKING:
    from tests.simulation.spec import Fault
    from tests.simulation.world import World

__all__ = ["Wire"]

T = TypeVar("T")

TIMEOUT_S = 60.0
"""After so long without an answer the client takes a connection for dead, in seconds."""

OPERATIONS = {
    "Create": "CreateMultipartReadSetUpload",
    "SendPart": "UploadReadSetPart",
    "ListParts": "ListReadSetUploadParts",
    "ListUploads": "ListMultipartReadSetUploads",
    "Complete": "CompleteMultipartReadSetUpload",
    "Abort": "AbortMultipartReadSetUpload",
    "GetReadSet": "GetReadSetMetadata",
    "FindReadSets": "ListReadSets",
}


class Wire:
    """`ReadSetService` for one process of a world."""

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self._process = process
        self._service = world.service

    def through(self, call: Call) -> Any:
        """See `ReadSetService`."""
        return _Through(self, call)

    async def create_upload(
        self, store_id: str, about: Description, file_type: FileType, token: str
    ) -> MultipartUpload:
        """See `ReadSetService`."""
        try:
            upload_id = await self._call(
                "Create",
                lambda: self._service.create(about, file_type, token),
                f"{about.name} token {token[:6]}",
            )
        except CallFailed as failure:
            if failure.status == 409:
                # It was told that there is, or was, an upload of these files.
                self._world.note_shown(self._process, *self._service.made_by(token))
            raise
        self._service.uploads[upload_id].makers.add(self._process.machine.number)
        return MultipartUpload(upload_id=upload_id)

    async def send_part(
        self,
        upload: UploadRef,
        part: Part,
        open_body: OpenBody,
        on_bytes: Callable[[int], None],
    ) -> str:
        """See `ReadSetService`."""
        world, process = self._world, self._process
        if process.dead:
            raise Died
        body = open_body()
        buffer = memoryview(bytearray(len(body)))
        done = 0
        while count := body.readinto(buffer[done:]):
            body.hash_chunk(buffer[done : done + count])
            done += count
        on_bytes(done)
        data = bytes(buffer)
        process.parts_sent += 1

        def arrive(fault: Fault | None = None) -> str:
            upload_of = self._service.uploads.get(upload.upload_id)
            cut = fault is not None and fault.how == "cut"
            stored = data[:-1] if cut else data
            checksum = self._service.send(upload.upload_id, part.source, part.number, stored)
            assert upload_of is not None
            world.note_part(process, upload_of, part)
            world.arrivals[upload_of.about.name, str(part.source), part.number, data] += 1
            if cut:
                world.parts_excused += 1
            return checksum

        return await self._call(
            "SendPart", arrive, f"{upload.upload_id} {part.source}/{part.number}"
        )

    async def list_parts(
        self, upload: UploadRef, source: PartSource, token: str | None = None
    ) -> Page[UploadPart]:
        """See `ReadSetService`."""
        return await self._call(
            "ListParts",
            lambda: self._service.parts(upload.upload_id, source, token),
            f"{upload.upload_id} {source}",
        )

    async def list_uploads(self, store_id: str, token: str | None = None) -> Page[MultipartUpload]:
        """See `ReadSetService`."""
        return await self._call("ListUploads", lambda: self._service.open_uploads(token))

    async def complete_upload(self, upload: UploadRef, parts: tuple[UploadPart, ...]) -> str:
        """See `ReadSetService`."""
        shown = frozenset(self._world.shown[self._process.machine.number])

        def arrive() -> str:
            read_set_id = self._service.complete(upload.upload_id, parts)
            made = self._service.read_sets[read_set_id]
            made.shown = made.shown or shown
            return read_set_id

        return await self._call("Complete", arrive, upload.upload_id)

    async def abort_upload(self, upload: UploadRef) -> None:
        """See `ReadSetService`."""
        await self._call("Abort", lambda: self._service.abort(upload.upload_id), upload.upload_id)

    async def get_read_set(self, store_id: str, read_set_id: str) -> ReadSetDetails:
        """See `ReadSetService`."""
        return await self._call(
            "GetReadSet", lambda: self._service.read_set(read_set_id), read_set_id
        )

    async def list_read_sets(
        self, store_id: str, wanted: ReadSetFilter, token: str | None = None
    ) -> Page[ReadSetDetails]:
        """See `ReadSetService`."""
        return await self._call(
            "FindReadSets",
            lambda: self._service.list_read_sets(wanted, token),
            wanted.name or "all",
        )

    # --- a call -----------------------------------------------------------------------------

    async def _call(self, op: str, work: Callable[..., T], about: str = "") -> T:
        world, process = self._world, self._process
        if process.dead:
            raise Died
        fault = world.count_call(op)
        death = world.death_at(process, op)
        if death is not None and death.how == "call":
            process.kill(f"before {op} {about}")
            raise Died
        answer: T = await _Call(world, process, op, work, about, fault, death).leave()
        return answer


class _Through:
    """`ReadSetService` over a wire, where `call` makes each call."""

    __slots__ = ("_call", "_wire")

    def __init__(self, wire: Wire, call: Call) -> None:
        self._wire = wire
        self._call = call

    def through(self, call: Call) -> Any:
        """See `ReadSetService`."""
        return _Through(self._wire, call)


def _made(name: str, operation: Operation) -> Callable[..., Any]:
    def made(self: _Through, *arguments: Any) -> Any:
        return self._call(operation, partial(getattr(self._wire, name), *arguments))

    return made


for _name, _operation in CALLED.items():
    setattr(_Through, _name, _made(_name, _operation))


class _Call:
    """One call on its way."""

    __slots__ = ("_about", "_death", "_fault", "_op", "_process", "_reply", "_work", "_world")

    def __init__(
        self,
        world: World,
        process: Process,
        op: str,
        work: Callable[..., Any],
        about: str,
        fault: Fault | None,
        death: Fault | None,
    ) -> None:
        self._world = world
        self._process = process
        self._op = op
        self._work = work
        self._about = about
        self._fault = fault
        self._death = death
        self._reply: asyncio.Future[Any] = world.loop.create_future()

    def leave(self) -> asyncio.Future[Any]:
        """Sends it; the answer, or what came instead."""
        world = self._world
        how = self._fault.how if self._fault is not None else ""
        if how:
            world.happened[f"{self._op} {how}"] += 1
        if self._op == "SendPart" and how in ("lost", "failed", "slow"):
            world.parts_excused += 1
        if how == "slow":
            assert self._fault is not None
            arrives = self._fault.arg
            self._later(TIMEOUT_S, self._fail, "stalled")
        else:
            arrives = world.latency()
        if how == "unsent":
            self._later(arrives, self._fail, "connect")
        else:
            self._later(arrives, self._arrive, how)
        return self._reply

    def _later(self, seconds: float, function: Callable[..., None], *arguments: Any) -> None:
        # Not the process's own doing: it goes on when the process is gone.
        loop = self._world.loop
        loop.call_at(loop.time() + seconds, function, *arguments, context=self._world.context)

    def _arrive(self, how: str) -> None:
        world = self._world
        if self._reply.cancelled() and world.chance() < 0.3:
            self._tell("is gone before it arrives")
            return
        result: Any
        try:
            if how in ("429", "500", "503", "404", "400", "409"):
                raise refusal(OPERATIONS[self._op], int(how), "for once")
            if how == "refused":
                world.service.refused.add(self._about)
            result = self._work(self._fault) if self._op == "SendPart" else self._work()
        except CallFailed as failure:
            # It isn't known here any more when it is raised there.
            result = failure.with_traceback(None)
        if world.tracing:
            self._tell(f"→ {_shown(result)}{f' ({how})' if how else ''}")
        if self._death is not None and self._death.how == "done":
            self._process.kill(f"when {self._op} {self._about} was done")
        if how == "failed" and not isinstance(result, CallFailed):
            result = refusal(OPERATIONS[self._op], 500, "although it was done")
        if how == "lost":
            self._later(TIMEOUT_S if world.chance() < 0.3 else 0.1, self._fail, "lost")
        elif how != "slow":
            self._later(world.latency(), self._deliver, result)

    def _deliver(self, result: Any) -> None:
        if self._reply.done():
            return
        if isinstance(result, CallFailed):
            self._reply.set_exception(result)
        else:
            self._world.note_shown(self._process, *_ids(result))
            self._reply.set_result(result)
        if self._death is not None and self._death.how == "reply":
            process = self._process
            process.die_at = process.steps + 1 + int(self._world.chance() * 12)

    def _fail(self, fault: Any) -> None:
        if not self._reply.done():
            self._tell(f"→ no answer: {fault}")
            self._reply.set_exception(
                LinkFailed(OPERATIONS[self._op], fault=fault, message="no answer")
            )

    def _tell(self, what: str) -> None:
        if self._world.tracing:
            self._world.tell(self._process, f"{self._op} {self._about} {what}")


def _ids(result: Any) -> list[str]:
    """The uploads and read sets that an answer tells of."""
    match result:
        case Page():
            return [each for row in result.rows for each in _ids(row)]
        case MultipartUpload():
            return [result.upload_id]
        case ReadSetDetails():
            return [result.read_set_id]
        case str():
            return [result]
    return []


def _shown(result: Any) -> str:
    if isinstance(result, CallFailed):
        return f"{result.status} {result.message}"
    if isinstance(result, Page):
        rows = " ".join(map(_row, result.rows))
        return f"[{rows}]{' …' if result.next_token else ''}"
    if isinstance(result, ReadSetDetails):
        return _row(result)
    return str(result)


def _row(row: Any) -> str:
    match row:
        case ReadSetDetails():
            sizes = f" {list(row.sizes.values())}" if row.sizes else ""
            return f"{row.read_set_id} {row.status}{sizes}"
        case MultipartUpload():
            return f"{row.upload_id} {row.name}"
        case UploadPart():
            return f"{row.number}:{row.size}"
    return str(row)
