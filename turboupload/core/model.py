"""The values that everything else is made of: what to upload, what the service has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from os import PathLike, fspath, stat_result
from typing import ClassVar

from turboupload.core.formats import (
    MERGE_HINT,
    PAIR_HINT,
    TWICE_HINT,
    FileType,
    count_fault,
    in_words,
    merge_fault,
    pair_fault,
)
from turboupload.core.metadata import Description
from turboupload.core.proof.checksum import Checksum, Digest, Verified
from turboupload.core.proof.manifest import Expected, algorithm_of
from turboupload.errors import InputError
from turboupload.value import Value

__all__ = [
    "Checksum",
    "Digest",
    "FileIdentity",
    "FileType",
    "Part",
    "PartSource",
    "Phase",
    "ReadSet",
    "Source",
    "SourceFile",
    "SourcePaths",
    "Verified",
    "flat",
    "paths_of",
    "spans",
]

SourcePaths = str | PathLike[str] | Sequence[str | PathLike[str]]
"""The files of one source: a path, or several paths whose bytes follow each other."""


def paths_of(files: SourcePaths) -> tuple[str, ...]:
    """The paths of a source's files, as strings."""
    if isinstance(files, str | PathLike):
        return (fspath(files),)
    return tuple(fspath(each) for each in files)


def flat(sources: Iterable[str | tuple[str, ...]]) -> tuple[str, ...]:
    """The paths of all sources, in order."""
    return tuple(path for each in sources for path in ((each,) if isinstance(each, str) else each))


def spans(sizes: Iterable[int], offset: int, size: int) -> Iterator[tuple[int, int, int]]:
    """Where a range of files' bytes lies, if the files follow each other.

    Args:
        sizes: Of the files, in bytes.
        offset: Where the range begins in all of them together, in bytes.
        size: Its length, in bytes; what lies beyond the last file is left out.

    Yields:
        Of each file that the range touches: its index, the offset in it, and how many bytes.
    """
    for index, length in enumerate(sizes):
        if size <= 0:
            return
        if offset < length:
            count = min(size, length - offset)
            yield index, offset, count
            offset, size = 0, size - count
        else:
            offset -= length


class PartSource(StrEnum):
    """Which file of a read set a part belongs to."""

    SOURCE1 = "SOURCE1"
    SOURCE2 = "SOURCE2"


