"""`scripts/soak`: what takes too long for the suite."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.soak.cluster import ClusterRound, ClusterStorm
from tests.soak.matrix import Matrix, Outcome
from tests.soak.site import Site
from tests.soak.storm import Report, Storm

BASES = ("part 1/2 from byte 4096", "before Complete", "after Complete")
"""Where the first run dies, before the run that goes on dies on each of its own edges."""


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/soak",
        description="Kills the client and the service at random moments, over and over, and on "
        "every edge of an upload's life; after each death the same command is run again. It must "
        "end with one read set, equal bytes, and at most what was in flight sent twice. Exit 0 "
        "when nothing was lost, 1 otherwise.",
    )
    parser.add_argument(
        "--rounds", type=int, default=200, help="rounds of the random storm (default: 200)"
    )
    parser.add_argument("--seed", default=None, help="of the storm; printed where it is not given")
    parser.add_argument("--round", type=int, default=None, help="play only this round of the seed")
    parser.add_argument(
        "--minutes", type=float, default=45.0,
        help="begin no further round after so long (default: 45)",
    )  # fmt: skip
    parser.add_argument(
        "--workers", type=int, default=2, help="rounds side by side, each with a service of its own"
    )
    parser.add_argument(
        "--calm", action="store_true", help="kills only: the service itself is well"
    )
    parser.add_argument(
        "--matrix", action="store_true",
        help="after the storm, the whole crash matrix: also the service's death on every edge, and "
        "a second death while going on",
    )  # fmt: skip
    parser.add_argument(
        "--dask", action="store_true",
        help="instead: batches on Dask clusters, whose workers, scheduler and coordinator are "
        "killed at random moments, and whoever has the lock of the shared quota, or its Redis",
    )  # fmt: skip
    return parser.parse_args(arguments)


def main() -> int:
    given = parse()
    seed = given.seed or f"{random.SystemRandom().randrange(1 << 32):08x}"
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        if given.dask:
            return 1 if dask_storm(given, seed, Path(folder)) else 0
        lost = storm(given, seed, Path(folder))
        if given.matrix:
            lost |= matrix(given, Path(folder))
    return 1 if lost else 0


def storm(given: argparse.Namespace, seed: str, folder: Path) -> bool:
    """The random storm; returns whether anything was lost."""
    print(f"seed {seed}", flush=True)
    report = Report(seed)
    one_by_one = threading.Lock()

    def work(worker: int, following: Iterator[int]) -> None:
        with Site(folder / f"storm{worker}") as site:
            rounds = Storm(site, seed, faults=not given.calm)
            for number in following:
                round_ = rounds.play(number)
                with one_by_one:
                    report.rounds.append(round_)
                    print(round_.describe(), flush=True)

    side_by_side(given, work)
    print("\n".join(report.describe()))
    for each in report.failed:
        print(f"to play it again: scripts/soak --seed {seed} --round {each.number}")
    return bool(report.failed)


def side_by_side(given: argparse.Namespace, work: Callable[[int, Iterator[int]], None]) -> None:
    """Has so many workers play the rounds, until all were played or the time is over."""
    numbers = iter([given.round] if given.round is not None else range(given.rounds))
    end = time.monotonic() + given.minutes * 60
    one_by_one = threading.Lock()
    stopping = threading.Event()

    def following() -> Iterator[int]:
        while time.monotonic() < end and not stopping.is_set():
            with one_by_one:
                number = next(numbers, None)
            if number is None:
                return
            yield number

    with ThreadPoolExecutor(given.workers) as pool:
        try:
            list(pool.map(lambda worker: work(worker, following()), range(given.workers)))
        except KeyboardInterrupt:
            print("the rounds under way are the last", file=sys.stderr)
            stopping.set()


def dask_storm(given: argparse.Namespace, seed: str, folder: Path) -> bool:
    """Kills on Dask clusters; returns whether anything was lost."""
    print(f"seed {seed}", flush=True)
    played: list[ClusterRound] = []

    def work(worker: int, following: Iterator[int]) -> None:
        with ClusterStorm(folder / f"cluster{worker}", seed) as rounds:
            for number in following:
                played.append(rounds.play(number))
                print(played[-1].describe(), flush=True)

    side_by_side(given, work)
    deaths = sum((each.deaths for each in played), Counter[str]())
    failed = sorted(each.number for each in played if each.failures)
    print(
        f"{len(played)} rounds, killed: {dict(deaths)}; sent at the most "
        f"{max((each.sent_times for each in played), default=0.0):.2f} x the bytes; "
        f"rounds that lost something: {failed or 'none'}"
    )
    for number in failed:
        print(f"to play it again: scripts/soak --dask --seed {seed} --round {number}")
    return bool(failed)


def matrix(given: argparse.Namespace, folder: Path) -> bool:
    """The whole crash matrix; returns whether anything was lost."""
    lost = False
    with Site(folder / "matrix", tls=False) as site:
        for name, outcome in columns(Matrix(site, workers=given.workers)):
            tell_outcome(name, outcome)
            lost |= bool(outcome.failures)
    return lost


def columns(trials: Matrix) -> Iterator[tuple[str, Outcome]]:
    """What came of each of the matrix's columns, one after the other."""
    for kept, journal in ((True, "journal kept"), (False, "journal lost")):
        yield f"client killed, {journal}", trials.client_killed(trials.edges(), keep_journal=kept)
        for base in BASES:
            outcome = trials.client_killed_again(base, keep_journal=kept)
            yield f"client killed at '{base}', then again, {journal}", outcome
    for deed in ("interrupt", "terminate"):
        yield deed, trials.interrupted(trials.edges(), deed=deed)
    for both, dead in ((False, "service"), (True, "service and client")):
        yield f"{dead} killed", trials.service_killed(trials.edges(), client_too=both)


def tell_outcome(name: str, outcome: Outcome) -> None:
    print(
        f"{name}: {outcome.trials} edges, {len(outcome.failures)} failed, sent twice at most "
        f"{outcome.sent_twice:,} bytes"
        + (f", ended within {outcome.slowest_s:.2f} s" if outcome.slowest_s else ""),
        flush=True,
    )
    for failure in outcome.failures:
        print(f"  {failure}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
