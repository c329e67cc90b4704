"""A service that fails as told, and a clock that runs ahead: for tests of the engine."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import anyio

from tests.support.called import Called
from turboupload.clock import Clock
from turboupload.errors import CallFailed, LinkFailed
from turboupload.omics.base import ReadSetService
from turboupload.operations import Operation

T = TypeVar("T")

CREATE = "CreateMultipartReadSetUpload"
SEND = "UploadReadSetPart"
COMPLETE = "CompleteMultipartReadSetUpload"
LIST_PARTS = "ListReadSetUploadParts"
LIST_UPLOADS = "ListMultipartReadSetUploads"
LIST_READ_SETS = "ListReadSets"
GET = "GetReadSetMetadata"


def refused(code: str, status: int) -> Callable[[str], Exception]:
    return lambda operation: CallFailed(operation, code=code, status=status, message="as told")


def lost(operation: str) -> Exception:
    return LinkFailed(operation, fault="lost", message="the connection broke")


@dataclass
class Rule:
    """Fails calls of one operation.

    Attributes:
        error: Makes the exception; None lets the call hang until it is cancelled.
        times: How many calls fail; None means all.
        skip: How many calls go through first.
        after: Whether the call is carried out first, and only its reply lost.
    """

    operation: str
    error: Callable[[str], Exception] | None
    times: int | None = 1
    skip: int = 0
    after: bool = False


@dataclass
class Script:
    """The `Call` that plays the rules, and counts what reached the service."""

    rules: list[Rule] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    hanging: anyio.Event = field(default_factory=anyio.Event)

    async def __call__(self, operation: Operation, attempt: Callable[[], Awaitable[T]]) -> T:
        self.calls[operation.name] += 1
        rule = self._due(operation.name)
        if rule is None:
            return await attempt()
        if rule.error is None:
            if rule.after:
                await attempt()
            self.hanging.set()
            await anyio.sleep_forever()
        if rule.after:
            await attempt()
        assert rule.error is not None
        raise rule.error(operation.name)

    def _due(self, operation: str) -> Rule | None:
        for rule in self.rules:
            if rule.operation != operation:
                continue
            if rule.skip > 0:
                rule.skip -= 1
                continue
            if rule.times is None:
                return rule
            if rule.times > 0:
                rule.times -= 1
                return rule
        return None


def scripted(service: ReadSetService, script: Script) -> Any:
    return Called(service, script)


class FastClock:
    """A clock on which nobody waits: a sleep moves it ahead and lets the others run."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.slept: list[float] = []

    def clock(self) -> Clock:
        return Clock(now=lambda: self.time, sleep=self._sleep, wall=lambda: 1.7e9 + self.time)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds
        # Real time passes too, a little: threads of the journal and the disk must get their turn.
        await anyio.sleep(0.001)


class QuickClock:
    """A clock on which time passes so many times as fast, for tasks that wait side by side."""

    def __init__(self, factor: float = 100.0) -> None:
        self._factor = factor
        self._began = time.monotonic()

    @property
    def time(self) -> float:
        return 1000.0 + (time.monotonic() - self._began) * self._factor

    def clock(self) -> Clock:
        return Clock(now=lambda: self.time, sleep=self._sleep, wall=lambda: 1.7e9 + self.time)

    async def _sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds / self._factor)