class Phase(StrEnum):
    """The life of an upload."""

    PLANNED = "planned"
    OPENING = "opening"
    OPEN = "open"
    COMPLETING = "completing"
    PROCESSING = "processing"
    ACTIVE = "active"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class ReadSet(Description):
    """What a user wants in the store: the files and their description.

    The other attributes are those of `Description`, but for the three that a file may tell: where
    `file_type` is None, the file is looked into; where `sample_id` is, the one sample (@RG SM) that
    a BAM's or CRAM's header names is taken; where `subject_id` is, that sample, too.

    Attributes:
        sources: One path, or two for paired FASTQ (R1 first). Where a source is several gzipped
            FASTQ files, such as lanes, it is a sequence of paths: they become one source, as `cat`
            would make it, in this order. R2's files must be the mates of R1's, one by one.
        checksums: What files must hash to, by their paths as in `sources`: an MD5 or SHA-256 in
            hexadecimal. They are compared in the pass that sends them, before Complete.

    Raises:
        InputError: A value breaks a limit of the service.
    """

    required: ClassVar[frozenset[str]] = frozenset({"name"})

    sources: Sequence[SourcePaths]
    name: str
    checksums: Mapping[str, str | Expected] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.sources, str | PathLike):
            raise InputError("sources must be a list of one or two paths", operation="read set")
        try:
            sources = tuple(_normal(each) for each in self.sources)
        except TypeError:
            raise InputError(
                f"sources are one or two paths, or sequences of paths, not {self.sources!r}"
            ) from None
        object.__setattr__(self, "sources", sources)
        super().__post_init__()

    def _check(self) -> None:
        self._check_sources(self.files)
        self._check_checksums(self.paths)
        super()._check()

    def _check_checksums(self, paths: tuple[str, ...]) -> None:
        if not isinstance(self.checksums, Mapping):
            raise InputError(f"checksums are a mapping of paths to digests, not {self.checksums!r}")
        try:
            checksums = {fspath(path): digest for path, digest in self.checksums.items()}
        except TypeError:
            raise InputError(
                f"checksums are a mapping of paths to digests, not {self.checksums!r}"
            ) from None
        object.__setattr__(self, "checksums", checksums)
        for path, digest in self.checksums.items():
            if path not in paths:
                raise InputError("has a checksum, and is not a source", path=path)
            if not isinstance(digest, Expected) and algorithm_of(digest) is None:
                raise InputError(f"{digest!r} is not an MD5 or SHA-256 in hexadecimal", path=path)

    @property
    def files(self) -> tuple[tuple[str, ...], ...]:
        """The paths of each source's files, in order; mostly one."""
        return tuple(paths_of(each) for each in self.sources)

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of all files: those of the first source, then those of the second."""
        return tuple(path for files in self.files for path in files)

    def _check_sources(self, files: tuple[tuple[str, ...], ...]) -> None:
        if fault := count_fault(len(files)):
            raise InputError(fault)
        if not all(files):
            raise InputError("a source has no files")
        if "" in self.paths:
            raise InputError("the path of a file is empty")
        if len(files) == 2 and (fault := pair_fault(self.file_type)):
            raise InputError(f"two files were given, but {fault}", path=files[1][0], hint=PAIR_HINT)
        merged = next((each for each in files if len(each) > 1), None)
        if merged is not None and (fault := merge_fault(self.file_type)):
            raise InputError(fault, path=merged[1], hint=MERGE_HINT)
        if len({len(each) for each in files}) > 1:
            counts = in_words([f"R{at} has {len(each):,}" for at, each in enumerate(files, 1)])
            raise InputError(
                f"the files of R1 and R2 must be mates, one by one, but {counts}",
                path=max(files, key=len)[-1],
                hint="name the same lanes in R1 and in R2, in the same order",
            )
        seen: set[str] = set()
        for path in self.paths:
            if path in seen:
                raise InputError("the same file was given twice", path=path, hint=TWICE_HINT)
            seen.add(path)


def _normal(files: SourcePaths) -> str | tuple[str, ...]:
    """A source's one path, or its paths."""
    if isinstance(files, str | PathLike):
        return fspath(files)
    paths = paths_of(files)
    return paths[0] if len(paths) == 1 else paths


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """What must stay the same for a file to count as unchanged.

    Attributes:
        device: The file system, as stat gives it.
        inode: The file on it.
        size: In bytes.
        mtime_ns: Last modification, in nanoseconds since the epoch.
        ctime_ns: Last change of the inode; None where it isn't known. Equal identities may have
            other ones: `chmod`, `chown`, `mv` and `ln` change it, too. But nobody can set it back.
    """

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int | None = field(default=None, compare=False)

    @classmethod
    def of(cls, found: stat_result) -> FileIdentity:
        """The identity of a file that was looked at."""
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    def was_touched(self, since: FileIdentity) -> bool:
        """Whether the inode was changed since then, which a write never hides."""
        return None not in (self.ctime_ns, since.ctime_ns) and self.ctime_ns != since.ctime_ns


class SourceFile(Value, frozen=True):
    """One file of a source.

    Attributes:
        path: Where it is.
        identity: The very file, as it was when the upload was planned.
    """

    path: str
    identity: FileIdentity


class Source(Value, frozen=True, dict=True):
    """One source of an upload: a file, or several whose bytes follow each other.

    Attributes:
        part_source: Its place in the read set.
        files: Its files, in order.
        fingerprint: A hash of its size and of samples of its content, in hex; the same for
            a copy elsewhere, and for one file with the same bytes.
        streamed: Whether it is what a pipe gives: its one file's path is a name for messages, its
            size is what was read so far, and nothing of it can be read a second time.
    """

    part_source: PartSource
    files: tuple[SourceFile, ...]
    fingerprint: str
    streamed: bool = False

    @cached_property
    def size(self) -> int:
        """Its length, in bytes; of all files together."""
        return sum(file.identity.size for file in self.files)

    @property
    def path(self) -> str:
        """The (first) file, for messages about the source as a whole."""
        return self.files[0].path

    @property
    def paths(self) -> tuple[str, ...]:
        """Its files, in order."""
        return tuple(file.path for file in self.files)

    def spans(self, offset: int, size: int) -> Iterator[tuple[SourceFile, int, int]]:
        """The files that a range of the source lies in, with the offset and length in each."""
        sizes = (file.identity.size for file in self.files)
        for index, at, count in spans(sizes, offset, size):
            yield self.files[index], at, count


class Part(Value, frozen=True, order=True):
    """One part of a source.

    Attributes:
        source: Which file.
        number: 1 to 10,000, as the service counts.
        offset: Where it begins in the source, in bytes.
        size: In bytes.
    """

    source: PartSource
    number: int
    offset: int
    size: int
