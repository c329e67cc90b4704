"""Finds a file's kind from its content, never from its name.

`sniff` reads at most the first few hundred KiB, and takes milliseconds. `require_type` turns its
result into the file type of the read set, or raises an error that says why it can't. HealthOmics
takes gzipped FASTQ (BGZF is gzip, too), BAM, uBAM and CRAM.

Source: https://docs.aws.amazon.com/omics/latest/dev/create-sequence-store.html (read 2026-11).
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from turboupload.core.formats import FORMATS, FileType, chosen_type
from turboupload.errors import InputError
from turboupload.paths import regular_size, unreadable
from turboupload.seqcheck.bgzf import is_bgzf
from turboupload.seqcheck.kinds import HINTS, MAGIC, ORA_HINT, Compression, Kind
from turboupload.value import Value

__all__ = [
    "DECLARE",
    "UNDECIDED",
    "Compression",
    "Kind",
    "Sniffed",
    "bam_detail",
    "judge_type",
    "look_further",
    "regular_size",
    "require_type",
    "sniff",
    "unreadable",
]

UNDECIDED = "type.undecided"
"""The code of the finding that a BAM may be a uBAM: its type can't be changed later."""
DECLARE = (
    "say which it is with --type BAM or --type UBAM (`check --deep` reads all of it to find out)"
)

_FIRST_READ_BYTES = 64 * 1024
# A human header with all decoys and HLA contigs is about 0.6 MiB of text and a fifth of that
# compressed; if the header is longer than this, the part that was read decides.
_BAM_READ_BYTES = 384 * 1024
_BAM_TEXT_BYTES = 8 * 1024 * 1024
_HEAD_TEXT_BYTES = 64 * 1024
_FIRST_STEP_BYTES = 4096


class Sniffed(Value, frozen=True, kw_only=True):
    """What the first bytes of a file show.

    Attributes:
        kind: What the file holds.
        detail: A sentence fragment for people, such as "a BAM file with 25 reference sequences".
        compression: How the content is wrapped.
        sequences: How many reference sequences a BAM header lists; None if unknown.
        sampled_mapped: How many of the alignment records that were read of a BAM are mapped.
        undecided: Whether it may be BAM or uBAM: it lists reference sequences, and no record that
            was read is mapped, but not all were read.
    """

    kind: Kind
    detail: str
    compression: Compression = Compression.NONE
    sequences: int | None = None
    sampled_mapped: int = 0
    undecided: bool = False

    @property
    def file_type(self) -> FileType | None:
        """The service's file type for this content; None if undecided, or not uploadable.

        A type whose files must be gzipped isn't uploadable without.
        """
        found = None if self.undecided else FileType.__members__.get(self.kind.name)
        plain = self.compression is Compression.NONE
        return None if found is not None and FORMATS[found].gzipped and plain else found


_SAM_HEADER = re.compile(rb"@(HD|SQ|RG|PG|CO)\t")
_SAM_RECORD = re.compile(
    rb"[!-?A-~]{1,254}\t\d{1,5}\t[^\t\n]+\t\d+\t\d+\t[^\t\n]+\t[^\t\n]+\t\d+\t"
)
_ANNEX = re.compile(rb"(/annex/objects/|\.git/annex/objects/)")
_HTML = re.compile(rb"\s*(<!doctype\s+html|<html|<head|<body)", re.IGNORECASE)
_XML = re.compile(rb"\s*(<\?xml|<Error>)", re.IGNORECASE)
_JSON = re.compile(rb"\s*[\[{]\s*[\"{]")
# Samtools' crai: reference, start, span, and three offsets or sizes; its fai: name and four or five
# numbers (samtools-faidx(5), and section 12 of the CRAM specification).
_CRAI = re.compile(rb"-?\d+(\t-?\d+){2}(\t\d+){3}\n")
_FAI = re.compile(rb"[^\t\n]+(\t\d+){4,5}\r?\n")
# Includes the digits of colour space.
_BASES = re.compile(rb"[A-Za-z0-3.*=-]*\r?")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x19\x1b-\x1f\x7f]")


