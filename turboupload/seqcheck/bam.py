"""BAM: reads the header, and checks record by record that the lengths agree.

Source: SAM specification, section 4.2 (samtools.github.io/hts-specs/SAMv1.pdf).
"""

from __future__ import annotations

import struct
from itertools import compress

from msgspec import Struct, field

from turboupload.seqcheck.bam_fields import (
    CONSUMES_READ,
    SECONDARY_OR_SUPPLEMENTARY,
    UNMAPPED,
)
from turboupload.seqcheck.fast_path import Vectorized
from turboupload.seqcheck.parallel.result import RangeResult
from turboupload.seqcheck.sam_header import (
    MAX_HEADER_BYTES,
    Batch,
    ReferenceSequences,
    SamHeader,
    parse_header,
)
from turboupload.value import Value

__all__ = [
    "BamCounts",
    "BamHeader",
    "BamRecords",
    "count_mapped",
    "parse_bam_header",
    "summarize_start",
]

_MAX_RECORD_BYTES = 256 * 1024 * 1024
_GUESSED_BYTES = 256 * 1024
_FIXED_BYTES = 36
_RECORD = struct.Struct("<iiiBBHHHii")
_LENGTH = struct.Struct("<I")
_SHORTEST_ENTRY_BYTES = 8
_MAX_LENGTH = 2**32 - 1
# The end of an entry of the binary list (a NUL and a length), and the start of the next one.
_BETWEEN_NAMES = struct.Struct("<xII")
# For each lowest byte of a CIGAR operation: its code, and whether that consumes read bases.
_CODE = bytes(byte & 15 for byte in range(256))
_CONSUMES_READ = bytes(CONSUMES_READ[byte & 15] for byte in range(256))
_SOFT_CLIP = 4


class BamHeader(Value, frozen=True):
    """A BAM's header.

    Attributes:
        text: The SAM header, parsed; its sequences are those of its @SQ lines.
        count: How many reference sequences the binary list has; records refer to that list.
        entries: The binary list, each entry a NUL-terminated name and four bytes of length; None if
            it equals the @SQ lines byte for byte.
        length: Offset of the first record in the uncompressed file, in bytes.
    """

    text: SamHeader
    count: int
    entries: list[bytes] | None
    length: int

    @property
    def sequences(self) -> ReferenceSequences:
        """The @SQ lines' sequences, or the binary list's if there are no @SQ lines."""
        if self.text.sequences or not self.entries:
            return self.text.sequences
        lengths = [int.from_bytes(entry[-4:], "little") for entry in self.entries]
        listed = Batch(_names(self.entries), lengths, [])
        return ReferenceSequences(self.count, sum(lengths), 0, listed)

    @property
    def problem(self) -> str | None:
        """Pairs that differ between @SQ lines and binary list; none without @SQ lines.

        The names in the binary list end with NUL.
        """
        lines = self.text.sequences
        if not lines or self.entries is None:
            return None
        if [name for batch in lines.batches() for name in batch.names] == _names(self.entries):
            return None
        return (
            f"its {len(lines)} @SQ lines and its binary list of {self.count} reference "
            "sequences differ"
        )


def _names(entries: list[bytes]) -> list[bytes]:
    return [entry[:-4].rstrip(b"\0") for entry in entries]


def parse_bam_header(data: bytes) -> BamHeader | None:
    """Reads the header at the start of an uncompressed BAM; None if `data` ends too soon."""
    if len(data) < 12:
        return None
    text_end = 8 + int.from_bytes(data[4:8], "little")
    count, at = _list_start(data, text_end)
    if count is None:
        return None
    text = data[8:text_end]
    likeness = _ListComparison(data, at)
    header = parse_header(text, likeness.look)
    # The binary list can't show whether a name in an @SQ line ends with NUL.
    if likeness.holds and len(header.sequences) == count and b"\0" not in text.rstrip(b"\0"):
        return BamHeader(header, count, None, likeness.end)
    entries, end = _list_entries(data, text_end)
    return None if end is None else BamHeader(header, count, entries, end)


