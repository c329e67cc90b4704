"""A world that fails, made as small as it can be while it still fails in the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import TypeVar

from tests.simulation.spec import PART_BYTES, Host, Rules, Spec
from tests.simulation.world import play

__all__ = ["shrink"]

T = TypeVar("T")


def shrink(spec: Spec, *, most: int = 400, still: Callable[[Spec], bool] | None = None) -> Spec:
    """The smallest world found that fails as this one does.

    Args:
        spec: It fails.
        most: So many smaller worlds are tried at most.
        still: Whether a world fails in the same way; by default what is wrong is of the same kind.
    """
    if still is None:
        kind = play(spec).kind

        def still(smaller: Spec) -> bool:
            return play(smaller).kind == kind

    tried = 0
    going = True
    while going:
        going = False
        for smaller in _smaller(spec):
            tried += 1
            if tried > most:
                return spec
            if still(smaller):
                spec, going = smaller, True
                break
    return spec


def _smaller(spec: Spec) -> Iterator[Spec]:
    """Worlds with one thing less, what takes most away first."""
    if len(spec.hosts) > 1:
        for number in range(len(spec.hosts)):
            yield _without_host(spec, number)
    if len(spec.asks) > 1:
        hosts = tuple(replace(each, asks=(0,)) for each in spec.hosts)
        yield replace(spec, asks=spec.asks[:1], hosts=hosts)
        if len(spec.asks) > 2:
            less = tuple(range(len(spec.asks) - 1))
            hosts = tuple(
                replace(each, asks=tuple(ask for ask in each.asks if ask in less) or (0,))
                for each in spec.hosts
            )
            yield replace(spec, asks=spec.asks[:-1], hosts=hosts)
    for number in range(len(spec.faults)):
        yield replace(spec, faults=spec.faults[:number] + spec.faults[number + 1 :])
    for number in range(len(spec.janitors)):
        yield replace(spec, janitors=spec.janitors[:number] + spec.janitors[number + 1 :])
    usual = Rules()
    for each in fields(Rules):
        if getattr(spec.rules, each.name) != getattr(usual, each.name):
            yield replace(spec, rules=replace(spec.rules, **{each.name: getattr(usual, each.name)}))
    if spec.shuffled:
        yield replace(spec, shuffled=False)
    for number, host in enumerate(spec.hosts):
        plain = Host(machine=host.machine, asks=host.asks, start=host.start)
        for each in fields(Host):
            if getattr(host, each.name) != getattr(plain, each.name):
                changed = replace(host, **{each.name: getattr(plain, each.name)})
                yield replace(spec, hosts=_with(spec.hosts, number, changed))
    for number, ask in enumerate(spec.asks):
        for simpler in (
            replace(ask, sizes=(PART_BYTES,)),
            replace(ask, sizes=ask.sizes[:1]),
            replace(ask, sizes=tuple(min(size, 2 * PART_BYTES) for size in ask.sizes)),
            replace(ask, file_type="FASTQ"),
            replace(ask, tagged=False),
            replace(ask, made=False),
        ):
            if simpler != ask and sum(simpler.sizes) <= sum(ask.sizes):
                yield replace(spec, asks=_with(spec.asks, number, simpler))


def _with(values: tuple[T, ...], number: int, value: T) -> tuple[T, ...]:
    return (*values[:number], value, *values[number + 1 :])


def _without_host(spec: Spec, number: int) -> Spec:
    faults = tuple(
        replace(each, host=each.host - 1) if each.host > number else each
        for each in spec.faults
        if each.host != number
    )
    hosts = spec.hosts[:number] + spec.hosts[number + 1 :]
    return replace(spec, hosts=hosts, faults=faults)
