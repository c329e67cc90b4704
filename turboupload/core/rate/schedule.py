"""Which of many uploads begins next, so that neither the wire nor Create ever waits for the other.

N read sets take N seconds to create at the service's quota, and their bytes take as long as the
wire says. Sent in the order of the sheet, a thousand small ones behind ten large ones cost the sum
of both times. Sent side by side they cost the longer one:

- while the uploads under way have few bytes left, one of the largest begins: the wire stays full;
- while they have enough, one of the smallest begins: Create's turns aren't wasted;
- a bound on what is open, and on what waits for its turn of Create, keeps files, tasks and
  half-done uploads few, however long the sheet is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from turboupload.units import GIB

__all__ = ["ENOUGH_BYTES", "MOST_OPEN", "MOST_UNOPENED", "Schedule", "SizeSteps"]

MOST_OPEN: Final = 128
"""Uploads under way: each may have two files and two locks open, and 1,024 descriptors are what a
process is given where nobody asked for more."""

MOST_UNOPENED: Final = 4
"""Uploads that may wait for their turn of Create, beside two seconds' worth of turns: enough to
look at the next files meanwhile, few enough for a large one not to queue behind them for longer
than the wire is fed."""

FEW_UNOPENED: Final = 2
"""So many, as long as turns of Create come slowly, because other processes take theirs: they may be
at the same sheet, and a row that waits with us is none that they can begin."""

ENOUGH_BYTES: Final = 4 * GIB
"""The wire is fed with so many bytes left to send: four seconds and more on any link that we
know of, while the next upload needs about one to be opened."""

MOST_COUNTED: Final = 4 * ENOUGH_BYTES
"""Small ones begin only up to so many bytes under way: where all are large, they go one after the
other, and not all at once."""


SMALL_SHARE: Final = 0.25
"""A row is small beside another one with less than this share of its bytes."""

MOST_STEPS: Final = 2
"""Sizes for which places are kept."""


@dataclass(slots=True)
class _UnderWay:
    left: int
    waits: bool = True


class Schedule:
    """The rows that wait, in classes of about one size, and what those under way have left.

    Args:
        sizes: Bytes of each row, in the order of the sheet.
        most_unopened: How many rows may wait for their turn of Create, where turns come quickly.
        most_open: How many rows may be under way.
        few_unopened: How many may wait where turns come slowly, and at first; None: as many.
        turns_per_s: How many turns of Create there are for all.

    Attributes:
        wires: How many machines send: each is to be fed.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        most_unopened: int = MOST_UNOPENED,
        most_open: int = MOST_OPEN,
        few_unopened: int | None = None,
        turns_per_s: float = 1.0,
    ) -> None:
        self._sizes = sizes
        self._most_if_quick = most_unopened
        self._few = most_unopened if few_unopened is None else few_unopened
        self._most_unopened = self._few
        self._slow_s = 2.0 / turns_per_s
        self._turn_at: float | None = None
        self._most_open = most_open
        self._classes: dict[int, deque[int]] = {}
        self._under_way: dict[int, _UnderWay] = {}
        self._unopened = 0
        self._left = 0
        self.waiting = 0
        self.wires = 1
        for row in range(len(sizes)):
            self.again(row)

    @property
    def under_way(self) -> int:
        """Rows that have begun and not ended."""
        return len(self._under_way)

    @property
    def waits_for_create(self) -> bool:
        """Whether more would be under way if Create had more turns."""
        return self.waiting > 0 and self._unopened >= self._most_unopened

    def again(self, row: int) -> None:
        """The row waits (again)."""
        self._classes.setdefault(self._sizes[row].bit_length(), deque()).append(row)
        self.waiting += 1

    def next(self) -> int | None:
        """The row that begins now; None where none should."""
        if not self.waiting or self._unopened >= self._most_unopened:
            return None
        if len(self._under_way) >= self._most_open * self.wires:
            return None
        fed = self._left >= ENOUGH_BYTES * self.wires
        size_class = min(self._classes) if fed else max(self._classes)
        rows = self._classes[size_class]
        left = min(self._sizes[rows[0]], ENOUGH_BYTES)
        if fed and self._left + left > MOST_COUNTED * self.wires:
            return None
        row = rows.popleft()
        if not rows:
            del self._classes[size_class]
        self._under_way[row] = _UnderWay(left)
        self.waiting -= 1
        self._left += left
        self._unopened += 1
        return row

    def had_turn(self, now: float) -> None:
        """Takes in that a row had its turn of Create.

        Args:
            now: Seconds, on a steady clock.
        """
        quick = self._turn_at is not None and now - self._turn_at < self._slow_s
        self._most_unopened = self._most_if_quick if quick else self._few
        self._turn_at = now

    def opened(self, row: int) -> None:
        """The row no longer waits for its turn of Create, if it is under way."""
        if (state := self._under_way.get(row)) is None:
            return
        self._unopened -= state.waits
        state.waits = False

    def has_left(self, row: int, left_bytes: int) -> None:
        """So many bytes of the row are still to be sent, if it is under way.

        A row that is only followed may still learn which read set is its own.
        """
        if (state := self._under_way.get(row)) is None:
            return
        left = min(left_bytes, ENOUGH_BYTES)
        self._left += left - state.left
        state.left = left

    def ended(self, row: int) -> None:
        """The row is no longer under way."""
        self.opened(row)
        self.has_left(row, 0)
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
