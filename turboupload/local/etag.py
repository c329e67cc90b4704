"""The ETag of a file's content, computed here; `core.etag` says what it is and what it proves.

Of BAM, uBAM and CRAM it is what `samtools view FILE | md5sum` gives, the best guess at what the
service hashes.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass

from turboupload.core.etag import DEFAULT_FAMILY, FAMILIES, etag_algorithm
from turboupload.errors import ConfigError, InputError
from turboupload.local.ahead import Filled, ahead
from turboupload.local.bgzf import is_bgzf
from turboupload.local.formats import regular_size, unreadable
from turboupload.local.inflate import DamageKind, stream_blocks, stream_members
from turboupload.local.shortcut import Bulk, load_bulk
from turboupload.processors import processors

__all__ = ["ContentHash", "compute_etag", "hash_content", "require_alignment_reader"]

_READ_BYTES = 1024 * 1024
_HEAD_BYTES = 64
# Below, counting lines without numpy costs less than to load it.
_BULK_FROM_BYTES = 128 * 1024 * 1024
_COUNT_BYTES = 64 * 1024
# Processors compute SHA-256 faster than one thread inflates; MD5 and SHA-512 they don't.
_FAST_FAMILIES = frozenset({"SHA256up"})

# A process of its own: htslib may end the process it runs in when a file is damaged, and it holds
# the interpreter lock while it formats records.
_VIEW = """
import sys, pysam
try:
    pysam.samtools.view(*sys.argv[1:], catch_stdout=False)
except pysam.SamtoolsError as error:
    sys.stderr.write(str(error))
    sys.exit(1)
"""


@dataclass(frozen=True, slots=True)
class ContentHash:
    """What reading a file's content brought to light.

    Attributes:
        digest: Its ETag, in hexadecimal.
        reads: How many reads a FASTQ has; None where its lines don't make whole records, and for
            alignments, whose records aren't reads.
    """

    digest: str
    reads: int | None = None


def compute_etag(
    path: str | os.PathLike[str],
    file_type: str,
    family: str = DEFAULT_FAMILY,
    reference: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> str:
    """Computes the ETag of one source, in hexadecimal; see `hash_content`."""
    return hash_content(path, file_type, family, reference, progress).digest


def hash_content(
    path: str | os.PathLike[str],
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
        path: The file.
        file_type: `FASTQ`, `BAM`, `CRAM` or `UBAM`.
        family: `MD5up`, `SHA256up` or `SHA512up`, as the store is set to.
        reference: The reference FASTA of a CRAM. Without it a CRAM is read only where its header
            names a local copy, or `REF_PATH` is set; nothing is fetched from the network.
        progress: Called with the bytes of the file read so far, and its size. It may wait, and
            what it raises ends the reading.

    Raises:
        ConfigError: The type or family is unknown, or pysam is missing for anything but FASTQ.
        InputError: The file can't be read, or is damaged.
    """
    algorithm = etag_algorithm(file_type, family)
    size = regular_size(path)
    digest = hashlib.new(FAMILIES[family], usedforsecurity=False)
    is_fastq = algorithm.startswith("FASTQ_")
    lines = _Lines(load_bulk(size) if is_fastq and size >= _BULK_FROM_BYTES else None)
    text = (
        _fastq_text(path, size, family, lines)
        if is_fastq
        else _alignment_text(path, size, reference)
    )
    with closing(text):
        for data, position in _readable(path, text):
            digest.update(data)
            if progress is not None:
                progress(position, size)
    return ContentHash(digest.hexdigest(), lines.reads)


def _readable(
    path: str | os.PathLike[str], text: _Text
) -> Iterator[tuple[bytes | memoryview, int]]:
    """The text as it comes; a disk that fails is an error of the file's."""
    try:
        yield from text
    except OSError as error:
        raise unreadable(os.fspath(path), error) from error


