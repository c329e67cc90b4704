"""The rules of a watcher: for which runs what holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

__all__ = ["Rule", "rule_for"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What holds for the runs that a pattern fits.

    Attributes:
        number: Counted from 1 as the file has it; 0 is the one that holds where there is none.
        match: The pattern of the run's folder, below the one that is watched, as shells have them.
        skip: Leave such runs alone.
        sentinel: The file that ends such runs, in place of the instruments' own; `none` where there
            is none, so that they must only be at rest.
        settle_s: How long their files must be at rest, in seconds; None as the command says.
        given: What the batch's options are, by their names, where the rule says so.
    """

    number: int
    match: str = "*"
    skip: bool = False
    sentinel: str | None = None
    settle_s: float | None = None
    given: Mapping[str, Any] = field(default_factory=dict)


def rule_for(rules: Sequence[Rule], run: str) -> Rule | None:
    """The first rule that fits a run; None where rules are given and none does."""
    if not rules:
        return Rule(number=0)
    return next((each for each in rules if fnmatchcase(run, each.match)), None)
