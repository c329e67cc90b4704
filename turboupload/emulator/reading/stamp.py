"""Adds the service's comment to the header of an ingested alignment file.

Its records and its ETag stay the same; its size and bytes change. FASTQ has no header.

Source: https://docs.aws.amazon.com/omics/latest/dev/etags-and-provenance.html (read 2026-11) says
that uBAM, BAM and CRAM get an `@CO` line with the sequence store's id and the time of ingest. Its
wording is not documented.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from turboupload.emulator.reading.file_types import FILE_TYPES, Head
from turboupload.emulator.reading.findings import IngestFailure
from turboupload.emulator.storage.blobs import Blob, BlobFolder, open_blobs

__all__ = ["comment_of", "stored_files"]


def comment_of(store_id: str, moment: float) -> str:
    """The added line, without its line end.

    Arguments:
        store_id: The sequence store.
        moment: When the file was ingested, in seconds since the epoch.
    """
    time = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    return f"@CO\tHealthOmics sequence store {store_id}, ingested {time}"


def stored_files(
    folder: BlobFolder,
    file_type: str,
    sent: Mapping[str, Sequence[Blob]],
    comment: str,
    made: list[Blob],
) -> dict[str, list[Blob]]:
    """Makes the stored blobs of files; the sent blobs stay.

    A file that isn't of its type is stored unchanged; ingest will report it.

    Arguments:
        folder: The blob folder.
        file_type: A name in `FILE_TYPES`.
        sent: The blobs of each file, in order.
        comment: The line for its header.
        made: Receives every new blob as soon as it exists, so that a failing caller can delete it.
    """
    files: dict[str, list[Blob]] = {}
    for name, blobs in sent.items():
        rest = list(blobs)
        files[name] = []
        head = _head(folder, file_type, blobs, comment)
        if head is not None:
            replaced, data = head
            rest = _without(rest, replaced)
            made.append(folder.write(data))
            files[name].append(made[-1])
        for blob in rest:
            made.append(folder.link(blob))
            files[name].append(made[-1])
    folder.sync_names()
    return files


def _head(folder: BlobFolder, file_type: str, blobs: Sequence[Blob], comment: str) -> Head | None:
    make = FILE_TYPES[file_type].head
    if make is None:
        return None
    with open_blobs(folder, blobs) as source:
        try:
            return make(source, comment.encode())
        except (IngestFailure, zlib.error, struct.error):
            return None


def _without(blobs: Sequence[Blob], count: int) -> list[Blob]:
    """The concatenated blobs without their first `count` bytes."""
    left = []
    for blob in blobs:
        skipped = min(count, blob.size)
        count -= skipped
        if skipped < blob.size:
            left.append(Blob(blob.name, blob.size - skipped, blob.offset + skipped))
    return left
