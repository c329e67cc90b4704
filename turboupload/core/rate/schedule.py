"""Which of many uploads begins next, so that no turn and nothing of the wire is lost.

N read sets take N seconds to create at the service's quota, and as long to complete, and their
bytes take as long as the wire says. Sent one after the other they cost the sum of these times,
side by side the longest of them. Which one that will be is known from what is left:

- where it is the wire, one of the largest begins as soon as those under way have few bytes left, so
  that the wire stays full, and the smallest take the turns of Create between them;
- where it is the turns, one of the largest begins when the turns of Complete until then are spoken
  for: a row that takes longer than a turn to be sent leaves one unused, unless another row that is
  there takes it. Until then the smallest begin.

A bound on what is open, and on what waits for its turn of Create, keeps files, tasks and half-done
uploads few, however long the sheet is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from turboupload.units import GIB

__all__ = ["FASTEST", "FEED_S", "MOST_OPEN", "Schedule", "SizeSteps"]

MOST_OPEN: Final = 128
"""Uploads under way: each may have two files and two locks open, and 1,024 descriptors are what a
process may usually have."""

FEW_UNOPENED: Final = 2
"""Uploads that may be on their way to Create, beside a second's worth of turns: one waits for its
turn while the files of the next are looked at. Which row begins is decided the better the later it
is; and where other processes take turns, too, they may be at the same sheet, and a row that waits
with us is none that they can begin."""

MOST_UNOPENED: Final = 6
"""So many, where looking at the files takes so long that turns of Create are lost."""

FASTEST: Final = float(GIB)
"""A link whose rate isn't known is taken to be as fast, in bytes a second."""

FEED_S: Final = 4.0
"""The wire is fed with what it sends in so many seconds, while the next upload needs up to two
turns to be opened."""

MOST_FED: Final = 4
"""Small ones begin only up to so many times what feeds the wire: where all are large, they go one
after the other, and not all at once."""

SMALL_SHARE: Final = 0.25
"""A row is small beside another one with less than this share of its bytes."""

MOST_STEPS: Final = 2
"""Sizes for which places are kept."""


class _UnderWay(Struct):
    left: int
    asks: bool = False
    unopened: bool = True


