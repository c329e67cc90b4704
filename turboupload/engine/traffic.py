"""What leaves for all uploads of an engine: how fast, what limits it, and how much is at risk."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from turboupload.clock import Clock
from turboupload.core.model import Part
from turboupload.core.notices import Remark, WindowChanged
from turboupload.core.rate.advice import ADVICE, Adviser, Situation
from turboupload.core.rate.meter import Effort, Limiter, Meter, what_limits
from turboupload.core.rate.risk import LinkRate, most_at_risk, most_parts
from turboupload.core.rate.window import MOST, START
from turboupload.core.upload.plan import choose_part_size
from turboupload.core.upload.state import Upload
from turboupload.engine.run import OnNotice
from turboupload.http.bandwidth import BandwidthCap
from turboupload.omics.quotas import Slots
from turboupload.runtime.processors import processors
from turboupload.units import KIB

__all__ = ["LOOK_S", "Sending", "Traffic"]

LOOK_S = 0.25
"""The pause between two looks at what has left, in seconds."""

OBSERVE_S = 0.9
"""The pause between two observations of a window that has found its size, in seconds."""

QUEUED_BYTES = 256 * KIB
"""What the kernel still holds of parts that are wholly handed over, where the link is busy."""


class Sending(Protocol):
    """An upload whose parts are moving, as `Run` has it.

    Attributes:
        sent_bytes: Body bytes handed to the network, resends included.
        partial_bytes: The bytes sent of each part that is under way.
        limits_seen: How often each limit was what held the upload back.
    """

    sent_bytes: int
    partial_bytes: dict[Part, int]
    limits_seen: Counter[Limiter]

    @property
    def notify(self) -> OnNotice:
        """Receives every notice of this upload."""
        ...

    @property
    def largest_part(self) -> int:
        """The size of the largest part that may be sent, in bytes."""
        ...

    def wake(self) -> None:
        """Wakes what waits for a change."""
        ...


class Reading(Protocol):
    """A part's body that says how long its reads took, in seconds."""

    read_s: float


S = TypeVar("S", bound=Sending)


