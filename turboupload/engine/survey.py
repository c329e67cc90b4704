"""What the service has for a read set: open uploads and their parts, read sets and their sizes."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

import anyio
import anyio.to_thread
from msgspec import structs

from turboupload.core.filters import ReadSetFilter
from turboupload.core.formats import FORMATS
from turboupload.core.model import Digest, FileType, PartSource, ReadSet, Source
from turboupload.core.proof.checksum import compare
from turboupload.core.rate.retry import turns_away
from turboupload.core.records import MultipartUpload, ReadSetDetails, UploadPart
from turboupload.core.upload.events import Candidate, Probe, Surveyed
from turboupload.core.upload.matching import is_gone, open_upload_matches
from turboupload.core.upload.parts.cuts import infer_mixed_size, infer_part_size
from turboupload.core.upload.plan import Plan
from turboupload.errors import CallFailed
from turboupload.files.source import PartReader, PartReaders, read_digest
from turboupload.omics.base import NOT_FOUND, Page, ReadSetService, UploadRef
from turboupload.omics.pager import Listed, all_pages

if TYPE_CHECKING:
    from turboupload.files.spool_room import SpooledPart

__all__ = [
    "OpenUploads",
    "SharedListing",
    "Surveyor",
    "all_rows",
    "describe",
    "digest_part",
    "list_all_parts",
    "look_into",
    "part_pages",
    "survey",
]

Row = TypeVar("Row", bound=Listed)
T = TypeVar("T")

KEPT_UPLOADS: Final = 4096
"""So many uploads that were shown are remembered at least: some 4 MB."""


class Surveyor(Protocol):
    """Answers what the service has for one read set, as `survey` does.

    Another one than `survey` may answer from what was listed for many read sets together. It is
    asked only when an upload is planned, and once: what must be current is asked for again.
    """

    async def __call__(
        self,
        service: ReadSetService,
        *,
        store_id: str,
        read_set: ReadSet,
        file_type: FileType,
        plan: Plan,
        probe: bool,
        ours: str | None,
    ) -> Surveyed:
        """See `survey`."""
        ...


class SharedListing(Generic[T]):
    """Lists something once for all who ask before the listing starts.

    Each answer comes from a listing that started after the question. Without this, many uploads
    that end at the same time, in a store with many open ones, would wait for the listings' quota.
    """

    def __init__(self) -> None:
        self._turn = anyio.Lock()
        self._begun = 0
        self._ended = 0
        self._rows: Sequence[T] = ()

    async def of(self, list_all: Callable[[], Awaitable[Sequence[T]]]) -> Sequence[T]:
        """Every row; one instance is for one listing.

        Args:
            list_all: Makes the listing.
        """
        asked = self._begun
        async with self._turn:
            if self._ended <= asked:
                self._begun += 1
                begun = self._begun
                self._rows = await list_all()
                self._ended = begun
            return self._rows


class OpenUploads:
    """The open uploads of a store, as all that an engine sends there are shown them.

    A listing may be older than the one before, which was made for another read set. So what any
    listing has shown is remembered: what isn't listed any more may be a read set by now.
    """

    def __init__(self) -> None:
        self._listing = SharedListing[MultipartUpload]()
        self._shown: dict[str, MultipartUpload] = {}
        self._by_name: defaultdict[str | None, set[str]] = defaultdict(set)

    async def list_all(self, service: ReadSetService, store_id: str) -> Sequence[MultipartUpload]:
        """Every open upload, listed once for all who ask at the same time."""

        async def listed() -> Sequence[MultipartUpload]:
            rows = await all_rows(lambda token: service.list_uploads(store_id, token))
            self.remember(rows)
            return rows

        return await self._listing.of(listed)

    def remember(self, rows: Sequence[MultipartUpload]) -> None:
        """Takes in what a listing shows; those that weren't shown for longest are forgotten."""
        for each in rows:
            self._forget(each.upload_id)
            self._shown[each.upload_id] = each
            self._by_name[each.name].add(each.upload_id)
        while len(self._shown) > max(KEPT_UPLOADS, 2 * len(rows)):
            self._forget(next(iter(self._shown)))

    def shown(self, read_set: ReadSet, file_type: FileType) -> frozenset[str]:
        """The ids of those with this metadata, listed now or earlier."""
        return frozenset(
            upload_id
            for name in (read_set.name, None)
            for upload_id in self._by_name.get(name, ())
            if open_upload_matches(read_set, file_type, self._shown[upload_id])
        )

    def _forget(self, upload_id: str) -> None:
        if (shown := self._shown.pop(upload_id, None)) is not None:
            alike = self._by_name[shown.name]
            alike.remove(upload_id)
            if not alike:
                del self._by_name[shown.name]


async def survey(
    service: ReadSetService,
    *,
    store_id: str,
    read_set: ReadSet,
    file_type: FileType,
    plan: Plan,
    probe: bool,
    uploads: OpenUploads,
    ours: str | None = None,
) -> Surveyed:
    """Asks for read sets of our name, sample and subject, and open uploads with our metadata.

    Read sets are asked for last: an upload that becomes one in between is then seen twice, and
    not missed.

    Args:
        service: Where to ask.
        store_id: The sequence store.
        read_set: The metadata.
        file_type: As found in the file where the read set doesn't say.
        plan: How we would cut the files.
        probe: Whether to look into the open uploads' parts, so that one can be continued.
        uploads: Lists the open uploads of the store.
        ours: The upload that is ours; it is never looked into.
    """
    listed = await uploads.list_all(service, store_id)
    candidates = await look_into(
        service,
        [
            each
            for each in listed
            if each.upload_id == ours or open_upload_matches(read_set, file_type, each)
        ],
        store_id=store_id,
        file_type=file_type,
        plan=plan,
        probe=probe,
        ours=ours,
    )
    wanted = ReadSetFilter(
        name=read_set.name, sample_id=read_set.sample_id, subject_id=read_set.subject_id
    )
    found = await all_rows(lambda token: service.list_read_sets(store_id, wanted, token))
    return Surveyed(
        candidates,
        await describe(service, found, store_id=store_id),
        shown=uploads.shown(read_set, file_type),
    )


