"""States of an upload to begin a test with, what the service says, and ways to drive them."""

from __future__ import annotations

from dataclasses import replace

from tests.support.values import checksum, digest, listed, plan, record, source, upload
from turboupload.core.model import FileType, Part
from turboupload.core.proof.etag import ContentETag
from turboupload.core.records import ETag, MultipartUpload, ReadSetDetails, UploadPart
from turboupload.core.upload.actions import (
    Complete,
    Create,
    Declare,
    Done,
    ListParts,
    PollReadSet,
    Prove,
    SendParts,
    Survey,
)
from turboupload.core.upload.events import (
    Candidate,
    Completed,
    CompleteLost,
    Completing,
    ETagComputed,
    Event,
    NothingCame,
    Opened,
    Opening,
    PartSeen,
    PartsListed,
    ReadSetGone,
    StatusSeen,
    Surveyed,
    UploadGone,
    UploadRefused,
)
from turboupload.core.upload.parts.work import CheckPart, ListAgain, SendPart
from turboupload.core.upload.state import Upload, UploadOptions

NOTHING = Surveyed((), ())
NOW = 1_700_000_000.0
ETAG = ETag(algorithm="FASTQ_MD5up", source1="aa" * 16, source2="bb" * 16)


def ours_in(family: str) -> ETagComputed:
    """The ETag of our files, of which every read set of `Service` is made."""
    etag = ContentETag(f"FASTQ_{family}", "aa" * 16, "bb" * 16)
    return ETagComputed(family=family, etag=etag)


def sent(part: Part, origin: str = "sent") -> PartSeen:
    return PartSeen(part=part, digest=digest(part), checksum=checksum(part), origin=origin)  # type: ignore[arg-type] # the test's own literals


def candidate(
    upload_id: str = "1000000001",
    parts: tuple[UploadPart, ...] = (),
    probe: str = "equal",
    part_size: int | None = 4,
) -> Candidate:
    about = MultipartUpload(
        upload_id=upload_id,
        file_type="FASTQ",
        name="lane 1",
        sample_id="HG002",
        subject_id="NA24385",
    )
    return Candidate(about, parts, part_size, probe)  # type: ignore[arg-type] # the test's own literals


class Service:
    """The least service that answers a state's actions, and can forget replies."""

    def __init__(self) -> None:
        self.tokens: dict[str, str] = {}
        self.open: dict[str, dict[tuple[object, int], UploadPart]] = {}
        self.read_sets: list[ReadSetDetails] = []
        self.creates = 0
        self.sent: list[Part] = []

    def answer(self, state: Upload) -> list[Event]:
        """Does the state's next action; returns the facts."""
        match state.next():
            case Survey():
                return [
                    Surveyed(
                        tuple(
                            candidate(
                                upload_id, tuple(parts.values()), "equal" if parts else "unknown"
                            )
                            for upload_id, parts in self.open.items()
                        ),
                        tuple(self.read_sets),
                    )
                ]
            case Declare(event):
                return [event]
            case Create(token):
                if token not in self.tokens:
                    self.creates += 1
                    self.tokens[token] = f"{1_000_000_000 + self.creates}"
                    self.open[self.tokens[token]] = {}
                return [
                    Opened(
                        upload_id=self.tokens[token],
                        adopted=False,
                        part_size=state.plan.part_size,
                    )
                ]
            case ListParts(upload_id):
                if upload_id not in self.open:
                    return [UploadGone()]
                return [PartsListed(tuple(self.open[upload_id].values()))]
            case SendParts(upload_id):
                work = state.ledger.take()
                assert work is not None
                if isinstance(work, CheckPart):
                    text = state.ledger.confirmed(work.part, digest(work.part))
                    return [
                        PartSeen(
                            part=work.part,
                            digest=digest(work.part),
                            checksum=text,
                            origin="checked",
                        )
                    ]
                if isinstance(work, ListAgain):
                    return [PartsListed(tuple(self.open[upload_id].values()))]
                self.sent.append(work.part)
                self.open[upload_id][work.part.source, work.part.number] = listed(work.part)
                return [sent(work.part)]
            case Complete(upload_id, parts):
                if upload_id not in self.open:
                    return [CompleteLost()]
                assert list(parts) == sorted(
                    self.open.pop(upload_id).values(), key=lambda row: (row.source, row.number)
                )
                sizes = [each.size for each in state.plan.sources]
                made = record(
                    "ACTIVE", *sizes, read_set_id=f"{9_000_000_000 + len(self.read_sets)}"
                )
                made = replace(made, etag=ETAG)
                self.read_sets.append(made)
                return [Completed(read_set_id=made.read_set_id)]
            case PollReadSet(read_set_id):
                for each in self.read_sets:
                    if each.read_set_id == read_set_id:
                        return [StatusSeen(each)]
                return [ReadSetGone()]
            case Prove(family):
                return [ours_in(family)]
            case Done():
                return []


