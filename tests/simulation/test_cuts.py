"""Two hosts on unlike links begin the same files at once: one upload, cut in two ways."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.simulation.patches import simulated
from tests.simulation.spec import Ask, Host, Rules, Spec
from tests.simulation.world import World

WORLDS = 15


@pytest.fixture(autouse=True)
def stage() -> Iterator[None]:
    with simulated():
        yield


def _world(seed: int, cuts: tuple[int, ...], rules: Rules) -> World:
    asks = (Ask("reads", "FASTQ", (61, 45)),)
    hosts = tuple(
        Host(machine=machine, asks=(0,), start=0.0, part_bytes=cut)
        for machine, cut in enumerate(cuts)
    )
    return World(Spec(seed=seed, asks=asks, hosts=hosts, rules=rules))


@pytest.mark.parametrize("checksum", ["base64", "opaque"])
@pytest.mark.parametrize("cuts", [(16, 4), (16, 12), (8, 4), (8, 8), (16, 8, 4)])
def test_they_make_one_read_set_and_nobody_fails(cuts: tuple[int, ...], checksum: str) -> None:
    for seed in range(WORLDS):
        rules = replace(Rules(), checksum=checksum, latency_s=(0.02, 0.2, 1.0)[seed % 3])
        world = _world(seed, cuts, rules)
        verdict = world.play()
        assert not verdict.faults, (seed, verdict.faults)
        ends = {what: count for what, count in world.happened.items() if what.startswith("exit")}
        assert set(ends) == {"exit 0"}, (seed, ends)
        assert len(world.service.read_sets) == 1, seed
