"""What was measured, as a table and as JSON."""

from __future__ import annotations

import json
import os
import platform
import ssl
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

__all__ = ["Figure", "Table", "machine", "median", "spread", "write_json"]

PACKAGES = ("turboupload", "aiobotocore", "botocore", "uvloop", "xxhash", "h11")


@dataclass(frozen=True, slots=True)
class Figure:
    """One target, and what was measured.

    Attributes:
        name: What it is.
        measured: The value.
        unit: Its unit.
        target: The bound.
        at_least: Whether the value must be at least the bound; else at most.
    """

    name: str
    measured: float
    unit: str
    target: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        return self.measured >= self.target if self.at_least else self.measured <= self.target


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


def spread(values: Sequence[float]) -> str:
    """The median, and the range in brackets."""
    return f"{median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def machine() -> dict[str, Any]:
    """Where it was measured, without names."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "processors": os.cpu_count(),
        "architecture": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "python": sys.version.split()[0],
        "openssl": ssl.OPENSSL_VERSION,
        "packages": versions,
    }


def write_json(path: Path, figures: Sequence[Figure], measurements: dict[str, Any]) -> None:
    """Keeps everything that was measured."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "figures": [{**asdict(figure), "met": figure.met} for figure in figures],
        "measurements": measurements,
    }
    path.write_text(json.dumps(content, indent=1) + "\n")
