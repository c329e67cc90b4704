"""FASTQ records: checks their form, counts them, and digests their names.

The form that sequencers write has four lines a record: `@name`, bases, `+`, as many qualities as
bases. Whole batches of lines in that form are compared at once (lengths as lists, first characters
by the smallest and the largest line), which is fast in Python; with numpy, `seqcheck.vectorized` is
tried first. A batch with any other line is read line by line.

A problem is text that no reader accepts: a record that is cut, lacks a line, or has more or fewer
qualities than bases. An oddity is unusual text that common readers accept (htslib, seqtk, dnaio):
wrapped lines, CR LF, blank lines, colours for bases, names beyond ASCII.
"""

from __future__ import annotations

import re

import xxhash
from msgspec import Struct, field

from turboupload.seqcheck.fast_path import Vectorized
from turboupload.seqcheck.parallel.result import RangeResult
from turboupload.units import counted
from turboupload.value import Value

__all__ = [
    "NAMES_PER_DIGEST",
    "FastqCounts",
    "FastqOddity",
    "FastqProblem",
    "FastqRecords",
    "find_record",
    "mate_of",
    "read_within",
    "template",
]

NAMES_PER_DIGEST = 4096
"""After how many records each digest of all names so far is recorded."""

_MAX_LINE_BYTES = 64 * 1024 * 1024
# If reads are so long that a piece holds fewer than this, each is checked by itself.
_LONG_BYTES = 64 * 1024
_REFUSALS = 4
# Illumina's old names (/1, and /3 where the second read is an index), SRA's (.1), SOLiD's (F3, R3).
_MATE_SUFFIXES = tuple(b"%c%c" % (mark, digit) for mark in b"/._FR" for digit in b"123")
_MATE_ENDS = frozenset(_MATE_SUFFIXES)
_LETTERS = bytes([*range(65, 91), *range(97, 123)])
_BASES = _LETTERS + b".*=-"
_QUALITIES = bytes(range(33, 127))
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# Includes Ctrl-Z, which DOS puts at the end of a text.
_BLANKS = b" \t\r\x0b\x0c\x1a"
# A quality line may begin with "@", too; among this many lines in a row, one is a name.
_MAX_STARTS = 64
_CONVINCING_RECORDS = 8
_MATE_COMMENT = re.compile(rb"([12]):[YN]:\d")
_KEPT_NAMES = 1000


class FastqProblem(Value, frozen=True):
    """A problem of one record (counted from 1)."""

    code: str
    record: int
    sentence: str


class FastqOddity(Struct):
    """Something unusual, but readable.

    Attributes:
        record: The first record that has it (counted from 1); 0 if unknown.
        count: How many times it was seen.
    """

    record: int
    count: int = 0


class FastqCounts(Struct):
    """The counts so far.

    Attributes:
        records: Whole records.
        bases: Bases in them.
        shortest: The shortest read, in bases; None before the first record.
        longest: The longest read, in bases.
    """

    records: int = 0
    bases: int = 0
    shortest: int | None = None
    longest: int = 0


def template(name: bytes) -> bytes:
    """A record's name without `@`, comment and mate suffix: the part that mates share."""
    words = name[1:].split(None, 1)
    first = words[0] if words else b""
    return first[:-2] if first.endswith(_MATE_SUFFIXES) else first


def _templates(names: list[bytes]) -> list[bytes]:
    """The same as `template`, for many names at once."""
    joined = b"\n".join(names)
    if b"\t" in joined or b"\r" in joined:
        firsts = [(name.split(None, 1) or [b""])[0] for name in names]
    else:
        firsts = [name.partition(b" ")[0] for name in names]
    # Names of most files have no mate suffix; this is the fastest way to find out.
    if _MATE_ENDS.isdisjoint([first[-2:] for first in firsts]):
        return firsts
    return [first[:-2] if first.endswith(_MATE_SUFFIXES) else first for first in firsts]


def mate_of(name: bytes) -> int | None:
    """The mate that a name line states, 1 or 2 (`…/2`, `… 2:N:0:…`); None if it states none."""
    words = name[1:].split(None, 1)
    if len(words) == 2 and (match := _MATE_COMMENT.match(words[1])):
        return int(match[1])
    if words and words[0][-2:] in (b"/1", b"/2"):
        return int(words[0][-1:])
    return None


class _OpenRecord(Struct):
    """A record that is being read line by line.

    Attributes:
        name: Its name line.
        bases: Bases so far.
        base_lines: The number of lines they are on.
        plus: Whether its `+` line was read.
        qualities: Qualities so far.
        quality_lines: The number of lines they are on.
        before_name: Qualities before a line that may be the next name; 0 without such a line.
        odd: The codes of its oddities.
    """

    name: bytes
    bases: int = 0
    base_lines: int = 0
    plus: bool = False
    qualities: int = 0
    quality_lines: int = 0
    before_name: int = 0
    odd: set[str] = field(default_factory=set)


