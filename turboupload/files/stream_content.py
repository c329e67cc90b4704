"""What passes by in a stream: its type at the start, its content, and whether its end is whole.

A stream is seen once, so all of it is looked at in the pass that sends it. Gzip is inflated, with
its checksums: so a FASTQ that was cut is found, and its ETag costs one more hash. BAM, uBAM and
CRAM have a marker at their end. Of a BAM, `samtools view` (pysam's) makes the text of the ETag.
"""

from __future__ import annotations

import hashlib
import queue
import tempfile
import threading
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Protocol

from turboupload.core.formats import FORMATS, FileType, chosen_type
from turboupload.core.proof.etag import FAMILIES
from turboupload.errors import InputError
from turboupload.files.etag import ContentHash
from turboupload.seqcheck.bgzf import EOF_BLOCK, is_bgzf
from turboupload.seqcheck.cram import ends_with_marker
from turboupload.seqcheck.deflate import CODEC, Inflater
from turboupload.seqcheck.formats import judge_type, look_further, sniff
from turboupload.seqcheck.headers import read_sam_header
from turboupload.seqcheck.inflate import Piece
from turboupload.seqcheck.sam_header import SamHeader
from turboupload.seqcheck.sam_text import View, alignment_reader

__all__ = ["HEAD_BYTES", "StreamContent", "StreamStart", "look_at_start"]

HEAD_BYTES = 8 * 1024 * 1024
"""So much of the start tells the type, and has the header."""

_TAIL_BYTES = 64
"""No end-of-file marker is longer."""

_PIECE_BYTES = 120 * 1024
_READ_BYTES = 32 * 1024
_SIMPLE_FLAGS = frozenset({0, 1, 4, 5, 8, 9, 16, 17})
_QUEUED = 4
_CUT = "the command that wrote it failed, or was ended: see what it said, and run it again"


class StreamStart:
    """What the first bytes of a stream show.

    Attributes:
        file_type: What it is.
        header: The SAM header; None where its type has none.
    """

    def __init__(self, file_type: FileType, header: SamHeader | None) -> None:
        self.file_type = file_type
        self.header = header


def look_at_start(name: str, head: bytes, *, whole: bool, declared: str | None) -> StreamStart:
    """The type and the header of a stream.

    Args:
        name: What messages call it.
        head: Its first bytes, `HEAD_BYTES` at the most.
        whole: Whether that is all of it.
        declared: The type that the user gave.

    Raises:
        ConfigError: `declared` is no type.
        InputError: It can't be uploaded, or contradicts what was declared.
    """
    wanted = chosen_type(declared) if declared is not None else None
    with tempfile.NamedTemporaryFile(prefix="turboupload-") as copy:
        copy.write(head)
        copy.flush()
        try:
            found = sniff(copy.name)
            if whole and wanted is None:
                found = look_further(copy.name, found)
            file_type = judge_type(name, found, wanted)
            has_header = FORMATS[file_type].has_header
            header = read_sam_header(copy.name) if has_header else None
        except InputError as error:
            error.path = name
            raise
    return StreamStart(file_type, header)


class StreamContent:
    """Looks at a stream's bytes as they pass.

    Args:
        name: What messages call it.
        file_type: What it is.
        head: Its first bytes.
        family: The ETag family to compute; None computes none.
        tells_success: Whether the producer's own ending tells that the stream is whole.
    """

    def __init__(
        self,
        name: str,
        file_type: FileType,
        head: bytes,
        *,
        family: str | None,
        tells_success: bool,
    ) -> None:
        self._name = name
        self._sha256 = hashlib.sha256()
        self._tail = b""
        self._cram_major = head[4] if file_type is FileType.CRAM else None
        self._is_bgzf = is_bgzf(head)
        self._needs_marker = FORMATS[file_type].has_header or not tells_success
        self._passes: list[_Pass] = []
        if not FORMATS[file_type].has_header:
            self._passes.append(_Fastq(name, FAMILIES[family] if family else None))
        elif family is not None and file_type is not FileType.CRAM:
            self._passes.append(_Alignments(name, FAMILIES[family]))
        self._hashes = family is not None and bool(self._passes)

    def feed(self, data: memoryview) -> None:
        """Takes the next bytes.

        Raises:
            InputError: They are damaged.
        """
        self._sha256.update(data)
        self._tail = (self._tail + bytes(data[-_TAIL_BYTES:]))[-_TAIL_BYTES:]
        for each in self._passes:
            each.feed(data)

    def finish(self) -> ContentHash | None:
        """Called after the last byte.

        Returns:
            The ETag, where one was asked for and can be computed.

        Raises:
            InputError: The end is missing.
        """
        if self._needs_marker and not self._ends_whole():
            raise InputError(
                "ended without the end-of-file marker that every complete file of its kind has",
                code="stream.cut",
                path=self._name,
                hint=_CUT,
            )
        found = [each.finish() for each in self._passes]
        return found[0] if self._hashes else None

    def close(self) -> None:
        """Ends what was started."""
        for each in self._passes:
            each.close()

    @property
    def sha256(self) -> str:
        """Of all bytes so far, in hexadecimal."""
        return self._sha256.hexdigest()

    def _ends_whole(self) -> bool:
        if self._cram_major is not None:
            return ends_with_marker(self._tail, self._cram_major)
        return not self._is_bgzf or self._tail.endswith(EOF_BLOCK)


