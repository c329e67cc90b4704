"""The values that everything else is made of: what to upload, what the service has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from os import PathLike, fspath
from types import MappingProxyType

from turboupload.core.formats import (
    PAIR_HINT,
    FileType,
    FileTypeName,
    count_fault,
    file_type_of,
    pair_fault,
)
from turboupload.core.metadata import check_reference_arn, check_tags, check_texts
from turboupload.core.proof.checksum import Checksum, Digest, Verified
from turboupload.errors import InputError

__all__ = [
    "Checksum",
    "Digest",
    "FileIdentity",
    "FileType",
    "ListedPart",
    "OpenUpload",
    "Part",
    "PartSource",
    "Phase",
    "ReadSet",
    "ReadSetRecord",
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
class ReadSet:
    """What a user wants in the store: the files and their description.

    Attributes:
        sources: One path, or two for paired FASTQ (R1 first).
        file_type: A `FileType`, or its name; None means: look into the file.
        name: The read set's name, 1 to 127 characters.
        sample_id: 1 to 127 characters; None takes the one sample (@RG SM) that a BAM's or CRAM's
            header names.
        subject_id: 1 to 127 characters; None takes that sample, too.
        reference_arn: The reference in a HealthOmics reference store; BAM and CRAM need one.
        generated_from: Where the data comes from, such as a run; 1 to 127 characters.
        description: 1 to 255 characters.
        tags: Up to 50 tags.

    Raises:
        InputError: A value breaks a limit of the service.
    """

    sources: Sequence[str | PathLike[str]]
    name: str
    sample_id: str | None = None
    subject_id: str | None = None
    file_type: FileType | FileTypeName | None = None
    reference_arn: str | None = None
    generated_from: str | None = None
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.sources, str | PathLike):
            raise InputError("sources must be a list of one or two paths", operation="read set")
        paths = tuple(fspath(path) for path in self.sources)
        object.__setattr__(self, "sources", paths)
        object.__setattr__(self, "tags", MappingProxyType(dict(self.tags)))
        if self.file_type is not None:
            object.__setattr__(self, "file_type", file_type_of(self.file_type))
        self._check_sources(paths)
        check_texts(vars(self), required=frozenset({"name"}))
        check_reference_arn(self.reference_arn)
        check_tags(self.tags)

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


@dataclass(frozen=True, slots=True)
class ListedPart:
    """A row of the service's part listing.

    Attributes:
        checksum: The service's string; None where the listing lacks it.
        updated: When it was last sent, in seconds since the epoch by the service's clock.
    """

    source: PartSource
    number: int
    size: int
    checksum: str | None
    updated: float | None = field(default=None, compare=False)

    @property
    def row_id(self) -> tuple[PartSource, int]:
        """What tells it from other rows."""
        return self.source, self.number


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenUpload:
    """A row of the service's list of open uploads.

    Attributes:
        tags: As they were asked for.
        service_tags: Those that the service added; they say nothing of what was asked for.
        created: Seconds since the epoch, by the service's clock.
    """

    upload_id: str
    file_type: str
    name: str | None
    sample_id: str | None
    subject_id: str | None
    reference_arn: str | None = None
    generated_from: str | None = None
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    service_tags: Mapping[str, str] = field(default_factory=dict)
    created: float | None = None

    @property
    def row_id(self) -> str:
        """What tells it from other rows."""
        return self.upload_id


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSetRecord:
    """A read set as the service describes it (ListReadSets, GetReadSetMetadata).

    Attributes:
        status: The service's word, such as `PROCESSING_UPLOAD` or `ACTIVE`; new words may come.
        sizes: Stored bytes of each source, where the service says so.
        etag: The ETag of each source, with its algorithm under the key `algorithm`.
        created: Seconds since the epoch, by the service's clock.
        described: Whether GetReadSetMetadata told of it, where it was asked.
    """

    read_set_id: str
    status: str
    arn: str | None = None
    name: str | None = None
    sample_id: str | None = None
    subject_id: str | None = None
    file_type: str | None = None
    reference_arn: str | None = None
    generated_from: str | None = None
    description: str | None = None
    status_message: str | None = None
    creation_type: str | None = None
    created: float | None = None
    sizes: Mapping[PartSource, int] = field(default_factory=dict)
    etag: Mapping[str, str] = field(default_factory=dict)
    total_reads: int | None = None
    total_bases: int | None = None
    described: bool = True

    @property
    def row_id(self) -> str:
        """What tells it from other rows."""
        return self.read_set_id
