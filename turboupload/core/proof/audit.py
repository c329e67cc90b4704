"""What receipts, and the store, say of files on a disk: may they be deleted?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal

from turboupload.core.model import FileIdentity
from turboupload.core.proof.known_files import KnownFile, KnownFiles, SeenFile
from turboupload.core.proof.receipt import STORED
from turboupload.core.records import ReadSetDetails

__all__ = [
    "STANDINGS",
    "Audit",
    "AuditedFile",
    "Standing",
    "StoreView",
    "judge_file",
]

Standing = Literal["proven", "unproven", "changed", "absent"]
"""`proven`: the store has it, and that is proven. `unproven`: it was sent, and nothing proves that
the store has it. `changed`: another file was sent from its place. `absent`: no receipt names it, or
its read set is gone."""

STANDINGS: Final[tuple[Standing, ...]] = ("proven", "unproven", "changed", "absent")

_GONE: Final = frozenset({"DELETED", "DELETING"})


@dataclass(frozen=True, slots=True)
class StoreView:
    """What a store was asked.

    Attributes:
        store_id: The store.
        read_sets: Those that it has, by id, of those that receipts name.
    """

    store_id: str
    read_sets: Mapping[str, ReadSetDetails]

    def objection(self, known: KnownFile) -> tuple[Standing, str] | None:
        """What the store says against a receipt's proof; None for nothing."""
        named = f"read set {known.read_set_id}"
        found = self.read_sets.get(known.read_set_id)
        if found is None or found.status in _GONE:
            return "absent", f"{named} is no longer in store {self.store_id}"
        if found.status not in STORED:
            return "unproven", f"{named} is {found.status} in store {self.store_id}"
        for key in ("name", "sample_id", "subject_id"):
            ours, theirs = known.read_set.get(key), getattr(found, key)
            if None not in (ours, theirs) and ours != theirs:
                return "unproven", f"{named} of the store has another {key} than in the receipt"
        ours = known.read_set.get("etag")
        if ours and found.etag is not None and found.etag.as_dict() != dict(ours):
            return "unproven", f"{named} of the store has another ETag than in the receipt"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedFile:
    """The result for a file.

    Attributes:
        path: The file.
        size_bytes: Its size.
        standing: Whether it is proven to be in the store.
        sentence: Why, in words.
        read_set_id: The read set that it was sent to; None where there is none.
        store_id: That read set's store.
        proven_by: The comparisons that prove it; none where it isn't proven.
        proven_at: When the receipt was made, as ISO 8601 text in UTC.
        receipt: Where the receipt is: `receipt 12 of the journal`, or a path.
        chained: Whether that receipt is in a chain.
        identity: The file's identity.
        links: How many names its inode has.
        allocated: What it takes on the disk, in bytes.
    """

    path: str
    size_bytes: int
    standing: Standing
    sentence: str
    read_set_id: str | None = None
    store_id: str | None = None
    proven_by: tuple[str, ...] = ()
    proven_at: str | None = None
    receipt: str | None = None
    chained: bool = False
    identity: FileIdentity = field(repr=False)
    links: int = field(default=1, repr=False)
    allocated: int = field(default=0, repr=False)

    @property
    def inode(self) -> tuple[int, int]:
        """Identifies a file that has several names."""
        return self.identity.device, self.identity.inode


def judge_file(seen: SeenFile, known: KnownFiles, store: StoreView | None = None) -> AuditedFile:
    """What the receipts, and the store where it was asked, say of a file.

    Args:
        seen: The file.
        known: All files that receipts name.
        store: What the store was asked; None where receipts alone decide.
    """
    same = known.same(seen)
    here = [each for each in same if store is None or each.store_id == store.store_id]
    judged = [(_judge_same(seen, each, store), each) for each in here]
    if judged:
        (standing, sentence), best = max(
            judged, key=lambda each: (-STANDINGS.index(each[0][0]), each[1].rank)
        )
        return audited(seen, standing, sentence, best)
    if same:
        sentence = f"its receipt is of another store ({same[-1].store_id})"
        return audited(seen, "absent", sentence, same[-1])
    if before := known.at(seen.real_path):
        return audited(seen, "changed", _what_changed(before[-1].identity, seen.identity))
    return audited(seen, "absent", _no_receipt(seen, known))


def _judge_same(seen: SeenFile, known: KnownFile, store: StoreView | None) -> tuple[Standing, str]:
    objection = store.objection(known) if store is not None else None
    if objection is not None:
        return objection
    if known.proven and _touched_since(seen, known):
        return "unproven", _TOUCHED
    return "proven" if known.proven else "unproven", known.statement


