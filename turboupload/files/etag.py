"""The ETag of a file's content, computed here; `core.proof.etag` says what it proves.

Of BAM, uBAM and CRAM it is what `samtools view FILE | md5sum` gives, the best guess at what the
service hashes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from typing import Final

from turboupload.core.formats import MERGE_HINT, merge_fault
from turboupload.core.model import SourcePaths
from turboupload.core.proof.etag import DEFAULT_FAMILY, FAMILIES, etag_algorithm
from turboupload.errors import InputError
from turboupload.paths import regular_size, unreadable
from turboupload.runtime.processors import processors
from turboupload.seqcheck.bgzf import is_bgzf
from turboupload.seqcheck.checks.merging import UNTERMINATED, UNTERMINATED_HINT
from turboupload.seqcheck.fast_path import Vectorized, load_vectorized
from turboupload.seqcheck.inflate import DamageKind, stream_blocks, stream_members
from turboupload.seqcheck.prefetch import Prefetched, prefetch
from turboupload.seqcheck.sam_text import alignment_reader, bam_text, cram_text, cram_ways
from turboupload.value import Value

__all__ = ["ContentHash", "hash_content"]

_HEAD_BYTES = 64
# Below, counting lines without numpy costs less than to load it.
_VECTORIZED_FROM_BYTES = 128 * 1024 * 1024
_COUNT_BYTES = 64 * 1024
# Processors compute SHA-256 faster than one thread inflates; MD5 and SHA-512 they don't.
_FAST_FAMILIES = frozenset({"SHA256up"})


class ContentHash(Value, frozen=True):
    """The result of reading a file's content.

    Attributes:
        digest: Its ETag, in hexadecimal.
        reads: How many reads a FASTQ has; None where its lines don't make whole records, and for
            alignments, whose records aren't reads.
        reader: What made the text of alignments, with its version.
        reservation: Why another reader may make another text of a CRAM.
    """

    digest: str
    reads: int | None = None
    reader: str = ""
    reservation: str = ""


def hash_content(
    source: SourcePaths,
    file_type: str,
    family: str = DEFAULT_FAMILY,
    reference: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ContentHash:
    """Computes the ETag of one source, and counts its reads; it blocks.

    Inflating and counting run in another thread than hashing, so that the rate is that of the
    slower of the two. For SHA-256, which is faster than one thread inflates, BGZF is inflated by
    two where there are processors for them. Memory stays below 10 MiB whatever the file's size;
    with numpy loaded for a large FASTQ, 20 MiB more.

    Args:
        source: The file; or the files of a FASTQ, whose content follows each other.
        file_type: The name of a `FileType`.
        family: `MD5up`, `SHA256up` or `SHA512up`, as the store is set to.
        reference: The reference FASTA of a CRAM. Without it a CRAM is read only where it holds its
            reference or needs none: what its header names is neither opened nor fetched.
        progress: Called with the bytes of the source read so far, and its size. It may wait, and
            what it raises ends the reading.

    Raises:
        ConfigError: The type or family is unknown, or pysam is missing for anything but FASTQ.
        InputError: A file can't be read, is damaged, or ends so that the next one can't follow.
    """
    hasher, _, _ = etag_algorithm(file_type, family).partition("_")
    inflaters = 2 if family in _FAST_FAMILIES and processors() > 2 else 1
    paths = (source,) if isinstance(source, str | os.PathLike) else tuple(source)
    if len(paths) > 1 and (fault := merge_fault(file_type)):
        raise InputError(fault, path=os.fspath(paths[1]), hint=MERGE_HINT)
    sizes = tuple(regular_size(path) for path in paths)
    content = _Content(paths, sizes, FAMILIES[family], inflaters, reference, progress)
    return _HASHERS[hasher](content)


class _Content(Value, frozen=True):
    """A source whose content is to be hashed; see `hash_content`."""

    paths: tuple[str | os.PathLike[str], ...]
    sizes: tuple[int, ...]
    name: str
    inflaters: int
    reference: str | os.PathLike[str] | None
    progress: Callable[[int, int], None] | None

    @property
    def path(self) -> str | os.PathLike[str]:
        return self.paths[0]

    @property
    def size(self) -> int:
        return sum(self.sizes)

    def hash(self, *texts: Generator[tuple[memoryview, int], None, None]) -> str:
        """The hash of the files' texts, one after the other."""
        digest, before = hashlib.new(self.name, usedforsecurity=False), 0
        for path, size, text in zip(self.paths, self.sizes, texts, strict=True):
            with closing(text):
                for data, position in _readable(path, text):
                    digest.update(data)
                    if self.progress is not None:
                        self.progress(before + position, self.size)
            before += size
        return digest.hexdigest()


