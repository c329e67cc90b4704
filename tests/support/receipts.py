"""Receipts for tests: the published schema, and a small receipt to take apart."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import jsonschema
import xxhash

from turboupload.core.model import Digest, FileIdentity, PartSource
from turboupload.core.proof.receipt import (
    Comparison,
    FileRecord,
    PartRecord,
    Receipt,
    RecordedFile,
)

__all__ = ["EQUAL_PARTS", "check_schema", "receipt_of", "small_receipt"]

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "receipt.schema.json").read_text())
_VALIDATOR = jsonschema.Draft202012Validator(
    SCHEMA, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
)

EQUAL_PARTS = Comparison("part-checksums", "equal", True, "the parts are equal")


def check_schema(document: Any) -> None:
    """Raises where a document doesn't keep to the published schema."""
    _VALIDATOR.validate(document)


def digest(data: bytes, *, sha256: bool = True) -> Digest:
    return Digest(
        xxh3=xxhash.xxh3_128_digest(data),
        sha256=hashlib.sha256(data).digest() if sha256 else None,
    )


def _recorded(path: Path, *, whole: bool) -> RecordedFile:
    data, found = path.read_bytes(), path.stat()
    return RecordedFile(
        str(path),
        FileIdentity(found.st_dev, found.st_ino, len(data), found.st_mtime_ns),
        hashlib.sha256(data).hexdigest() if whole else None,
    )


def receipt_of(
    *sources: Path | tuple[Path, ...],
    part_size: int = 4,
    comparisons: tuple[Comparison, ...] = (EQUAL_PARTS,),
    status: str = "ACTIVE",
    sha256: bool = True,
    whole: bool = False,
) -> Receipt:
    """A receipt of files as they are now; those of a tuple are merged."""
    files = []
    for source, paths in zip(PartSource, sources, strict=False):
        paths = (paths,) if isinstance(paths, Path) else paths
        recorded = [_recorded(path, whole=whole) for path in paths]
        data = b"".join(path.read_bytes() for path in paths)
        pieces = [data[at : at + part_size] for at in range(0, len(data), part_size)]
        parts = [
            PartRecord(number, (number - 1) * part_size, len(piece), digest(piece, sha256=sha256))
            for number, piece in enumerate(pieces, start=1)
        ]
        files.append(
            FileRecord(
                source=source,
                files=tuple(recorded),
                parts=tuple(parts),
                sha256=hashlib.sha256(data).hexdigest() if whole else None,
            )
        )
    return Receipt(
        file_type="FASTQ",
        files=tuple(files),
        part_size=part_size,
        read_set={
            "id": "9000000001", "arn": None, "store_id": "1234567890", "service": "us-east-1",
            "status": status, "name": "lane 1", "sample_id": "HG002", "subject_id": "NA24385",
            "reference_arn": None, "generated_from": None, "description": None, "tags": {},
            "upload_id": "1000000001", "etag": None, "stored_sizes": None,
            "total_reads": None, "total_bases": None,
        },
        comparisons=comparisons,
        began="2026-01-02T03:04:05.000Z",
        ended="2026-01-02T03:04:06.000Z",
        versions={"turboupload": "0"},
    )  # fmt: skip


def small_receipt(
    read_set_id: str = "1", name: str = "lane 1", *comparisons: Comparison, said: str = ""
) -> Receipt:
    """A receipt of a file that nobody read.

    Args:
        read_set_id: The read set.
        name: Its name.
        comparisons: What was compared.
        said: Its description, which tells receipts of one strength from each other.
    """
    return Receipt(
        file_type="FASTQ",
        files=(
            FileRecord(
                source=PartSource.SOURCE1,
                files=(RecordedFile("/lane1.gz", FileIdentity(1, 2, 3, 4)),),
            ),
        ),
        part_size=4,
        read_set={"id": read_set_id, "name": name, "status": "ACTIVE", "description": said},
        comparisons=comparisons,
        began="2026-01-02T03:04:05.000Z",
        ended="2026-01-02T03:04:06.000Z",
    )
