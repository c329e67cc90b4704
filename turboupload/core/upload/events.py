"""Facts about an upload; a fact never changes afterwards.

`receive()` of `turboupload.core.upload.state.Upload` is the only place that draws conclusions from
them, and it does not care where they came from: a reply just now, a row of the journal, a row of
a listing.
"""

from __future__ import annotations

from typing import Literal

from turboupload.core.model import FileIdentity, Part
from turboupload.core.proof.checksum import Checksum, Digest
from turboupload.core.proof.etag import ContentETag
from turboupload.core.records import MultipartUpload, ReadSetDetails, UploadPart
from turboupload.value import Value

__all__ = [
    "Candidate",
    "CompleteLost",
    "Completed",
    "Completing",
    "CreateUnclear",
    "Disowned",
    "ETagComputed",
    "Event",
    "NothingCame",
    "Opened",
    "Opening",
    "PartSeen",
    "PartsListed",
    "Probe",
    "ReadSetGone",
    "SourceGrew",
    "StatusSeen",
    "Surveyed",
    "UploadGone",
    "UploadRefused",
]

Probe = Literal["equal", "differs", "unknown", "gone"]
"""What a look at one part of somebody's open upload says about its being ours; `gone`: it is
listed, and the service says that it isn't open."""


class Candidate(Value, frozen=True):
    """An open upload whose metadata match ours.

    Attributes:
        upload: As listed.
        parts: What it has.
        part_size: The size under which these parts are parts of our files, in bytes; None
            where there is none.
        probe: What a look into one of them found.
    """

    upload: MultipartUpload
    parts: tuple[UploadPart, ...]
    part_size: int | None
    probe: Probe

    @property
    def size(self) -> int:
        """What its parts hold together, in bytes."""
        return sum(part.size for part in self.parts)

    @property
    def has_no_cut(self) -> bool:
        """Whether no single cut explains its parts.

        Two hosts may have cut our files differently in it; or it is of a longer file.
        """
        return bool(self.parts) and self.part_size is None


class Surveyed(Value, frozen=True):
    """The service was asked what it has for this metadata: open uploads and read sets.

    Attributes:
        candidates: The open uploads.
        read_sets: The read sets.
        shown: Open uploads of this metadata that this process has been shown, by any listing.
        made_otherwise: Those of the read sets that were made of other uploads, as the journal says.
    """

    candidates: tuple[Candidate, ...]
    read_sets: tuple[ReadSetDetails, ...]
    shown: frozenset[str] = frozenset()
    made_otherwise: frozenset[str] = frozenset()


class Opening(Value, frozen=True, kw_only=True):
    """An upload is about to be created. Durable before Create is called.

    Attributes:
        attempt: 0 for the first upload of this content under this metadata, then 1, 2 …
        token: The client token that Create will carry.
        part_size: In bytes.
        checksum: What is computed of each part.
        identities: The very files, in the order of the sources.
        known_read_sets: Read sets of this metadata that existed before, and so aren't ours.
        started: Seconds since the epoch, by our clock.
        known_uploads: Open uploads of this metadata that were there before, and were left alone,
            with what each held, in bytes: 0 where it was seen open, and isn't listed any more.
    """

    attempt: int
    token: str
    part_size: int
    checksum: Checksum
    identities: tuple[FileIdentity, ...]
    known_read_sets: tuple[str, ...]
    started: float
    known_uploads: tuple[tuple[str, int], ...] = ()


class CreateUnclear(Value, frozen=True):
    """Create was called, and which upload it opened, if any, is not known.

    Attributes:
        token_used: The service refused the token as one that was used before; what it does with
            such a token isn't documented. Otherwise no answer came in time.
    """

    token_used: bool


class Opened(Value, frozen=True, kw_only=True):
    """The service has this upload open. Durable before the first part is sent.

    Attributes:
        adopted: It was there already, made by another run, host or tool.
        part_size: In bytes; of an adopted upload, what its parts say.
        identities: The very files when an upload was adopted, in the order of the sources.
        known_read_sets: Read sets of this metadata that existed when it was adopted, and so aren't
            made of it.
        known_uploads: Other open uploads of this metadata then, as `Opening` has them.
    """

    upload_id: str
    adopted: bool
    part_size: int
    identities: tuple[FileIdentity, ...] = ()
    known_read_sets: tuple[str, ...] = ()
    known_uploads: tuple[tuple[str, int], ...] = ()


