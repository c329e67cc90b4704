"""The records of a BAM, uBAM or CRAM as SAM text, as `samtools view` prints them.

pysam's samtools writes the text, in a process of its own: htslib may end the process it runs in
when a file is damaged, and it holds the interpreter lock while it formats records. A BAM reaches it
inflated: its wheel's zlib takes three times as long for that as ISA-L does here, and more than the
text takes to write. So four things go on at once: inflating, writing the text, and what the caller
does with it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack
from io import BufferedReader
from typing import IO, Self, cast

from turboupload.errors import ConfigError, InputError
from turboupload.local.formats import regular_size
from turboupload.local.inflate import DamageKind, Piece, stream_blocks
from turboupload.local.pipes import widen
from turboupload.processors import processors

__all__ = [
    "View",
    "bam_text",
    "can_read_alignments",
    "cram_text",
    "first_complaint",
    "require_alignment_reader",
]

Text = Generator[tuple[memoryview, int], None, None]
"""The text in pieces, each of use until the next is asked for, with the position in the file."""

_READ_BYTES = 1024 * 1024
_MOST_THREADS = 4

_VIEW = """
import sys, pysam
try:
    pysam.samtools.view(*sys.argv[1:], catch_stdout=False)
except pysam.SamtoolsError as error:
    sys.stderr.write(str(error))
    sys.exit(1)
"""


def can_read_alignments() -> bool:
    """Whether BAM, uBAM and CRAM can be read: whether there is pysam."""
    return importlib.util.find_spec("pysam") is not None


def require_alignment_reader() -> None:
    """Checks that BAM, uBAM and CRAM can be read.

    Raises:
        ConfigError: They can't.
    """
    if not can_read_alignments():
        raise ConfigError(
            "computing the ETag of a BAM or CRAM needs pysam, which is not installed",
            hint="install it with: pip install 'turboupload[preflight]'",
        )


def bam_text(
    path: str | os.PathLike[str],
    size: int,
    reference: str | os.PathLike[str] | None,
    *,
    inflaters: int,
) -> Text:
    """The text of a BAM or uBAM.

    Args:
        path: The file.
        size: Its size in bytes.
        reference: The reference FASTA, which a BAM needs none of.
        inflaters: How many threads inflate.

    Raises:
        ConfigError: pysam is missing.
        InputError: The file is damaged, or is none.
    """
    name = os.fspath(path)
    with ExitStack() as stack:
        descriptor = _opened(path, stack)
        pieces = stream_blocks(descriptor, size, threads=inflaters, strict=True)
        stack.callback(pieces.close)
        child = stack.enter_context(View(_arguments(reference), subprocess.PIPE))
        feeder = stack.enter_context(_Feeder(child.input, pieces))
        # Whoever stops reading early must not wait for a feeder that waits for the child.
        stack.callback(child.end)
        for data in child.text():
            yield data, feeder.position
        feeder.finish(name)
        child.finish(name)
        yield memoryview(b""), size


def cram_text(
    path: str | os.PathLike[str], size: int, reference: str | os.PathLike[str] | None
) -> Text:
    """The text of a CRAM.

    Args:
        path: The file.
        size: Its size in bytes.
        reference: The reference FASTA. Without it a CRAM is read only where its header names a
            local copy, or `REF_PATH` is set; nothing is fetched from the network.

    Raises:
        ConfigError: pysam is missing.
        InputError: The file is damaged, is none, or can't be decoded without its reference.
    """
    with ExitStack() as stack:
        descriptor = _opened(path, stack)
        child = stack.enter_context(View(_arguments(reference), descriptor))
        for data in child.text():
            # The child reads through this very descriptor, so its offset tells how far it is.
            yield data, min(os.lseek(descriptor, 0, os.SEEK_CUR), size)
        child.finish(os.fspath(path))


def _opened(path: str | os.PathLike[str], stack: ExitStack) -> int:
    require_alignment_reader()
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    stack.callback(os.close, descriptor)
    return descriptor


def _arguments(reference: str | os.PathLike[str] | None) -> list[str]:
    arguments = ["--no-PG", "-@", str(min(processors(), _MOST_THREADS))]
    if reference is not None:
        regular_size(reference)
        arguments += ["-T", os.fspath(reference)]
    return arguments


class View:
    """`samtools view` of its standard input; leaving the context ends it, whatever it is doing.

    Args:
        arguments: What it is given, beside the input.
        source: What it reads: a descriptor, or `subprocess.PIPE`.
    """

    def __init__(self, arguments: list[str], source: int) -> None:
        # Without REF_PATH, htslib would look for references on a public server.
        environment = {"REF_PATH": os.devnull, **os.environ}
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the context
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _VIEW, *arguments, "-"],
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                env=environment,
                # A Ctrl-C is for us: a child that it ends would make the file look damaged.
                process_group=0,
            )
        except BaseException:
            self._complaints.close()
            raise
        self._output = cast(BufferedReader, self._process.stdout)
        widen(self._process.stdin)
        widen(self._output)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self._output.close()
        self._complaints.close()

    @property
    def input(self) -> IO[bytes]:
        """What it reads from, where that is a pipe."""
        assert self._process.stdin is not None
        return self._process.stdin

    def end(self) -> None:
        """Ends it, if it hasn't ended."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def text(self) -> Iterator[memoryview]:
        """What it prints, each piece of use until the next is asked for."""
        buffer = memoryview(bytearray(_READ_BYTES))
        while length := self._output.readinto(buffer):
            yield buffer[:length]

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def complaints(self) -> str | None:
        """Waits for its end.

        Returns:
            All that it says about what it was given; None where it could read that.
        """
        code = self._process.wait()
        if code == 0:
            return None
        if code < 0:
            return f"[E::] samtools was ended by signal {-code}, for want of memory perhaps"
        self._complaints.seek(0)
        return self._complaints.read().decode("utf-8", "replace")

    def finish(self, name: str) -> None:
        """Waits for its end.

        Raises:
            InputError: It could not read what it was given.
        """
        complaints = self.complaints()
        if complaints is not None:
            raise _unreadable(name, complaints)