_TOUCHED: Final = (
    "was touched since its receipt was made: its mode, owner or names changed, or it was written "
    "to and its time of change set back; --deep compares its content"
)


def _touched_since(seen: SeenFile, known: KnownFile) -> bool:
    try:
        ended = datetime.fromisoformat(known.ended)
    except ValueError:
        return True  # unknown
    touched_ns = seen.identity.ctime_ns or 0
    return touched_ns > ended.replace(tzinfo=ended.tzinfo or UTC).timestamp() * 1e9


def audited(
    seen: SeenFile, standing: Standing, sentence: str, known: KnownFile | None = None
) -> AuditedFile:
    """A file with its standing.

    Args:
        seen: The file.
        standing: Its standing.
        sentence: Why, in words.
        known: What a receipt says of it.
    """
    told: dict[str, Any] = {}
    if known is not None:
        told = {
            "read_set_id": known.read_set_id,
            "store_id": known.store_id,
            "proven_by": known.proven_by if standing == "proven" else (),
            "proven_at": known.ended if standing == "proven" else None,
            "receipt": known.receipt,
            "chained": known.chained,
        }
    return AuditedFile(
        path=seen.path,
        size_bytes=seen.identity.size,
        standing=standing,
        sentence=sentence,
        identity=seen.identity,
        links=seen.links,
        allocated=seen.allocated,
        **told,
    )


def _what_changed(before: FileIdentity, now: FileIdentity) -> str:
    if before.size != now.size:
        return f"has {now.size:,} bytes, and had {before.size:,} when it was sent"
    if before.mtime_ns != now.mtime_ns:
        return "was written to or replaced since it was sent: its time of change differs"
    return "was replaced since it was sent: it is another inode"


def _no_receipt(seen: SeenFile, known: KnownFiles) -> str:
    name = seen.real_path.rpartition("/")[2]
    for each in known.of_size(seen.identity.size):
        if each.real_path.rpartition("/")[2] == name:
            return (
                f"no receipt names this file; one of its name and size was sent from "
                f"{each.real_path}, and --deep compares their content"
            )
    return "no receipt names it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """The result for the files under some folders.

    Attributes:
        files: Every sequencing file, in the order of the paths.
        store_id: The store that was asked; None where receipts alone decided.
        unread: Folders and files that couldn't be looked at, each with the reason.
        other_files: How many files are of no sequencing format; they aren't judged.
        other_bytes: Their sizes together.
        links: How many symbolic links there are, which are not followed.
        findings: Sentences about receipts that couldn't be believed.
        receipts: How many receipts were read.
        seconds: How long it took.
    """

    files: tuple[AuditedFile, ...]
    store_id: str | None = None
    unread: tuple[tuple[str, str], ...] = ()
    other_files: int = 0
    other_bytes: int = 0
    links: int = 0
    findings: tuple[str, ...] = ()
    receipts: int = 0
    seconds: float = 0.0

    def of(self, standing: Standing) -> tuple[AuditedFile, ...]:
        """The files of a standing."""
        return tuple(each for each in self.files if each.standing == standing)

    def bytes_of(self, standing: Standing) -> int:
        """Their sizes together, in bytes; each inode once."""
        return sum({each.inode: each.size_bytes for each in self.of(standing)}.values())

    @property
    def proven(self) -> bool:
        """Whether all sequencing files, at least one, are proven, and all could be looked at.

        Where there is none, the folder may be another one than was meant.
        """
        if not self.files or self.unread or self.findings:
            return False
        return len(self.of("proven")) == len(self.files)

    @property
    def freeable_bytes(self) -> int:
        """What the disk gains when the proven files are deleted, in bytes.

        An inode counts once, and only where all its names are among them.
        """
        names = self._names_of_proven()
        return sum(
            min(each.size_bytes, each.allocated or each.size_bytes)
            for each, count in names.values()
            if count >= each.links
        )

    @property
    def held_elsewhere(self) -> tuple[AuditedFile, ...]:
        """Proven files that have other names, so that deleting them frees nothing."""
        names = self._names_of_proven()
        return tuple(each for each in self.of("proven") if names[each.inode][1] < each.links)

    def _names_of_proven(self) -> dict[tuple[int, int], tuple[AuditedFile, int]]:
        names: dict[tuple[int, int], tuple[AuditedFile, int]] = {}
        for each in self.of("proven"):
            names[each.inode] = (each, names[each.inode][1] + 1 if each.inode in names else 1)
        return names
