"""The service's records, with every member of its replies: read sets, uploads, stores.

Even required members may be missing in replies, so all but the id may be None; an unknown status is
kept as it is.

Source: botocore's model of `omics` (2022-11-28), version 1.43.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

import msgspec

from turboupload.core.model import PartSource
from turboupload.value import Value

__all__ = [
    "CreationType",
    "ETag",
    "MultipartUpload",
    "ReadSetDetails",
    "ReadSetFiles",
    "ReadSetStatus",
    "SequenceStoreDetails",
    "SequenceStoreStatus",
    "StoredFile",
    "UploadPart",
]


class ReadSetStatus(StrEnum):
    """The statuses of a read set, in the service's words."""

    PROCESSING_UPLOAD = "PROCESSING_UPLOAD"
    UPLOAD_FAILED = "UPLOAD_FAILED"
    ACTIVE = "ACTIVE"
    ARCHIVED = "ARCHIVED"
    ACTIVATING = "ACTIVATING"
    DELETING = "DELETING"
    DELETED = "DELETED"


class CreationType(StrEnum):
    """How a read set was created."""

    IMPORT = "IMPORT"
    UPLOAD = "UPLOAD"


class SequenceStoreStatus(StrEnum):
    """The statuses of a store, in the service's words."""

    CREATING = "CREATING"
    ACTIVE = "ACTIVE"
    UPDATING = "UPDATING"
    DELETING = "DELETING"
    FAILED = "FAILED"


class StoredFile(Value, frozen=True, kw_only=True):
    """A stored file of a read set.

    Attributes:
        total_parts: The number of parts in which it can be read.
        part_size: Size of such a part, in bytes.
        content_length: Size of the file, in bytes.
        s3_uri: Where it can be read through S3.
    """

    total_parts: int | None = None
    part_size: int | None = None
    content_length: int | None = None
    s3_uri: str | None = None


class ReadSetFiles(Value, frozen=True, kw_only=True):
    """The files of a read set; the service makes the index itself."""

    source1: StoredFile | None = None
    source2: StoredFile | None = None
    index: StoredFile | None = None

    @classmethod
    def of_sizes(
        cls,
        sizes: Mapping[PartSource, int],
        s3_uris: Mapping[PartSource, str] = MappingProxyType({}),
    ) -> ReadSetFiles | None:
        """Files of which only sizes and S3 URIs are known; None if nothing is known."""
        members = {
            str(source).lower(): StoredFile(
                content_length=sizes.get(source), s3_uri=s3_uris.get(source)
            )
            for source in (*sizes, *s3_uris)
        }
        return cls(**members) if members else None

    @property
    def sizes(self) -> dict[PartSource, int]:
        """Stored bytes of each source, if the service reports them."""
        found = {PartSource.SOURCE1: self.source1, PartSource.SOURCE2: self.source2}
        return {
            source: file.content_length
            for source, file in found.items()
            if file is not None and file.content_length is not None
        }

    @property
    def s3_uris(self) -> dict[PartSource, str]:
        """Where each source can be read through S3, if the store gives access."""
        found = {PartSource.SOURCE1: self.source1, PartSource.SOURCE2: self.source2}
        return {
            source: file.s3_uri
            for source, file in found.items()
            if file is not None and file.s3_uri is not None
        }


class ETag(Value, frozen=True, kw_only=True):
    """The read set's ETag, which identifies its content permanently.

    Attributes:
        algorithm: Such as `FASTQ_MD5up`.
        source1: In hex.
        source2: In hex; of pairs only.
    """

    algorithm: str | None = None
    source1: str | None = None
    source2: str | None = None

    @classmethod
    def of_members(cls, members: Mapping[str, object]) -> ETag | None:
        """Reads the members by their names; None if none of them is a text."""
        names = ("algorithm", "source1", "source2")
        found = {
            name: text for name in names if isinstance(text := members.get(name), str) and text
        }
        return cls(**found) if found else None

    def as_dict(self) -> dict[str, str]:
        """The members that are known, by their names."""
        return {name: value for name, value in asdict(self).items() if value is not None}


