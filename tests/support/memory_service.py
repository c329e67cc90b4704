"""A service in memory, for tests and measurements of everything above the wire.

A verified fake: the contract suite that holds it is the one that holds `omics`. It keeps no bytes,
only their sizes and checksums, so that a terabyte can be uploaded in a test. What it makes of BAM,
uBAM and CRAM is larger than what was sent, as if a comment had been added to its header.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from tests.support.called import Called
from turboupload.core.filters import ReadSetFilter
from turboupload.core.metadata import Description
from turboupload.core.model import FileType, Part, PartSource
from turboupload.core.records import MultipartUpload, ReadSetDetails, ReadSetFiles, UploadPart
from turboupload.errors import CallFailed
from turboupload.http.body import OpenBody, PartBody
from turboupload.omics.base import NOT_FOUND, Call, Page, UploadRef

__all__ = ["MemoryService"]

CHUNK_BYTES = 1024 * 1024
PAGE_ROWS = 100
COMMENT_BYTES = 64

Row = TypeVar("Row")


@dataclass(slots=True)
class _Upload:
    """Listed until its read set is ACTIVE, and open until there is one."""

    upload: MultipartUpload
    read_set_id: str | None = None
    parts: dict[tuple[PartSource, int], UploadPart] = field(default_factory=dict)


class MemoryService:
    """`ReadSetService` without a wire.

    Args:
        store_id: The only store it has.
        looks_until_active: How often a read set is seen PROCESSING_UPLOAD first, by itself or in
            a listing of the whole store.
        in_thread: Read bodies in a worker thread, as the part transport does. Off, a small
            body costs no change of thread, which measures the engine alone.

    Attributes:
        received: How often each part arrived whole, by upload, source and number.
    """

    def __init__(
        self, store_id: str = "1234567890", *, looks_until_active: int = 1, in_thread: bool = True
    ) -> None:
        self.store_id = store_id
        self.received: Counter[tuple[str, PartSource, int]] = Counter()
        self._looks = looks_until_active
        self._in_thread = in_thread
        self._ids = itertools.count(1_000_000_001)
        self._uploads: dict[str, _Upload] = {}
        self._tokens: dict[str, tuple[tuple[object, ...], str]] = {}
        self._read_sets: dict[str, ReadSetDetails] = {}
        self._looked: Counter[str] = Counter()
        self._limiter = anyio.CapacityLimiter(64)

    def through(self, call: Call) -> Any:
        """See `ReadSetService`."""
        return Called(self, call)

    async def create_upload(
        self, store_id: str, about: Description, file_type: FileType, token: str
    ) -> MultipartUpload:
        """See `ReadSetService`."""
        operation = "CreateMultipartReadSetUpload"
        self._check_store(operation, store_id)
        upload = MultipartUpload(
            upload_id="",
            file_type=file_type,
            name=about.name,
            sample_id=about.sample_id,
            subject_id=about.subject_id,
            reference_arn=about.reference_arn,
            generated_from=about.generated_from,
            description=about.description,
            tags=dict(about.tags),
        )
        parameters = (upload,)
        if token in self._tokens:
            before, upload_id = self._tokens[token]
            if before != parameters:
                raise _invalid(operation, "this clientToken was used with other parameters")
            return replace(upload, upload_id=upload_id)
        upload_id = str(next(self._ids))
        self._tokens[token] = (parameters, upload_id)
        upload = replace(upload, upload_id=upload_id)
        self._uploads[upload_id] = _Upload(upload)
        return upload

    async def send_part(
        self,
        upload: UploadRef,
        part: Part,
        open_body: OpenBody,
        on_bytes: Callable[[int], None],
    ) -> str:
        """See `ReadSetService`."""
        operation = "UploadReadSetPart"
        self._find(operation, upload)
        body = open_body()
        if self._in_thread:
            checksum = await self._read_in_thread(body, on_bytes)
        else:
            checksum = _read(body, on_bytes, threading.Event())
        # It may have been completed or aborted while the bytes were on their way.
        found = self._find(operation, upload)
        found.parts[part.source, part.number] = UploadPart(
            part.source, part.number, len(body), checksum
        )
        self.received[upload.upload_id, part.source, part.number] += 1
        return checksum

    async def _read_in_thread(self, body: PartBody, on_bytes: Callable[[int], None]) -> str:
        stop = threading.Event()
        try:
            return await anyio.to_thread.run_sync(
                _read, body, on_bytes, stop, abandon_on_cancel=True, limiter=self._limiter
            )
        finally:
            stop.set()

    async def list_parts(
        self, upload: UploadRef, source: PartSource, token: str | None = None
    ) -> Page[UploadPart]:
        """See `ReadSetService`."""
        found = self._find_listed("ListReadSetUploadParts", upload)
        return _page([part for part in found.parts.values() if part.source is source], token)

    async def list_uploads(self, store_id: str, token: str | None = None) -> Page[MultipartUpload]:
        """See `ReadSetService`."""
        self._check_store("ListMultipartReadSetUploads", store_id)
        return _page([each.upload for each in self._uploads.values()], token)

    async def complete_upload(self, upload: UploadRef, parts: tuple[UploadPart, ...]) -> str:
        """See `ReadSetService`."""
        operation = "CompleteMultipartReadSetUpload"
        found = self._find(operation, upload)
        self._check_parts(operation, found, parts)
        read_set_id = str(next(self._ids))
        found.read_set_id = read_set_id
        about = found.upload
        sizes: Counter[PartSource] = Counter()
        for part in parts:
            sizes[part.source] += found.parts[part.source, part.number].size
        self._read_sets[read_set_id] = ReadSetDetails(
            read_set_id=read_set_id,
            status="PROCESSING_UPLOAD",
            arn=f"arn:aws:omics:::sequenceStore/{self.store_id}/readSet/{read_set_id}",
            name=about.name,
            sample_id=about.sample_id,
            subject_id=about.subject_id,
            file_type=about.file_type,
            reference_arn=about.reference_arn,
            generated_from=about.generated_from,
            description=about.description,
            creation_type="UPLOAD",
            files=ReadSetFiles.of_sizes(sizes),
        )
        return read_set_id

    @staticmethod
    def _check_parts(operation: str, found: _Upload, parts: tuple[UploadPart, ...]) -> None:
        if not parts:
            raise _invalid(operation, "no parts were named")
        keys = [(part.source, part.number) for part in parts]
        if len(set(keys)) != len(keys):
            raise _invalid(operation, "a part was named twice")
        for part in parts:
            there = found.parts.get((part.source, part.number))
            if there is None or there.checksum != part.checksum:
                raise _invalid(operation, f"part {part.number} is not there with this checksum")
        for source in PartSource:
            numbers = sorted(number for each, number in keys if each is source)
            if numbers != list(range(1, len(numbers) + 1)):
                raise _invalid(operation, f"the parts of {source} have a gap")
        if not any(source is PartSource.SOURCE1 for source, _ in keys):
            raise _invalid(operation, "SOURCE2 without SOURCE1")

    async def abort_upload(self, upload: UploadRef) -> None:
        """See `ReadSetService`."""
        self._find("AbortMultipartReadSetUpload", upload)
        del self._uploads[upload.upload_id]

    async def get_read_set(self, store_id: str, read_set_id: str) -> ReadSetDetails:
        """See `ReadSetService`."""
        self._check_store("GetReadSetMetadata", store_id)
        if read_set_id not in self._read_sets:
            raise _missing("GetReadSetMetadata", f"no read set {read_set_id}")
        return self._look(read_set_id)

    def _look(self, read_set_id: str) -> ReadSetDetails:
        """Work goes on with each look, since nothing here knows a time."""
        self._looked[read_set_id] += 1
        record = self._read_sets[read_set_id]
        if record.status == "ACTIVE" or self._looked[read_set_id] <= self._looks:
            return record
        added = 0 if record.file_type == FileType.FASTQ else COMMENT_BYTES
        sizes = {source: size + added for source, size in record.sizes.items()}
        record = replace(record, status="ACTIVE", files=ReadSetFiles.of_sizes(sizes))
        self._read_sets[read_set_id] = record
        self._uploads = {
            upload_id: each
            for upload_id, each in self._uploads.items()
            if each.read_set_id != read_set_id
        }
        return record

    async def list_read_sets(
        self, store_id: str, wanted: ReadSetFilter, token: str | None = None
    ) -> Page[ReadSetDetails]:
        """See `ReadSetService`; work goes on with each look at those at work."""
        self._check_store("ListReadSets", store_id)
        if wanted.name is None and token is None:
            for read_set_id in list(self._read_sets):
                self._look(read_set_id)
        found = [replace(each, files=None) for each in self._read_sets.values()]
        return _page([each for each in found if wanted.passes(each)], token)

    def _check_store(self, operation: str, store_id: str) -> None:
        if store_id != self.store_id:
            raise _missing(operation, f"no sequence store {store_id}")

    def _find(self, operation: str, upload: UploadRef) -> _Upload:
        found = self._find_listed(operation, upload)
        if found.read_set_id is not None:
            raise _missing(operation, f"no open upload {upload.upload_id}")
        return found

    def _find_listed(self, operation: str, upload: UploadRef) -> _Upload:
        self._check_store(operation, upload.store_id)
        if upload.upload_id not in self._uploads:
            raise _missing(operation, f"no upload {upload.upload_id}")
        return self._uploads[upload.upload_id]


def _read(body: PartBody, on_bytes: Callable[[int], None], stop: threading.Event) -> str:
    buffer = memoryview(bytearray(min(CHUNK_BYTES, max(1, len(body)))))
    digest = hashlib.sha256()
    while not stop.is_set() and (count := body.readinto(buffer)):
        body.hash_chunk(buffer[:count])
        digest.update(buffer[:count])
        on_bytes(count)
    return base64.b64encode(digest.digest()).decode()


def _page(rows: list[Row], token: str | None) -> Page[Row]:
    begin = int(token or 0)
    end = begin + PAGE_ROWS
    return Page(tuple(rows[begin:end]), str(end) if end < len(rows) else None)


def _missing(operation: str, message: str) -> CallFailed:
    return CallFailed(operation, code=NOT_FOUND, status=404, message=message)


def _invalid(operation: str, message: str) -> CallFailed:
    return CallFailed(operation, code="ValidationException", status=400, message=message)
