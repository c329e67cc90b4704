"""`scripts/simulate`: many worlds, one world to be read, or the engine with a slip in it."""

from __future__ import annotations

import argparse
import random
import sys
import time

from tests.simulation.crowd import crowd
from tests.simulation.explore import Limits, explore
from tests.simulation.many import Tally, in_pieces, read, story
from tests.simulation.mutants import MUTANTS, SLIPPERY, hunt
from tests.simulation.patches import simulated
from tests.simulation.shrink import shrink
from tests.simulation.spec import draw

MOST_STATES = 20_000_000

MINUTE_S = 60.0
"""In so much processor time a slip must be found, in seconds."""

TOLD = 3
"""Failing worlds of which the story is told; of the others the seed."""

TOLD_EVERY = 10_000
"""Worlds after which a long run says how far it is."""


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/simulate",
        description="Plays worlds: the real engine and batch on a virtual clock, hosts that die, "
        "disks that fail and a service of many habits. A seed is a world, the same every time. "
        "Exit 0 when all went well, 1 otherwise.",
    )
    parser.add_argument("--worlds", type=int, default=2000, help="how many (default: 2000)")
    parser.add_argument("--seed", type=int, default=None, help="of the first; printed if not given")
    parser.add_argument("--jobs", type=int, default=1, help="processes side by side")
    parser.add_argument(
        "--world", type=int, default=None, metavar="SEED",
        help="play this one, and tell all that happens in it",
    )  # fmt: skip
    parser.add_argument(
        "--explore", type=int, default=None, metavar="FAULTS",
        help="visit every state of two hosts with the pure core and so many faults",
    )  # fmt: skip
    parser.add_argument(
        "--mutants", action="store_true",
        help="play worlds with each of the known slips in the engine until one is found out",
    )  # fmt: skip
    parser.add_argument(
        "--crowd", type=int, default=None, metavar="HOSTS",
        help="play two worlds of so many hosts with one quota: a sheet by shards, and all the same",
    )  # fmt: skip
    parser.add_argument(
        "--small", action="store_true",
        help="with --world: make it small first, while it still fails",
    )  # fmt: skip
    return parser.parse_args(arguments)


def main() -> int:
    given = parse()
    if given.world is not None:
        return one(given.world, small=given.small)
    if given.mutants:
        return mutants()
    if given.explore is not None:
        return exploration(given.explore)
    seed = random.SystemRandom().randrange(10**9) if given.seed is None else given.seed
    print(f"seed {seed}", flush=True)
    if given.crowd is not None:
        return crowds(seed, given.crowd)
    tally = Tally()
    for piece in in_pieces(seed, given.worlds, given.jobs):
        before = tally.worlds
        tally.add_all(piece)
        tell(piece)
        if tally.worlds // TOLD_EVERY > before // TOLD_EVERY and tally.worlds < given.worlds:
            print(tally.describe(), flush=True)
    print(tally.describe())
    print(", ".join(f"{what} {count:,}" for what, count in sorted(tally.happened.items())))
    with simulated():
        for verdict in tally.failed[:TOLD]:
            print(story(verdict.seed), flush=True)
    return 1 if tally.failed else 0


def exploration(faults: int) -> int:
    """Visits the states of the core; returns whether anything is wrong in one."""
    found = explore(Limits(hosts=2, faults=faults, most_states=MOST_STATES))
    print(
        f"{found.states:,} states{'' if found.complete else ' and more'}, {found.ends:,} ends; "
        f"{len(found.wrong)} wrong, {found.stuck} without an end"
    )
    print("\n".join(found.wrong[:TOLD]))
    return 1 if found.wrong or found.stuck else 0


def crowds(seed: int, hosts: int) -> int:
    """Plays a crowd by shards, and one with the same sheet; returns whether one went wrong."""
    wrong: list[str] = []
    with simulated():
        for same in (False, True):
            began = time.process_time()
            faults, happened = crowd(seed, hosts, same=same)
            seconds = time.process_time() - began
            what = "the same sheet" if same else "by shards"
            print(f"{what}: {happened}; {seconds:.0f} s of a processor", flush=True)
            wrong += faults
    print("\n".join(wrong[:TOLD]) or "each row once and whole")
    return 1 if wrong else 0


def mutants() -> int:
    """Hunts each mutant; returns whether one got away."""
    away = False
    with simulated():
        for name in MUTANTS:
            hunted = hunt(name, first=0, processor_s=MINUTE_S)
            away |= hunted.seed is None and name not in SLIPPERY
            found = "NOT FOUND" if hunted.seed is None else f"world {hunted.seed}: {hunted.what}"
            print(
                f"{name}: {hunted.worlds:,} worlds, {hunted.processor_s:.1f} s: {found}", flush=True
            )
    return 1 if away else 0


def tell(tally: Tally) -> None:
    """Which worlds failed."""
    for verdict in tally.failed:
        print(f"world {verdict.seed}: {verdict.faults[0]}", flush=True)


def one(seed: int, *, small: bool) -> int:
    """Plays one world to be read."""
    spec = draw(seed)
    with simulated():
        if small:
            spec = shrink(spec)
        text = read(spec)
    print(text)
    return 1 if "  WRONG " in text else 0


if __name__ == "__main__":
    sys.exit(main())
