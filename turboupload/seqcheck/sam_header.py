"""The SAM header of a BAM or CRAM: samples, read groups and reference sequences.

A metagenome's header may list a million contigs, so @SQ lines are parsed in batches, and become
objects only when they are asked for.

Source: SAM specification, section 1.3 (samtools.github.io/hts-specs/SAMv1.pdf).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = [
    "MAX_HEADER_BYTES",
    "Batch",
    "ReadGroup",
    "ReferenceSequence",
    "ReferenceSequences",
    "SamHeader",
    "parse_header",
]

MAX_HEADER_BYTES = 256 * 1024 * 1024
"""What is longer isn't read: a header of a million references has some 50 MB."""

_SHOWN_PROBLEMS = 10
# A batch that fits the processor's cache takes a third of the time.
_BATCH_BYTES = 64 * 1024
_MOST_DIGITS = 19
_SQ = re.compile(
    rb"\n@SQ(?=\t)(?=[^\n]*?\tSN:([^\t\r\n]+))(?=[^\n]*?\tLN:([0-9]{1,19})(?:[\t\r\n]|\Z))"
    rb"(?:[^\n]*?\tM5:([^\t\r\n]*))?[^\n]*"
)
_OTHER_LINE = re.compile(rb"\n(?!@SQ\t)([^\n]*)")
_ALL_BUT_TABS_AND_LINE_ENDS = bytes(byte for byte in range(256) if byte not in b"\t\n")


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


class Batch(NamedTuple):
    """Neighbouring reference sequences.

    Attributes:
        names: As in the header.
        lengths: In bases.
        md5s: Empty if a sequence has none; no entries if no sequence has one.
    """

    names: list[bytes]
    lengths: list[int]
    md5s: list[bytes]


@dataclass(frozen=True, slots=True)
class ReferenceSequences:
    """Reference sequences in a header's order.

    Attributes:
        count: How many there are.
        total_length: The sum of their lengths, in bases.
        with_md5: How many have an MD5.
        source: What the sequences are read from on each access: the header's text, each @SQ line
            after a line end; or the sequences themselves.
    """

    count: int = 0
    total_length: int = 0
    with_md5: int = 0
    source: bytes | Batch = field(default=b"", repr=False)

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[ReferenceSequence]:
        for names, lengths, md5s in self.batches():
            for name, length, md5 in zip(names, lengths, md5s or [b""] * len(names), strict=True):
                yield ReferenceSequence(
                    name.decode("utf-8", "replace"),
                    length,
                    md5.decode("utf-8", "replace").lower() or None,
                )

    def batches(self) -> Iterator[Batch]:
        """Yields all of them in batches."""
        return iter([self.source]) if isinstance(self.source, Batch) else _batches(self.source)


@dataclass(frozen=True, slots=True)
class SamHeader:
    """What a header says.

    Attributes:
        sort_order: @HD SO, such as `coordinate`.
        read_groups: In the header's order.
        sequences: In the header's order.
        problems: Sentences about lines that couldn't be read.
    """

    sort_order: str | None = None
    read_groups: tuple[ReadGroup, ...] = ()
    sequences: ReferenceSequences = ReferenceSequences()
    problems: tuple[str, ...] = ()

    @property
    def samples(self) -> tuple[str, ...]:
        """The distinct samples of the read groups, in the header's order."""
        return tuple(dict.fromkeys(g.sample for g in self.read_groups if g.sample))


def parse_header(text: bytes, look: Callable[[Batch], None] | None = None) -> SamHeader:
    """Reads a header's text; lines that can't be read are named in `problems`.

    Args:
        text: The text.
        look: Called with each batch of reference sequences as it is read.
    """
    # htslib pads the text with NUL bytes when it rewrites a header in place.
    text = b"\n" + text.rstrip(b"\0")
    sort_order: str | None = None
    groups: list[ReadGroup] = []
    problems: list[str] = []
    number = at = 0
    for other in _OTHER_LINE.finditer(text):
        line, start = other[1], other.start(1)
        number += text.count(b"\n", at, start)
        at = start
        match line[:3]:
            case b"@HD":
                sort_order = _fields(line).get("SO")
            case b"@RG":
                groups.append(_read_group(_fields(line)))
            # htslib takes no blank line, either; after the last line end there is none.
            case _ if line[:1] != b"@" and start < len(text):
                problems.append(f"header line {number} doesn't start with '@'")
            case _:
                pass
    sequences = _read_sequences(text, look)
    if len(sequences) < text.count(b"\n@SQ\t"):
        problems += (
            f"header line {number} is an @SQ without name or length"
            for number, line in enumerate(text.split(b"\n"))
            if line[:4] == b"@SQ\t" and not _SQ.match(b"\n" + line)
        )
    return SamHeader(sort_order, tuple(groups), sequences, tuple(problems[:_SHOWN_PROBLEMS]))


def _read_sequences(text: bytes, look: Callable[[Batch], None] | None) -> ReferenceSequences:
    count = total_length = with_md5 = 0
    for batch in _batches(text):
        count += len(batch.names)
        total_length += sum(batch.lengths)
        with_md5 += sum(map(bool, batch.md5s))
        if look is not None:
            look(batch)
    return ReferenceSequences(count, total_length, with_md5, text)


def _batches(text: bytes) -> Iterator[Batch]:
    """Parses @SQ lines, each of which begins after a line end."""
    start = text.find(b"\n@SQ\t")
    while start != -1:
        end = text.find(b"\n@SQ\t", start + _BATCH_BYTES)
        lines = text[start:] if end == -1 else text[start:end]
        yield _in_columns(lines) or _one_by_one(lines)
        start = end


def _in_columns(lines: bytes) -> Batch | None:
    """Parses @SQ lines that all have the same fields; None if they don't, or are odd."""
    count = lines.count(b"\n@SQ\t")
    tags = [part[:3] for part in lines[1:].partition(b"\n")[0].split(b"\t")[1:]]
    rows = lines.translate(None, _ALL_BUT_TABS_AND_LINE_ENDS)
    if rows != (b"\n" + b"\t" * len(tags)) * count or b"\r" in lines:
        return None
    fields = lines.replace(b"\n@SQ\t", b"\t")[1:].split(b"\t")

    def column(tag: bytes) -> list[bytes] | None:
        if tag not in tags or lines.count(b"\t" + tag) != count:
            return None
        text = b"\t".join(fields[tags.index(tag) :: len(tags)])
        values = text[len(tag) :].split(b"\t" + tag)
        return values if len(values) == count else None

    names, lengths = column(b"SN:"), column(b"LN:")
    md5s = column(b"M5:") if b"\tM5:" in lines else []
    if names is None or lengths is None or md5s is None:
        return None
    if not all(names) or not all(lengths) or max(map(len, lengths)) > _MOST_DIGITS:
        return None
    # int() also takes signs, spaces and underscores.
    return Batch(names, list(map(int, lengths)), md5s) if b"".join(lengths).isdigit() else None


def _one_by_one(lines: bytes) -> Batch:
    found = _SQ.findall(lines)
    return Batch(
        [name for name, _, _ in found],
        [int(length) for _, length, _ in found],
        [md5 for _, _, md5 in found] if b"\tM5:" in lines else [],
    )


def _fields(line: bytes) -> dict[str, str]:
    parts = line.decode("utf-8", "replace").rstrip("\r").split("\t")[1:]
    return {part[:2]: part[3:] for part in parts if part[2:3] == ":"}


def _read_group(fields: dict[str, str]) -> ReadGroup:
    return ReadGroup(fields.get("ID", ""), fields.get("SM"), fields.get("LB"), fields.get("PL"))