def sniff(path: str | os.PathLike[str]) -> Sniffed:
    """Says what a file holds, from its first few hundred KiB; `look_further` reads more of a BAM.

    Raises:
        InputError: The file can't be read; see `regular_size`.
    """
    size = regular_size(path)
    if size == 0:
        return Sniffed(kind=Kind.EMPTY, detail="an empty file")
    head = _read_head(path, _FIRST_READ_BYTES)
    found = _sniff_bytes(head, whole=len(head) >= size)
    if found.kind is Kind.DAMAGED_GZIP and size > len(head):
        # A gzip member's name, comment and extra field may be longer than what was read.
        head = _read_head(path, _BAM_READ_BYTES)
        found = _sniff_bytes(head, whole=len(head) >= size)
    if found.kind is Kind.BAM:
        return _sniff_bam(path, size)
    return found


def require_type(path: str | os.PathLike[str], declared: str | None) -> FileType:
    """The file type to create the read set with.

    Where nothing is declared, the content decides: a BAM is uBAM when its header lists no reference
    sequence, or when all of it was read and no record is mapped; the type of a large BAM that shows
    neither must be declared. A declared BAM may hold unmapped records only, but needs reference
    sequences in its header, since BAM read sets are linked with a reference; a declared uBAM may
    list reference sequences, but not hold mapped records.

    Args:
        path: The file.
        declared: The type that the caller gives, in any letter case; None to decide by the content.

    Raises:
        ConfigError: `declared` is not a file type of the service.
        InputError: The content can't be uploaded, contradicts `declared`, or is undecided while
            nothing is declared.
    """
    wanted = chosen_type(declared) if declared is not None else None
    found = look_further(path, sniff(path)) if wanted is None else sniff(path)
    return judge_type(os.fspath(path), found, wanted)


def judge_type(name: str, found: Sniffed, wanted: FileType | None) -> FileType:
    """The same as `require_type`, from the result of `sniff`.

    Raises:
        InputError: The content can't be uploaded, contradicts `wanted`, or is undecided while
            `wanted` is None.
    """
    if found.undecided:
        if wanted in (FileType.BAM, FileType.UBAM):
            return wanted
        if wanted is None:
            raise InputError(f"is {found.detail}", code=UNDECIDED, path=name, hint=DECLARE)
    actual = found.file_type
    if actual is None and not found.undecided:
        raise InputError(
            f"is {_detail(name, found)}, which HealthOmics can't take as a read set",
            path=name,
            hint=ORA_HINT if _is_ora(name, found) else HINTS[found.kind],
        )
    if actual is not None and wanted in (None, actual):
        return actual
    if wanted is FileType.BAM and found.kind is Kind.UBAM and found.sequences:
        return wanted
    if wanted is FileType.UBAM and found.kind is Kind.BAM and not found.sampled_mapped:
        return wanted
    raise InputError(
        f"was declared {wanted}, but is {found.detail}",
        path=name,
        hint=f"declare it as {actual or 'BAM or UBAM'}, or leave the type out",
    )


def _is_ora(name: str, found: Sniffed) -> bool:
    """Whether a file is DRAGEN ORA: where the content tells nothing, a name may."""
    return found.kind is Kind.UNKNOWN and name.lower().endswith(".ora")


def _detail(name: str, found: Sniffed) -> str:
    return "DRAGEN ORA, by its name" if _is_ora(name, found) else found.detail


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[int]:
    """Opens a file; an OSError is raised as an InputError about the file."""
    name = os.fspath(path)
    try:
        # O_NONBLOCK: if the path became a FIFO since it was checked, open returns at once.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise unreadable(name, error) from error
    try:
        yield descriptor
    except OSError as error:
        raise unreadable(name, error) from error
    finally:
        os.close(descriptor)


def _read_head(path: str | os.PathLike[str], limit: int) -> bytes:
    with _opened(path) as descriptor:
        return os.pread(descriptor, limit, 0)


def _sniff_bytes(head: bytes, *, whole: bool) -> Sniffed:
    """The kind of file that starts with `head`; `whole` if `head` is the whole file."""
    if head[:2] == b"\x1f\x8b":
        return _sniff_gzip(head, whole=whole)
    if head[:4] == b"CRAM":
        return _sniff_cram(head)
    for magic, kind, detail, compression in MAGIC:
        if head.startswith(magic):
            return Sniffed(kind=kind, detail=detail, compression=compression)
    kind, detail = _sniff_text(head, whole=whole)
    if kind is Kind.FASTQ:
        return Sniffed(kind=Kind.PLAIN_FASTQ, detail="an uncompressed FASTQ")
    return Sniffed(kind=kind, detail=detail)