def _hash_fastq(content: _Content) -> ContentHash:
    lines = _Lines(
        load_vectorized(content.size) if content.size >= _VECTORIZED_FROM_BYTES else None
    )
    last = len(content.paths) - 1
    digest = content.hash(
        *(
            _fastq_text(path, size, lines, inflaters=content.inflaters, followed=index < last)
            for index, (path, size) in enumerate(zip(content.paths, content.sizes, strict=True))
        )
    )
    return ContentHash(digest, lines.reads)


def _hash_bam(content: _Content) -> ContentHash:
    text = bam_text(content.path, content.size, content.reference, inflaters=content.inflaters)
    return ContentHash(content.hash(text), reader=alignment_reader())


def _hash_cram(content: _Content) -> ContentHash:
    path, size, reference = content.path, content.size, content.reference
    digest = content.hash(cram_text(path, size, reference))
    ways = cram_ways(path)
    if not ways.threads:
        digest = content.hash(cram_text(path, size, reference, threads=False))
    return ContentHash(digest, reader=alignment_reader(), reservation=ways.reservation)


_HASHERS: Final[Mapping[str, Callable[[_Content], ContentHash]]] = {
    "FASTQ": _hash_fastq,
    "BAM": _hash_bam,
    "CRAM": _hash_cram,
}
"""By the name of the ETag's algorithm, without the family."""


def _readable(
    path: str | os.PathLike[str], text: Iterable[tuple[memoryview, int]]
) -> Iterator[tuple[memoryview, int]]:
    """The text as it comes; a disk that fails is an error of the file's."""
    try:
        yield from text
    except OSError as error:
        raise unreadable(os.fspath(path), error) from error


class _Lines:
    """Counts the lines of a FASTQ, four of which are a read.

    Attributes:
        ended: Whether the text so far ends with a line end.
    """

    def __init__(self, vectorized: Vectorized | None) -> None:
        # numpy counts without holding up the thread that hashes.
        self.count: Callable[[memoryview], int] = vectorized.lines if vectorized else _count_lines
        self._lines = 0
        self.ended = True

    def add(self, text: Prefetched) -> None:
        """Takes the next text, whose line ends may have been counted already."""
        self._lines += self.count(text.data) if text.count is None else text.count
        if text.length:
            self.ended = text.buffer[text.length - 1] == ord("\n")

    @property
    def reads(self) -> int | None:
        reads, rest = divmod(self._lines + (not self.ended), 4)
        return reads if reads and not rest else None


def _count_lines(data: memoryview) -> int:
    return sum(
        bytes(data[at : at + _COUNT_BYTES]).count(b"\n") for at in range(0, len(data), _COUNT_BYTES)
    )


def _fastq_text(
    path: str | os.PathLike[str], size: int, lines: _Lines, *, inflaters: int, followed: bool
) -> Generator[tuple[memoryview, int], None, None]:
    """The uncompressed text in pieces, each with the position reached in the file.

    Args:
        path: The file.
        size: Its size, in bytes.
        lines: Counts its lines.
        inflaters: How many threads inflate BGZF.
        followed: Whether another file's text comes after it.
    """
    name = os.fspath(path)
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        head = os.pread(descriptor, _HEAD_BYTES, 0)
        if head[:2] != b"\x1f\x8b":
            raise InputError("is not gzip", path=name, hint="FASTQ must be gzipped")
        if inflaters > 1 and is_bgzf(head):
            pieces = stream_blocks(descriptor, size, threads=inflaters, strict=False)
        else:
            # BGZF, too, is read member by member in one thread: more of them only hand the
            # interpreter lock around.
            pieces = stream_members(descriptor, size)
        with closing(pieces), closing(prefetch(pieces, lines.count)) as texts:
            for text in texts:
                for damage in text.damages:
                    if followed or damage.kind is not DamageKind.PADDING:
                        raise InputError(damage.sentence, path=name, hint="check the file")
                lines.add(text)
                yield text.data, text.position
        if followed and not lines.ended:
            raise InputError(UNTERMINATED, path=name, hint=UNTERMINATED_HINT)
    finally:
        os.close(descriptor)
