"""The file types of the service, and what holds for each: one table, which code asks.

The table says what the service does with a type. How content is recognized and checked stands in
`seqcheck`: `kinds` and `formats` (magic numbers), `checks.check` (checkers).

Sources: https://docs.aws.amazon.com/omics/latest/dev/create-sequence-store.html (types,
references) and https://docs.aws.amazon.com/omics/latest/dev/etags-and-provenance.html (ETags,
the added header line), both read 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, Literal

from turboupload.errors import ConfigError, InputError

__all__ = [
    "FORMATS",
    "PAIR_HINT",
    "FileFormat",
    "FileType",
    "FileTypeName",
    "chosen_type",
    "count_fault",
    "file_type_of",
    "has_exact_etag",
    "in_words",
    "pair_fault",
    "type_in_name",
    "without_suffix",
]


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
"""A `FileType` as people write it in code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFormat:
    """What holds for a file type.

    Attributes:
        word: The type in prose.
        example: One file of it, in prose.
        suffixes: What its files' names end in, in lower case and without the first dot. The
            longest of all formats' that fits says the type.
        etag: What the service calls its ETag algorithm, before the underscore and the family.
        gzipped: Whether its files are gzip, which their names may say behind the suffix.
        paired: Whether two files, R1 and R2, may be one read set.
        needs_reference: Whether the service wants the ARN of a reference.
        has_header: Whether it holds alignment records under a SAM header, which may name the
            sample. Its ETag takes htslib to compute.
        rewritten: Whether the service adds a line (@CO) to the header of what it stores, so that
            the stored size says nothing of the size sent.
        exact_etag: Whether its ETag is documented in full, so that another one proves other
            content.
    """

    word: str
    example: str
    suffixes: tuple[str, ...]
    etag: str
    gzipped: bool = False
    paired: bool = False
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
"""The table, by file type; a type's name finds it, too."""

TYPE_HINT: Final = f"use one of {', '.join(FileType)}"

PAIR_HINT: Final = "upload the files one by one"

_GZIP: Final = r"\.(?:gz|bgz|bgzf)"


def _ending(suffixes: Iterable[str], *, gzipped: bool) -> str:
    any_of = "|".join(map(re.escape, suffixes))
    return rf"\.({any_of})(?:{_GZIP})?$" if gzipped else rf"\.({any_of})$"


# The first match of a search is the longest, since all of them reach to the end.
_NAMED: Final = re.compile(
    "|".join(_ending(each.suffixes, gzipped=each.gzipped) for each in FORMATS.values()),
    re.IGNORECASE,
)
_TYPE_OF: Final = {
    suffix: FileType(file_type) for file_type, each in FORMATS.items() for suffix in each.suffixes
}
# Of `x.unmapped.bam`, `x.unmapped` is the name.
_SUFFIX: Final = re.compile(
    "|".join(
        _ending({each.rpartition(".")[2] for each in about.suffixes}, gzipped=about.gzipped)
        for about in FORMATS.values()
    )
    + f"|{_GZIP}$",
    re.IGNORECASE,
)


def type_in_name(path: str) -> FileType | None:
    """The file type that a name speaks of, for files whose content is out of reach.

    A `.bam` may hold unaligned reads all the same, and then is a uBAM for the service.
    """
    match = _NAMED.search(path)
    if match is None or match.lastindex is None:
        return None
    return _TYPE_OF[match[match.lastindex].lower()]


def without_suffix(name: str) -> str:
    """A file's name without the ending that tells its format or that it is gzip."""
    return _SUFFIX.sub("", name)


def file_type_of(value: str, **about: Any) -> FileType:
    """The file type of that name.

    Args:
        value: The name, in capitals.
        about: What else the error tells, as `InputError` takes it.

    Raises:
        InputError: There is none.
    """
    if value not in FORMATS:
        raise InputError(f"{value!r} is not a file type of the service", hint=TYPE_HINT, **about)
    return FileType(value)


def chosen_type(value: str) -> FileType:
    """The file type that an argument names, in any case of letters.

    Raises:
        ConfigError: There is none.
    """
    if value.upper() not in FORMATS:
        raise ConfigError(f"{value!r} is not a file type", hint=TYPE_HINT)
    return FileType(value.upper())


def count_fault(count: int) -> str | None:
    """Why so many files are no read set, in a sentence; None where they may be."""
    if 1 <= count <= 2:
        return None
    return f"a read set has one file, or two for paired {_PAIRED}; {count} were given"


def pair_fault(*types: str | None) -> str | None:
    """Why two files are no pair, in a sentence; None where they may be one.

    Args:
        types: That of each file, or the one that was said of both; None is not known (yet).
    """
    if None in types or (len(set(types)) == 1 and FORMATS[types[0] or ""].paired):
        return None
    only = f"only {_PAIRED} comes in pairs"
    if len(types) == 1:
        return f"{only}, not {types[0]}"
    return f"{only}; these files are {types[0]} and {types[1]}"


def has_exact_etag(algorithm: str) -> bool:
    """Whether another ETag of an algorithm, such as `FASTQ_MD5up`, proves other content."""
    name = algorithm.rpartition("_")[0]
    return any(each.exact_etag for each in FORMATS.values() if each.etag == name)


def in_words(words: Iterable[str], last: str = "and") -> str:
    """An enumeration, such as `BAM, uBAM and CRAM`."""
    *first, final = words
    return f"{', '.join(first)} {last} {final}" if first else final


_PAIRED: Final = in_words(each.word for each in FORMATS.values() if each.paired)
