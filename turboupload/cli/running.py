"""Runs a coroutine as a command: uvloop, and signals that end it cleanly."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from turboupload.cli.failures import INTERRUPTED

__all__ = ["Interrupted", "run_command"]

T = TypeVar("T")


class Interrupted(Exception):
    """The user, or the system, asked us to stop (SIGINT, SIGTERM)."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number.name)
        self.signal = number


def run_command(command: Callable[[], Awaitable[T]]) -> T:
    """Runs a coroutine to its end, or to the first signal.

    The first SIGINT or SIGTERM cancels the coroutine, which cleans up; the second ends the process
    at once.

    Raises:
        Interrupted: A signal ended it.
    """
    return anyio.run(_watched, command, backend_options={"use_uvloop": True})


async def _watched(command: Callable[[], Awaitable[T]]) -> T:
    caught: list[signal.Signals] = []
    result: list[T] = []
    failure: list[Exception] = []

    async def watch(scope: anyio.CancelScope, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            task_status.started()
            async for number in signals:
                if caught:
                    os._exit(INTERRUPTED)
                caught.append(number)
                scope.cancel()

    async with anyio.create_task_group() as group:
        with anyio.CancelScope() as scope:
            await group.start(watch, scope)
            try:
                result.append(await command())
            except Exception as error:  # raised again below, outside the group
                failure.append(error)
        group.cancel_scope.cancel()
    if failure:
        raise failure[0]
    if not result:
        raise Interrupted(caught[0])
    return result[0]