class PartsListed(Value, frozen=True):
    """The service listed all parts of the upload, of every source."""

    parts: tuple[UploadPart, ...]


class SourceGrew(Value, frozen=True):
    """More of a stream was read.

    Attributes:
        size: What is to be sent of it by now, in bytes: whole parts, until it has ended.
        ended: Whether that is all of it.
    """

    size: int
    ended: bool


PartOrigin = Literal["sent", "journal", "checked"]


class PartSeen(Value, frozen=True, kw_only=True):
    """We know the bytes of a part, and perhaps what the service calls them.

    Attributes:
        part: The part, with its place in the file.
        digest: Of the bytes as they are in the file.
        checksum: The service's string for these very bytes; None where it has another.
        origin: Sent just now, remembered by the journal, or read again to compare.
    """

    part: Part
    digest: Digest
    checksum: str | None
    origin: PartOrigin


class Completing(Value, frozen=True):
    """All parts are proven. Durable before Complete is called."""


class CompleteLost(Value, frozen=True):
    """Complete was called, and its outcome is unknown.

    Attributes:
        gone: Whether the service said that it has no such upload (any more).
        slow: Whether it may still be at work: it did not answer in time.
        refused: Whether it said, for another reason, that it doesn't complete this upload (any
            more).
    """

    gone: bool = False
    slow: bool = False
    refused: bool = False


class Completed(Value, frozen=True, kw_only=True):
    """The read set exists.

    Attributes:
        adopted: It was found, not made by a reply that we saw.
        proof: Why it is ours. `reply`: Complete returned its id. `etag`: its ETag is that of the
            files. `journal`: we called Complete, our upload is gone, and it is the one read set
            that has come since. `fresh`: the same, while our upload was still listed. `none`:
            nothing is known yet but its metadata (`size`, in journals of earlier versions: and
            its sizes).
    """

    read_set_id: str
    adopted: bool = False
    proof: Literal["reply", "journal", "fresh", "etag", "size", "none"] = "reply"


class StatusSeen(Value, frozen=True):
    """The service described the read set."""

    record: ReadSetDetails


class ETagComputed(Value, frozen=True, kw_only=True):
    """The ETag of our files is known, or known not to be computable.

    Attributes:
        family: Such as `MD5up`.
        etag: None where it can't be computed.
        sha256: Of each source as it is, in hexadecimal; of merged files as `cat` gives them.
        files_sha256: Of each file of each source, likewise.
        reads: How many reads the files have together, where they could be counted.
        reason: Why it can't be computed.
        reader: What made the text of alignments, with its version.
        reservation: Why another reader may make another text, as a sentence.
    """

    family: str
    etag: ContentETag | None
    sha256: tuple[str, ...] = ()
    files_sha256: tuple[tuple[str, ...], ...] = ()
    reads: int | None = None
    reason: str = ""
    reader: str = ""
    reservation: str = ""


class UploadGone(Value, frozen=True):
    """The service does not know the upload (any more).

    Attributes:
        aborted: It was aborted on purpose, so that it made no read set. Otherwise it was
            completed, aborted elsewhere, or it expired.
    """

    aborted: bool = False


class UploadRefused(Value, frozen=True):
    """The service refused a call on the upload: perhaps because it isn't open any more.

    What is answered then isn't documented; the list of open uploads tells.

    Attributes:
        operation: The call.
        code: The service's name for the error.
        refusal: What the service said, as a sentence for the user.
    """

    operation: str
    code: str
    refusal: str


class ReadSetGone(Value, frozen=True):
    """The read set was deleted, or the service does not know it any more."""


class NothingCame(Value, frozen=True):
    """The upload is gone, and for longer than a listing may lag no read set resulted from it."""


class Disowned(Value, frozen=True):
    """The upload has a part of other files; it is left untouched."""

    upload_id: str


Event = (
    Surveyed
    | Opening
    | CreateUnclear
    | Opened
    | PartsListed
    | PartSeen
    | SourceGrew
    | Completing
    | CompleteLost
    | Completed
    | StatusSeen
    | ETagComputed
    | UploadGone
    | UploadRefused
    | ReadSetGone
    | NothingCame
    | Disowned
)
