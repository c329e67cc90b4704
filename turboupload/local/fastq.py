"""FASTQ records: their form checked, counted, and their names digested.

The form is the one that sequencers write and the service takes: four lines a record, `@name`,
bases, `+`, as many qualities as bases. Whole batches of lines are compared at once (lengths as
lists, first characters by the smallest and the largest line), since Python's speed lies there; and
where numpy is at hand, `local.bulk` is asked first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import xxhash

from turboupload.local.outcome import Outcome
from turboupload.local.shortcut import Bulk

__all__ = [
    "NAMES_PER_DIGEST",
    "FastqCounts",
    "FastqProblem",
    "FastqRecords",
    "find_record",
    "mate_of",
    "template",
]

NAMES_PER_DIGEST = 4096
"""After how many records the digest of all names so far is noted down."""

_MAX_LINE_BYTES = 64 * 1024 * 1024
# Of reads so long that a piece holds few of them, each is looked at by itself.
_LONG_BYTES = 64 * 1024
_REFUSALS = 4
_MATE_SUFFIXES = (b"/1", b"/2", b".1", b".2", b"_1", b"_2")
_MATE_ENDS = frozenset(_MATE_SUFFIXES)
_LETTERS = bytes([*range(65, 91), *range(97, 123)])
_BASES = _LETTERS + b".*=-"
_QUALITIES = bytes(range(33, 127))
_NO_TEXT = re.compile(rb"[^\x01-\x7f]")
_MATE_COMMENT = re.compile(rb"([12]):[YN]:\d")
_KEPT_NAMES = 1000


@dataclass(frozen=True, slots=True)
class FastqProblem:
    """What is wrong with which record (counted from 1)."""

    code: str
    record: int
    sentence: str


@dataclass(slots=True)
class FastqCounts:
    """What has been counted so far.

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
    """A record's name without its `@`, comment and mate suffix: what mates have in common."""
    words = name[1:].split(None, 1)
    first = words[0] if words else b""
    return first[:-2] if first.endswith(_MATE_SUFFIXES) else first


def _templates(names: list[bytes]) -> list[bytes]:
    """The templates of many names, each with its `@`, as `template` gives them one by one."""
    joined = b"\n".join(names)
    if b"\t" in joined or b"\r" in joined:
        firsts = [(name.split(None, 1) or [b""])[0] for name in names]
    else:
        firsts = [name.partition(b" ")[0] for name in names]
    # Most files' names carry no mate's suffix at all, which this finds out fastest.
    if _MATE_ENDS.isdisjoint([first[-2:] for first in firsts]):
        return firsts
    return [first[:-2] if first.endswith(_MATE_SUFFIXES) else first for first in firsts]


def mate_of(name: bytes) -> int | None:
    """Which mate a name line says it is, 1 or 2 (`…/2`, `… 2:N:0:…`); None where it doesn't say."""
    words = name[1:].split(None, 1)
    if len(words) == 2 and (match := _MATE_COMMENT.match(words[1])):
        return int(match[1])
    if words and words[0][-2:] in (b"/1", b"/2"):
        return int(words[0][-1:])
    return None