async def look_into(
    service: ReadSetService,
    uploads: Sequence[MultipartUpload],
    *,
    store_id: str,
    file_type: FileType,
    plan: Plan,
    probe: bool,
    ours: str | None = None,
) -> tuple[Candidate, ...]:
    """Looks into the parts of open uploads that a listing showed for one read set.

    Args:
        service: Where to ask.
        uploads: Those with our metadata.
        store_id: The sequence store.
        file_type: What the files are.
        plan: How we would cut the files.
        probe: Whether to ask for parts at all.
        ours: The upload that is ours; it is never looked into.
    """
    return tuple(
        [
            await _look_into(service, store_id, upload, plan, file_type)
            if probe and upload.upload_id != ours
            else Candidate(upload, (), None, "unknown")
            for upload in uploads
        ]
    )


async def describe(
    service: ReadSetService, read_sets: Sequence[ReadSetDetails], *, store_id: str
) -> tuple[ReadSetDetails, ...]:
    """Read sets that a listing showed, each with what only GetReadSetMetadata tells."""
    return tuple([await _with_sizes(service, store_id, record) for record in read_sets])


async def _with_sizes(
    service: ReadSetService, store_id: str, record: ReadSetDetails
) -> ReadSetDetails:
    """The record with the sizes and the ETag that only GetReadSetMetadata tells.

    One that is listed is there, also where its metadata is not: which of the two is behind can't
    be told.
    """
    if record.sizes or is_gone(record):
        return record
    try:
        full = await service.get_read_set(store_id, record.read_set_id)
    except CallFailed as failure:
        if failure.code == NOT_FOUND:
            return structs.replace(record, described=False)
        raise
    return structs.replace(full, generated_from=full.generated_from or record.generated_from)


async def list_all_parts(
    service: ReadSetService, upload: UploadRef, sources: Sequence[Source], file_type: FileType
) -> tuple[UploadPart, ...]:
    """The parts that the service has, of every source; see `part_pages`."""
    pages = part_pages(service, upload, sources, file_type)
    return tuple([row async for rows in pages for row in rows])


async def part_pages(
    service: ReadSetService, upload: UploadRef, sources: Sequence[Source], file_type: FileType
) -> AsyncIterator[Sequence[UploadPart]]:
    """The parts that the service has, of every source, page by page.

    Where we have one FASTQ, and the upload has parts of it, the second source is listed, too: an
    upload of a pair, whose R1 is that file, isn't ours. What the service says of a source without
    parts isn't documented; a refusal right after the first source was listed counts as none.
    """
    ours, any_there = [source.part_source for source in sources], False
    for which in ours:
        async for page in all_pages(partial(service.list_parts, upload, which)):
            any_there |= bool(page.rows)
            yield page.rows
    if any_there and FORMATS[file_type].paired and PartSource.SOURCE2 not in ours:
        try:
            async for page in all_pages(partial(service.list_parts, upload, PartSource.SOURCE2)):
                yield page.rows
        except CallFailed as failure:
            if not turns_away(failure):
                raise


async def all_rows(page: Callable[[str | None], Awaitable[Page[Row]]]) -> list[Row]:
    """Every row of a listing."""
    return [row async for answer in all_pages(page) for row in answer.rows]


async def digest_part(reader: PartReader | SpooledPart) -> Digest:
    """Reads a part in a thread; a cancellation ends the reading at its next chunk."""
    stop = threading.Event()
    try:
        return await anyio.to_thread.run_sync(read_digest, reader, stop, abandon_on_cancel=True)
    finally:
        stop.set()


async def _look_into(
    service: ReadSetService,
    store_id: str,
    upload: MultipartUpload,
    plan: Plan,
    file_type: FileType,
) -> Candidate:
    """Lists an open upload's parts and compares one of them with our file."""
    ref = UploadRef(store_id, upload.upload_id)
    try:
        parts = await list_all_parts(service, ref, plan.sources, file_type)
    except CallFailed as failure:
        # What the service says of an upload that it lists and no longer takes, such as an expired
        # one, isn't documented. It must not keep all others from being uploaded.
        if turns_away(failure):
            return Candidate(upload, (), None, "gone")
        raise
    if plan.open_ended:
        return Candidate(upload, parts, None, "unknown")
    if not parts:
        return Candidate(upload, parts, None, "unknown")
    part_size = infer_part_size(parts, plan.sources, planned=plan.part_size)
    probed_size = part_size or infer_mixed_size(parts, plan.sources)
    if probed_size is None:
        return Candidate(upload, parts, None, "differs")
    found = await _probe(parts, structs.replace(plan, part_size=probed_size))
    return Candidate(upload, parts, part_size, found)


async def _probe(parts: Sequence[UploadPart], plan: Plan) -> Probe:
    row = min(parts, key=lambda each: (each.source, each.number))
    part = plan.part(row.source, row.number)
    if plan.streamed:
        return "unknown"  # the checksums of its parts are compared all the same
    if part is None or part.size != row.size:
        return "differs"
    digest = await digest_part(PartReaders(plan.sources, checksum="all").reader(part))
    match compare(row.checksum, digest):
        case "equal":
            return "equal"
        case "differs":
            return "differs"
        case "opaque":
            return "unknown"
