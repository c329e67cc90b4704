"""`uploads clean` and `uploads abort` in a simulated world."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import anyio

from tests.simulation.process import Outcome, Process
from tests.simulation.service import EPOCH, moment
from tests.simulation.wire import Wire
from turboupload.cli.commands.uploads import _idle_for, _is_idle
from turboupload.cli.session.aborting import Aborter
from turboupload.clock import Clock
from turboupload.config import UploadConfig
from turboupload.core.filters import ReadSetFilter
from turboupload.core.model import PartSource
from turboupload.core.rate.window import Window
from turboupload.core.records import MultipartUpload, ReadSetDetails, UploadPart
from turboupload.engine.calls import Calls
from turboupload.engine.survey import all_rows
from turboupload.errors import CallFailed, LinkFailed
from turboupload.omics.base import UploadRef
from turboupload.omics.quotas import Slots
from turboupload.open_uploads import OpenUploads, OpenUploadState

if TYPE_CHECKING:
    from tests.simulation.world import World

__all__ = ["clean"]


class _Stores:
    """What `OpenUploads` asks of `SequenceStores`, over the wire of a world."""

    where = "here"

    @property
    def service_time(self) -> datetime:
        return moment(self._world.loop.time())

    def __init__(self, world: World, process: Process) -> None:
        clock = Clock(world.loop.time, anyio.sleep, lambda: EPOCH + world.loop.time())
        config = UploadConfig(give_up_after_s=300.0, state_dir="/simulated")
        slots = Slots(Window(fixed=1))
        self._calls = Calls(Wire(world, process), config, clock, slots, endpoint=None)
        self._service: Any = self._calls.service_for(lambda _: None)
        self._world = world

    async def list_multipart_read_set_uploads(
        self, store_id: str
    ) -> AsyncIterator[MultipartUpload]:
        try:
            rows = await all_rows(lambda token: self._service.list_uploads(store_id, token))
        except (CallFailed, LinkFailed) as failure:
            raise self._calls.explain(failure, store_id) from failure
        for row in rows:
            yield row

    async def list_read_set_upload_parts(
        self, store_id: str, upload_id: str, source: PartSource
    ) -> AsyncIterator[UploadPart]:
        ref = UploadRef(store_id, upload_id)
        try:
            rows = await all_rows(lambda token: self._service.list_parts(ref, source, token))
        except (CallFailed, LinkFailed) as failure:
            raise self._calls.explain(failure, store_id) from failure
        kept = self._world.service.uploads[upload_id].parts
        for row in rows:
            came = moment(kept[source, row.number][-1].at)
            yield replace(row, created_at=came, updated_at=came)

    async def list_read_sets(
        self, store_id: str, wanted: ReadSetFilter
    ) -> AsyncIterator[ReadSetDetails]:
        try:
            rows = await all_rows(
                lambda token: self._service.list_read_sets(store_id, wanted, token)
            )
        except (CallFailed, LinkFailed) as failure:
            raise self._calls.explain(failure, store_id) from failure
        for row in rows:
            yield row

    async def abort_multipart_read_set_upload(self, store_id: str, upload_id: str) -> None:
        try:
            await self._service.abort_upload(UploadRef(store_id, upload_id))
        except (CallFailed, LinkFailed) as failure:
            raise self._calls.explain(failure, store_id) from failure


class _Report:
    """Nobody reads what it says; the exit code is what counts."""

    for_people = as_json = quiet = False

    def done(self, *, code: int = 0, **_: Any) -> int:
        return code

    def note(self, _: str) -> None: ...
    def result(self, _: str) -> None: ...
    def problem(self, _: Exception) -> None: ...
    def event(self, _: str, __: object) -> None: ...


async def clean(world: World, process: Process, older_than: float | None) -> Outcome:
    """Gives up what is old, or, without an age, everything that is open."""
    from tests.simulation.world import STORE

    clock = Clock(world.loop.time, anyio.sleep, lambda: EPOCH + world.loop.time())
    stores: Any = _Stores(world, process)
    folder: Any = process.machine
    report: Any = _Report()
    here = OpenUploads(stores, STORE, folder, clock=clock)
    if older_than is None:
        states = [state async for state in here.uploads()]
        return Outcome(await Aborter(here, report, spare=False).run(states))
    idle, _ = await _idle_for(older_than, here)

    async def still_idle(state: OpenUploadState) -> bool:
        now = await here.with_parts(state)
        return now.sources is not None and _is_idle(now, older_than)

    aborter = Aborter(here, report, spare=True, still=still_idle)
    return Outcome(await aborter.run(idle))