@dataclass(slots=True)
class FastqRecords:
    """Takes a FASTQ in pieces of any size; `problems` and `counts` say what was found.

    After a problem that leaves open where the next record starts, nothing more is looked at:
    `lost` is true, and the counts are those up to there.

    Attributes:
        digest_names: Whether to digest the names of all records, to compare mates with.
        keep_templates: Whether to keep all names' templates, for one who reads the file in ranges.
        keep_first_names: Whether the first names are wanted.
        bulk: What checks many records at once, for who reads a lot.
        digests: The names' digest after each `NAMES_PER_DIGEST` records, and at the end.
        first_names: The name lines of the first 1,000 records.
        windows_ends: Whether lines end in CR LF.
    """

    digest_names: bool = False
    keep_templates: bool = False
    keep_first_names: bool = True
    bulk: Bulk | None = None
    counts: FastqCounts = field(default_factory=FastqCounts)
    problems: list[FastqProblem] = field(default_factory=list)
    digests: list[int] = field(default_factory=list)
    first_names: list[bytes] = field(default_factory=list)
    windows_ends: bool = False
    lost: bool = False
    _lines: list[bytes] = field(default_factory=list)
    # The start of a line, in pieces: a read of 60 MB must not be copied with each of them.
    _pieces: list[bytes] = field(default_factory=list)
    _begun: int = 0
    _asked: int = 0
    _refused: int = 0
    _names: list[bytes] = field(default_factory=list)
    _hash: xxhash.xxh3_64 = field(default_factory=xxhash.xxh3_64)

    def feed(self, data: bytes) -> None:
        """Takes the next bytes of the text."""
        if self.lost or not data:
            return
        if self._take_in_bulk(data):
            return
        binary = _NO_TEXT.search(data) if _is_binary(data) else None
        text = data[: binary.start()] if binary else data
        if b"\n" in text:
            self._take_lines(text)
        elif text:
            self._continue_line(text)
        if binary and not self.lost:
            self._lose("fastq.binary", "holds bytes that are no text")

    def _take_in_bulk(self, data: bytes) -> bool:
        """Takes the next bytes if every record in them is in form and usual."""
        if self.bulk is None or not self.knows_first_names or b"\n" not in data:
            return False
        if self._begun + sum(map(len, self._lines)) > _LONG_BYTES:
            return False
        names = self.digest_names or self.keep_templates
        found = self.bulk.fastq_records(self.rest + data, templates=names)
        self._asked += 1
        # What is no text shows in whole records, but not yet in what comes after them.
        if found is None or _is_binary(found.tail):
            self._refused += 1
            if self._refused >= _REFUSALS and 2 * self._refused > self._asked:
                # What is unusual here is so throughout, such as tabs in the names.
                self.bulk = None
            return False
        self._lines, self._pieces, self._begun = [], [], 0
        self.absorb(found)
        self._take_lines(found.tail)
        return True

    def _take_lines(self, data: bytes) -> None:
        lines = b"".join([*self._pieces, data]).split(b"\n")
        begun = lines.pop()
        if self._lines:
            lines = self._lines + lines
        whole = len(lines) // 4 * 4
        self._lines = lines[whole:]
        if whole:
            del lines[whole:]
            self._check(lines)
        self._pieces, self._begun = [], 0
        if begun and not self.lost:
            self._continue_line(begun)

    def _continue_line(self, data: bytes) -> None:
        self._pieces.append(data)
        self._begun += len(data)
        if self._begun > _MAX_LINE_BYTES:
            self._lose("fastq.line", "is a line of more than 64 MiB")

    def finish(self) -> None:
        """Ends the text: what is left over must be a whole record, or blank lines."""
        if self.lost:
            return
        begun = b"".join(self._pieces)
        lines = [*self._lines, begun] if begun else list(self._lines)
        if len(lines) == 3 and lines[1].strip() == b"" and lines[2][:1] == b"+":
            lines.append(b"")
        if len(lines) == 4 and begun and len(lines[3]) < len(lines[1]):
            self._lose("fastq.cut", "ends inside its qualities")
        elif len(lines) == 4:
            self._check(lines)
        elif any(line.strip() for line in lines):
            self._lose("fastq.cut", f"ends after {_counted(len(lines), 'line')} of four")
        if self.digest_names and not self.lost:
            self._note_names(last=True)

    def ends_with(self, data: bytes) -> bool:
        """Whether a record ends where `data` does, if that comes next."""
        complete = data[-1:] == b"\n" if data else not self._begun
        return complete and (len(self._lines) + data.count(b"\n")) % 4 == 0

    @property
    def rest(self) -> bytes:
        """What was taken after the last whole record."""
        return b"".join([*(line + b"\n" for line in self._lines), *self._pieces])

    @property
    def templates(self) -> bytes:
        """The names that were kept, without comment and mate, a line each."""
        return b"\n".join(self._names)

    def absorb(self, found: Outcome) -> None:
        """Takes the whole records of a range that was checked apart; one must begin here."""
        assert self.ends_with(b"")
        self._add(found.records, found.bases, found.shortest, found.longest)
        if self.digest_names or self.keep_templates:
            self._names += found.templates.split(b"\n")
        if self.digest_names:
            self._note_names(last=False)

    @property
    def knows_first_names(self) -> bool:
        """Whether `first_names` is as long as it gets."""
        return not self.keep_first_names or len(self.first_names) >= _KEPT_NAMES

    def _check(self, lines: list[bytes]) -> None:
        names, bases, pluses, qualities = lines[0::4], lines[1::4], lines[2::4], lines[3::4]
        if b"\r" in lines[0][-1:]:
            self.windows_ends = True
            names, bases, pluses, qualities = (
                [line.removesuffix(b"\r") for line in column]
                for column in (names, bases, pluses, qualities)
            )
        lengths = list(map(len, bases))
        # All lines start with "@" just when the smallest and the largest of them do.
        in_form = (
            min(names) >= b"@"
            and max(names) < b"A"
            and min(pluses) >= b"+"
            and max(pluses) < b","
            and lengths == list(map(len, qualities))
            and _are_bases(b"".join(bases))
            and not b"".join(qualities).translate(None, _QUALITIES)
        )
        good = len(names) if in_form else self._first_bad(names, bases, pluses, qualities)
        self._count(names[:good], lengths[:good])

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

    def _first_bad(
        self,
        names: list[bytes],
        bases: list[bytes],
        pluses: list[bytes],
        qualities: list[bytes],
    ) -> int:
        """Notes what is wrong with the first record out of form; returns its index."""
        for index, record in enumerate(zip(names, bases, pluses, qualities, strict=True)):
            problem = _out_of_form(*record)
            if problem is not None:
                code, sentence = problem
                number = self.counts.records + index + 1
                self.problems.append(FastqProblem(code, number, f"record {number} {sentence}"))
                self.lost = True
                return index
        return len(names)

    def _lose(self, code: str, sentence: str) -> None:
        number = self.counts.records + 1
        self.problems.append(FastqProblem(code, number, f"record {number} {sentence}"))
        self.lost = True


