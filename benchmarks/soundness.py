"""What a quick run has to leave behind: it proves that everything works, not how fast it is."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from benchmarks.report import Figure

__all__ = ["faults_of"]

PICTURES = {"raw": {"raw"}, "links": {"narrow", "far"}, "growth": {"growth"}}
"""The pictures, and the scenarios of which any is enough to draw one."""

PNG = b"\x89PNG\r\n\x1a\n"


def faults_of(folder: Path, ran: Collection[str], figures: Sequence[Figure]) -> Iterator[str]:
    """A sentence for everything that is missing or can't be.

    Args:
        folder: Where the results are; nothing but this run's.
        ran: The scenarios that ran to their end.
        figures: All that they gave.
    """
    for figure in figures:
        if not math.isfinite(figure.measured):
            yield f"{figure.name}: {figure.measured} {figure.unit} is no measurement"
    for name in ran:
        yield from _faults_of_json(folder / f"{name}.json")
    pictures = [name for name, sources in PICTURES.items() if sources & set(ran)]
    if any(figure.target and figure.measured for figure in figures):
        pictures.append("targets")
    for name in pictures:
        path = folder / f"{name}.png"
        if not path.exists() or not path.read_bytes().startswith(PNG):
            yield f"{path.name} was not drawn"


def _faults_of_json(path: Path) -> Iterator[str]:
    def refuse(constant: str) -> None:
        raise ValueError(f"it has {constant}")

    try:
        content = json.loads(path.read_text(), parse_constant=refuse)
    except (OSError, ValueError) as error:
        yield f"{path.name} can't be read: {error}"
        return
    if not content["figures"] or not content["measurements"]:
        yield f"{path.name} has no figures"
