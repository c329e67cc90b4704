"""One upload under way in the engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

import anyio
from msgspec import Struct, field

from turboupload.core.model import FileIdentity, Part, Phase
from turboupload.core.notices import Notice, Remark
from turboupload.core.proof.manifest import Compared
from turboupload.core.rate.meter import Limiter, Meter
from turboupload.core.records import UploadPart
from turboupload.core.upload.events import ETagComputed, PartSeen
from turboupload.core.upload.state import Upload
from turboupload.engine.survey import SharedListing, Surveyor
from turboupload.errors import CallFailed
from turboupload.omics.base import ReadSetService, UploadRef
from turboupload.state.lock import UploadLock
from turboupload.state.receipt_file import ReceiptTarget

if TYPE_CHECKING:
    from turboupload.files.spool import Spool

__all__ = ["FileHash", "ManifestCheck", "OnNotice", "PartCarrier", "PartLost", "Run"]

OnNotice = Callable[[Notice], None]
"""Receives everything that happens, on the event loop; an exception from it stops the upload."""


class ManifestCheck(Protocol):
    """Compares an upload's files with manifests while they are sent.

    Attributes:
        compared: What was compared so far.
    """

    compared: tuple[Compared, ...]

    def part_started(self, part: Part) -> None:
        """Allows hashing up to the end of a part, since that part is being sent now."""
        ...

    async def agreed(self) -> None:
        """Waits until all is compared.

        Raises:
            IntegrityError: A file isn't what a manifest says, or changed.
        """
        ...


class FileHash(Protocol):
    """Hashes an upload's files while they are sent, for their ETag."""

    def part_started(self, part: Part) -> None:
        """Allows hashing up to the end of a part, since that part is being sent now."""
        ...

    def hurry(self) -> None:
        """Allows hashing to the end of the files, since nothing is left to send."""
        ...

    async def computed(self, family: str | None = None) -> ETagComputed:
        """Waits for the ETag.

        Args:
            family: The family of the service's ETag; None takes the expected one.
        """
        ...


class PartLost(Exception):
    """Whoever had a part is gone; whether the service has the part, only its list can tell."""


class PartCarrier(Protocol):
    """Has the parts of an upload sent by other machines.

    Attributes:
        room: How many parts may be in their hands at a time.
        limited_by: What keeps their rate from being higher; None where that isn't known.
    """

    @property
    def room(self) -> int: ...  # noqa: D102 - as above

    @property
    def limited_by(self) -> Limiter | None: ...  # noqa: D102 - as above

    async def send(self, run: Run, part: Part) -> PartSeen:
        """Has one of them send a part; its bytes are counted in the run as they leave.

        Raises:
            PartLost: Whoever had it is gone, or gave it back.
            CallFailed: The service refused.
            TurbouploadError: As of a part that is sent from here.
        """
        ...


