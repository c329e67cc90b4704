"""Room on the interpreter's stack.

CPython (3.11 and later, `_PyThreadState_PopFrame`) keeps frames in chunks of 16 KiB, and gives a
chunk back as soon as no frame is in it. Where functions that call each other a hundred thousand
times, such as `re`'s compiler, happen to do so across the edge of a chunk, memory is mapped and
unmapped each time: 30 ms of a command's start. A frame that needs more than a chunk gets a larger
one, and what is called from it finds the rest of that free.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

__all__ = ["with_room"]

A = TypeVar("A")
T = TypeVar("T")

_WORDS: Final = 7300
"""What the frame says it needs, in words of 8 bytes: 57 KiB. A chunk is doubled until a frame and
1,000 words more fit in, so it gets one of 128 KiB, of which it uses next to nothing."""


def with_room(function: Callable[[A], T], argument: A) -> T:
    """Calls a function, with 64 KiB for the frames of whatever that calls."""
    return function(argument)


with_room.__code__ = with_room.__code__.replace(co_stacksize=_WORDS)
