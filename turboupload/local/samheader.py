"""The header of a BAM or CRAM: what it says about samples and reference sequences.

Source: SAM specification, section 1.3 (samtools.github.io/hts-specs/SAMv1.pdf).
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ReadGroup", "ReferenceSequence", "SamHeader", "parse_header"]


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
    sequences: tuple[ReferenceSequence, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def samples(self) -> tuple[str, ...]:
        """The distinct samples of the read groups, in the header's order."""
        return tuple(dict.fromkeys(g.sample for g in self.read_groups if g.sample))


def parse_header(text: bytes) -> SamHeader:
    """Reads a header's text; what can't be read is named in `problems`, and the rest is kept."""
    sort_order: str | None = None
    groups: list[ReadGroup] = []
    sequences: list[ReferenceSequence] = []
    problems: list[str] = []
    # htslib pads the text with NUL bytes when it rewrites a header in place.
    lines = text.rstrip(b"\0").decode("utf-8", "replace").split("\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        fields = _fields(line)
        match line[:3]:
            case "@HD":
                sort_order = fields.get("SO")
            case "@RG":
                groups.append(_read_group(fields))
            case "@SQ":
                sequence = _sequence(fields)
                if sequence is None:
                    problems.append(f"header line {number} is an @SQ without name or length")
                else:
                    sequences.append(sequence)
            case "@PG" | "@CO":
                pass
            case _ if line[0] != "@":
                problems.append(f"header line {number} doesn't start with '@'")
            case _:
                pass
    return SamHeader(sort_order, tuple(groups), tuple(sequences), tuple(problems[:10]))


def _fields(line: str) -> dict[str, str]:
    parts = line.rstrip("\r").split("\t")[1:]
    return {part[:2]: part[3:] for part in parts if part[2:3] == ":"}


def _read_group(fields: dict[str, str]) -> ReadGroup:
    return ReadGroup(fields.get("ID", ""), fields.get("SM"), fields.get("LB"), fields.get("PL"))


def _sequence(fields: dict[str, str]) -> ReferenceSequence | None:
    name, length = fields.get("SN"), fields.get("LN", "")
    # isdecimal alone would let other scripts' digits and any number of them through.
    if not name or not (length.isascii() and length.isdecimal() and len(length) < 20):
        return None
    md5 = fields.get("M5")
    return ReferenceSequence(name, int(length), md5.lower() if md5 else None)
