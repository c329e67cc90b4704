"""What would make uploads faster, in plain words, once the same thing has limited them for long."""

from __future__ import annotations

from collections import deque
from typing import Final, Literal

from turboupload.core.rate.meter import Limiter
from turboupload.units import format_duration, format_rate
from turboupload.value import Value

__all__ = ["ADVICE", "Adviser", "Cause", "Situation", "cause_of"]

ADVICE: Final = "limited-by-"
"""The code of a remark that is advice begins with this; it concerns all uploads."""

Cause = Literal["disk", "network", "processor", "quota", "cap", "concurrency"]
"""As `Limiter`, and apart from the network the number of parts that the user fixed."""

LONG_S: Final = 40.0
"""How long something must have limited the rate before advice is given, in seconds."""

MOSTLY: Final = 0.8
"""The share of that time in which it must have limited."""

GAP_S: Final = 5.0
"""A longer time between two observations isn't counted, in seconds."""

FEW: Final = 16
"""More parts at a time than this rarely make an upload faster."""


class Situation(Value, frozen=True, kw_only=True):
    """The situation at a moment.

    Attributes:
        limited_by: What limits the rate; None where that isn't known.
        bytes_per_s: The rate.
        per_s: The quota of `operation`, in transactions a second.
        granted: What the service was seen to grant of it, where that is less.
        operation: Whose quota may limit.
        cap: The user's own, in bytes a second.
        processors: How many the process may use.
        window: How many parts may be in flight.
        fixed: Whether the user fixed that number.
        full: Whether more parts wait for a place: else nothing held them back.
    """

    limited_by: Limiter | None
    bytes_per_s: float
    per_s: float
    granted: float | None = None
    operation: str = "UploadReadSetPart"
    cap: int | None = None
    processors: int = 1
    window: int = 1
    fixed: bool = False
    full: bool = True


def cause_of(situation: Situation) -> Cause | None:
    """What would have to change for uploads to be faster; None if that isn't known."""
    if not situation.full or situation.limited_by is None:
        return None
    if situation.limited_by != "network":
        return situation.limited_by
    return "concurrency" if situation.fixed and situation.window < FEW else "network"


class Adviser:
    """Takes in situations, and gives each piece of advice once."""

    def __init__(self) -> None:
        self._at: float | None = None
        self._recent: deque[tuple[float, Cause | None]] = deque()
        self._seconds: dict[Cause, float] = {}
        self._last: dict[Cause, Situation] = {}
        self._told: set[Cause] = set()

    def seen(self, situation: Situation, now: float) -> tuple[Cause, str] | None:
        """Takes in a situation.

        Args:
            situation: Since the last time.
            now: Seconds, on a steady clock.

        Returns:
            The advice, with its cause, where it is due; None where there is nothing new to say.
        """
        seconds = min(now - self._at, GAP_S) if self._at is not None else 0.0
        self._at = now
        cause = cause_of(situation)
        self._recent.append((seconds, cause))
        span = sum(each for each, _ in self._recent)
        while span - self._recent[0][0] >= LONG_S:
            span -= self._recent.popleft()[0]
        if cause is None:
            return None
        self._seconds[cause] = self._seconds.get(cause, 0.0) + seconds
        self._last[cause] = situation
        mine = sum(each for each, other in self._recent if other == cause)
        if cause in self._told or span < LONG_S or mine < MOSTLY * span:
            return None
        self._told.add(cause)
        return cause, _advice(cause, situation, f"for the last {LONG_S:.0f} s")

    def in_all(self) -> str | None:
        """What limited for longest, said at the end; None where nothing did for long."""
        cause, seconds = max(self._seconds.items(), key=lambda each: each[1], default=(None, 0.0))
        if cause is None or seconds < LONG_S:
            return None
        return _advice(cause, self._last[cause], f"for {format_duration(seconds)}")


def _advice(cause: Cause, situation: Situation, when: str) -> str:
    rate = format_rate(situation.bytes_per_s)
    match cause:
        case "quota":
            what = "parts" if situation.operation == "UploadReadSetPart" else situation.operation
            if situation.granted is not None:
                return (
                    f"at about {situation.granted:.1f} {what} a second {when}, which is what the "
                    f"service grants, and the quota here is {situation.per_s:g}: see who else uses "
                    f"the account's quota, or ask AWS what it is for {situation.operation}"
                )
            return (
                f"at the quota of {situation.per_s:g} {what} a second {when}: ask AWS for an "
                f"increase of {situation.operation}, then use --quota {situation.operation}=…"
            )
        case "cap":
            cap = format_rate(situation.cap or situation.bytes_per_s)
            return (
                f"at --max-bandwidth, {cap}, {when}: a higher one makes it faster, and "
                "`turboupload jobs set` changes it while it runs"
            )
        case "disk":
            return (
                f"the disk gives {rate}, and parts waited for it {when}: files on a faster or a "
                "local disk are sent faster"
            )
        case "processor":
            count = situation.processors
            all_of = f"all {count} processors were" if count > 1 else "the one processor was"
            return (
                f"{all_of} busy {when}, at {rate}: a machine with more of them is faster; "
                "--checksum xxh3 needs less, and gives the comparison of each part up"
            )
        case "concurrency":
            return (
                f"all {situation.window:,} places of --concurrency were taken {when}, at {rate}: "
                "without that option as many parts are sent at a time as the link can use"
            )
        case "network":
            return (
                f"the network, with the service behind it, takes {rate} with {situation.window:,} "
                f"parts at a time, {when}: a faster link, or a machine nearer to the Region, makes "
                "it faster"
            )