class Traffic(Generic[S]):
    """Measures what leaves, and adjusts the window.

    Args:
        slots: The places for parts in flight.
        link: What is known of the link's rate.
        quota_wait_s: How long parts have waited for the quota in all, in seconds.
        pace: The cap on bytes a second.
        queued_bytes: How many bytes the kernel has taken and not sent yet.
        dropped_bytes: How many it had taken and not sent when their connection was closed: those
            never left, although they are queued no more.
        parts_per_s: The quota of parts, for advice.
        granted_per_s: What the service was seen to grant of it, where that is less.

    Attributes:
        link: As given.
        window: How many parts may be in flight.
        limited_by: What keeps the rate from being higher; None where that isn't known.
        runs: The uploads whose parts are moving.
        adviser: Knows what would make them faster.
    """

    def __init__(
        self,
        slots: Slots,
        link: LinkRate,
        quota_wait_s: Callable[[], float],
        pace: BandwidthCap,
        queued_bytes: Callable[[], int],
        dropped_bytes: Callable[[], int],
        *,
        parts_per_s: float,
        granted_per_s: Callable[[], float | None] = lambda: None,
    ) -> None:
        self.link = link
        self.window = slots.window
        self.limited_by: Limiter | None = None
        self.runs: list[S] = []
        self.adviser = Adviser()
        self._slots = slots
        self._quota_wait_s = quota_wait_s
        self._parts_per_s = parts_per_s
        self._granted_per_s = granted_per_s
        self._pace = pace
        self._queued_bytes = queued_bytes
        self._dropped_bytes = dropped_bytes
        self._readers: set[Reading] = set()
        self._read_s = 0.0
        self._sending_since = 0.0
        self._arrived_bytes = 0
        self._effort: Effort | None = None
        self._meter = Meter()
        self._looked_at: float | None = None
        self._observed_at: float | None = None
        self._sent_bytes = 0
        self._leaving: frozenset[tuple[int, Part]] = frozenset()
        self._queued = 0
        self._is_too_much = False
        self._counting = threading.Lock()

    # --- what the parts tell ------------------------------------------------------------------

    def begin(self, run: S, part: Part, reader: Reading, now: float) -> None:
        """Starts to count an attempt at a part."""
        if not self._readers:
            self._sending_since, self._arrived_bytes = now, 0
        run.partial_bytes[part] = 0
        self._readers.add(reader)

    def arrived(self, part: Part, now: float) -> None:
        """Takes in that the service has accepted a part, before the count of it ends."""
        self._arrived_bytes += part.size
        self.link.arrived(self._arrived_bytes, now - self._sending_since)

    def end(self, reader: Reading | None) -> None:
        """Ends the count of an attempt."""
        if reader is not None:
            self._readers.discard(reader)
            self._read_s += reader.read_s

    def count(self, run: S, part: Part, count: int) -> None:
        """Counts bytes that the kernel has taken; called from any thread."""
        with self._counting:
            run.partial_bytes[part] = run.partial_bytes.get(part, 0) + count
            run.sent_bytes += count
            self._sent_bytes += count

    # --- what follows -------------------------------------------------------------------------

    def look(self, run: S, clock: Clock) -> bool:
        """Looks at what has left, once for all uploads together.

        Args:
            run: The upload that causes the look.
            clock: The time.

        Returns:
            Whether the link was found just now to be too slow for what is in flight.
        """
        now = clock.now()
        if self._looked_at is not None and now - self._looked_at < 0.9 * LOOK_S:
            return False
        self._looked_at = now
        left = self._measure(now)
        if (
            self._observed_at is None
            or self.window.is_starting
            or self._is_too_much  # what is taken back begins again in the smaller window
            or now - self._observed_at >= OBSERVE_S
        ):
            self._observed_at = now
            self._meter.mark(left, now)
            self._observe_limits(run, now)
            if not self._slots.paused:
                self._resize(run, now)
        return self._is_too_much

    def _measure(self, now: float) -> int:
        known = self.link.is_known
        before, queued_before = self._leaving, self._queued
        # In this order what is being dropped may count twice for a moment, and never not at all.
        self._queued = self._queued_bytes()
        dropped = self._dropped_bytes()
        with self._counting:
            left = self._sent_bytes - self._queued - dropped
            self._leaving = frozenset(
                (id(run), part)
                for run in self.runs
                for part, sent in run.partial_bytes.items()
                if sent < part.size
            )
        leaving = bool(before & self._leaving) or (min(queued_before, self._queued) >= QUEUED_BYTES)
        self.link.observed(left, now, leaving=leaving)
        # Once: what begins later keeps to the window.
        self._is_too_much = (
            not known
            and self.link.is_known
            and self._in_flight_bytes > most_at_risk(self.link.rate or 0.0)
        )
        return left

    @property
    def _in_flight_bytes(self) -> int:
        return sum(part.size for run in self.runs for part in run.partial_bytes)

    def changed(self) -> None:
        """Takes in that a limit was changed: what was measured before no longer counts."""
        self.limited_by = self._effort = None
        self.follow()

    def follow(self) -> None:
        """Tells the uploads the window's size."""
        self._slots.resize()
        for each in self.runs:
            each.wake()

    def _resize(self, run: S, now: float) -> None:
        before = self.window.size
        largest = max((each.largest_part for each in self.runs), default=1)
        most = self.link.window(largest, start=START)
        if self.limited_by == "cap":
            # More connections would only share what is allowed.
            most = min(most, before)
        self.window.observed(
            self._meter.bytes_per_s_now, most=min(MOST, most), full=self._slots.full, now=now
        )
        if self.window.size != before:
            run.notify(WindowChanged(size=self.window.size, before=before))
            self.follow()

    def better_cut(self, upload: Upload) -> int | None:
        """The part size by which an upload should be cut anew; None where its cut can stay.

        What the service has by then is sent again, so that must be little: the short last part of
        a file, for example.
        """
        plan, rate = upload.plan, self.link.rate
        if rate is None or upload.ledger.bytes_there > most_at_risk(rate) / 2:
            return None
        first = min(START, plan.total_parts) * plan.largest_part
        if first <= most_at_risk(rate):
            return None
        size = choose_part_size([each.size for each in plan.sources], bytes_per_s=rate)
        return size if size < plan.largest_part else None

    def has_too_many(self, run: S) -> bool:
        """Whether more parts of an upload are in flight than the link allows."""
        rate = self.link.rate
        if rate is None or self.window.is_fixed:
            return False
        return len(run.partial_bytes) > most_parts(rate, run.largest_part)

    def worth_remembering(self) -> float | None:
        """The link's rate, where the next process should know of it."""
        return self.link.news(is_least=self.limited_by not in (None, "network"))

    def _observe_limits(self, run: S, now: float) -> None:
        """Finds out what limits the speed, from what the parts under way waited for."""
        quota_s, cap_s = self._quota_wait_s(), self._pace.waited_s
        read_s = self._read_s + sum(reader.read_s for reader in self._readers)
        effort = Effort(now, quota_s, cap_s, read_s, time.process_time())
        if self._slots.paused:
            self.limited_by = None
        elif self._effort is not None:
            self.limited_by = what_limits(
                self._effort, effort, in_flight=self._slots.in_use, processors=processors()
            )
            if self.limited_by is not None:
                run.limits_seen[self.limited_by] += 1
            self._advise(run, now)
        self._effort = effort

    def _advise(self, run: S, now: float) -> None:
        """Says what would make uploads faster, where that has been the same for long."""
        situation = Situation(
            limited_by=self.limited_by,
            bytes_per_s=self._meter.bytes_per_s,
            per_s=self._parts_per_s,
            granted=self._granted_per_s(),
            cap=self._pace.bytes_per_s,
            processors=processors(),
            window=self.window.size,
            fixed=self.window.is_fixed,
            full=self._slots.full,
        )
        advice = self.adviser.seen(situation, now)
        if advice is not None:
            cause, text = advice
            run.notify(Remark(f"{ADVICE}{cause}", text))