class _Feeder:
    """Writes pieces to a pipe, in a thread of its own; leaving the context ends it."""

    def __init__(self, pipe: IO[bytes], pieces: Iterable[Piece]) -> None:
        self.position = 0
        self._pipe = pipe
        self._pieces = pieces
        self._damage: str | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="inflate")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    def finish(self, name: str) -> None:
        """Waits for its end.

        Raises:
            InputError: What it read is damaged.
            OSError: It can't be read.
        """
        self._thread.join()
        if self._error is not None:
            raise self._error
        if self._damage is not None:
            raise InputError(self._damage, path=name, hint="check the file")

    def _work(self) -> None:
        try:
            for piece in self._pieces:
                for damage in piece.damages:
                    if damage.kind is not DamageKind.PADDING:
                        self._damage = damage.sentence
                        return
                self.position = piece.position
                self._pipe.write(piece.data)
        except BrokenPipeError:
            # The other side has ended, and says why.
            pass
        except BaseException as error:
            self._error = error
        finally:
            with contextlib.suppress(OSError):
                self._pipe.close()


def first_complaint(complaints: str) -> str:
    """The first error that htslib told of: what was wrong, and not what that led to."""
    errors = (line for line in complaints.splitlines() if line.startswith("[E::"))
    return next(errors, "htslib gave up")


def _unreadable(name: str, complaints: str) -> InputError:
    if "get_ref" in complaints or "fetch reference" in complaints:
        return InputError(
            "can't be decoded without its reference sequences",
            path=name,
            hint="name the reference FASTA that it was written with",
        )
    return InputError(
        f"its records can't be read: {first_complaint(complaints)}",
        path=name,
        hint="check the file with `turboupload check --deep`",
    )
