"""A line of the doctor's: what was found, how good it is, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from turboupload.errors import ConfigError, InputError, TurbouploadError

__all__ = ["Blame", "Level", "Line", "blamed", "failure_of"]

Level = Literal["ok", "warning", "failure", "unknown"]
"""`unknown` is what could not be asked, or only by changing something: it is never guessed."""

Blame = Literal["settings", "service", "files"]
"""What must be mended first where something failed, in this order."""

_ORDER: tuple[Blame, ...] = ("settings", "service", "files")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What was found about one thing.

    Attributes:
        topic: What it is about, in a word.
        level: How good it is.
        text: What was found; it has no secret.
        advice: What to do about it.
        blame: What is to be mended, of a failure.
        facts: The same for programs; plain values by name.
    """

    topic: str
    level: Level
    text: str
    advice: str | None = None
    blame: Blame | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.level == "failure") != (self.blame is not None):
            raise ValueError(f"a failure, and only a failure, has something to blame: {self}")


def failure_of(topic: str, error: TurbouploadError, **facts: Any) -> Line:
    """The line for an error that an upload would end with, too."""
    blame: Blame = "service"
    if isinstance(error, InputError):
        blame = "files"
    elif isinstance(error, ConfigError):
        blame = "settings"
    where = f"{error.path}: " if error.path else ""
    return Line(
        topic=topic,
        level="failure",
        text=f"{where}{error.message}",
        advice=error.hint,
        blame=blame,
        facts=facts,
    )


def blamed(lines: Iterable[Line]) -> Blame | None:
    """What must be mended first; None where nothing failed."""
    found = {line.blame for line in lines}
    return next((each for each in _ORDER if each in found), None)
