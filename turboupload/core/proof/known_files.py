"""Files on a disk, and those that receipts name: which of them are the same?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from turboupload.core.model import FileIdentity
from turboupload.core.proof.receipt import FileRecord, Receipt

__all__ = ["KnownFile", "KnownFiles", "SeenFile", "known_files"]


@dataclass(frozen=True, slots=True)
class SeenFile:
    """A file under an audited folder.

    Attributes:
        path: As a user would write it.
        real_path: Absolute, without symbolic links.
        identity: The file's identity.
        links: How many names the inode has, on its whole file system.
        allocated: What it takes on the disk, in bytes; 0 where the file system doesn't tell.
    """

    path: str
    real_path: str
    identity: FileIdentity
    links: int = 1
    allocated: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFile:
    """A file that a receipt names.

    Attributes:
        real_path: Where it was, without the symbolic links that are there now.
        identity: The very file that was sent.
        receipt: Where the receipt is: its number in the journal, or a path.
        chained: Whether the receipt is in a chain.
        read_set: What the receipt says of the read set.
        proven: Whether the receipt proves that the store has its files.
        proven_by: The comparisons that prove it.
        statement: The same in words.
        strength: The receipt's strength.
        ended: When the receipt was made, as ISO 8601 text in UTC.
        record: Its digests, for a comparison of content; None where none is made.
        part_size: How the digests are cut, in bytes.
        merged: The files of its source, in order, where they are several; their content can
            only be compared together.
    """

    real_path: str
    identity: FileIdentity
    receipt: str
    chained: bool
    read_set: Mapping[str, Any]
    proven: bool
    proven_by: tuple[str, ...]
    statement: str
    strength: int
    ended: str
    record: FileRecord | None = None
    part_size: int = 0
    merged: tuple[str, ...] = ()

    def paths_with(self, seen: SeenFile) -> tuple[str, ...]:
        """What is to be read to compare a file's content with this one's."""
        if not self.merged:
            return (seen.path,)
        return tuple(seen.real_path if each == self.real_path else each for each in self.merged)

    @property
    def rank(self) -> tuple[int, str]:
        """Of several receipts of a file the one counts that ranks highest."""
        return self.strength, self.ended

    @property
    def read_set_id(self) -> str:
        """The read set's id."""
        return str(self.read_set.get("id"))

    @property
    def store_id(self) -> str:
        """The sequence store."""
        return str(self.read_set.get("store_id"))


def known_files(
    receipt: Receipt, where: str, real_paths: Sequence[str], *, with_digests: bool = False
) -> Iterator[KnownFile]:
    """The local files that a receipt names.

    Args:
        receipt: The receipt.
        where: Where it is.
        real_paths: The path of each of its files without symbolic links.
        with_digests: Whether content is to be compared.
    """
    verdict = receipt.verdict
    left = iter(zip(receipt.local_files, real_paths, strict=True))
    for record in receipt.files:
        files = list(islice(left, len(record.files)))
        merged = tuple(real_path for _, real_path in files)
        for (_, identity), real_path in files:
            yield KnownFile(
                real_path=real_path,
                identity=identity,
                receipt=where,
                chained=receipt.link is not None,
                read_set=receipt.read_set,
                proven=verdict.proven,
                proven_by=verdict.by,
                statement=verdict.statement,
                strength=receipt.strength,
                ended=receipt.ended,
                record=record if with_digests else None,
                part_size=receipt.part_size,
                merged=merged if len(merged) > 1 else (),
            )


class KnownFiles:
    """All files that receipts name, to be looked up."""

    def __init__(self, files: Iterable[KnownFile]) -> None:
        self._by_inode: defaultdict[tuple[int, int, int], list[KnownFile]] = defaultdict(list)
        self._by_path: defaultdict[str, list[KnownFile]] = defaultdict(list)
        self._by_size: defaultdict[int, list[KnownFile]] = defaultdict(list)
        for each in _counting(files):
            identity = each.identity
            key = (identity.inode, identity.size, identity.mtime_ns)
            self._by_inode[key].append(each)
            self._by_path[each.real_path].append(each)
            self._by_size[identity.size].append(each)

    def same(self, seen: SeenFile) -> list[KnownFile]:
        """Those that are this very file.

        A file system may have another device number since it was mounted again, so a file that is
        in its place is the same where all else is.
        """
        identity = seen.identity
        found = self._by_inode.get((identity.inode, identity.size, identity.mtime_ns), ())
        return [
            each
            for each in found
            if each.identity.device == identity.device or each.real_path == seen.real_path
        ]

    def at(self, real_path: str) -> Sequence[KnownFile]:
        """Those that were in this place."""
        return self._by_path.get(real_path, ())

    def of_size(self, size: int) -> Sequence[KnownFile]:
        """Those of this size, in bytes."""
        return self._by_size.get(size, ())

    def names(self, real_path: str) -> bool:
        """Whether a receipt names this path."""
        return real_path in self._by_path


def _counting(files: Iterable[KnownFile]) -> Iterable[KnownFile]:
    """Of several receipts of a file and its read set the strongest, of equals the last."""
    best: dict[tuple[object, ...], KnownFile] = {}
    for each in files:
        service = each.read_set.get("service")
        key = (each.identity, each.real_path, service, each.store_id, each.read_set_id)
        if key not in best or each.rank >= best[key].rank:
            best[key] = each
    return best.values()
