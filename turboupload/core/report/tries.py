"""Every try to send a part, one by one, as long as they are few enough to be drawn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from turboupload.core.notices import Calling
from turboupload.operations import SEND_PART

__all__ = ["MAX_TRIES", "Ending", "Tries", "Try", "in_lanes"]

MAX_TRIES: Final = 1000
"""How many are remembered: each is a mark in the page, twice."""

Ending = Literal["arrived", "failed", "broken off"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """A call that sent a part, or tried to.

    Attributes:
        start_s: When it began, in seconds since the run did.
        seconds: How long it took.
        ending: How it ended; `broken off` where this program stopped it.
    """

    start_s: float
    seconds: float
    ending: Ending


class Tries:
    """Takes calls in as they end."""

    def __init__(self) -> None:
        self._tries: list[Try] = []

    def ended(self, call: Calling, at_s: float) -> None:
        """Takes a call in.

        Args:
            call: The call; one that sends no part doesn't count.
            at_s: When it ended, in seconds since the run began.
        """
        if call.operation != SEND_PART.name or len(self._tries) > MAX_TRIES:
            return
        endings: dict[str, Ending] = {"ok": "arrived", "cancelled": "broken off"}
        self._tries.append(
            Try(
                start_s=max(0.0, at_s - call.seconds),
                seconds=call.seconds,
                ending=endings.get(call.outcome, "failed"),
            )
        )

    @property
    def all(self) -> tuple[Try, ...]:
        """All of the run in the order of their beginning; none where there were too many."""
        if len(self._tries) > MAX_TRIES:
            return ()
        return tuple(sorted(self._tries, key=lambda each: each.start_s))


def in_lanes(tries: Iterable[Try]) -> Iterator[tuple[int, Try]]:
    """Puts each try into the first lane that is free when it begins.

    Args:
        tries: In the order of their beginning.

    Yields:
        The lane's number, from 0, and the try.
    """
    free_at: list[float] = []
    for each in tries:
        lane = next((n for n, free in enumerate(free_at) if free <= each.start_s), len(free_at))
        free_at[lane:lane + 1] = [each.start_s + each.seconds]  # fmt: skip
        yield lane, each
