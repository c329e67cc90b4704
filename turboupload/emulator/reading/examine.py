"""Reads a read set's files of any type, and makes the metadata about them."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from turboupload.emulator.reading.alignments import examine_alignments
from turboupload.emulator.reading.file_types import FILE_TYPES, Examine
from turboupload.emulator.reading.findings import IngestFailure
from turboupload.emulator.storage.blobs import Blob, BlobFolder, read_spans

__all__ = ["Examiner", "Facts"]

_HASH_NAMES = {"MD5up": "md5", "SHA256up": "sha256", "SHA512up": "sha512"}
_CHUNK_BYTES = 128 * 1024
"""Small, because every member of a BGZF file copies the rest of its chunk."""
_COPY_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Facts:
    """The result of reading a read set's files.

    Attributes:
        digests: Its ETag's hashes by file.
        reads: Its number of reads, both mates together.
        bases: The bases in the reads.
        aligned: Whether any read is aligned.
        index: The blob of its index, if it has one.
    """

    digests: Mapping[str, str]
    reads: int
    bases: int
    aligned: bool
    index: Blob | None

    def metadata(self, details: Mapping[str, Any], etag_family: str) -> dict[str, Any]:
        """The members of the read set's metadata that ingest adds."""
        etag = FILE_TYPES[details["sourceFileType"]].etag
        return {
            "etag": {"algorithm": f"{etag}_{etag_family}", **self.digests},
            "sequenceInformation": {
                "totalReadCount": self.reads,
                "totalBaseCount": self.bases,
                "generatedFrom": details.get("generatedFrom"),
                "alignment": "ALIGNED" if self.aligned else "UNALIGNED",
            },
        }


class Examiner:
    """Reads files to their end.

    Arguments:
        blobs: Has the files.
        references: FASTA files by reference ARN.
        check: Called now and then; raises to stop.
    """

    def __init__(
        self, blobs: BlobFolder, references: Mapping[str, Path], check: Callable[[], None]
    ) -> None:
        self._blobs = blobs
        self._references = references
        self._check = check

    def examine(
        self, details: Mapping[str, Any], files: Mapping[str, Sequence[Blob]], etag_family: str
    ) -> Facts:
        """Check whether a read set's files have the declared type, and read what they hold.

        Arguments:
            details: Its sourceFileType, and its referenceArn if it has one.
            files: Its blobs by file: SOURCE1, and SOURCE2 for the second mate.
            etag_family: The hash of its store's ETags.

        Raises:
            IngestFailure: A file doesn't; the text says which one and why.
        """
        file_type = details["sourceFileType"]
        hash_name = _HASH_NAMES[etag_family]
        treated = FILE_TYPES[file_type]
        if treated.examine is not None:
            return self._streamed(files, treated.examine, hash_name)
        if treated.needs_reference and not details.get("referenceArn"):
            raise IngestFailure(f"{file_type} needs a reference ARN, and none was given")
        with _naming("SOURCE1"):
            return self._alignments(details, files["SOURCE1"], hash_name)

    def _streamed(
        self, files: Mapping[str, Sequence[Blob]], examine: Examine, hash_name: str
    ) -> Facts:
        digests = {}
        reads = bases = 0
        for name, blobs in files.items():
            with _naming(name):
                found = examine(self._chunks(blobs), hash_name, self._check)
            digests[name.lower()] = found.digest
            reads += found.reads
            bases += found.bases
        return Facts(digests, reads, bases, aligned=False, index=None)

    def _chunks(self, blobs: Sequence[Blob]) -> Iterator[bytes]:
        length = sum(blob.size for blob in blobs)
        return read_spans(self._blobs, blobs, offset=0, length=length, at_once=_CHUNK_BYTES)

    def _alignments(
        self, details: Mapping[str, Any], blobs: Sequence[Blob], hash_name: str
    ) -> Facts:
        index = self._blobs.scratch()
        with self._one_file(blobs) as path:
            found = examine_alignments(
                path,
                details["sourceFileType"],
                hash_name=hash_name,
                reference=self._references.get(details.get("referenceArn", "")),
                index=index,
                check=self._check,
            )
        return Facts(
            {"source1": found.digest},
            found.reads,
            found.bases,
            found.aligned,
            self._blobs.keep_file(index) if found.indexed else None,
        )

    @contextlib.contextmanager
    def _one_file(self, blobs: Sequence[Blob]) -> Iterator[Path]:
        """The blobs as one file; htslib can't read and index several."""
        if len(blobs) == 1 and not blobs[0].offset:
            yield self._blobs.path(blobs[0].name)
            return
        whole = self._blobs.scratch()
        try:
            with whole.open("wb") as target:
                for blob in blobs:
                    self._check()
                    _append(self._blobs.path(blob.name), blob.offset, target.fileno())
            yield whole
        finally:
            whole.unlink(missing_ok=True)


def _append(path: Path, offset: int, target: int) -> None:
    # Shares the blocks if the file system can, else copies inside the kernel.
    with path.open("rb", buffering=0) as source:
        source.seek(offset)
        try:
            while os.copy_file_range(source.fileno(), target, _COPY_BYTES):
                pass
        except OSError:
            with open(target, "ab", closefd=False) as rest:
                shutil.copyfileobj(source, rest)


@contextlib.contextmanager
def _naming(file: str) -> Iterator[None]:
    try:
        yield
    except IngestFailure as failure:
        raise IngestFailure(f"{file}: {failure}") from None