JOURNALLED = (
    Opening, Opened, PartSeen, Completing, Completed, StatusSeen, UploadGone, ReadSetGone,
)  # fmt: skip


def as_journal(event: Event) -> Event:
    if isinstance(event, PartSeen):
        return PartSeen(
            part=event.part, digest=event.digest, checksum=event.checksum, origin="journal"
        )
    return event


def drive(state: Upload, service: Service, journal: list[Event], steps: int = 1000) -> bool:
    """Runs up to `steps` actions; True when done."""
    for _ in range(steps):
        events = service.answer(state)
        if not events:
            return True
        for event in events:
            if isinstance(event, JOURNALLED):
                journal.append(as_journal(event))
            state.receive(event)
    return False


def resumed(*events: Event, options: UploadOptions | None = None, mtime_ns: int = 1) -> Upload:
    state = upload(10, options=options, mtime_ns=mtime_ns)
    state.replay(events)
    return state


def opening(part_size: int = 4, attempt: int = 0, known: tuple[str, ...] = ()) -> Opening:
    return Opening(
        attempt=attempt,
        token="t",
        part_size=part_size,
        checksum="sha256",
        identities=(source().files[0].identity,),
        known_read_sets=known,
        started=NOW,
    )


REFUSED = UploadRefused("ListReadSetUploadParts", "Gone", "no such thing (Gone)")
OPENED = Opened(upload_id="1000000001", adopted=False, part_size=4)
PARTS = list(plan(10).parts())
ALL = tuple(listed(part) for part in PARTS)
OURS = candidate(probe="unknown")


def surveyed(
    state: Upload, *read_sets: ReadSetDetails, uploads: tuple[Candidate, ...] = ()
) -> float:
    """Answers the survey that the state asks for; returns the pause that it wanted first."""
    action = state.next()
    assert isinstance(action, Survey)
    state.receive(Surveyed(uploads, read_sets))
    return action.after_s


def declared(state: Upload) -> Event:
    """The fact that the state declares next, received."""
    action = state.next()
    assert isinstance(action, Declare)
    state.receive(action.event)
    return action.event


def begun_anew(state: Upload, *uploads: Candidate) -> Opening:
    """What comes once it is certain that no read set resulted from the upload."""
    assert declared(state) == NothingCame()
    assert surveyed(state, uploads=uploads) == 0
    begun = declared(state)
    assert isinstance(begun, Opening)
    return begun


def listed_in_vain(state: Upload, *rows: UploadPart) -> float:
    """Answers listings until something else is to be done; returns how long they took, in s."""
    waited = 0.0
    while isinstance(work := state.ledger.take(), ListAgain):
        waited += work.after_s
        state.receive(PartsListed(rows))
    state.ledger.rewind()
    return waited


def send_all(state: Upload) -> None:
    """Sends every part of an upload that has none, up to the listing of all."""
    state.receive(PartsListed(()))
    while isinstance(work := state.ledger.take(), SendPart):
        state.receive(sent(work.part))
    state.receive(PartsListed(ALL))


def looked_in_vain(
    state: Upload, *read_sets: ReadSetDetails, uploads: tuple[Candidate, ...] = ()
) -> float:
    """Answers surveys until the state does something else; returns how long they took, in s."""
    waited = 0.0
    while isinstance(state.next(), Survey):
        waited += surveyed(state, *read_sets, uploads=uploads)
        if not isinstance(state.next(), Survey):
            break
        assert waited < 10_000
    return waited


def all_there(
    *,
    known: tuple[str, ...] = (),
    file_type: str = "FASTQ",
    options: UploadOptions | None = None,
) -> Upload:
    """An upload whose parts are all sent, the last one by this run, before the last look."""
    *before, last = PARTS
    state = upload(10, file_type=FileType(file_type), options=options)
    state.replay([opening(known=known), OPENED, *[sent(part, "journal") for part in before]])
    state.receive(PartsListed(ALL[:-1]))
    state.receive(sent(last))
    state.receive(PartsListed(ALL))
    return state


def rival(upload_id: str, *parts: UploadPart) -> Candidate:
    return candidate(upload_id, parts, probe="unknown")


EDITED = replace(ALL[1], checksum=checksum(PARTS[2]))