class _Lines:
    """Counts the lines of a FASTQ, four of which are a read."""

    def __init__(self, bulk: Bulk | None) -> None:
        # numpy counts without holding up the thread that hashes.
        self.count: Callable[[memoryview], int] = bulk.lines if bulk else _count_lines
        self._lines = 0
        self._ended = True

    def add(self, text: Filled) -> None:
        """Takes the next text, whose line ends may have been counted already."""
        self._lines += self.count(text.data) if text.count is None else text.count
        if text.length:
            self._ended = text.buffer[text.length - 1] == ord("\n")

    @property
    def reads(self) -> int | None:
        reads, rest = divmod(self._lines + (not self._ended), 4)
        return reads if reads and not rest else None


def _count_lines(data: memoryview) -> int:
    return sum(
        bytes(data[at : at + _COUNT_BYTES]).count(b"\n") for at in range(0, len(data), _COUNT_BYTES)
    )


_Text = Generator[tuple[bytes | memoryview, int], None, None]


def _fastq_text(path: str | os.PathLike[str], size: int, family: str, lines: _Lines) -> _Text:
    """The uncompressed text in pieces, each with the position reached in the file."""
    name = os.fspath(path)
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        head = os.pread(descriptor, _HEAD_BYTES, 0)
        if head[:2] != b"\x1f\x8b":
            raise InputError("is not gzip", path=name, hint="FASTQ must be gzipped")
        if family in _FAST_FAMILIES and processors() > 2 and is_bgzf(head):
            pieces = stream_blocks(descriptor, size, threads=2, strict=False)
        else:
            # BGZF, too, is read member by member in one thread: more of them only hand the
            # interpreter lock around.
            pieces = stream_members(descriptor, size)
        with closing(pieces), closing(ahead(pieces, lines.count)) as texts:
            for text in texts:
                for damage in text.damages:
                    if damage.kind is not DamageKind.PADDING:
                        raise InputError(damage.sentence, path=name, hint="check the file")
                lines.add(text)
                yield text.data, text.position
    finally:
        os.close(descriptor)


def require_alignment_reader() -> None:
    """Checks that BAM, uBAM and CRAM can be read.

    Raises:
        ConfigError: They can't.
    """
    if importlib.util.find_spec("pysam") is None:
        raise ConfigError(
            "computing the ETag of a BAM or CRAM needs pysam, which is not installed",
            hint="install it with: pip install 'turboupload[preflight]'",
        )


def _alignment_text(
    path: str | os.PathLike[str], size: int, reference: str | os.PathLike[str] | None
) -> _Text:
    """The alignment records as SAM text in pieces, each with the position reached in the file."""
    require_alignment_reader()
    name = os.fspath(path)
    arguments = ["--no-PG", "-@", "1"]
    if reference is not None:
        regular_size(reference)
        arguments += ["-T", os.fspath(reference)]
    # Without this, htslib would look for references on a public server.
    environment = {"REF_PATH": os.devnull, **os.environ}
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with tempfile.TemporaryFile() as complaints:
            # The child reads through this very descriptor, so its offset tells how far it is.
            child = subprocess.Popen(
                [sys.executable, "-c", _VIEW, *arguments, "-"],
                stdin=descriptor,
                stdout=subprocess.PIPE,
                stderr=complaints,
                env=environment,
            )
            try:
                for data in _read_output(child):
                    yield data, min(os.lseek(descriptor, 0, os.SEEK_CUR), size)
            finally:
                # Whoever stops reading early must not wait for the child.
                _end(child)
            if child.returncode != 0:
                complaints.seek(0)
                raise _unreadable(name, complaints.read())
    finally:
        os.close(descriptor)


def _read_output(child: subprocess.Popen[bytes]) -> Iterator[bytes]:
    if child.stdout is None:
        return
    while data := child.stdout.read(_READ_BYTES):
        yield data
    child.wait()


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.kill()
    if child.stdout is not None:
        child.stdout.close()
    child.wait()


def _unreadable(name: str, complaints: bytes) -> InputError:
    text = complaints.decode("utf-8", "replace")
    if "get_ref" in text or "fetch reference" in text:
        return InputError(
            "can't be decoded without its reference sequences",
            path=name,
            hint="name the reference FASTA that it was written with",
        )
    first = next((line for line in text.splitlines() if line.startswith("[E::")), "")
    return InputError(
        f"its records can't be read: {first or 'htslib gave up'}",
        path=name,
        hint="check the file with `turboupload check --deep`",
    )
