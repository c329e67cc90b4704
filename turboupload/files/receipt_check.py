"""Files held against a receipt: every digest in it is computed again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from turboupload.core.proof.checksum import Digest
from turboupload.core.proof.receipt import FileRecord, Receipt
from turboupload.errors import ConfigError
from turboupload.files.digests import Advance, digest_parts, hash_file
from turboupload.paths import regular_size
from turboupload.processors import processors
from turboupload.threads import results

__all__ = ["FileCheck", "ReceiptCheck", "check_receipt", "difference_from", "read_digests"]

MAX_NAMED = 5
"""How many differing parts are named."""


@dataclass(frozen=True, slots=True)
class FileCheck:
    """One file held against the receipt.

    Attributes:
        path: The file.
        source: Which of the receipt's files it is, such as `SOURCE1`; None where it is none.
        sentence: What was found, in words.
    """

    path: str
    source: str | None
    sentence: str


@dataclass(frozen=True, slots=True)
class ReceiptCheck:
    """What came of it.

    Attributes:
        receipt: As read.
        files: In the order in which they were given.
    """

    receipt: Receipt
    files: tuple[FileCheck, ...]

    @property
    def files_match(self) -> bool:
        """Whether these are the receipt's files, in whatever order."""
        return all(each.source is not None for each in self.files)

    @property
    def proven(self) -> bool:
        """Whether the content of these very files is proven to be in the store."""
        return self.files_match and self.receipt.verdict.proven


@dataclass(frozen=True, slots=True)
class _Found:
    """A file's digests, computed now."""

    size: int
    parts: tuple[Digest, ...]
    sha256: str | None


def check_receipt(
    receipt: Receipt,
    paths: Sequence[str] = (),
    *,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ReceiptCheck:
    """Computes the digests of files again and compares them with a receipt; it blocks.

    Args:
        receipt: As read.
        paths: The files, in any order; by default those that it names.
        threads: How many parts are read at a time; by default one for each processor.
        progress: Called with the bytes read so far, and how many there are, from any thread.

    Raises:
        ConfigError: There are more files, or fewer, than in the receipt.
        InputError: A file is missing or can't be read.
    """
    names = tuple(paths) or tuple(record.path for record in receipt.files)
    if len(names) != len(receipt.files):
        raise ConfigError(
            f"the receipt is of {len(receipt.files)} "
            f"file{'s' if len(receipt.files) > 1 else ''}, and {len(names)} were given",
            hint="name all of them, in any order, or none to check those that the receipt names",
        )
    reading = _Reading(receipt, names, threads or processors(), progress)
    found = [reading.digest(name) for name in names]
    return ReceiptCheck(receipt, tuple(_assign(receipt, names, found)))


def read_digests(
    path: str,
    part_size: int,
    *,
    threads: int | None = None,
    advance: Advance = lambda count: None,
) -> tuple[Digest, ...]:
    """Reads a file, and returns the digests of its parts; it blocks.

    Args:
        path: The file.
        part_size: Size of every part but the last, in bytes.
        threads: How many parts are read at a time; by default one for each processor.
        advance: Told how many bytes were just read, by any thread.

    Raises:
        InputError: It can't be read.
    """
    return digest_parts(path, part_size, advance, threads=threads or processors())


def difference_from(record: FileRecord, size: int, parts: tuple[Digest, ...]) -> str | None:
    """How a file differs from one of a receipt, in words; None if their parts are equal.

    Args:
        record: The file of the receipt, with parts.
        size: The other's size, in bytes.
        parts: The other's, cut as those of the receipt are.
    """
    return _difference(replace(record, sha256=None), _Found(size, parts, None))


def _assign(receipt: Receipt, names: Sequence[str], found: Sequence[_Found]) -> list[FileCheck]:
    """Finds out which file is which, by content; each counts once."""
    left = list(receipt.files)
    checks = []
    for index, (name, one) in enumerate(zip(names, found, strict=True)):
        expected = receipt.files[index]
        # Its own place first: where both files are the same, the order is as it was.
        candidates = sorted(left, key=lambda record: record is not expected)
        match = next((each for each in candidates if _difference(each, one) is None), None)
        if match is None:
            checks.append(FileCheck(name, None, _difference(expected, one) or _SAME_TWICE))
            continue
        left.remove(match)
        order = "" if match is expected else f", given in another order: it is {match.source}"
        checks.append(FileCheck(name, str(match.source), f"{_agreement(match)}{order}"))
    return checks


_SAME_TWICE = "is a file of the receipt that was given before"


def _agreement(record: FileRecord) -> str:
    if record.tree is not None:
        return f"the SHA-256 of each of its {len(record.parts):,} parts is as in the receipt"
    if record.sha256 is not None:
        return "its SHA-256 is as in the receipt"
    return (
        f"the xxh3 of each of its {len(record.parts):,} parts is as in the receipt, which has no "
        "SHA-256: that notices an accident, not a forgery"
    )


def _difference(record: FileRecord, found: _Found) -> str | None:
    """What speaks against a file's being that of the record; None where nothing does."""
    if not record.parts and record.sha256 is None:
        return "can't be compared: the receipt has no digests of it"
    if found.size != record.identity.size:
        return f"has {found.size:,} bytes; by the receipt it had {record.identity.size:,}"
    if record.parts and len(record.parts) != len(found.parts):
        return "changed its size while it was read"
    wrong = [
        str(part.number)
        for part, now in zip(record.parts, found.parts, strict=False)
        if any(now[name] != each for name, each in part.digest.items())
    ]
    if wrong:
        more = f" and {len(wrong) - MAX_NAMED:,} more" if len(wrong) > MAX_NAMED else ""
        return f"is another file: part {', '.join(wrong[:MAX_NAMED])}{more} has other digests"
    if record.sha256 not in (None, found.sha256):
        return "is another file: its SHA-256 is not that of the receipt"
    return None


class _Reading:
    """Reads files, part by part on several threads, and as a whole beside that."""

    def __init__(
        self,
        receipt: Receipt,
        names: Sequence[str],
        threads: int,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self._part_size = receipt.part_size
        self._by_parts = any(record.parts for record in receipt.files)
        self._whole = any(record.sha256 is not None for record in receipt.files)
        self._sizes = {record.identity.size for record in receipt.files}
        self._threads = threads
        self._progress = progress
        self._total = sum(regular_size(name) for name in names)
        self._passes = max(1, self._by_parts + self._whole)
        self._done = 0
        self._counting = threading.Lock()
        self._stopped = False

    def digest(self, name: str) -> _Found:
        size = regular_size(name)
        if size not in self._sizes:
            return _Found(size, (), None)
        with ThreadPoolExecutor(1, thread_name_prefix="sha256") as beside:
            try:
                whole = beside.submit(hash_file, name, self._advance) if self._whole else None
                parts: tuple[Digest, ...] = ()
                if self._by_parts:
                    parts = digest_parts(
                        name, self._part_size, self._advance, threads=self._threads
                    )
                return _Found(size, parts, next(results([whole])) if whole is not None else None)
            except BaseException:
                self._stopped = True
                raise

    def _advance(self, count: int) -> None:
        if self._stopped:
            raise InterruptedError
        with self._counting:
            self._done += count
        if self._progress is not None:
            self._progress(self._done // self._passes, self._total)