class FastqRecords(Struct):
    """Checks a FASTQ in pieces of any size; results are `problems`, `oddities` and `counts`.

    If a problem hides where the next record starts, checking stops: `lost` becomes true, and the
    counts end there.

    Attributes:
        digest_names: Whether to digest the names of all records, for the comparison with the mate.
        keep_templates: Whether to keep all names' templates; workers that check a range need them.
        keep_first_names: Whether to keep the first names.
        vectorized: The checker of many records at once, for large files.
        digests: The digest of all names so far, after each `NAMES_PER_DIGEST` records and at the
            end.
        first_names: The name lines of the first 1,000 records.
        oddities: The oddities, by code.
        unterminated: Whether the text has ended without a line end.
    """

    digest_names: bool = False
    keep_templates: bool = False
    keep_first_names: bool = True
    vectorized: Vectorized | None = None
    counts: FastqCounts = field(default_factory=FastqCounts)
    problems: list[FastqProblem] = field(default_factory=list)
    digests: list[int] = field(default_factory=list)
    first_names: list[bytes] = field(default_factory=list)
    oddities: dict[str, FastqOddity] = field(default_factory=dict)
    lost: bool = False
    unterminated: bool = False
    _lines: list[bytes] = field(default_factory=list)
    # The pieces of an unfinished line: a read of 60 MB must not be copied for each piece.
    _pieces: list[bytes] = field(default_factory=list)
    _begun: int = 0
    _open: _OpenRecord | None = None
    # Whether the unchecked text may hold bytes beyond ASCII.
    _foreign: bool = False
    _asked: int = 0
    _refused: int = 0
    _names: list[bytes] = field(default_factory=list)
    _hash: xxhash.xxh3_64 = field(default_factory=xxhash.xxh3_64)

    def feed(self, data: bytes) -> None:
        """Takes the next bytes of the text."""
        if self.lost or not data:
            return
        if self._feed_vectorized(data):
            return
        zero = data.find(b"\0")
        text = data if zero == -1 else data[:zero]
        self._foreign = not text.isascii() or (self._foreign and bool(self._lines or self._begun))
        if b"\n" in text:
            self._take_lines(text)
        elif text:
            self._continue_line(text)
        if zero != -1 and not self.lost:
            self._stop_with("fastq.binary", "holds zero bytes, which no text has")

    def _feed_vectorized(self, data: bytes) -> bool:
        """Takes the next bytes if every record in them is well-formed and usual."""
        if self.vectorized is None or not self.knows_first_names or b"\n" not in data:
            return False
        if self._open is not None:
            return False
        if self._begun + sum(map(len, self._lines)) > _LONG_BYTES:
            return False
        names = self.digest_names or self.keep_templates
        found = self.vectorized.fastq_records(self.rest + data, templates=names)
        self._asked += 1
        # Whole records were checked for bytes beyond ASCII, but the rest after them was not.
        if found is None or b"\0" in found.tail or not found.tail.isascii():
            self._refused += 1
            if self._refused >= _REFUSALS and 2 * self._refused > self._asked:
                # Something unusual here, such as tabs in names, is usually so in the whole file.
                self.vectorized = None
            return False
        self._lines, self._pieces, self._begun, self._foreign = [], [], 0, False
        self.absorb(found)
        self._take_lines(found.tail)
        return True

    def _take_lines(self, data: bytes) -> None:
        text = b"".join([*self._pieces, data])
        if b"\r" in text and b"\r\n" in text:
            self.oddities["fastq.crlf"] = FastqOddity(0, 1)
            text = text.replace(b"\r\n", b"\n")
        lines = text.split(b"\n")
        begun = lines.pop()
        self._pieces, self._begun = [], 0
        if self._lines:
            lines = self._lines + lines
        whole = len(lines) // 4 * 4
        if self._open is None and (not whole or self._check(lines[:whole])):
            self._lines = lines[whole:]
        else:
            self._lines = []
            self._walk(lines)
        if begun and not self.lost:
            self._continue_line(begun)

    def _continue_line(self, data: bytes) -> None:
        self._pieces.append(data)
        self._begun += len(data)
        if self._begun > _MAX_LINE_BYTES:
            # Not a damage, but too long to keep in memory.
            self._note_oddity("fastq.line")
            self.lost = True

    def finish(self) -> None:
        """Ends the text; the rest must be a whole record, or blank lines."""
        if self.lost:
            return
        begun = b"".join(self._pieces)
        self.unterminated = bool(begun)
        lines = [*self._lines, begun] if begun else self._lines
        self._lines, self._pieces, self._begun = [], [], 0
        if begun.endswith(b"\r"):
            self.oddities["fastq.crlf"] = FastqOddity(0, 1)
            lines[-1] = begun[:-1]
        self._walk(lines)
        if self._open is not None and not self.lost:
            self._end_record(self._open, in_line=bool(begun))
        if self.digest_names and not self.lost:
            self._note_names(last=True)

    def _end_record(self, record: _OpenRecord, *, in_line: bool) -> None:
        """Ends the text within a record."""
        if not record.plus:
            lines = record.base_lines + 1
            self._stop_with("fastq.cut", f"ends after {counted(lines, 'line')}, before its '+'")
        elif not record.bases and not in_line:
            record.quality_lines = 1
            self._complete(record)
        elif not record.quality_lines:
            self._stop_with("fastq.cut", "ends after its '+', before its qualities")
        elif in_line:
            self._stop_with("fastq.cut", "ends inside its qualities")
        else:
            self._stop_with_lengths(record)

    def ends_with(self, data: bytes) -> bool:
        """Whether `data`, taken next, would end at a record's end, with nothing unusual."""
        if self._open is not None or b"\r" in data:
            return False
        if not data:
            return not self._begun and not self._lines
        lines = [*self._lines, *b"".join([*self._pieces, data]).split(b"\n")]
        if lines.pop() or len(lines) % 4:
            return False
        return _in_form(lines)

    @property
    def usual(self) -> bool:
        """Whether no problem or oddity was found; only then is `rest` right."""
        return not (self.lost or self.oddities or self._open)

    @property
    def rest(self) -> bytes:
        """The text after the last whole record."""
        return b"".join([*(line + b"\n" for line in self._lines), *self._pieces])

    @property
    def templates(self) -> bytes:
        """The kept templates, one a line."""
        return b"\n".join(self._names)

    def absorb(self, found: RangeResult) -> None:
        """Adds the whole records of a range checked by a worker; it must start at a record."""
        assert self.ends_with(b"")
        self._add(found.records, found.bases, found.shortest, found.longest)
        if self.digest_names or self.keep_templates:
            self._names += found.templates.split(b"\n")
        if self.digest_names:
            self._note_names(last=False)

    @property
    def knows_first_names(self) -> bool:
        """Whether `first_names` is complete."""
        return not self.keep_first_names or len(self.first_names) >= _KEPT_NAMES

    def _check(self, lines: list[bytes]) -> bool:
        """Takes whole records if all of them are well-formed and usual."""
        if self._foreign or not _in_form(lines):
            return False
        self._count(lines[0::4], list(map(len, lines[1::4])))
        return True

    def _walk(self, lines: list[bytes]) -> None:
        """Takes lines of any form, one by one."""
        for line in lines:
            record = self._open
            if record is None:
                self._begin(line)
            elif record.plus:
                self._take_qualities(record, line)
            else:
                self._take_bases(record, line)
            if self.lost:
                return

    def _begin(self, line: bytes) -> None:
        if line.startswith(_BYTE_ORDER_MARK):
            self._note_oddity("fastq.bom")
            line = line[len(_BYTE_ORDER_MARK) :]
        if line[:1] == b"@":
            self._open = _OpenRecord(line)
            if not line.isascii():
                self._open.odd.add("fastq.ascii")
        elif line.strip(_BLANKS):
            self._stop_with("fastq.name", f"should start with '@', but starts with {_shown(line)}")
        else:
            self._note_oddity("fastq.blank")

    def _take_bases(self, record: _OpenRecord, line: bytes) -> None:
        if line[:1] == b"+":
            record.plus = True
            if not line.isascii():
                record.odd.add("fastq.ascii")
        elif line[:1] == b"@":
            self._stop_with("fastq.plus", f"has no line that starts with '+' before {_shown(line)}")
        else:
            record.bases += len(line)
            record.base_lines += 1
            if not _are_bases(line):
                others = line.translate(None, _BASES)
                record.odd.add("fastq.colour" if others.isdigit() else "fastq.bases")

    def _take_qualities(self, record: _OpenRecord, line: bytes) -> None:
        # Where the bases are on one line, the next name: qualities are missing. But a few writers
        # wrap qualities alone, and theirs may begin with "@"; then the sum is right in the end.
        if record.quality_lines and record.base_lines == 1 and line[:1] == b"@":
            record.before_name = record.before_name or record.qualities
        record.qualities += len(line)
        record.quality_lines += 1
        if line.translate(None, _QUALITIES):
            record.odd.add("fastq.qualities")
        if record.qualities > record.bases:
            self._stop_with_lengths(record)
        elif record.qualities == record.bases:
            self._complete(record)

    def _complete(self, record: _OpenRecord) -> None:
        if record.base_lines != 1 or record.quality_lines != 1:
            record.odd.add("fastq.wrapped")
        for code in record.odd:
            self._note_oddity(code)
        self._open = None
        self._count([record.name], [record.bases])

    def _note_oddity(self, code: str) -> None:
        odd = self.oddities.setdefault(code, FastqOddity(self.counts.records + 1))
        odd.count += 1

    def _count(self, names: list[bytes], lengths: list[int]) -> None:
        if not names:
            return
        self._add(len(names), sum(lengths), min(lengths), max(lengths))
        if not self.knows_first_names:
            self.first_names += names[: _KEPT_NAMES - len(self.first_names)]
        if self.digest_names or self.keep_templates:
            self._names += _templates(names)
        if self.digest_names:
            self._note_names(last=False)

    def _add(self, records: int, bases: int, shortest: int, longest: int) -> None:
        counts = self.counts
        counts.records += records
        counts.bases += bases
        counts.shortest = shortest if counts.shortest is None else min(counts.shortest, shortest)
        counts.longest = max(counts.longest, longest)

    def _note_names(self, *, last: bool) -> None:
        at = 0
        while len(self._names) - at >= NAMES_PER_DIGEST or (last and at < len(self._names)):
            batch = self._names[at : at + NAMES_PER_DIGEST]
            at += len(batch)
            self._hash.update(b"\n".join(batch))
            self._hash.update(b"\n")
            self.digests.append(self._hash.intdigest())
        del self._names[:at]

    def _stop_with_lengths(self, record: _OpenRecord) -> None:
        qualities = record.before_name or record.qualities
        sentence = f"has {counted(record.bases, 'base')}, but {qualities} qualities"
        self._stop_with("fastq.lengths", sentence)

    def _stop_with(self, code: str, sentence: str) -> None:
        number = self.counts.records + 1
        self.problems.append(FastqProblem(code, number, f"record {number} {sentence}"))
        self.lost = True