class _ListComparison:
    """Whether the binary list at `end` equals the @SQ lines read so far.

    Parsing the list into entries would take three times as long.
    """

    def __init__(self, data: bytes, end: int) -> None:
        self.holds = True
        self.end = end
        self._data = data

    def look(self, batch: Batch) -> None:
        """Compares the next @SQ lines."""
        if self.holds:
            expected = _as_entries(batch)
            self.holds = expected is not None and self._data.startswith(expected, self.end)
            self.end += len(expected or b"")


def _as_entries(batch: Batch) -> bytes | None:
    """The sequences in the binary list's format; None if a length doesn't fit into it."""
    names, lengths, _ = batch
    if not names or max(lengths) > _MAX_LENGTH:
        return None if names else b""
    sizes = [len(name) + 1 for name in names]
    pieces = [b""] * (2 * len(names))
    pieces[::2] = names
    pieces[1::2] = map(_BETWEEN_NAMES.pack, lengths, [*sizes[1:], 0])
    return _LENGTH.pack(sizes[0]) + b"".join(pieces)[: -_LENGTH.size]


def _likely_header_bytes(data: bytes) -> int:
    """A lower bound of the header's size in bytes, from the header's start."""
    if len(data) < 8:
        return 12
    # An entry is shorter than its @SQ line. A wrong length must not make us read on for long.
    return min(2 * (8 + int.from_bytes(data[4:8], "little")), MAX_HEADER_BYTES // 2)


def _list_start(data: bytes, at: int) -> tuple[int | None, int]:
    """The number of entries of the list at `at`, and the first's offset; None if cut."""
    first = at + _LENGTH.size
    if first > len(data):
        return None, first
    count: int = _LENGTH.unpack_from(data, at)[0]
    return (count if first + count * _SHORTEST_ENTRY_BYTES <= len(data) else None), first


def _list_entries(data: bytes, at: int) -> tuple[list[bytes], int | None]:
    """The reference sequences of the list at `at`, and its end; None if `data` ends before."""
    entries: list[bytes] = []
    unpack, add = _LENGTH.unpack_from, entries.append
    count, at = _list_start(data, at)
    if count is None:
        return entries, None
    for _ in range(count):
        if at + 4 > len(data):
            return entries, None
        end = at + 8 + unpack(data, at)[0]
        add(data[at + 4 : end])
        at = end
    return entries, at if at <= len(data) else None


class BamCounts(Struct):
    """The counts so far.

    Attributes:
        records: All alignment records.
        reads: Records that are neither secondary nor supplementary.
        bases: Bases in those reads.
        mapped: Records with a reference sequence whose flags say that they are mapped.
    """

    records: int = 0
    reads: int = 0
    bases: int = 0
    mapped: int = 0


class BamRecords(Struct):
    """Takes an uncompressed BAM in pieces of any size.

    Attributes:
        header: The header, once it is complete.
        vectorized: The checker of many records at once, for large files.
        counts: The whole records so far.
        problem: The first problem; nothing after it is checked.
        is_odd: Whether the problem may be one that htslib reads past.
    """

    header: BamHeader | None = None
    vectorized: Vectorized | None = None
    counts: BamCounts = field(default_factory=BamCounts)
    problem: str | None = None
    is_odd: bool = False
    # An incomplete header or record is checked again only when this many bytes are there.
    _wanted: int = 12
    _more: list[bytes] = field(default_factory=list)
    _have: int = 0
    _sequences: int = 0

    @classmethod
    def after_header(cls, sequences: int, vectorized: Vectorized | None = None) -> BamRecords:
        """A checker that starts at a record, in a file whose header lists `count` sequences."""
        header = BamHeader(SamHeader(), 0, None, 0)
        return cls(header=header, vectorized=vectorized, _sequences=sequences, _wanted=_FIXED_BYTES)

    @property
    def sequences(self) -> int:
        """How many reference sequences the header lists."""
        return self._sequences

    def ends_with(self, data: bytes) -> bool:
        """Whether `data`, taken next, would end at a record's end."""
        rest = b"".join([*self._more, data])
        if not rest:
            return True
        if self.header is None:
            return False
        at = 0
        while at + _FIXED_BYTES <= len(rest):
            size = int.from_bytes(rest[at : at + 4], "little")
            if size < _FIXED_BYTES - 4:
                return False
            at += 4 + size
        return at == len(rest)

    @property
    def rest(self) -> bytes:
        """The bytes after the last whole record."""
        return b"".join(self._more)

    @property
    def lost(self) -> bool:
        """Whether a problem was found."""
        return self.problem is not None

    def absorb(self, found: RangeResult) -> None:
        """Adds the whole records of a range checked by a worker; it must start at a record."""
        assert not self.lost
        assert not self._have
        self._count(found)

    def _count(self, found: RangeResult) -> None:
        self.counts.records += found.records
        self.counts.reads += found.reads
        self.counts.bases += found.bases
        self.counts.mapped += found.mapped

    @staticmethod
    def find_record(data: bytes, sequences: int) -> int | None:
        """Offset of the first record below 16 MiB in `data`; None if none is found.

        A candidate counts if three more records follow it, or fewer if `data` ends before.
        """
        limit = min(len(data) - _FIXED_BYTES, _GUESSED_BYTES)
        # The highest byte of a size below 16 MiB is zero; bases and qualities have few zero bytes.
        at = data.find(b"\0", 3) - 3
        while 0 <= at < limit:
            if _looks_like_records(data, at, sequences):
                return at
            at = data.find(b"\0", at + 4) - 3
        return None

    def feed(self, data: bytes) -> None:
        """Takes the next bytes of the uncompressed file."""
        if self.problem is not None or not data:
            return
        self._more.append(data)
        self._have += len(data)
        if self._have < self._wanted:
            return
        data = b"".join(self._more) if len(self._more) > 1 else data
        start = 0
        if self.header is None:
            header = parse_bam_header(data)
            if header is None:
                if len(data) > MAX_HEADER_BYTES:
                    self.problem, self.is_odd = "its header is longer than 256 MiB", True
                self._keep(data, max(2 * len(data), _likely_header_bytes(data)))
                return
            self.header = header
            self._sequences = header.count
            start = header.length
        found = (
            self.vectorized.bam_records(data, self._sequences)
            if self.vectorized and not start
            else None
        )
        if found is not None:
            self._count(found)
            data = found.tail
        self._keep(*self._walk(data, start, self._sequences))

    def finish(self) -> None:
        """Ends the file; bytes after the last whole record are a problem."""
        if self.header is None and self._more:
            # No more bytes will come: check the record that was waiting for them.
            data = b"".join(self._more)
            self._more, self._have, self._wanted = [], 0, 0
            self.feed(data)
        if self.problem is None:
            self.problem = self._cut()

    def _cut(self) -> str | None:
        if self.header is None:
            return "the file ends inside its header"
        if self._have:
            return f"the file ends inside record {self.counts.records + 1}"
        return None

    def _keep(self, rest: bytes, wanted: int) -> None:
        self._more, self._have = ([rest] if rest else []), len(rest)
        self._wanted = wanted

    def _walk(self, data: bytes, at: int, sequences: int) -> tuple[bytes, int]:
        """Checks whole records from `at` on; returns the rest, and how many bytes it needs."""
        unpack, end = _RECORD.unpack_from, len(data)
        records = reads = bases = mapped = 0
        wanted = _FIXED_BYTES
        while at + _FIXED_BYTES <= end:
            size, ref, _, l_name, _, _, n_cigar, flag, l_seq, next_ref = unpack(data, at)
            following = at + 4 + size
            if (
                l_seq < 0
                or l_name == 0
                or size < 32 + l_name + 4 * n_cigar + (l_seq + 1) // 2 + l_seq
                or not -1 <= ref < sequences
                or not -1 <= next_ref < sequences
            ):
                self._bad(records, "is malformed: its lengths or references can't be right")
                break
            if size > _MAX_RECORD_BYTES:
                self._bad(records, "is longer than 256 MiB")
                self.is_odd = True
                break
            if following > end:
                wanted = 4 + size
                break
            if data[at + 35 + l_name]:
                self._bad(records, "is malformed: its name doesn't end where it should")
                self.is_odd = True
                break
            if n_cigar and l_seq and not flag & UNMAPPED:
                covered = _bases_covered(data, at + 36 + l_name, n_cigar)
                if covered != l_seq and not _is_placeholder(data, at + 36 + l_name, l_seq):
                    self._bad(records, f"has {l_seq} bases, but its CIGAR stands for {covered}")
                    break
            records += 1
            mapped += ref >= 0 and not flag & UNMAPPED
            if not flag & SECONDARY_OR_SUPPLEMENTARY:
                reads += 1
                bases += l_seq
            at = following
        counts = self.counts
        counts.records += records
        counts.reads += reads
        counts.bases += bases
        counts.mapped += mapped
        return data[at:], wanted

    def _bad(self, walked: int, sentence: str) -> None:
        self.problem = f"record {self.counts.records + walked + 1} {sentence}"


def _is_placeholder(data: bytes, at: int, bases: int) -> bool:
    """Whether the CIGAR is the placeholder of one that is too long, and kept in the tag CG.

    Source: SAM specification, section 4.2.2.
    """
    return int.from_bytes(data[at : at + 4], "little") == bases << 4 | _SOFT_CLIP


def _bases_covered(data: bytes, at: int, operations: int) -> int:
    """How many bases of the read the CIGAR at `at` consumes."""
    end = at + 4 * operations
    lowest = data[at:end:4]
    chosen = lowest.translate(_CONSUMES_READ)
    codes = struct.unpack_from(f"<{operations}I", data, at)
    # An operation is length * 16 + code; this adds up the lengths without a Python loop.
    total: int = sum(compress(codes, chosen)) - sum(compress(lowest.translate(_CODE), chosen))
    return total // 16


def _looks_like_records(data: bytes, at: int, sequences: int) -> bool:
    """Whether a record can start at `at`, with three more after it."""
    for seen in range(4):
        if at + _FIXED_BYTES > len(data):
            return seen > 0
        size, ref, pos, l_name, _, _, n_cigar, _, l_seq, next_ref = _RECORD.unpack_from(data, at)
        if (
            l_seq < 0
            or l_name == 0
            or pos < -1
            or not -1 <= ref < sequences
            or not -1 <= next_ref < sequences
            or size < 32 + l_name + 4 * n_cigar + (l_seq + 1) // 2 + l_seq
            or size > _MAX_RECORD_BYTES
        ):
            return False
        name_end = at + 35 + l_name
        if name_end < len(data) and (data[name_end] or b"\0" in data[at + 36 : name_end]):
            return False
        at += 4 + size
    return True


def summarize_start(data: bytes) -> tuple[int | None, int, int]:
    """Counts the records at the start of an uncompressed BAM, without parsing the header's text.

    Returns:
        The number of reference sequences (None if `data` ends before the list), of whole records
            after them, and of mapped records among these.
    """
    sequences, at = _skip_header(data)
    return sequences, *(count_mapped(data, at) if at is not None else (0, 0))


def count_mapped(data: bytes, at: int) -> tuple[int, int]:
    """The number of whole records from `at` on, and of mapped records among them."""
    records = mapped = 0
    while at + _FIXED_BYTES <= len(data):
        size, ref, _, _, _, _, _, flag, _, _ = _RECORD.unpack_from(data, at)
        if size < 32 or at + 4 + size > len(data):
            break
        records += 1
        mapped += ref >= 0 and not flag & UNMAPPED
        at += 4 + size
    return records, mapped


def _skip_header(data: bytes) -> tuple[int | None, int | None]:
    """The number of reference sequences, and the first record's offset."""
    if len(data) < 8:
        return None, None
    at = 8 + int.from_bytes(data[4:8], "little")
    if at + 4 > len(data):
        listed = data.count(b"\n@SQ\t", 8) + (data[8:12] == b"@SQ\t")
        return listed or None, None
    return int.from_bytes(data[at : at + 4], "little"), _list_entries(data, at)[1]
