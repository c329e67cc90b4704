"""The service of a world: what it keeps, and what it answers by the world's rules.

Small on purpose, and with no code of the engine's: an upload, its parts and its read set, each with
the moments at which it changed, so that a listing can show how things were a while ago.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from math import inf
from typing import TypeVar

from tests.simulation.disk import etag_of
from tests.simulation.spec import Rules
from turboupload.core.filters import ReadSetFilter
from turboupload.core.metadata import Description
from turboupload.core.model import FileType, PartSource
from turboupload.core.records import ETag, MultipartUpload, ReadSetDetails, ReadSetFiles, UploadPart
from turboupload.errors import CallFailed
from turboupload.omics.base import NOT_FOUND, Page

__all__ = ["EPOCH", "Service", "StoredReadSet", "StoredUpload", "moment", "refusal"]

EPOCH = 1_790_000_000.0


"""Seconds since the epoch when every world begins."""


def moment(seconds: float) -> datetime:
    """A moment of a world, as the service tells it."""
    return datetime.fromtimestamp(EPOCH + seconds, UTC)


@lru_cache(maxsize=64)
def _by_name(name: str | None) -> ReadSetFilter:
    return ReadSetFilter(name=name)


Row = TypeVar("Row")


@dataclass(slots=True)
class StoredPart:
    """A part as it came at some moment."""

    at: float
    data: bytes
    checksum: str


@dataclass(slots=True)
class StoredUpload:
    """An upload, open or not."""

    upload_id: str
    about: Description
    file_type: FileType
    token: str
    created: float
    expires: float = inf
    state: str = "open"
    unlisted: float = inf
    parts: dict[tuple[PartSource, int], list[StoredPart]] = field(default_factory=dict)
    read_set_id: str | None = None
    makers: set[int] = field(default_factory=set)
    """The machines to which Create gave its id."""


@dataclass(slots=True)
class StoredReadSet:
    """A read set."""

    read_set_id: str
    upload: StoredUpload
    created: float
    done: float
    end: str
    content: dict[PartSource, bytes]
    deleted: float = inf
    shown: frozenset[str] = frozenset()
    """Uploads and read sets that whoever completed it had been shown when it did."""

    def status(self, at: float) -> str:
        """What it is at that moment."""
        return self.end if at >= self.done else "PROCESSING_UPLOAD"

    @property
    def live(self) -> bool:
        """Whether it is one of those of which there must be no second."""
        return self.end != "UPLOAD_FAILED" and self.deleted == inf


def refusal(operation: str, status: int, message: str = "no") -> CallFailed:
    """An answer that is an error."""
    code = {
        404: NOT_FOUND,
        409: "ConflictException",
        410: "GoneException",
        400: "ValidationException",
        429: "ThrottlingException",
        500: "InternalServerException",
        503: "ServiceUnavailableException",
    }[status]
    return CallFailed(operation, code=code, status=status, message=message)


class Service:
    """One store of the service.

    Args:
        rules: What it does where its documents don't say.
        now: Seconds since the world began.
        lag: Draws how old a listing is, given the most.

    Attributes:
        rejected: Which read sets will be UPLOAD_FAILED, by how many were made before, from 1.
        expiring: After how many seconds which upload expires, likewise.
        refused: Uploads of which no read set is made.
        deleting: How many seconds after it is done which read set is deleted, likewise.
    """

    def __init__(
        self, rules: Rules, now: Callable[[], float], lag: Callable[[float], float]
    ) -> None:
        self.rules = rules
        self._now = now
        self._lag = lag
        self.uploads: dict[str, StoredUpload] = {}
        self.read_sets: dict[str, StoredReadSet] = {}
        self.rejected: set[int] = set()
        self.expiring: dict[int, float] = {}
        self.deleting: dict[int, float] = {}
        self.refused: set[str] = set()
        self._records: dict[tuple[str, str, bool], ReadSetDetails] = {}
        self._rows: dict[str, MultipartUpload] = {}
        self._ids = 1_000_000_000

    def _id(self) -> str:
        self._ids += 1
        return str(self._ids)

    # --- writing ----------------------------------------------------------------------------

    def create(self, about: Description, file_type: FileType, token: str) -> str:
        """Opens an upload, or gives the token's."""
        now = self._now()
        rules = self.rules
        if rules.token != "ignored":
            for upload in self.uploads.values():
                if upload.token != token or now - upload.created > rules.token_s:
                    continue
                self._settle(upload)
                if rules.token == "conflict":
                    raise refusal("CreateMultipartReadSetUpload", 409, "token was used")
                if rules.token == "ever" or upload.state == "open":
                    return upload.upload_id
        after = self.expiring.get(len(self.uploads) + 1, inf)
        upload = StoredUpload(self._id(), about, file_type, token, now, now + after)
        self.uploads[upload.upload_id] = upload
        return upload.upload_id

    def made_by(self, token: str) -> list[str]:
        """The uploads that were opened under a token."""
        return [each.upload_id for each in self.uploads.values() if each.token == token]

    def send(self, upload_id: str, source: PartSource, number: int, data: bytes) -> str:
        """Takes a part."""
        upload = self._open("UploadReadSetPart", upload_id)
        checksum = self._checksum(data)
        versions = upload.parts.setdefault((source, number), [])
        versions.append(StoredPart(self._now(), data, checksum))
        return self._told(checksum, listed=False)

    def complete(self, upload_id: str, parts: Sequence[UploadPart]) -> str:
        """Makes the read set."""
        operation = "CompleteMultipartReadSetUpload"
        upload = self.uploads.get(upload_id)
        if upload is not None and upload.read_set_id is not None:
            match self.rules.again:
                case "same":
                    return upload.read_set_id
                case "new":
                    return self._make(upload, self.read_sets[upload.read_set_id].content)
                case status:
                    raise refusal(operation, int(status), "it was completed")
        upload = self._open(operation, upload_id)
        if upload_id in self.refused:
            raise refusal(operation, 400, "refused for good")
        if self.rules.wants_all and {source for source, _ in upload.parts} - {
            each.source for each in parts
        }:
            raise refusal(operation, 400, "a file isn't named")
        content = dict.fromkeys(PartSource, b"")
        numbers = dict.fromkeys(PartSource, 0)
        for part in sorted(parts, key=lambda each: (each.source, each.number)):
            versions = upload.parts.get((part.source, part.number))
            numbers[part.source] += 1
            if versions is None or numbers[part.source] != part.number:
                raise refusal(operation, 400, f"part {part.number} is not there")
            if part.checksum != self.wanted(upload_id, part.source, part.number):
                raise refusal(operation, 400, f"part {part.number} has another checksum")
            content[part.source] += versions[-1].data
        if not content[PartSource.SOURCE1]:
            raise refusal(operation, 400, "no parts")
        return self._make(upload, {key: data for key, data in content.items() if data})

    def wanted(self, upload_id: str, source: PartSource, number: int) -> str:
        """By which string Complete knows a part."""
        last = self.uploads[upload_id].parts[source, number][-1]
        return self._told(last.checksum, listed=self.rules.spelling == "listing")

    def _make(self, upload: StoredUpload, content: dict[PartSource, bytes]) -> str:
        now = self._now()
        failed = len(self.read_sets) + 1 in self.rejected
        read_set = StoredReadSet(
            self._id(),
            upload,
            now,
            now + self.rules.processing_s,
            "UPLOAD_FAILED" if failed else "ACTIVE",
            content,
            deleted=now + self.rules.processing_s + self.deleting.get(len(self.read_sets) + 1, inf),
        )
        self.read_sets[read_set.read_set_id] = read_set
        if upload.read_set_id is None:
            upload.read_set_id = read_set.read_set_id
        upload.state = "completed"
        upload.unlisted = read_set.done if self.rules.lingers else now
        return read_set.read_set_id

    def abort(self, upload_id: str) -> None:
        """Gives an upload up."""
        upload = self._open("AbortMultipartReadSetUpload", upload_id)
        upload.state = "aborted"
        upload.unlisted = self._now()

    # --- reading ----------------------------------------------------------------------------

    def parts(self, upload_id: str, source: PartSource, token: str | None) -> Page[UploadPart]:
        """A page of an upload's parts."""
        operation = "ListReadSetUploadParts"
        upload = self._known(operation, upload_id)
        if upload.state == "expired" or not self._now() < upload.unlisted:
            raise refusal(operation, self.rules.gone, "no such upload")
        at, first = self._moment(self.rules.lag_parts, token)
        rows = []
        for (which, number), versions in upload.parts.items():
            seen = [each for each in versions if each.at <= at]
            if which is source and seen:
                checksum: str | None = self._told(seen[-1].checksum, listed=True)
                if not self.rules.checksums_listed:
                    checksum = None
                rows.append(UploadPart(which, number, len(seen[-1].data), checksum))
        return self._page(rows, at, first)

    def open_uploads(self, token: str | None) -> Page[MultipartUpload]:
        """A page of the open uploads."""
        at, first = self._moment(self.rules.lag_uploads, token)
        rows = []
        for upload in self.uploads.values():
            self._settle(upload)
            if upload.created + self.rules.unknown_s <= at < upload.unlisted:
                rows.append(self._row(upload))
        return self._page(rows, at, first)

    def list_read_sets(self, wanted: ReadSetFilter, token: str | None) -> Page[ReadSetDetails]:
        """A page of the read sets that pass a filter."""
        at, first = self._moment(self.rules.lag_read_sets, token)
        there = [
            each
            for each in self.read_sets.values()
            if each.created <= at < each.deleted and wanted.name in (None, each.upload.about.name)
        ]
        if wanted == _by_name(wanted.name):
            # A record is made of what is on the page only: a store may have thousands.
            page = self._page(there, at, first)
            records = tuple(self._record(each, at, listed=True) for each in page.rows)
            return Page(records, page.next_token)
        rows = [self._record(each, at, listed=True) for each in there]
        return self._page([row for row in rows if wanted.passes(row)], at, first)

    def read_set(self, read_set_id: str) -> ReadSetDetails:
        """A read set's metadata."""
        found = self.read_sets.get(read_set_id)
        now = self._now()
        if found is None or not found.created + self.rules.lag_metadata <= now < found.deleted:
            raise refusal("GetReadSetMetadata", 404, "no such read set")
        return self._record(found, now, listed=False)

    # --- parts of all that ------------------------------------------------------------------

    def _record(self, found: StoredReadSet, at: float, *, listed: bool) -> ReadSetDetails:
        """What is told of a read set; the same for as long as its status is."""
        key = (found.read_set_id, found.status(at), listed)
        if key not in self._records:
            self._records[key] = self._new_record(found, at, listed=listed)
        return self._records[key]

    def _new_record(self, found: StoredReadSet, at: float, *, listed: bool) -> ReadSetDetails:
        about, status = found.upload.about, found.status(at)
        rules = self.rules
        sizes: dict[PartSource, int] = {}
        if not listed and (status != "PROCESSING_UPLOAD" or rules.sizes != "none"):
            grows = 0 if found.upload.file_type is FileType.FASTQ else rules.grows
            if status == "PROCESSING_UPLOAD" and rules.sizes == "sent":
                grows = 0
            sizes = {source: len(data) + grows for source, data in found.content.items()}
        etag: ETag | None = None
        if not listed and status == "ACTIVE" and rules.etags:
            kind = {FileType.UBAM: "BAM"}.get(found.upload.file_type, str(found.upload.file_type))
            hashes = {str(key).lower(): etag_of(data) for key, data in found.content.items()}
            etag = ETag(algorithm=f"{kind}_MD5up", **hashes)
        return ReadSetDetails(
            read_set_id=found.read_set_id,
            status=status,
            name=about.name,
            sample_id=about.sample_id,
            subject_id=about.subject_id,
            file_type=found.upload.file_type,
            reference_arn=about.reference_arn,
            generated_from=about.generated_from,
            description=about.description,
            creation_type="UPLOAD",
            created_at=moment(found.created),
            files=ReadSetFiles.of_sizes(sizes),
            etag=etag,
        )

    def _row(self, upload: StoredUpload) -> MultipartUpload:
        """What a listing tells of an upload, always the same."""
        if upload.upload_id not in self._rows:
            self._rows[upload.upload_id] = self._new_row(upload)
        return self._rows[upload.upload_id]

    def _new_row(self, upload: StoredUpload) -> MultipartUpload:
        about = upload.about
        added = {"aws:omics:sampleId": about.sample_id or ""} if self.rules.own_tags else {}
        return MultipartUpload(
            upload_id=upload.upload_id,
            file_type=upload.file_type,
            name=about.name,
            sample_id=about.sample_id,
            subject_id=about.subject_id,
            reference_arn=about.reference_arn,
            generated_from=about.generated_from,
            description=about.description,
            tags=dict(about.tags),
            service_tags=added,
            created_at=moment(upload.created),
        )

    def _told(self, checksum: str, *, listed: bool) -> str:
        """A part's checksum, as a reply or a listing writes it."""
        if not self.rules.spelling or not listed or self.rules.checksum not in ("base64", "hex"):
            return checksum
        if self.rules.checksum == "hex":
            return base64.b64encode(bytes.fromhex(checksum)).decode()
        return base64.b64decode(checksum).hex()

    def _checksum(self, data: bytes) -> str:
        match self.rules.checksum:
            case "base64":
                return base64.b64encode(hashlib.sha256(data).digest()).decode()
            case "hex":
                return hashlib.sha256(data).hexdigest()
            case "foreign":
                return base64.b64encode(hashlib.blake2s(data).digest()).decode()
            case _:
                return f"etag-{hashlib.sha256(data).hexdigest()[:12]}"

    def _settle(self, upload: StoredUpload) -> None:
        """What time alone does to an upload."""
        if upload.state == "open" and self._now() >= upload.expires:
            upload.state = "expired"
            upload.unlisted = inf if self.rules.haunts else upload.expires

    def _known(self, operation: str, upload_id: str) -> StoredUpload:
        upload = self.uploads.get(upload_id)
        if upload is None or self._now() < upload.created + self.rules.unknown_s:
            raise refusal(operation, 404, "no such upload")
        self._settle(upload)
        return upload

    def _open(self, operation: str, upload_id: str) -> StoredUpload:
        upload = self._known(operation, upload_id)
        if upload.state != "open":
            raise refusal(operation, self.rules.gone, "no such upload")
        return upload

    def _moment(self, most: float, token: str | None) -> tuple[float, int]:
        """As of when a listing shows things, and from which row on."""
        if token is not None:
            at, _, first = token.partition("/")
            return float.fromhex(at), int(first)
        return self._now() - (self._lag(most) if most else 0.0), 0

    def _page(self, rows: list[Row], at: float, first: int) -> Page[Row]:
        upto = first + self.rules.page_rows
        more = f"{at.hex()}/{upto}" if upto < len(rows) else None
        return Page(tuple(rows[first:upto]), more)