def _sniff_cram(head: bytes) -> Sniffed:
    if len(head) < 6:
        return Sniffed(kind=Kind.UNKNOWN, detail="the first few bytes of a CRAM and nothing more")
    major, minor = head[4], head[5]
    if major in (2, 3):
        return Sniffed(kind=Kind.CRAM, detail=f"a CRAM {major}.{minor} file")
    return Sniffed(
        kind=Kind.OTHER_CRAM, detail=f"a CRAM of version {major}.{minor}, which is not 2.x or 3.x"
    )


def _sniff_gzip(head: bytes, *, whole: bool) -> Sniffed:
    wrap = Compression.BGZF if is_bgzf(head) else Compression.GZIP
    text, ended = _inflate(head, _HEAD_TEXT_BYTES)
    if text[:4] == b"BAM\x01":
        if wrap is Compression.GZIP:
            return Sniffed(
                kind=Kind.GZIPPED_BAM,
                detail="a BAM in plain gzip instead of BGZF",
                compression=wrap,
            )
        # `sniff` adds the details.
        return Sniffed(kind=Kind.BAM, detail="a BAM file", compression=Compression.BGZF)
    if not text:
        nothing = whole and ended
        return Sniffed(
            kind=Kind.EMPTY if nothing else Kind.DAMAGED_GZIP,
            detail="a gzip file with nothing in it" if nothing else "a damaged gzip file",
            compression=wrap,
        )
    for magic, kind, detail, _ in MAGIC:
        if text.startswith(magic):
            return Sniffed(kind=kind, detail=f"{detail}, gzipped", compression=wrap)
    if text[:2] == b"\x1f\x8b" or text[:4] == b"CRAM":
        inner = "gzip" if text[:2] == b"\x1f\x8b" else "a CRAM"
        return Sniffed(
            kind=Kind.GZIP_OTHER, detail=f"{inner} inside gzip: compressed twice", compression=wrap
        )
    kind, detail = _sniff_text(text, whole=whole and ended)
    if kind is Kind.FASTQ:
        name = "a BGZF-compressed FASTQ" if wrap is Compression.BGZF else "a gzipped FASTQ"
        return Sniffed(kind=kind, detail=name, compression=wrap)
    if kind is Kind.UNKNOWN:
        return Sniffed(
            kind=Kind.GZIP_OTHER, detail=f"a gzip file that holds {detail}", compression=wrap
        )
    return Sniffed(kind=kind, detail=f"{detail}, gzipped", compression=wrap)


def _sniff_text(text: bytes, *, whole: bool) -> tuple[Kind, str]:
    """Finds the kind of uncompressed content."""
    if not text.strip(b"\0"):
        return Kind.ZEROS, "nothing but zero bytes at its start"
    if text[257:262] == b"ustar":
        return Kind.TAR, "a tar archive"
    if text.startswith(_UTF_16):
        return Kind.OTHER_TEXT, "text in UTF-16"
    text = text.lstrip(b" \t\r\n").removeprefix(_BYTE_ORDER_MARK).lstrip(b" \t\r\n")
    if text[:1] == b"@" and not _SAM_HEADER.match(text) and _is_fastq(text, whole=whole):
        return Kind.FASTQ, "a FASTQ"
    if _SAM_HEADER.match(text) or _SAM_RECORD.match(text):
        return Kind.SAM, "a SAM text file"
    if text.startswith((b"##fileformat=VCF", b"#CHROM\t")):
        return Kind.VCF, "a VCF file (variants)"
    for pattern, kind, detail in (
        (_HTML, Kind.HTML, "an HTML page"),
        (_XML, Kind.XML, "an XML document"),
        (_JSON, Kind.JSON, "a JSON document"),
    ):
        if pattern.match(text):
            return kind, detail
    if len(text) < 4096 and _ANNEX.search(text):
        return Kind.ANNEX_POINTER, "a git-annex pointer, not the file it stands for"
    for pattern, detail in (
        (_CRAI, "a CRAM index (.crai)"),
        (_FAI, "a FASTA or FASTQ index (.fai)"),
    ):
        if pattern.match(text):
            return Kind.INDEX, detail
    binary = _CONTROLS.search(text, 0, 4096)
    if text[:1] == b">" and b"\n" in text and not binary:
        return Kind.FASTA, "a FASTA file"
    if text[:1] == b"@" and b"\n" not in text and b"\r+" in text:
        return Kind.OTHER_TEXT, "a FASTQ whose lines end in CR alone"
    return Kind.UNKNOWN, "binary data of another kind" if binary else "text of another kind"


