"""Names of read sets by a pattern, so that a later run's don't collide with an earlier one's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from turboupload.value import Value

__all__ = ["DEFAULT_PATTERN", "PLACEHOLDERS", "NamePattern"]

PLACEHOLDERS: Final[Mapping[str, str]] = {
    "sample": "the sample's id",
    "subject": "the subject's id",
    "name": "what the files' names have in common; of Oxford Nanopore and PacBio sample or barcode",
    "run": "the run's id, such as its folder's name",
    "flowcell": "the flow cell; PacBio's movie",
    "short_run": "what tells the run from every other: Illumina's flow cell, Oxford Nanopore's "
    "flow cell and run, PacBio's movie",
    "lane": "Illumina's lane, such as L001",
    "barcode": "the barcode of Oxford Nanopore and PacBio, or its alias",
    "chunk": "the number of the file, where a sample has many",
}
"""What may stand in a pattern, with its meaning."""

_PLACE = re.compile(r"([_.-]?)\{(\w+)\}")
_BRACE = re.compile(r"[{}]")


class NamePattern(Value, frozen=True):
    """A pattern such as `{sample}_{run}`.

    Where nothing is known for a placeholder, it and the `_`, `-` or `.` before it are left out.
    """

    text: str

    @classmethod
    def parse(cls, text: str) -> NamePattern:
        """The pattern of a text.

        Raises:
            ValueError: It has a placeholder that isn't known, or none at all.
        """
        places = [match[2] for match in _PLACE.finditer(text)]
        known = ", ".join(f"{{{each}}}" for each in PLACEHOLDERS)
        for each in places:
            if each not in PLACEHOLDERS:
                raise ValueError(f"{{{each}}} stands for nothing; there are {known}")
        if not places:
            raise ValueError(f"{text!r} names every read set alike; it needs one of {known}")
        if _BRACE.search(_PLACE.sub("", text)):
            raise ValueError(f"{text!r} has a brace that belongs to no placeholder")
        return cls(text)

    def name(self, values: Mapping[str, str | None]) -> str:
        """The name for a read set.

        Args:
            values: What is known, by placeholder.
        """

        def filled(match: re.Match[str]) -> str:
            value = values.get(match[2])
            return f"{match[1]}{value}" if value else ""

        return _PLACE.sub(filled, self.text).lstrip("_.-") or (values.get("name") or "")


DEFAULT_PATTERN: Final = NamePattern("{name}_{short_run}_{chunk}")
