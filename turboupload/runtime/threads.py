"""Waits for threads without delaying signals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, wait
from typing import TypeVar

__all__ = ["results"]

T = TypeVar("T")

_STEP_S = 0.1
"""How long a signal may be delayed, in seconds."""


def results(futures: Iterable[Future[T]]) -> Iterator[T]:
    """Yields the results in the order of the futures.

    Waits in steps: the kernel may deliver a signal to any thread, but Python handles it in the main
    thread, which doesn't notice it while it waits for a lock.
    """
    for future in futures:
        while not wait([future], timeout=_STEP_S).done:
            pass
        yield future.result()