def _is_fastq(text: bytes, *, whole: bool) -> bool:
    """Whether `text` starts like a FASTQ record, which may be wrapped, very long or cut."""
    lines = text.split(b"\n")
    if not whole:
        lines.pop()
    if not lines or b"\0" in text[: sum(map(len, lines[:4]))]:
        return False
    if len(lines) >= 4 and lines[2][:1] == b"+":
        # Any characters may stand for bases if there are as many qualities.
        return _BASES.fullmatch(lines[1]) is not None or len(lines[1]) == len(lines[3])
    bases = 0
    for line in lines[1:]:
        if line[:1] == b"+":
            return True
        if not _BASES.fullmatch(line):
            return False
        bases += len(line)
    # The read is longer than `text`: its start must at least look like bases.
    rest = text.rsplit(b"\n", 1)[-1] if not whole else b""
    return (bases + len(rest)) > 0 and _BASES.fullmatch(rest) is not None


def _inflate(data: bytes, limit: int) -> tuple[bytes, bool]:
    """Inflates gzip members up to `limit` bytes; bytes before a damage are kept.

    Returns:
        The text, and whether the last member was read to its end.
    """
    pieces: list[bytes] = []
    room = limit
    while room > 0 and data[:2] == b"\x1f\x8b":
        stream = zlib.decompressobj(31)
        # A little first: that much is kept even if the member's checksum is wrong.
        step = min(room, _FIRST_STEP_BYTES)
        while room > 0 and not stream.eof:
            try:
                piece = stream.decompress(data, step)
            except zlib.error:
                return b"".join(pieces), False
            if not piece and not stream.eof:
                return b"".join(pieces), False
            pieces.append(piece)
            room -= len(piece)
            step, data = room, stream.unconsumed_tail
        if not stream.eof:
            return b"".join(pieces), False
        data = stream.unused_data
    return b"".join(pieces), not data


def _sniff_bam(path: str | os.PathLike[str], size: int) -> Sniffed:
    from turboupload.seqcheck.bam import summarize_start  # no FASTQ needs it

    head = _read_head(path, _BAM_READ_BYTES)
    content, ended = _inflate(head, _BAM_TEXT_BYTES)
    return _sniffed_bam(*summarize_start(content), whole=ended and len(head) >= size)


def look_further(path: str | os.PathLike[str], found: Sniffed) -> Sniffed:
    """Reads more of an undecided BAM: all of a small one, samples of a large one.

    Raises:
        InputError: The file can't be read; see `regular_size`.
    """
    if not found.undecided:
        return found
    from turboupload.seqcheck.bam_mapped import look_for_mapped

    size = regular_size(path)
    with _opened(path) as descriptor:
        seen = look_for_mapped(descriptor, size, found.sequences)
    return _sniffed_bam(found.sequences, seen.records, seen.mapped, whole=seen.whole)


def _sniffed_bam(sequences: int | None, records: int, mapped: int, *, whole: bool) -> Sniffed:
    undecided = sequences != 0 and not mapped and not whole
    return Sniffed(
        kind=Kind.UBAM if sequences == 0 or (whole and records and not mapped) else Kind.BAM,
        detail=bam_detail(sequences, records, mapped, undecided=undecided),
        compression=Compression.BGZF,
        sequences=sequences,
        sampled_mapped=mapped,
        undecided=undecided,
    )


def bam_detail(sequences: int | None, records: int, mapped: int, *, undecided: bool) -> str:
    """A sentence fragment about a BAM."""
    if sequences == 0:
        return "an unaligned BAM (its header lists no reference sequence)"
    listed = "" if sequences is None else f"{sequences} "
    listed += f"reference sequence{'s' if sequences != 1 else ''}"
    if undecided:
        return (
            f"a BAM, aligned or not: its header lists {listed}, but none of the {records:,} "
            "records that were read is mapped"
        )
    if records and not mapped:
        return f"an unaligned BAM ({listed} in its header, but no record is mapped)"
    return f"an aligned BAM ({listed} in its header)"
