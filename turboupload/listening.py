"""The caller's callback for events: a plain or an async function."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace
from inspect import isawaitable
from typing import Any, Generic, TypeVar

import anyio

from turboupload.errors import ConfigError

__all__ = ["Listener"]

E = TypeVar("E")
T = TypeVar("T")


class Listener(Generic[E]):
    """Passes events to a callback, in order; if the callback fails, the calls under way end.

    A plain function is called at once. What an `async` one returns is awaited beside the call, one
    event at a time, and the call isn't over before it has heard the last. Where the call is
    cancelled, what wasn't heard is left.

    Args:
        on_event: The callback; None hears nothing.

    Raises:
        ConfigError: It can't be called.
    """

    def __init__(self, on_event: Callable[[E], object] | None) -> None:
        if on_event is not None and not callable(on_event):
            raise ConfigError(f"on_event is a function, or None, not {on_event!r}")
        self._on_event = on_event
        self._waiting: deque[E] = deque()
        self._delivering: asyncio.Task[None] | None = None
        self._failures: dict[anyio.CancelScope, BaseException | None] = {}

    def __call__(self, event: E) -> None:
        """Tells of an event; what a plain function raises comes out here."""
        if self._on_event is None:
            return
        if self._delivering is not None and not self._delivering.done():
            self._wait_with(event)
            return
        answer = self._on_event(event)
        if isawaitable(answer):
            first = asyncio.ensure_future(answer)
            self._delivering = asyncio.ensure_future(self._deliver(first))
            # Where it is cancelled before it begins, nothing else would end the first.
            self._delivering.add_done_callback(lambda _: first.cancel())

    def _wait_with(self, event: E) -> None:
        # Where a slow listener has not heard one, a newer replaces it, so that no queue grows.
        if self._waiting and _says_all_of(event, self._waiting[-1]):
            self._waiting.pop()
        self._waiting.append(event)

    async def _deliver(self, answer: Awaitable[Any]) -> None:
        assert self._on_event is not None
        try:
            await answer
            while self._waiting:
                told = self._on_event(self._waiting.popleft())
                if isawaitable(told):
                    await told
        except (Exception, asyncio.CancelledError) as error:  # raised again by the calls
            if self._delivering is None:  # ended by `_stop`
                raise
            self._waiting.clear()
            for scope in self._failures:
                self._failures[scope] = error
                scope.cancel()

    async def during(self, call: Callable[[], Awaitable[T]]) -> T:
        """Makes a call that tells this listener of events; what an `async` callback raises ends it.

        Raises:
            Exception: Of the call, or of the callback.
        """
        scope = anyio.CancelScope()
        self._failures[scope] = None
        results: list[T] = []
        try:
            with scope:
                results.append(await self._to_its_end(call))
        except Exception:
            if self._failures[scope] is None:
                raise
        finally:
            failure = self._failures.pop(scope)
            if not self._failures:
                self._stop()
        if failure is not None:
            raise failure
        return results[0]

    async def _to_its_end(self, call: Callable[[], Awaitable[T]]) -> T:
        """Makes the call, and waits until everything has been heard, unless it is cancelled."""
        try:
            result = await call()
        except Exception:
            await self._heard()
            raise
        await self._heard()
        return result

    async def _heard(self) -> None:
        if self._delivering is not None:
            await asyncio.wait([self._delivering])

    def _stop(self) -> None:
        self._waiting.clear()
        if self._delivering is not None:
            self._delivering.cancel()
            self._delivering = None


def _says_all_of(event: Any, before: Any) -> bool:
    """Whether an event says all that one before it said, such as newer progress of the same work.

    A notice of a row, or of a run, says what the notice in it says.
    """
    if type(event) is not type(before):
        return False
    if (inner := getattr(event, "notice", None)) is None:
        return bool(getattr(event, "last_counts", False))
    return replace(event, notice=None) == replace(before, notice=None) and _says_all_of(
        inner, before.notice
    )
