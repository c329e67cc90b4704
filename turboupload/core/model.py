"""The values that everything else is made of: what to upload, what the service has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from os import PathLike, fspath
from typing import ClassVar

from turboupload.core.formats import (
    PAIR_HINT,
    FileType,
    count_fault,
    pair_fault,
)
from turboupload.core.metadata import Description
from turboupload.core.proof.checksum import Checksum, Digest, Verified
from turboupload.core.proof.manifest import Expected, algorithm_of
from turboupload.errors import InputError

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
    "Verified",
]


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
        sources: One path, or two for paired FASTQ (R1 first).
        checksums: What files must hash to, by their paths as in `sources`: an MD5 or SHA-256 in
            hexadecimal. They are compared in the pass that sends them, before Complete.

    Raises:
        InputError: A value breaks a limit of the service.
    """

    required: ClassVar[frozenset[str]] = frozenset({"name"})

    sources: Sequence[str | PathLike[str]]
    name: str
    checksums: Mapping[str, str | Expected] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.sources, str | PathLike):
            raise InputError("sources must be a list of one or two paths", operation="read set")
        try:
            paths = tuple(fspath(path) for path in self.sources)
        except TypeError:
            raise InputError(f"sources are one or two paths, not {self.sources!r}") from None
        object.__setattr__(self, "sources", paths)
        super().__post_init__()

    def _check(self) -> None:
        self._check_sources(self.paths)
        self._check_checksums(self.paths)
        super()._check()

    def _check_checksums(self, paths: tuple[str, ...]) -> None:
        if not isinstance(self.checksums, Mapping):
            raise InputError(f"checksums are a mapping of paths to digests, not {self.checksums!r}")
        object.__setattr__(self, "checksums", {fspath(k): v for k, v in self.checksums.items()})
        for path, digest in self.checksums.items():
            if path not in paths:
                raise InputError("has a checksum, and is no source", path=path)
            if not isinstance(digest, Expected) and algorithm_of(digest) is None:
                raise InputError(f"{digest!r} is no MD5 or SHA-256 in hexadecimal", path=path)

    @property
    def paths(self) -> tuple[str, ...]:
        """The sources as strings."""
        return tuple(fspath(path) for path in self.sources)

    def _check_sources(self, paths: tuple[str, ...]) -> None:
        if fault := count_fault(len(paths)):
            raise InputError(fault)
        if len(paths) == 2 and (fault := pair_fault(self.file_type)):
            raise InputError(f"two files were given, but {fault}", path=paths[1], hint=PAIR_HINT)
        if len(paths) == 2 and paths[0] == paths[1]:
            raise InputError("the same file was given twice", path=paths[0])


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """What must stay the same for a file to count as unchanged.

    Attributes:
        device: The file system, as stat gives it.
        inode: The file on it.
        size: In bytes.
        mtime_ns: Last modification, in nanoseconds since the epoch.
    """

    device: int
    inode: int
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Source:
    """One file of an upload.

    Attributes:
        part_source: Its place in the read set.
        path: Where it is.
        identity: The very file, as it was when the upload was planned.
        fingerprint: A hash of its size and of samples of its content, in hex; the same for
            a copy elsewhere.
    """

    part_source: PartSource
    path: str
    identity: FileIdentity
    fingerprint: str

    @property
    def size(self) -> int:
        """In bytes."""
        return self.identity.size


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """One part of a source.

    Attributes:
        source: Which file.
        number: 1 to 10,000, as the service counts.
        offset: Where it begins in the file, in bytes.
        size: In bytes.
    """

    source: PartSource
    number: int
    offset: int
    size: int