class _Pass(Protocol):
    """One look at all of a stream."""

    def feed(self, data: memoryview) -> None: ...

    def finish(self) -> ContentHash: ...

    def close(self) -> None: ...


class _Fastq:
    """Inflates gzip members, one after the other, and hashes and counts what is in them."""

    def __init__(self, name: str, algorithm: str | None) -> None:
        self._name = name
        self._digest = hashlib.new(algorithm, usedforsecurity=False) if algorithm else None
        self._member: Inflater | None = None
        self._rest = b""
        self._lines = 0
        self._ends_in_line = True
        self._at = 0
        self._padded = False

    def feed(self, data: memoryview) -> None:
        for start in range(0, len(data), _READ_BYTES):
            piece = bytes(data[start : start + _READ_BYTES])
            self._at += len(piece)
            self._take(piece)

    def _take(self, data: bytes) -> None:
        while data:
            if self._member is None:
                data = self._rest + data
                self._rest = b""
                if self._padded or not data.strip(b"\0"):
                    self._require_padding(data)
                    return
                if len(data) < 4:
                    self._rest = data
                    return
                if data[:2] != b"\x1f\x8b":
                    raise self._damaged("has other bytes after a gzip member")
                # ISA-L reports other headers as damaged if they arrive in more than one piece.
                codec = CODEC if data[3] in _SIMPLE_FLAGS else zlib
                self._member = codec.decompressobj(31)
            data = self._inflate(self._member, data)

    def _inflate(self, member: Inflater, data: bytes) -> bytes:
        try:
            while True:
                text = member.decompress(data, _PIECE_BYTES)
                data = member.unconsumed_tail
                if text:
                    self._lines += text.count(b"\n")
                    self._ends_in_line = text[-1] == ord("\n")
                    if self._digest is not None:
                        self._digest.update(text)
                if member.eof:
                    self._member = None
                    return member.unused_data
                if not text:
                    return b""
        except (CODEC.error, zlib.error) as error:
            raise self._damaged(f"has a damaged gzip member ({error})") from error

    def _require_padding(self, data: bytes) -> None:
        self._padded = True
        if data.strip(b"\0"):
            raise self._damaged("has other bytes after a gzip member")

    def _damaged(self, what: str) -> InputError:
        return InputError(
            f"{what}, before byte {self._at:,}", code="stream.damaged", path=self._name, hint=_CUT
        )

    def finish(self) -> ContentHash:
        if self._member is not None or self._rest.strip(b"\0"):
            raise InputError(
                "ended inside a gzip member", code="stream.cut", path=self._name, hint=_CUT
            )
        if self._lines == 0 and self._ends_in_line:
            raise InputError("holds no reads", code="fastq.empty", path=self._name, hint=_CUT)
        reads, odd = divmod(self._lines + (not self._ends_in_line), 4)
        digest = self._digest.hexdigest() if self._digest is not None else ""
        return ContentHash(digest, reads if not odd else None)

    def close(self) -> None: ...


class _Alignments:
    """Has `samtools view` make the text of a BAM, and hashes it, beside the stream."""

    def __init__(self, name: str, algorithm: str) -> None:
        self._name = name
        self._digest = hashlib.new(algorithm, usedforsecurity=False)
        self._queue: queue.Queue[bytes | None] = queue.Queue(_QUEUED)
        self._error: BaseException | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="etag", daemon=True)
        self._thread.start()

    def feed(self, data: memoryview) -> None:
        self._put(bytes(data))

    def _put(self, data: bytes | None) -> None:
        while not self._ended.is_set():
            with suppress(queue.Full):
                self._queue.put(data, timeout=0.2)
                return

    def _pieces(self) -> Iterator[Piece]:
        position = 0
        while (data := self._queue.get()) is not None:
            position += len(data)
            yield Piece(data, position)

    def _work(self) -> None:
        try:
            with View([], (each for each in self._pieces()), 0) as child:
                for text in child.text():
                    self._digest.update(text)
                _, complaints = child.result()
                if complaints is not None:
                    raise InputError(
                        "its records can't be read by htslib",
                        code="stream.damaged",
                        path=self._name,
                        hint=_CUT,
                    )
        except BaseException as error:
            self._error = error
        finally:
            self._ended.set()

    def finish(self) -> ContentHash:
        self._put(None)
        self._thread.join()
        if self._error is not None:
            raise self._error
        return ContentHash(self._digest.hexdigest(), reader=alignment_reader())

    def close(self) -> None:
        self._ended.set()
        with suppress(queue.Full, queue.Empty):
            if self._queue.full():
                self._queue.get_nowait()
            self._queue.put_nowait(None)
