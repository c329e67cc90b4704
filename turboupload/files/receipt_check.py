"""Compares files with a receipt: every digest in it is computed again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice

from turboupload.core.proof.checksum import Digest
from turboupload.core.proof.receipt import FileRecord, Receipt
from turboupload.errors import ConfigError
from turboupload.files.digests import Advance, FileHashes, digest_parts, hash_files
from turboupload.paths import regular_size
from turboupload.runtime.processors import thread_count
from turboupload.runtime.threads import results
from turboupload.value import Value

__all__ = ["FileCheck", "ReceiptCheck", "check_receipt", "difference_from", "read_digests"]

MAX_NAMED = 5
"""How many differing parts are named."""


@dataclass(frozen=True, slots=True)
class FileCheck:
    """One file, compared with the receipt.

    Attributes:
        path: The file.
        source: The source of the receipt that it is (a file of), such as `SOURCE1`; None where it
            is none.
        sentence: What was found, in words.
    """

    path: str
    source: str | None
    sentence: str


@dataclass(frozen=True, slots=True)
class ReceiptCheck:
    """The result.

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


class _Found(Value, frozen=True):
    """The digests of one source's files, computed now."""

    paths: tuple[str, ...]
    sizes: tuple[int, ...]
    parts: tuple[Digest, ...] = ()
    hashes: FileHashes | None = None

    @property
    def size(self) -> int:
        return sum(self.sizes)


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
        paths: The files; by default those that it names. Merged files are in the order of the
            receipt, or one file with all their bytes stands for them. Otherwise any order will do.
        threads: How many parts are read at a time; by default one for each processor.
        progress: Called with the bytes read so far, and how many there are, from any thread.

    Raises:
        ConfigError: There are more files, or fewer, than in the receipt.
        InputError: A file is missing or can't be read.
    """
    named = tuple(file.path for record in receipt.files for file in record.files)
    groups = _grouped(receipt, tuple(paths) or named)
    reading = _Reading(receipt, groups, thread_count(threads), progress)
    found = [reading.digest(group) for group in groups]
    return ReceiptCheck(receipt, tuple(_assign(receipt, found)))


def _grouped(receipt: Receipt, names: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The files of each source.

    Raises:
        ConfigError: There are more files, or fewer, than in the receipt.
    """
    counts = [len(record.files) for record in receipt.files]
    if len(names) == len(counts):
        counts = [1] * len(counts)
    if len(names) != sum(counts):
        hint = "name all of them, in any order, or none to check those that the receipt names"
        if receipt.has_merged:
            hint = hint.replace("any order", "the order of the receipt")
        raise ConfigError(
            f"the receipt is of {sum(counts):,} file{'s' if sum(counts) > 1 else ''}, and "
            f"{len(names):,} were given",
            hint=hint,
        )
    left = iter(names)
    return [tuple(islice(left, count)) for count in counts]


def read_digests(
    paths: Sequence[str],
    part_size: int,
    *,
    threads: int | None = None,
    advance: Advance = lambda count: None,
) -> tuple[Digest, ...]:
    """Reads a source's files, and returns the digests of its parts; it blocks.

    Args:
        paths: The files, in order.
        part_size: Size of every part but the last, in bytes.
        threads: How many parts are read at a time; by default one for each processor.
        advance: Told how many bytes were just read, by any thread.

    Raises:
        InputError: One can't be read.
    """
    return digest_parts(paths, part_size, advance, threads=thread_count(threads))


def difference_from(record: FileRecord, size: int, parts: tuple[Digest, ...]) -> str | None:
    """How files differ from a source of a receipt, in words; None if their parts are equal.

    Args:
        record: The source of the receipt, with parts.
        size: The files' size together, in bytes.
        parts: Their digests, cut as those of the receipt are.
    """
    return _difference(replace(record, sha256=None), _Found((), (size,), parts))