class ReadSetDetails(Value, frozen=True, kw_only=True):
    """A read set as GetReadSetMetadata describes it.

    A row of ListReadSets lacks `files` and `creation_job_id`.

    Attributes:
        read_set_id: The service's id.
        status: A `ReadSetStatus`, or a word that this version doesn't know.
        arn: Its ARN.
        store_id: Its sequence store.
        name: As it was created.
        subject_id: As it was created.
        sample_id: As it was created.
        description: As it was created.
        file_type: The name of a `FileType`.
        reference_arn: The reference; optional for FASTQ and uBAM.
        created_at: By the service's clock.
        status_message: The reason for the status, if there is one.
        creation_type: A `CreationType`.
        creation_job_id: The import job that made it.
        generated_from: Where the data comes from.
        total_reads: The number of reads, both mates together; None while it is processed.
        total_bases: The number of bases.
        alignment: `ALIGNED` or `UNALIGNED`.
        files: The stored files; None in a listing and while it is processed.
        etag: None while it is processed.
        described: False for a row of a listing whose metadata the service didn't find.
    """

    read_set_id: str
    status: str | None = None
    arn: str | None = None
    store_id: str | None = None
    name: str | None = None
    subject_id: str | None = None
    sample_id: str | None = None
    description: str | None = None
    file_type: str | None = None
    reference_arn: str | None = None
    created_at: datetime | None = None
    status_message: str | None = None
    creation_type: str | None = None
    creation_job_id: str | None = None
    generated_from: str | None = None
    total_reads: int | None = None
    total_bases: int | None = None
    alignment: str | None = None
    files: ReadSetFiles | None = None
    etag: ETag | None = None
    described: bool = True

    @property
    def row_id(self) -> str:
        """The id, which distinguishes it from other rows."""
        return self.read_set_id

    @property
    def sizes(self) -> dict[PartSource, int]:
        """Stored bytes of each source, if the service reports them."""
        return self.files.sizes if self.files is not None else {}

    @property
    def s3_uris(self) -> dict[PartSource, str]:
        """Where each source can be read through S3, if the store gives access."""
        return self.files.s3_uris if self.files is not None else {}

    def with_what_is_known(self, earlier: ReadSetDetails | None) -> ReadSetDetails:
        """A row of a listing, with the members it lacks from an earlier reply about the read set.

        A read set never changes, so facts about its files stay true.
        """
        if earlier is None or earlier.read_set_id != self.read_set_id:
            return self
        return replace(
            self,
            arn=self.arn or earlier.arn,
            files=self.files or earlier.files,
            etag=self.etag or earlier.etag,
        )


class MultipartUpload(Value, frozen=True, kw_only=True):
    """An open upload: CreateMultipartReadSetUpload's reply, a row of ListMultipartReadSetUploads.

    The service reports neither its status nor its size, nor the client token.

    Attributes:
        upload_id: The service's id.
        store_id: Its sequence store.
        file_type: The name of a `FileType`.
        name: The read set's name.
        subject_id: As it was created.
        sample_id: As it was created.
        generated_from: Where the data comes from.
        reference_arn: The reference; optional for FASTQ and uBAM.
        description: As it was created.
        tags: As they were created.
        service_tags: Those that the service added; their keys begin with `aws:`.
        created_at: By the service's clock.
    """

    upload_id: str
    store_id: str | None = None
    file_type: str | None = None
    name: str | None = None
    subject_id: str | None = None
    sample_id: str | None = None
    generated_from: str | None = None
    reference_arn: str | None = None
    description: str | None = None
    tags: Mapping[str, str] = msgspec.field(default_factory=dict)
    service_tags: Mapping[str, str] = msgspec.field(default_factory=dict)
    created_at: datetime | None = None

    @property
    def row_id(self) -> str:
        """The id, which distinguishes it from other rows."""
        return self.upload_id


@dataclass(frozen=True, slots=True)
class UploadPart:
    """A part of an open upload: a row of ListReadSetUploadParts.

    Attributes:
        source: Which file it belongs to.
        number: 1 to 10,000.
        size: In bytes.
        checksum: The service's string; Complete wants it back as it is.
        created_at: When a part of this number first arrived, by the service's clock.
        updated_at: When it was last sent again.
    """

    source: PartSource
    number: int
    size: int
    checksum: str | None = None
    created_at: datetime | None = field(default=None, compare=False, kw_only=True)
    updated_at: datetime | None = field(default=None, compare=False, kw_only=True)

    @property
    def row_id(self) -> tuple[PartSource, int]:
        """The id, which distinguishes it from other rows."""
        return self.source, self.number


class SequenceStoreDetails(Value, frozen=True, kw_only=True):
    """A sequence store as GetSequenceStore describes it.

    A row of ListSequenceStores lacks the three members about S3 access and `propagated_tags`.

    Attributes:
        store_id: The service's id.
        arn: Its ARN.
        name: As it was created.
        description: As it was created.
        encryption_type: `KMS` if it has a key of its own.
        encryption_key_arn: The key's ARN.
        created_at: By the service's clock.
        updated_at: By the service's clock.
        fallback_location: Where in S3 the files of failed uploads go.
        s3_uri: Where its read sets can be read through S3.
        s3_access_point_arn: The access point for that.
        access_log_location: Where in S3 its access logs go.
        etag_algorithm_family: `MD5up`, `SHA256up` or `SHA512up`.
        status: A `SequenceStoreStatus`, or a word that this version doesn't know.
        status_message: The reason for the status, if there is one.
        propagated_tags: Keys of the read sets' tags that are copied to their S3 objects.
    """

    store_id: str
    arn: str | None = None
    name: str | None = None
    description: str | None = None
    encryption_type: str | None = None
    encryption_key_arn: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    fallback_location: str | None = None
    s3_uri: str | None = None
    s3_access_point_arn: str | None = None
    access_log_location: str | None = None
    etag_algorithm_family: str | None = None
    status: str | None = None
    status_message: str | None = None
    propagated_tags: tuple[str, ...] = ()

    @property
    def row_id(self) -> str:
        """The id, which distinguishes it from other rows."""
        return self.store_id