def find_record(text: bytes, span: int) -> int | None:
    """Where the first record starts that starts in `text`; None where none is seen.

    Args:
        text: A piece of a FASTQ from anywhere.
        span: How much to look at from each line on, in bytes: more than a record has.
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


def _is_binary(data: bytes) -> bool:
    return b"\0" in data or not data.isascii()


def _are_bases(text: bytes) -> bool:
    # isalpha is several times as fast, and nearly all bases are letters.
    return not text or text.isalpha() or not text.translate(None, _BASES)


def _out_of_form(
    name: bytes, bases: bytes, plus: bytes, qualities: bytes
) -> tuple[str, str] | None:
    """What is wrong with a record, as a code and a sentence; None where nothing is."""
    if name[:1] != b"@":
        if not name:
            return "fastq.blank", "is preceded by a blank line"
        return "fastq.name", f"should start with '@', but starts with {_shown(name)}"
    if plus[:1] != b"+":
        if plus and not plus.translate(None, _LETTERS):
            return "fastq.wrapped", "wraps its bases over several lines; each must be on one line"
        return "fastq.plus", f"should have '+' in its third line, but has {_shown(plus)}"
    if len(bases) != len(qualities):
        return (
            "fastq.lengths",
            f"has {_counted(len(bases), 'base')}, but {len(qualities)} qualities",
        )
    if bases.translate(None, _BASES):
        return "fastq.bases", "has characters among its bases that stand for none"
    if qualities.translate(None, _QUALITIES):
        return "fastq.qualities", "has characters among its qualities that stand for none"
    return None


def _shown(line: bytes) -> str:
    text = ascii(line[:20].decode("ascii", "replace"))
    return text if len(line) <= 20 else f"{text}…"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' if count != 1 else ''}"