def find_record(text: bytes, span: int) -> int | None:
    """Offset of the first record that starts in `text`; None if none is found.

    Args:
        text: A piece of a FASTQ from anywhere.
        span: How much to read from each line on, in bytes: more than a record has.
    """
    at = 0
    for _ in range(8):
        lines = text[at : at + span].split(b"\n", 5)
        if len(lines) < 6:
            return None
        if (
            lines[0][:1] == b"@"
            and lines[2][:1] == b"+"
            and len(lines[1]) == len(lines[3])
            and lines[4][:1] == b"@"
        ):
            return at
        at += len(lines[0]) + 1
    return None


def read_within(text: bytes, *, ended: bool, keep_templates: bool = False) -> FastqRecords | None:
    """Reads a piece from anywhere in a FASTQ, starting at the first line that can be a name.

    Args:
        text: The piece.
        ended: Whether the FASTQ ends where the piece does.
        keep_templates: Whether to keep the names.

    Returns:
        The first reading without problems, else the one that got furthest. A problem counts only
            after whole records. None if no name is found.
    """
    best: FastqRecords | None = None
    at = -1 if text[:1] == b"@" else text.find(b"\n@")
    for guess in range(_MAX_STARTS):
        if at == -1 and (guess or text[:1] != b"@"):
            break
        records = FastqRecords(keep_templates=keep_templates)
        records.feed(text[at + 1 :])
        if ended:
            records.finish()
        # So many whole records in a row can't be chance: this start is right.
        if not records.problems or records.counts.records >= _CONVINCING_RECORDS:
            return records
        if best is None or records.counts.records > best.counts.records:
            best = records
        at = text.find(b"\n@", at + 1)
    return best


def _in_form(lines: list[bytes]) -> bool:
    """Whether the lines are whole records of four lines, as sequencers write them."""
    names, bases, pluses, qualities = lines[0::4], lines[1::4], lines[2::4], lines[3::4]
    # All lines start with "@" if, and only if, the smallest and the largest do.
    return (
        min(names) >= b"@"
        and max(names) < b"A"
        and min(pluses) >= b"+"
        and max(pluses) < b","
        and list(map(len, bases)) == list(map(len, qualities))
        and _are_bases(b"".join(bases))
        and not b"".join(qualities).translate(None, _QUALITIES)
    )


def _are_bases(text: bytes) -> bool:
    # isalpha is several times as fast, and nearly all bases are letters.
    return not text or text.isalpha() or not text.translate(None, _BASES)


def _shown(line: bytes) -> str:
    text = ascii(line[:20].decode("ascii", "replace"))
    return text if len(line) <= 20 else f"{text}…"
