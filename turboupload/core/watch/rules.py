"""The rules of a watcher: which settings apply to which runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from fnmatch import fnmatchcase
from typing import Any

from turboupload.config import UploadConfig
from turboupload.core.folders.mates import check_mates
from turboupload.core.metadata import check_id
from turboupload.core.next_step import RESULTS_FORMATS, ResultsFormat
from turboupload.core.sheet.model import SheetDefaults
from turboupload.errors import ConfigError
from turboupload.settings import Duration

__all__ = ["NO_SENTINEL", "WatchRule", "rule_for"]

NO_SENTINEL = "none"
"""In place of a sentinel: its runs must only be at rest."""

_KINDS: dict[str, tuple[type, str]] = {
    "config": (UploadConfig, "an UploadConfig"),
    "defaults": (SheetDefaults, "SheetDefaults"),
    "sentinel": (str, "text"),
}


@dataclass(frozen=True, kw_only=True)
class WatchRule:
    """What holds for the runs that a pattern fits; what is None is as the call of `watch` says.

    Attributes:
        match: The pattern of the run's folder, below the one that is watched, as shells have them;
            `*` is anything, `/` too.
        skip: Leave such runs alone.
        store_id: Where their read sets go.
        config: How to upload them. The watcher itself uses that of the call, and its state folder.
        defaults: What every row of their sheets has: subject, names, tags, `merge`.
        mates: Which two reads are the mates where a sample has three, such as R1 and R3.
        sentinel: The file that ends such runs, in place of the instruments' own; `none` where there
            is none, so that they must only be at rest.
        settle_s: How long their files must be at rest: seconds, text (`5min`) or a `timedelta`.
        results_format: What the next step takes, written beside each run's results: `nf-core` or
            `healthomics-run`.

    Raises:
        ConfigError: A value makes no sense; the message begins with the attribute's name.
    """

    match: str = "*"
    skip: bool = False
    store_id: str | None = None
    config: UploadConfig | None = None
    defaults: SheetDefaults | None = None
    mates: tuple[str, str] | None = None
    sentinel: str | None = None
    settle_s: Duration[float | None] = Duration(None, may_be_zero=True)
    results_format: ResultsFormat | None = None

    def __post_init__(self) -> None:
        if not (isinstance(self.match, str) and self.match):
            raise ConfigError(f"match is a pattern such as '*_NB55*', not {self.match!r}")
        if not isinstance(self.skip, bool):
            raise ConfigError(f"skip is True or False, not {self.skip!r}")
        for name, (kind, form) in _KINDS.items():
            value = getattr(self, name)
            if value is not None and not (isinstance(value, kind) and value != ""):
                raise ConfigError(f"{name} is {form}, or None, not {value!r}")
        if self.results_format is not None and self.results_format not in RESULTS_FORMATS:
            known = " or ".join(RESULTS_FORMATS)
            raise ConfigError(f"results_format is {known}, not {self.results_format!r}")
        if self.mates is not None:
            check_mates(self.mates)
        if self.store_id is not None:
            check_id("a store", self.store_id)

    def over(self, otherwise: WatchRule) -> WatchRule:
        """This rule, with what another one says where this says nothing."""
        lacking: dict[str, Any] = {
            each.name: getattr(otherwise, each.name)
            for each in fields(self)
            if getattr(self, each.name) is None
        }
        return replace(self, **lacking)


def rule_for(rules: Sequence[WatchRule], run: str) -> tuple[int, WatchRule] | None:
    """The first rule that fits a run, and its number from 1; None where none does."""
    fitting = ((number, each) for number, each in enumerate(rules, 1))
    return next((each for each in fitting if fnmatchcase(run, each[1].match)), None)