def _assign(receipt: Receipt, found: Sequence[_Found]) -> Iterator[FileCheck]:
    """Finds out which source is which, by content; each counts once."""
    left = list(receipt.files)
    for one, expected in zip(found, receipt.files, strict=True):
        # Its own place first: where both sources are the same, the order is as it was.
        candidates = sorted(left, key=lambda record: record is not expected)
        match = next((each for each in candidates if _difference(each, one) is None), None)
        if match is None:
            for path, sentence in zip(one.paths, _differences(expected, one), strict=True):
                yield FileCheck(path, None, sentence)
            continue
        left.remove(match)
        order = "" if match is expected else f", given in another order: it is {match.source}"
        for number, path in enumerate(one.paths, start=1):
            agreement = _agreement(match, "its")
            if len(one.paths) > 1:
                agreement = _agreement(match, f"{match.source}'s")
                agreement = f"is file {number:,} of {len(one.paths):,}; {agreement}"
            yield FileCheck(path, str(match.source), f"{agreement}{order}")


_SAME_TWICE = "is a file of the receipt that was given before"


def _differences(record: FileRecord, found: _Found) -> list[str]:
    """Why each file of a source isn't that of the record."""
    whole = _difference(record, found) or _SAME_TWICE
    if len(found.paths) != len(record.files) or len(found.paths) == 1:
        return [whole] * len(found.paths)
    now = found.hashes.each if found.hashes is not None else [None] * len(found.sizes)
    unknown = f"can't be told from the others of {record.source}, which {whole}"
    sentences = []
    for file, size, sha256 in zip(record.files, found.sizes, now, strict=True):
        if size != file.identity.size:
            sentences.append(_other_size(size, file.identity.size))
        elif file.sha256 is None or sha256 is None:
            sentences.append(unknown)
        else:
            sentences.append(_SAME if sha256 == file.sha256 else _OTHER_SHA256)
    return sentences


_SAME = "is the file of the receipt; another of its source is not"
_OTHER_SHA256 = "is another file: its SHA-256 is not that of the receipt"


def _other_size(size: int, before: int) -> str:
    return f"has {size:,} bytes; by the receipt it had {before:,}"


def _agreement(record: FileRecord, its: str) -> str:
    count = len(record.parts)
    parts = f"each of {its} {count:,} parts" if count > 1 else f"{its} one part"
    if record.tree is not None:
        return f"the SHA-256 of {parts} is as in the receipt"
    if record.sha256 is not None:
        return f"{its} SHA-256 is as in the receipt"
    return (
        f"the xxh3 of {parts} is as in the receipt, which has no "
        "SHA-256: that notices an accident, not a forgery"
    )


def _difference(record: FileRecord, found: _Found) -> str | None:
    """Why a source isn't that of the record; None if it is."""
    if not record.parts and record.sha256 is None:
        return "can't be compared: the receipt has no digests of it"
    if found.size != record.size:
        return _other_size(found.size, record.size)
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
    if record.sha256 is not None and (found.hashes is None or found.hashes.whole != record.sha256):
        return _OTHER_SHA256
    return None


class _Reading:
    """Reads files, part by part on several threads, and as a whole beside that."""

    def __init__(
        self,
        receipt: Receipt,
        groups: Sequence[Sequence[str]],
        threads: int,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self._part_size = receipt.part_size
        self._by_parts = any(record.parts for record in receipt.files)
        self._whole = any(record.sha256 is not None for record in receipt.files)
        self._sizes = {record.size for record in receipt.files}
        self._threads = threads
        self._progress = progress
        self._total = sum(regular_size(name) for names in groups for name in names)
        self._passes = max(1, self._by_parts + self._whole)
        self._done = 0
        self._counting = threading.Lock()
        self._stopped = False

    def digest(self, names: tuple[str, ...]) -> _Found:
        sizes = tuple(regular_size(name) for name in names)
        if sum(sizes) not in self._sizes:
            return _Found(names, sizes)
        with ThreadPoolExecutor(1, thread_name_prefix="sha256") as beside:
            try:
                whole = beside.submit(hash_files, names, self._advance) if self._whole else None
                parts: tuple[Digest, ...] = ()
                if self._by_parts:
                    parts = digest_parts(
                        names, self._part_size, self._advance, threads=self._threads
                    )
                hashes = next(results([whole])) if whole is not None else None
                return _Found(names, sizes, parts, hashes)
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
