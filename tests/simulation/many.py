"""Many worlds: one after the other, or on several processors."""

from __future__ import annotations

import gc
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.simulation.patches import simulated
from tests.simulation.shrink import shrink
from tests.simulation.spec import Spec, draw
from tests.simulation.world import Verdict, play

__all__ = ["Tally", "in_pieces", "many", "read", "story"]

COLLECT_EVERY = 50
"""Worlds between two looks for garbage: within a world there is none."""

PIECE = 50
"""Worlds that a process plays before it tells of them."""


@dataclass(slots=True)
class Tally:
    """What became of many worlds.

    Attributes:
        worlds: How many were played.
        failed: Those that went wrong.
        processor_s: Processor time they took, in seconds.
    """

    worlds: int = 0
    steps: int = 0
    calls: int = 0
    seconds: float = 0.0
    processor_s: float = 0.0
    happened: Counter[str] = field(default_factory=Counter)
    failed: list[Verdict] = field(default_factory=list)

    def add(self, verdict: Verdict) -> None:
        """Counts one more."""
        self.worlds += 1
        self.steps += verdict.steps
        self.calls += verdict.calls
        self.seconds += verdict.seconds
        self.happened += verdict.happened
        if verdict.faults:
            self.failed.append(verdict)

    def add_all(self, other: Tally) -> None:
        """Counts what another process played."""
        self.worlds += other.worlds
        self.steps += other.steps
        self.calls += other.calls
        self.seconds += other.seconds
        self.processor_s += other.processor_s
        self.happened += other.happened
        self.failed += other.failed

    def describe(self) -> str:
        """In a sentence."""
        rate = self.worlds / self.processor_s if self.processor_s else 0.0
        return (
            f"{self.worlds:,} worlds, {len(self.failed)} failed; "
            f"{self.calls:,} calls, {self.steps:,} steps and {self.seconds / 86400:,.0f} days in "
            f"{self.processor_s:.1f} s of a processor: {rate:.0f} worlds/s"
        )


def many(first: int, worlds: int, *, within_s: float | None = None) -> Tally:
    """Plays the worlds of consecutive seeds; within `simulated()`.

    Args:
        first: The first seed.
        worlds: How many, at most.
        within_s: Begin no further one after so long, in seconds.
    """
    tally = Tally()
    processor, clock = time.process_time(), time.monotonic()
    for seed in range(first, first + worlds):
        tally.add(play(draw(seed)))
        if tally.worlds % COLLECT_EVERY == 0:
            gc.collect()
        if within_s is not None and time.monotonic() - clock >= within_s:
            break
    tally.processor_s = time.process_time() - processor
    return tally


def _piece(first: int, worlds: int) -> Tally:
    with simulated():
        return many(first, worlds)


def in_pieces(first: int, worlds: int, jobs: int) -> Iterator[Tally]:
    """As `many`, by so many processes; tells of each piece when it is done."""
    pieces = [
        (start, min(PIECE, first + worlds - start)) for start in range(first, first + worlds, PIECE)
    ]
    if jobs == 1:
        yield from (_piece(*piece) for piece in pieces)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        asked = [pool.apply_async(_piece, piece) for piece in pieces]
        for each in asked:
            yield each.get()


def read(spec: Spec) -> str:
    """A world from its begin to its end, to be read; within `simulated()`."""
    verdict = play(spec, tracing=True)
    return "\n".join([*spec.describe(), "", *verdict.trace])


def story(seed: int) -> str:
    """A failing world made small, what happens in it, and how to see it again."""
    return "\n".join(
        [
            f"--- world {seed}, made small:",
            read(shrink(draw(seed))),
            f"to see it again: scripts/simulate --world {seed} --small",
        ]
    )
