"""The whole examination: everything side by side, reported in reading order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Generic, TypeVar

import anyio
import anyio.abc

from turboupload.config import UploadConfig
from turboupload.core.doctor.facts import FileLook, Machine, ServiceLook, Setting, Speeds
from turboupload.core.doctor.forecast import bounds, forecast
from turboupload.core.doctor.line import Line, failure_of
from turboupload.core.doctor.machine import (
    judge_file,
    judge_machine,
    judge_quotas,
    judge_settings,
    judge_speeds,
)
from turboupload.core.doctor.service import judge_service, reached
from turboupload.doctor.here import (
    look_at_files,
    look_at_machine,
    look_at_state,
    measure_speeds,
)
from turboupload.doctor.service import look_at_service
from turboupload.errors import ConfigError, TurbouploadError
from turboupload.omics.aws_settings import aws_settings
from turboupload.operations import SEND_PART, TRANSACTIONS_PER_S
from turboupload.state.journal_reader import known_rate

__all__ = ["Examination"]

T = TypeVar("T")


class _Later(Generic[T]):
    """A result that a task of the group brings."""

    def __init__(self, group: anyio.abc.TaskGroup, work: Callable[[], Awaitable[T]]) -> None:
        self._done = anyio.Event()
        self._result: T
        group.start_soon(self._run, work)

    async def _run(self, work: Callable[[], Awaitable[T]]) -> None:
        self._result = await work()
        self._done.set()

    async def get(self) -> T:
        """Waits for it."""
        await self._done.wait()
        return self._result


@dataclass(frozen=True, kw_only=True)
class Examination:
    """What is to be examined.

    Attributes:
        config: How to reach the service, and how to upload.
        store: The store's id or name; None leaves out what takes one.
        files: Files that are to be uploaded.
        settings: What the options say, and where from.
        told: Where an option's value came from, by the option's name.
        wrong: Why the service can't be asked at all with these settings.
    """

    config: UploadConfig
    store: str | None
    files: Sequence[str]
    settings: Sequence[Setting]
    told: Mapping[str, str]
    wrong: ConfigError | None = None

    async def run(self, tell: Callable[[Iterable[Line]], None]) -> None:
        """Gathers everything at once, and tells it in order as it comes.

        Args:
            tell: Called with lines.
        """
        failure: Exception | None = None
        async with anyio.create_task_group() as group:
            try:
                await self._examine(group, tell)
            except Exception as error:  # raised again outside the group, which would wrap it
                failure = error
                group.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _examine(
        self, group: anyio.abc.TaskGroup, tell: Callable[[Iterable[Line]], None]
    ) -> None:
        speeds = _Later(group, measure_speeds)
        state = _Later(group, lambda: look_at_state(self._folder))
        files = _Later(group, lambda: look_at_files(self.files))
        service = _Later(group, self._service)
        machine = look_at_machine()
        tell(judge_machine(machine))
        tell(judge_settings([*aws_settings(self.config, self.told), *self.settings]))
        tell([await state.get()])
        looks = await service.get()
        if isinstance(looks, ServiceLook):
            tell(judge_service(looks, datetime.now(UTC)))
        else:
            tell([failure_of("service", looks)])
        tell([judge_quotas(self.config.transactions_per_s)])
        read = await files.get()
        tell(map(judge_file, read))
        measured = await speeds.get()
        tell([judge_speeds(measured), self._forecast(machine, measured, read, looks)])

    def _folder(self) -> Path:
        return self.config.state_folder

    async def _service(self) -> ServiceLook | TurbouploadError:
        if self.wrong is not None:
            return self.wrong
        try:
            return await look_at_service(self.config, self.store)
        except TurbouploadError as error:
            return error

    def _forecast(
        self,
        machine: Machine,
        speeds: Speeds,
        files: Iterable[FileLook],
        looks: ServiceLook | TurbouploadError,
    ) -> Line:
        answered = isinstance(looks, ServiceLook) and reached(looks)
        found = bounds(
            parts_per_s={**TRANSACTIONS_PER_S, **self.config.transactions_per_s}[SEND_PART.name],
            checksum=self.config.checksum,
            speeds=speeds,
            processors=machine.processors,
            read_bytes_per_s=[each.bytes_per_s for each in files if each.bytes_per_s is not None],
            link_bytes_per_s=self._link(looks.place) if isinstance(looks, ServiceLook) else None,
            cap_bytes_per_s=self.config.max_bandwidth,
            **({"part_bytes": self.config.part_size_bytes} if self.config.part_size_bytes else {}),
        )
        return forecast(found, reachable=answered)

    def _link(self, where: str) -> float | None:
        try:
            return known_rate(self.config.state_folder, where)
        except TurbouploadError:
            return None
