"""The file types of the service: one table of their properties.

The table says how the service treats a type. `seqcheck` recognizes and checks content: `kinds` and
`formats` (magic numbers), `checks.check` (checkers).

Sources: https://docs.aws.amazon.com/omics/latest/dev/create-sequence-store.html (types, references)
and https://docs.aws.amazon.com/omics/latest/dev/etags-and-provenance.html (ETags, the added header
line), both read 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, Literal

from turboupload.errors import ConfigError, InputError
from turboupload.value import Value

__all__ = [
    "FORMATS",
    "MERGE_HINT",
    "OTHER_COMPRESSION",
    "PAIR_HINT",
    "TWICE_HINT",
    "FileFormat",
    "FileType",
    "FileTypeName",
    "chosen_type",
    "count_fault",
    "file_type_of",
    "has_exact_etag",
    "in_words",
    "merge_fault",
    "pair_fault",
    "type_in_name",
    "without_suffix",
]


OTHER_COMPRESSION: Final = re.compile(r"\.(?:bz2|xz|zst|zip)$", re.IGNORECASE)
"""The endings of files that are compressed in a way that the service doesn't read."""


class FileType(StrEnum):
    """The service's file types."""

    FASTQ = "FASTQ"
    BAM = "BAM"
    CRAM = "CRAM"
    UBAM = "UBAM"

    @property
    def needs_reference(self) -> bool:
        """Whether the service wants a reference ARN (user guide: for BAM and CRAM)."""
        return FORMATS[self].needs_reference


FileTypeName = Literal["FASTQ", "BAM", "CRAM", "UBAM"]
"""A `FileType` or its name."""


class FileFormat(Value, frozen=True, kw_only=True):
    """The properties of a file type.

    Attributes:
        word: The type in prose.
        example: One such file, in prose.
        suffixes: The endings of its files' names, in lower case, without the first dot. The longest
            matching ending of all formats decides the type.
        etag: The service's name of its ETag algorithm, before the underscore and the family.
        gzipped: Whether its files are gzip; their names may have a gzip ending after the suffix.
        paired: Whether two files, R1 and R2, may be one read set.
        merged: Whether files of it, one after the other, are a file of it.
        needs_reference: Whether the service wants the ARN of a reference.
        has_header: Whether it holds alignment records under a SAM header, which may name the
            sample. Computing its ETag needs htslib.
        rewritten: Whether the service adds a line (@CO) to the header of what it stores, so the
            stored size differs from the sent size.
        exact_etag: Whether its ETag is documented in full, so that a different one proves other
            content.
    """

    word: str
    example: str
    suffixes: tuple[str, ...]
    etag: str
    gzipped: bool = False
    paired: bool = False
    merged: bool = False
    needs_reference: bool = False
    has_header: bool = False
    rewritten: bool = False
    exact_etag: bool = False


FORMATS: Final[Mapping[str, FileFormat]] = MappingProxyType(
    {
        FileType.FASTQ: FileFormat(
            word="FASTQ",
            example="a gzipped FASTQ",
            suffixes=("fastq", "fq"),
            etag="FASTQ",
            gzipped=True,
            paired=True,
            merged=True,
            exact_etag=True,
        ),
        FileType.BAM: FileFormat(
            word="BAM",
            example="a BAM",
            suffixes=("bam",),
            etag="BAM",
            needs_reference=True,
            has_header=True,
            rewritten=True,
        ),
        FileType.UBAM: FileFormat(
            word="uBAM",
            example="a uBAM",
            suffixes=("ubam", "unmapped.bam", "unaligned.bam"),
            etag="BAM",
            has_header=True,
            rewritten=True,
        ),
        FileType.CRAM: FileFormat(
            word="CRAM",
            example="a CRAM",
            suffixes=("cram",),
            etag="CRAM",
            needs_reference=True,
            has_header=True,
            rewritten=True,
        ),
    }
)
"""The table, by file type or its name."""

TYPE_HINT: Final = f"use one of {', '.join(FileType)}"

MERGE_HINT: Final = (
    "upload each file as a read set of its own; `samtools cat` and `samtools merge` make one file "
    "of several"
)

