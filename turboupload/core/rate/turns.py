"""Whose turn it is: an operation's transactions a second, for one process or for many.

The turns that were given out reach ahead of now, or lag behind it where nobody asked. That distance
is all there is to keep (the generic cell rate algorithm), so several processes can keep it in one
place. Each process asks for one turn of an operation at a time. So the turns go round, every
process gets as many as any other that wants them, and one that is killed wastes a single turn.

Where a call is refused all the same, others use the quota that we know nothing of, or it is lower.
Then fewer turns are given out: a fixed share less at every refusal, and a little more with every
second without one. Hosts that know nothing of each other come to equal shares by that (AIMD).

Where a quota is one or two a second, the service's bucket may hold a single token, and a call that
comes a few milliseconds too early is refused. Its next turn would be a second later. So the first
refusal after a calm is taken for that: the call is made again at once, in the turn that it has.
"""

from __future__ import annotations

from math import isfinite
from typing import Final

from msgspec.structs import replace

from turboupload.value import Value

__all__ = ["NARROW", "Turns", "next_turn", "refused", "turns_at_once"]

NARROW: Final = 2.0
"""Up to so many transactions a second, the service's own bucket may hold a single token."""

JUMP_S: Final = 5.0
"""A clock that is so far behind what it said before was set back, in seconds."""

AT_ONCE_S: Final = 0.02
"""So many seconds' worth of turns are taken together: up to 50 a second, one by one."""

ONE_REFUSAL_S: Final = 1.0
"""What is refused within so many seconds was sent before the last refusal was heard of."""

CALM_S: Final = 2.5
"""Where no call of a narrow quota was refused for so many seconds, one that is came too early."""

EARLY_S: Final = 0.05
"""After so many seconds it is made again: calls hardly ever arrive less evenly than that."""

LONGEST_S: Final = 3600.0
"""The longest wait for a turn that is believed, in seconds; a longer one means damaged data."""


class _Habit(Value, frozen=True):
    """How an operation's turns are given out.

    Attributes:
        most: The largest share of the quota that is used.
        least: The share below which refusals don't drive it.
        cut: By which factor a refusal makes it smaller.
        early_cut: By which factor one does that is taken for a call that came too early; None where
            none is.
        regain: How much of the quota each second without a refusal brings back.
        burst_s: So many seconds' worth of turns may be taken at once after a rest; one in any case.
    """

    most: float
    least: float
    cut: float
    early_cut: float | None
    regain: float
    burst_s: float


_WIDE: Final = _Habit(most=1.0, least=0.01, cut=0.8, early_cut=None, regain=0.005, burst_s=0.5)
"""Half a second's worth at once: the service's own bucket is not documented, and two bursts that
meet at its edge cost a refused call."""

_NARROW: Final = _Habit(
    most=1 / 1.01, least=0.25, cut=1 / 1.05, early_cut=1 / 1.02, regain=0.002, burst_s=0.0
)
"""Calls that leave a second apart arrive a little more or less than that apart. So they leave a
little further apart than they must, and further still after a refusal, for as long as the way there
is that uneven."""


def _habit(per_s: float) -> _Habit:
    if per_s > NARROW:
        return _WIDE
    return _NARROW


class Turns(Value, frozen=True):
    """The turns of one operation; times in seconds, of the clock that gave `at`.

    Attributes:
        at: When it was last looked at.
        ahead_s: How far the turns that were given out reach beyond that; below zero, for how long
            the operation hasn't been asked for.
        share: The share of the quota that was used at `cut_at`; it grows from there.
        cut_at: When a call was last refused.

    Raises:
        ValueError: They can't be so: what kept them is damaged.
    """

    at: float
    ahead_s: float
    share: float = 1.0
    cut_at: float = 0.0

    def __post_init__(self) -> None:
        # A sum is finite only where all of it is.
        finite = isfinite(self.at + self.ahead_s + self.cut_at)
        if not (finite and self.ahead_s <= LONGEST_S and 0.0 < self.share <= 1.0):
            raise ValueError(f"no turns of an operation: {self.ahead_s} s ahead, {self.share}")

    def used(self, per_s: float) -> float:
        """The share of the quota that is used now.

        Args:
            per_s: The quota, in transactions a second.
        """
        habit = _habit(per_s)
        grown = self.share + habit.regain * max(0.0, self.at - self.cut_at)
        return min(habit.most, grown)

    def apart_s(self, per_s: float) -> float:
        """How long one turn lasts, or as many as are taken together, in seconds.

        Args:
            per_s: The quota, in transactions a second.
        """
        return turns_at_once(per_s) / (per_s * self.used(per_s))

    def rested(self, per_s: float) -> Turns:
        """The same, with no more turns in reserve than may be taken at once.

        Args:
            per_s: The quota, in transactions a second.
        """
        most_s = max(_habit(per_s).burst_s, self.apart_s(per_s))
        if self.ahead_s >= -most_s:
            return self
        return Turns(self.at, -most_s, self.share, self.cut_at)


def _looked_at(turns: Turns | None, per_s: float, now: float) -> Turns:
    if turns is None:
        return Turns(at=now, ahead_s=-LONGEST_S, cut_at=now).rested(per_s)
    if now < turns.at - JUMP_S:
        # What counts is kept: how far ahead they are, and for how long nobody was refused.
        return replace(turns, at=now, cut_at=turns.cut_at + now - turns.at)
    if now <= turns.at:
        return turns  # a process whose clock is a little ahead was here before
    # Every call takes a turn, and `replace` takes three times as long.
    passed_s = now - turns.at
    return Turns(now, turns.ahead_s - passed_s, turns.share, turns.cut_at).rested(per_s)


def turns_at_once(per_s: float) -> int:
    """How many turns are taken together: where they are many, asking for each costs too much."""
    return max(1, int(per_s * AT_ONCE_S))


def next_turn(turns: Turns | None, per_s: float, now: float) -> tuple[Turns, float]:
    """Takes the next turn, or as many as are taken together.

    Args:
        turns: As they were left; None on the first use.
        per_s: The quota, in transactions a second.
        now: Seconds, on a clock that all who share them read.

    Returns:
        The turns as they are left now, and how long to wait for ours, in seconds.
    """
    turns = _looked_at(turns, per_s, now)
    ahead = min(LONGEST_S, turns.ahead_s + turns.apart_s(per_s))
    taken = Turns(turns.at, ahead, turns.share, turns.cut_at)
    return taken, max(0.0, ahead + turns.at - now)


def refused(turns: Turns | None, per_s: float, now: float) -> tuple[Turns, float]:
    """Takes in that the service refused a call because too many had come.

    Args:
        turns: As they were left.
        per_s: The quota, in transactions a second.
        now: Seconds, on a clock that all who share them read.

    Returns:
        The turns as they are left now, and how long to wait before the call is made again in the
        turn that it has, in seconds; 0 where it needs another turn.
    """
    turns = _looked_at(turns, per_s, now)
    turns = replace(turns, ahead_s=max(0.0, turns.ahead_s))  # nothing is left of the burst
    calm_s = turns.at - turns.cut_at if turns.share < 1.0 else LONGEST_S
    if calm_s < ONE_REFUSAL_S:
        return turns, 0.0
    habit = _habit(per_s)
    cut, again_s = habit.cut, 0.0
    if habit.early_cut is not None and calm_s >= CALM_S:
        cut, again_s = habit.early_cut, EARLY_S
    share = max(habit.least, turns.used(per_s) * cut)
    return replace(turns, ahead_s=turns.ahead_s + again_s, share=share, cut_at=turns.at), again_s