class Schedule:
    """The rows that wait, in classes of about one size, and what those under way have left.

    Args:
        sizes: Bytes of each row, in the order of the sheet.
        most_open: How many rows may be under way.
        turns_per_s: How many turns of Create there are for all.

    Attributes:
        wires: How many machines send: each is to be fed.
        bytes_per_s: What each of them sends.
    """

    def __init__(
        self, sizes: Sequence[int], *, most_open: int = MOST_OPEN, turns_per_s: float = 1.0
    ) -> None:
        self._sizes = sizes
        self._turns_per_s = turns_per_s
        self._fewest_unopened = FEW_UNOPENED + max(0, int(turns_per_s) - 1)
        self._unopened_allowed = self._fewest_unopened
        self._most_open = most_open
        self._classes: dict[int, deque[int]] = {}
        self._under_way: dict[int, _UnderWay] = {}
        self._unopened = self._asking = 0
        self._waiting_bytes = 0
        self.waiting = 0
        self.wires = 1
        self.bytes_per_s = FASTEST
        for row in range(len(sizes)):
            self.again(row)

    @property
    def under_way(self) -> int:
        """Rows that have begun and not ended."""
        return len(self._under_way)

    @property
    def waits_for_create(self) -> bool:
        """Whether more would be under way if Create had more turns."""
        return self.waiting > 0 and self._unopened >= self._unopened_allowed

    def again(self, row: int) -> None:
        """The row waits (again)."""
        self._classes.setdefault(self._sizes[row].bit_length(), deque()).append(row)
        self._waiting_bytes += self._sizes[row]
        self.waiting += 1

    def next(self) -> int | None:
        """The row that begins now; None where none should."""
        if not self.waiting or self._unopened >= self._unopened_allowed:
            return None
        if len(self._under_way) >= self._most_open * self.wires:
            return None
        size_class = self._next_class()
        if size_class is None:
            return None
        rows = self._classes[size_class]
        row = rows.popleft()
        if not rows:
            del self._classes[size_class]
        self._under_way[row] = _UnderWay(self._sizes[row])
        self.waiting -= 1
        self._waiting_bytes -= self._sizes[row]
        self._unopened += 1
        return row

    def _next_class(self) -> int | None:
        under_way = self._under_way.values()
        per_s = self.bytes_per_s * self.wires
        feed = FEED_S * self.bytes_per_s
        fed = sum(min(each.left, feed) for each in under_way)
        wire_s = (sum(each.left for each in under_way) + self._waiting_bytes) / per_s
        room = MOST_FED * feed * self.wires - fed
        if wire_s > (self._unopened + self.waiting) / self._turns_per_s:
            large = fed < feed * self.wires
        else:
            bytes_a_turn = per_s / self._turns_per_s
            large = not under_way or (room >= feed and self._turns_are_taken(bytes_a_turn))
        if large:
            return max(self._classes)
        smallest = min(self._classes)
        size = self._sizes[self._classes[smallest][0]]
        return smallest if min(size, feed) <= room else None

    def _turns_are_taken(self, bytes_a_turn: float) -> bool:
        """Whether rows under way take all turns of Complete until one that begins now has its own.

        Its turn of Create comes after those of the rows before it. So far Complete has as many
        turns, one that is due now, and one that is due right after it.
        """
        turns = self._unopened + 1
        whole = sent = 0
        for each in sorted(self._under_way.values(), key=lambda each: each.left):
            sent += each.left
            in_time = turns - each.unopened  # it begins a turn from now, at the earliest
            whole += sent <= turns * bytes_a_turn and each.left <= in_time * bytes_a_turn
        return whole > turns

    def asks(self, row: int) -> None:
        """The row waits for nothing but its turn of Create, if it is under way."""
        state = self._under_way.get(row)
        if state is not None and state.unopened and not state.asks:
            self._asking += 1
            state.asks = True

    def had_turn(self) -> None:
        """Takes in that a row had its turn of Create, before it is `opened`."""
        if self._asking > 1:
            self._unopened_allowed = max(self._fewest_unopened, self._unopened_allowed - 1)
        elif self._unopened >= self._unopened_allowed:
            # Nobody asks for the next one yet, and as many are on their way as may be.
            most = self._fewest_unopened - FEW_UNOPENED + MOST_UNOPENED
            self._unopened_allowed = min(most, self._unopened_allowed + 1)

    def opened(self, row: int) -> None:
        """The row no longer waits for its turn of Create, if it is under way."""
        state = self._under_way.get(row)
        if state is None or not state.unopened:
            return
        self._unopened -= 1
        self._asking -= state.asks
        state.unopened = False

    def has_left(self, row: int, left_bytes: int) -> None:
        """So many bytes of the row are still to be sent, if it is under way.

        A row that is only followed may still learn which read set is its own.
        """
        if (state := self._under_way.get(row)) is not None:
            state.left = left_bytes

    def ended(self, row: int) -> None:
        """The row is no longer under way."""
        self.opened(row)
        del self._under_way[row]


class SizeSteps:
    """The sizes under which rows are small beside others, as long as some of the small are left.

    Args:
        sizes: Bytes of each row.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        self._sizes = sizes
        self._left: dict[float, set[int]] = {}
        rows = set(range(len(sizes)))
        while rows and len(self._left) < MOST_STEPS:
            step = SMALL_SHARE * max(sizes[row] for row in rows)
            rows = {row for row in rows if sizes[row] < step}
            if rows:
                self._left[step] = set(rows)

    @property
    def wanted(self) -> tuple[float, ...]:
        """The sizes under which there are rows left."""
        return tuple(step for step, rows in self._left.items() if rows)

    def ended(self, row: int) -> None:
        """The row is no longer to be sent."""
        for rows in self._left.values():
            rows.discard(row)
