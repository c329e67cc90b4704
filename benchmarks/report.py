"""What was measured, as a table and as JSON."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

__all__ = ["Figure", "Outcome", "Table", "median", "spread", "targets_table", "write_json"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One target, and what was measured.

    Attributes:
        name: What it is.
        measured: The value.
        unit: Its unit.
        target: The bound; None where it is told for information.
        at_least: Whether the value must be at least the bound; else at most.
    """

    name: str
    measured: float
    unit: str
    target: float | None = None
    at_least: bool = False

    @property
    def met(self) -> bool | None:
        if self.target is None:
            return None
        return self.measured >= self.target if self.at_least else self.measured <= self.target

    @property
    def bound(self) -> str:
        if self.target is None:
            return "-"
        return f"{'>=' if self.at_least else '<='} {self.target:g} {self.unit}"

    @property
    def verdict(self) -> str:
        return {True: "PASS", False: "MISS", None: ""}[self.met]


@dataclass(slots=True)
class Table:
    """Rows of one scenario, printed when it has ended."""

    title: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def print(self) -> None:
        widths = [
            max(len(str(row[index])) for row in [self.columns, *self.rows])
            for index in range(len(self.columns))
        ]
        print(f"\n{self.title}")
        for row in [self.columns, ["-" * width for width in widths], *self.rows]:
            print("  " + "  ".join(str(cell).ljust(widths[i]) for i, cell in enumerate(row)))
        for note in self.notes:
            print(f"  {note}")


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def spread(values: Sequence[float], *, digits: int = 2) -> str:
    """The median, and the range in brackets."""
    low, middle, high = (
        f"{each:,.{digits}f}" for each in (min(values), median(values), max(values))
    )
    return f"{middle} ({low}-{high})" if len(values) > 1 else middle


def targets_table(figures: Sequence[Figure], *, judged: bool = True) -> Table:
    """What was measured against what was asked for.

    Args:
        figures: In their order.
        judged: False after runs that were too short to judge by.
    """
    title = "targets" if judged else "targets (runs this short say nothing about speed)"
    table = Table(title, ("figure", "measured", "target", ""))
    for figure in figures:
        measured = f"{figure.measured:.2f} {figure.unit}"
        verdict = figure.verdict if judged else ""
        table.rows.append((figure.name, measured, figure.bound, verdict))
    return table


Outcome = tuple[list[Table], list[Figure], dict[str, Any]]
"""What a scenario gives back: tables to print, figures, and all that was measured."""


def write_json(
    path: Path,
    figures: Sequence[Figure],
    measurements: dict[str, Any],
    machine: dict[str, Any],
) -> None:
    """Keeps everything that was measured, with the machine and the versions."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine,
        "figures": [{**asdict(figure), "met": figure.met} for figure in figures],
        "measurements": measurements,
    }
    path.write_text(json.dumps(content, indent=1) + "\n")
