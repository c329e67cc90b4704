"""Values that many tests need: sources, plans, read sets, made from small numbers."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from turboupload.core.model import (
    Digest,
    FileIdentity,
    FileType,
    Part,
    PartSource,
    ReadSet,
    Source,
    SourceFile,
)
from turboupload.core.records import ReadSetDetails, ReadSetFiles, UploadPart
from turboupload.core.upload.plan import Plan
from turboupload.core.upload.state import Upload, UploadOptions

STORE = "1234567890"


def source(which: PartSource = PartSource.SOURCE1, *, size: int = 10, mtime_ns: int = 1) -> Source:
    identity = FileIdentity(device=1, inode=int(which[-1]), size=size, mtime_ns=mtime_ns)
    return Source(which, (SourceFile(f"/data/{which}", identity),), f"print-{which}-{size}")


def plan(*sizes: int, part_size: int = 4, mtime_ns: int = 1) -> Plan:
    sources = tuple(
        source(which, size=size, mtime_ns=mtime_ns)
        for which, size in zip(PartSource, sizes, strict=False)
    )
    return Plan(sources, part_size)


def read_set(paths: int = 1, **more: Any) -> ReadSet:
    fields: dict[str, Any] = {
        "sources": [f"/data/{which}" for which in list(PartSource)[:paths]],
        "name": "lane 1",
        "sample_id": "HG002",
        "subject_id": "NA24385",
    }
    return ReadSet(**{**fields, **more})


def upload(
    *sizes: int,
    part_size: int = 4,
    mtime_ns: int = 1,
    options: UploadOptions | None = None,
    file_type: FileType = FileType.FASTQ,
) -> Upload:
    return Upload(
        store_id=STORE,
        read_set=read_set(len(sizes)),
        file_type=file_type,
        plan=plan(*sizes, part_size=part_size, mtime_ns=mtime_ns),
        options=options or UploadOptions(now=1_700_000_000.0),
    )


def content(part: Part) -> bytes:
    """The bytes that a made-up part has."""
    return f"{part.source}-{part.offset}-{part.size}".encode()


def digest(part: Part, *, sha256: bool = True) -> Digest:
    data = content(part)
    return Digest(
        xxh3=hashlib.md5(data, usedforsecurity=False).digest(),
        sha256=hashlib.sha256(data).digest() if sha256 else None,
    )


def checksum(part: Part) -> str:
    """The service's base64 checksum of these bytes."""
    return base64.b64encode(hashlib.sha256(content(part)).digest()).decode()


def listed(part: Part, text: str | None = None) -> UploadPart:
    return UploadPart(part.source, part.number, part.size, text or checksum(part))


def record(status: str, *sizes: int, read_set_id: str = "9000000001") -> ReadSetDetails:
    wanted = read_set(max(1, len(sizes)))
    return ReadSetDetails(
        read_set_id=read_set_id,
        status=status,
        name=wanted.name,
        sample_id=wanted.sample_id,
        subject_id=wanted.subject_id,
        file_type="FASTQ",
        files=ReadSetFiles.of_sizes(dict(zip(PartSource, sizes, strict=False))),
    )