class Run(Struct, eq=False):
    """One upload under way: its state, and the engine's objects for it.

    Attributes:
        upload: The state that decides what to do.
        key: The upload's key in the journal.
        served: Gives the service, with the engine's policies around every call; called with what
            counts retries, and with the part that is sent, if one is.
        notify: Receives every notice of this upload.
        started: When the run started, in seconds by the engine's clock.
        started_at: The same in seconds since the epoch, for the receipt.
        receipt_target: The file that the receipt is written to, beside the journal.
        wait_for_end: Whether the run polls the read set; otherwise it ends once that exists.
        surveyor: Answers the first survey; None asks the service.
        meter: Measures how fast this upload's bytes go out.
        sent_bytes: Body bytes handed to the network, resends included.
        retries: How many calls were made again.
        in_flight: How many parts are being sent, compared or listed.
        partial_bytes: The bytes sent of each part that is under way.
        changed: Set, and replaced, whenever a part has ended or the window has changed.
        failure: The first error of a part; it ends the others.
        withdrawn: Whether its parts in flight were taken back, because too much was at risk.
        recut: The part size by which the files are to be cut anew, in bytes; None leaves them.
        turned_away: How the service refused a part because the upload isn't open, if it did.
        remarked: Codes of the remarks made so far; each is made once.
        resumed: Whether an earlier run, or another host, had opened the upload.
        surveyed: Whether the service was asked what it has for this read set.
        completed: When Complete returned the read set's id, in seconds by the engine's clock.
        polls: How often the read set was asked for.
        poll_deadline: When to stop polling, in seconds by the engine's clock; None never.
        last_status: The read set's status when it was last asked for.
        not_shown_since: Since when the service doesn't show the read set, in seconds.
        create_failing_since: When Create first went unanswered, in seconds.
        completing: The upload on which Complete was called last.
        complete_failing_since: When that first failed, in seconds.
        complete_failures: How often Complete failed.
        compared_as: The files as they were when they were last compared with what was sent, because
            somebody had touched them; None where nobody had.
        complete_refusals: What refused it for good, though the upload was open before.
        limits_seen: How often each limit was what held the upload back, once a second.
        locks: Releases the locks of the run.
        held: The locks that the run holds, by key.
        journal_tail: What identified the upload's last journal row when its lock was released.
        spool: Where the bytes of a stream are; None where there are files.
        carrier: Has the parts sent by other machines; None sends them from here.
        part_listing: What the service has of the parts, for those whose sender was lost.
        file_hash: Hashes the files for their ETag; None where no ETag was asked for.
        manifest: Compares the files with manifests; None where there are none.
    """

    upload: Upload
    key: str
    served: Callable[[Callable[[], None], Part | None], ReadSetService]
    notify: OnNotice
    started: float
    started_at: float
    receipt_target: ReceiptTarget | None = None
    wait_for_end: bool = True
    surveyor: Surveyor | None = None
    meter: Meter = field(default_factory=Meter)
    sent_bytes: int = 0
    retries: int = 0
    in_flight: int = 0
    partial_bytes: dict[Part, int] = field(default_factory=dict)
    changed: anyio.Event = field(default_factory=anyio.Event)
    failure: Exception | None = None
    withdrawn: bool = False
    recut: int | None = None
    turned_away: CallFailed | None = None
    remarked: set[str] = field(default_factory=set)
    resumed: bool = False
    surveyed: bool = False
    completed: float | None = None
    polls: int = 0
    poll_deadline: float | None = None
    last_status: str | None = None
    not_shown_since: float | None = None
    create_failing_since: float | None = None
    completing: UploadRef | None = None
    complete_failing_since: float | None = None
    complete_failures: int = 0
    compared_as: tuple[FileIdentity, ...] | None = None
    complete_refusals: list[CallFailed] = field(default_factory=list)
    limits_seen: Counter[Limiter] = field(default_factory=Counter)
    locks: ExitStack = field(default_factory=ExitStack)
    held: dict[str, UploadLock] = field(default_factory=dict)
    journal_tail: str | None = None
    spool: Spool | None = None
    carrier: PartCarrier | None = None
    part_listing: SharedListing[UploadPart] = field(default_factory=SharedListing)
    file_hash: FileHash | None = None
    manifest: ManifestCheck | None = None

    def part_started(self, part: Part) -> None:
        """Tells those that hash the files that a part is being sent."""
        for each in (self.file_hash, self.manifest):
            if each is not None:
                each.part_started(part)

    async def agree_with_manifests(self) -> None:
        """Waits until the files are known to be what manifests say, where there are any.

        Raises:
            IntegrityError: They aren't.
        """
        if self.manifest is not None:
            await self.manifest.agreed()

    @property
    def service(self) -> ReadSetService:
        """The service, with the engine's policies around every call."""
        return self.served(self.count_retry, None)

    def service_for(self, part: Part) -> ReadSetService:
        """The same, for a part that the notices of its calls name."""
        return self.served(self.count_retry, part)

    @property
    def ref(self) -> UploadRef:
        """The upload's address at the service, once it is open."""
        assert self.upload.upload_id is not None
        return UploadRef(self.upload.store_id, self.upload.upload_id)

    @property
    def largest_part(self) -> int:
        """The size of the largest part, in bytes."""
        return self.upload.plan.largest_part

    @property
    def bytes_under_way(self) -> int:
        """The bytes sent of parts that the service hasn't accepted yet."""
        return sum(tuple(self.partial_bytes.values()))

    @property
    def processing(self) -> bool:
        """Whether the read set exists, as far as is known, and the service is working on it."""
        return self.upload.phase is Phase.PROCESSING

    def count_retry(self) -> None:
        """Counts a call that failed and will be made again."""
        self.retries += 1

    def wake(self) -> None:
        """Wakes the tasks that wait for a change."""
        self.changed.set()
        self.changed = anyio.Event()

    def remark(self, code: str, text: str) -> None:
        """Reports a remark to the user, once for each code."""
        if code not in self.remarked:
            self.remarked.add(code)
            self.notify(Remark(code, text))
