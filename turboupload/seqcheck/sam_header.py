"""The header of a BAM or CRAM: what it says about samples and reference sequences.

A metagenome's may list a million contigs, so that its @SQ lines are taken apart all at once, and
made into objects only for who asks.

Source: SAM specification, section 1.3 (samtools.github.io/hts-specs/SAMv1.pdf).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["ReadGroup", "ReferenceSequence", "ReferenceSequences", "SamHeader", "parse_header"]

_SHOWN_PROBLEMS = 10
# Fields in the order that all writers we know of use, which takes a third of the time, and in any.
_USUAL_SQ = re.compile(
    rb"\n@SQ\tSN:([^\t\r\n]+)\tLN:([0-9]{1,19})(?=[\t\r\n]|\Z)(?:[^\n]*?\tM5:([^\t\r\n]*))?[^\n]*"
)
_SQ = re.compile(
    rb"^@SQ(?=[^\n]*?\tSN:([^\t\r\n]+))(?=[^\n]*?\tLN:([0-9]{1,19})(?:[\t\r\n]|\Z))"
    rb"(?:[^\n]*?\tM5:([^\t\r\n]*))?[^\n]*",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class ReadGroup:
    """An @RG line: identifier, sample (SM), library (LB) and platform (PL)."""

    id: str
    sample: str | None = None
    library: str | None = None
    platform: str | None = None


@dataclass(frozen=True, slots=True)
class ReferenceSequence:
    """An @SQ line: name, length in bases, and the MD5 of its bases (M5) where it is given."""

    name: str
    length: int
    md5: str | None = None


@dataclass(frozen=True, slots=True)
class ReferenceSequences:
    """Reference sequences in a header's order.

    Attributes:
        names: As they are written.
        lengths: In bases.
        md5s: Empty ones where none is given; no entries where none is given at all.
    """

    names: list[bytes]
    lengths: list[int]
    md5s: list[bytes]

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[ReferenceSequence]:
        md5s = self.md5s or [b""] * len(self)
        for name, length, md5 in zip(self.names, self.lengths, md5s, strict=True):
            yield ReferenceSequence(
                name.decode("utf-8", "replace"),
                length,
                md5.decode("utf-8", "replace").lower() or None,
            )


_NONE = ReferenceSequences([], [], [])


@dataclass(frozen=True, slots=True)
class SamHeader:
    """What a header says.

    Attributes:
        sort_order: @HD SO, such as `coordinate`.
        read_groups: In the header's order.
        sequences: In the header's order.
        problems: Sentences about lines that can't be read.
    """

    sort_order: str | None = None
    read_groups: tuple[ReadGroup, ...] = ()
    sequences: ReferenceSequences = _NONE
    problems: tuple[str, ...] = ()

    @property
    def samples(self) -> tuple[str, ...]:
        """The distinct samples of the read groups, in the header's order."""
        return tuple(dict.fromkeys(g.sample for g in self.read_groups if g.sample))


def parse_header(text: bytes) -> SamHeader:
    """Reads a header's text; what can't be read is named in `problems`, and the rest is kept."""
    # htslib pads the text with NUL bytes when it rewrites a header in place.
    text = text.rstrip(b"\0")
    lines = text.split(b"\n")
    sort_order: str | None = None
    groups: list[ReadGroup] = []
    problems: list[str] = []
    others = [(at, line) for at, line in enumerate(lines, 1) if line[:4] != b"@SQ\t"]
    for number, line in others:
        match line[:3]:
            case b"@HD":
                sort_order = _fields(line).get("SO")
            case b"@RG":
                groups.append(_read_group(_fields(line)))
            case _ if line[:1] != b"@" and line.strip():
                problems.append(f"header line {number} doesn't start with '@'")
            case _:
                pass
    sequences = _sequences(text, len(lines) - len(others))
    if len(sequences) < len(lines) - len(others):
        problems += (
            f"header line {number} is an @SQ without name or length"
            for number, line in enumerate(lines, 1)
            if line[:4] == b"@SQ\t" and not _SQ.match(line)
        )
    return SamHeader(sort_order, tuple(groups), sequences, tuple(problems[:_SHOWN_PROBLEMS]))


def _sequences(text: bytes, lines: int) -> ReferenceSequences:
    found = _USUAL_SQ.findall(b"\n" + text)
    if len(found) != lines:
        found = _SQ.findall(text)
    return ReferenceSequences(
        [name for name, _, _ in found],
        [int(length) for _, length, _ in found],
        [md5 for _, _, md5 in found] if b"\tM5:" in text else [],
    )


def _fields(line: bytes) -> dict[str, str]:
    parts = line.decode("utf-8", "replace").rstrip("\r").split("\t")[1:]
    return {part[:2]: part[3:] for part in parts if part[2:3] == ":"}


def _read_group(fields: dict[str, str]) -> ReadGroup:
    return ReadGroup(fields.get("ID", ""), fields.get("SM"), fields.get("LB"), fields.get("PL"))