PAIR_HINT: Final = "upload each file as a read set of its own"
TWICE_HINT: Final = "give R1 and then R2, or one file alone"

_GZIP: Final = r"\.(?:gz|bgz|bgzf)"


def _ending(suffixes: Iterable[str], *, gzipped: bool) -> str:
    any_of = "|".join(map(re.escape, suffixes))
    return rf"\.({any_of})(?:{_GZIP})?$" if gzipped else rf"\.({any_of})$"


# The first match of a search is the longest, since all matches reach to the end.
_NAMED: Final = re.compile(
    "|".join(_ending(each.suffixes, gzipped=each.gzipped) for each in FORMATS.values()),
    re.IGNORECASE,
)
_TYPE_OF: Final = {
    suffix: FileType(file_type) for file_type, each in FORMATS.items() for suffix in each.suffixes
}
# The name in `x.unmapped.bam` is `x.unmapped`.
_SUFFIX: Final = re.compile(
    "|".join(
        _ending({each.rpartition(".")[2] for each in about.suffixes}, gzipped=about.gzipped)
        for about in FORMATS.values()
    )
    + f"|{_GZIP}$",
    re.IGNORECASE,
)


def type_in_name(path: str) -> FileType | None:
    """The file type by a file's name, for files whose content can't be read.

    A `.bam` may hold unaligned reads; the service calls that a uBAM.
    """
    match = _NAMED.search(path)
    if match is None or match.lastindex is None:
        return None
    return _TYPE_OF[match[match.lastindex].lower()]


def without_suffix(name: str) -> str:
    """A file's name without the endings of its format and of gzip."""
    return _SUFFIX.sub("", name)


def file_type_of(value: str, **about: Any) -> FileType:
    """The file type with a name.

    Args:
        value: The name, in capitals.
        about: Further arguments of the `InputError`.

    Raises:
        InputError: There is no such type.
    """
    if value not in FORMATS:
        raise InputError(f"{value!r} is not a file type of the service", hint=TYPE_HINT, **about)
    return FileType(value)


def chosen_type(value: str) -> FileType:
    """The file type that an argument names, in any letter case.

    Raises:
        ConfigError: There is no such type.
    """
    if value.upper() not in FORMATS:
        raise ConfigError(f"{value!r} is not a file type", hint=TYPE_HINT)
    return FileType(value.upper())


def count_fault(count: int) -> str | None:
    """Why a read set can't have so many files, as a sentence; None if it can."""
    if 1 <= count <= 2:
        return None
    return f"a read set has one file, or two for paired {_PAIRED}; {count} were given"


def pair_fault(*types: str | None) -> str | None:
    """Why two files are no pair, as a sentence; None if they may be one.

    Args:
        types: Each file's type, or one type for both; None if unknown (yet).
    """
    if None in types or (len(set(types)) == 1 and FORMATS[types[0] or ""].paired):
        return None
    only = f"only {_PAIRED} comes in pairs"
    if len(types) == 1:
        return f"{only}, not {types[0]}"
    return f"{only}; these files are {types[0]} and {types[1]}"


def merge_fault(file_type: str | None) -> str | None:
    """Why several files of a type can't be one source, as a sentence.

    Args:
        file_type: The type; None if unknown (yet).
    """
    if file_type is None or FORMATS[file_type].merged:
        return None
    mergeable = in_words(each.word for each in FORMATS.values() if each.merged)
    return f"only {mergeable} files can be merged into one source, not {FORMATS[file_type].word}"


def has_exact_etag(algorithm: str) -> bool:
    """Whether a different ETag by an algorithm, such as `FASTQ_MD5up`, proves other content."""
    name = algorithm.rpartition("_")[0]
    return any(each.exact_etag for each in FORMATS.values() if each.etag == name)


def in_words(words: Iterable[str], last: str = "and") -> str:
    """Words as an enumeration, such as `BAM, uBAM and CRAM`."""
    *first, final = words
    return f"{', '.join(first)} {last} {final}" if first else final


_PAIRED: Final = in_words(each.word for each in FORMATS.values() if each.paired)
