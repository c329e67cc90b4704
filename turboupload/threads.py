"""Waiting for threads in a way that hears signals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, wait
from typing import TypeVar

__all__ = ["results"]

T = TypeVar("T")

_STEP_S = 0.1
"""How long a signal may go unheard, in seconds."""


def results(futures: Iterable[Future[T]]) -> Iterator[T]:
    """The results in the order of the futures.

    They are waited for in steps. The kernel may hand a signal to any thread of a process, and
    Python acts on it in the main one, which doesn't notice while it waits for a lock.
    """
    for future in futures:
        while not wait([future], timeout=_STEP_S).done:
            pass
        yield future.result()
