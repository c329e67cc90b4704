"""The records of a BAM, uBAM or CRAM as SAM text, as `samtools view` prints them.

pysam's samtools writes the text, in a process of its own: htslib may end its process when a file is
damaged, and it holds the interpreter lock while it formats records. We inflate a BAM before we feed
it: the zlib in pysam's wheel takes three times as long as ISA-L, longer than writing the text. So
inflating, feeding, writing the text and the caller's own work run at the same time.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from io import BufferedReader
from typing import IO, Self, cast

from turboupload.errors import ConfigError, InputError
from turboupload.paths import regular_size
from turboupload.runtime.processors import processors
from turboupload.seqcheck.cram import BadCram, containers, preserved, read_header, self_contained
from turboupload.seqcheck.inflate import DamageKind, Piece, stream_blocks
from turboupload.seqcheck.parallel.pipes import widen
from turboupload.value import Value

__all__ = [
    "CramWays",
    "View",
    "alignment_reader",
    "bam_text",
    "can_read_alignments",
    "cram_text",
    "cram_ways",
    "first_complaint",
    "lacks_reference",
    "reference_arguments",
    "require_alignment_reader",
]

Text = Generator[tuple[memoryview, int], None, None]
"""The text in pieces, each valid until the next, with the position in the file."""

_READ_BYTES = 1024 * 1024
_MOST_THREADS = 4

# The exit code where pysam is installed, and can't be loaded: samtools itself ends with 1.
_NOT_LOADED = 9
# Nobody sends these because of what a file holds; the kernel sends SIGKILL for lack of memory.
_FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM)

_VIEW = f"""
import sys
try:
    import pysam
except ImportError as error:
    sys.stderr.write(str(error))
    sys.exit({_NOT_LOADED})
try:
    pysam.samtools.view(*sys.argv[1:], catch_stdout=False)
except pysam.SamtoolsError as error:
    sys.stderr.write(str(error))
    sys.exit(1)
"""


def can_read_alignments() -> bool:
    """Whether BAM, uBAM and CRAM can be read: whether pysam is installed."""
    return importlib.util.find_spec("pysam") is not None


def alignment_reader() -> str:
    """The software that makes the text, with its version, such as `htslib 1.24 (pysam 0.24.1)`."""
    spec = importlib.util.find_spec("pysam")
    places = spec.submodule_search_locations if spec is not None else None
    if not places:
        return "pysam"
    # Importing pysam would load all of htslib into this process.
    said = runpy.run_path(os.path.join(next(iter(places)), "version.py"))  # noqa: PTH118
    htslib, pysam = said.get("__htslib_version__", "?"), said.get("__version__", "?")
    return f"htslib {htslib} (pysam {pysam})"


class CramWays(Value, frozen=True):
    """How a CRAM was written, as far as it matters for its text.

    Attributes:
        names: Whether all read names were kept.
        threads: Whether htslib may read it with several threads. These take an unreadable container
            for the end of the file (`cram_next_slice` in cram/cram_decode.c), so every container
            header must be readable here.
    """

    names: bool = True
    threads: bool = True

    @property
    def reservation(self) -> str:
        """Why another reader may produce another text, as a sentence."""
        made = (
            "a CRAM's text depends on its software: this one was made by "
            f"{alignment_reader()}, and another version may derive tags and mates' fields in "
            "another way"
        )
        if self.names:
            return made
        return (
            f"{made}; and not all read names were kept in this file, so that each reader makes up "
            "its own"
        )


def cram_ways(path: str | os.PathLike[str]) -> CramWays:
    """Reads the containers of a CRAM.

    Raises:
        OSError: The file can't be read.
    """
    with ExitStack() as stack:
        descriptor = _opened(path, stack)
        size = os.fstat(descriptor).st_size
        names = True
        try:
            header = read_header(descriptor, size)
            for container in containers(descriptor, size, header):
                if container.records and names:
                    names = preserved(descriptor, container, header.major).names
        except BadCram:
            return CramWays(names, threads=False)
        return CramWays(names)


def require_alignment_reader() -> None:
    """Checks that BAM, uBAM and CRAM can be read.

    Raises:
        ConfigError: pysam is missing.
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
        reference: The reference FASTA; a BAM needs none.
        inflaters: How many threads inflate.

    Raises:
        ConfigError: pysam is missing.
        InputError: The file is damaged, or isn't a BAM.
    """
    with ExitStack() as stack:
        descriptor = _opened(path, stack)
        pieces = stream_blocks(descriptor, size, threads=inflaters, strict=True)
        yield from _text(path, size, reference, pieces)


def cram_text(
    path: str | os.PathLike[str],
    size: int,
    reference: str | os.PathLike[str] | None,
    *,
    threads: bool = True,
) -> Text:
    """The text of a CRAM.

    Args:
        path: The file.
        size: Its size in bytes.
        reference: The reference FASTA. Without it a CRAM is read only if it embeds its reference or
            needs none: the references that its header names are not opened.
        threads: Whether several threads may read it; see `CramWays`.

    Raises:
        ConfigError: pysam is missing.
        InputError: The file is damaged, isn't a CRAM, or can't be decoded without its reference.
    """
    with ExitStack() as stack:
        descriptor = _opened(path, stack)
        try:
            header = read_header(descriptor, size)
        except BadCram as bad:
            raise InputError(str(bad), path=os.fspath(path), hint="check the file") from bad
        if header.raw is None:
            raise InputError(
                "its header is compressed in a way that can't be read here",
                path=os.fspath(path),
                hint="write it again with `samtools view -C`",
            )
        pieces = self_contained(descriptor, size, header)
        yield from _text(path, size, reference, pieces, threads=threads)


def _text(
    path: str | os.PathLike[str],
    size: int,
    reference: str | os.PathLike[str] | None,
    pieces: Generator[Piece, None, None],
    *,
    threads: bool = True,
) -> Text:
    name = os.fspath(path)
    count = min(processors(), _MOST_THREADS) if threads else 0
    with View(reference_arguments(reference), pieces, count) as child:
        for data in child.text():
            yield data, child.position
        damage, complaints = child.result()
        if damage is not None:
            raise InputError(damage, path=name, hint="check the file")
        if complaints is not None:
            raise _unreadable(name, complaints)
        yield memoryview(b""), size


def _opened(path: str | os.PathLike[str], stack: ExitStack) -> int:
    require_alignment_reader()
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    stack.callback(os.close, descriptor)
    return descriptor


def reference_arguments(reference: str | os.PathLike[str] | None) -> list[str]:
    """The samtools arguments for a reference FASTA.

    Raises:
        InputError: The FASTA doesn't exist, or can't be read.
    """
    if reference is None:
        return []
    regular_size(reference)
    return ["-T", os.fspath(reference)]


class View:
    """Runs `samtools view` on pieces that we feed it; leaving the context kills the process.

    samtools opens nothing but the given reference: paths, addresses and MD5s in a file's content
    are not trusted.

    Args:
        arguments: The command line, without the input.
        pieces: The input; it ends at its first damage.
        threads: How many threads samtools uses.
    """

    def __init__(
        self, arguments: list[str], pieces: Generator[Piece, None, None], threads: int
    ) -> None:
        # Without REF_PATH, older htslib would look for references on a public server.
        environment = {**os.environ, "REF_PATH": f"{os.devnull}/none", "REF_CACHE": ""}
        command = [sys.executable, "-P", "-c", _VIEW, "--no-PG", "-@", str(threads), *arguments]
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the context
        try:
            self._process = subprocess.Popen(
                [*command, "-"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                env=environment,
                # Ctrl-C must not reach samtools: if it ended early, the file would look damaged.
                process_group=0,
            )
        except BaseException:
            self._complaints.close()
            raise
        self._output = cast(BufferedReader, self._process.stdout)
        widen(self._process.stdin)
        widen(self._output)
        self._feeder = _Feeder(cast(IO[bytes], self._process.stdin), pieces)

    def __enter__(self) -> Self:
        self._feeder.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        # Closing the reading end makes the feeder end, too.
        self._feeder.join()
        self._output.close()
        self._complaints.close()

    @property
    def position(self) -> int:
        """How many bytes of the file samtools was fed."""
        return self._feeder.position

    def text(self) -> Iterator[memoryview]:
        """The output in pieces, each valid until the next is asked for."""
        buffer = memoryview(bytearray(_READ_BYTES))
        while length := self._output.readinto(buffer):
            yield buffer[:length]

    @property
    def running(self) -> bool:
        """Whether the process is running."""
        return self._process.poll() is None

    def failure(self) -> str | None:
        """Waits for the end; why samtools itself failed, whatever the file holds, or None."""
        code = self._process.wait()
        if -code in _FROM_OUTSIDE:
            return f"samtools was ended by {signal.Signals(-code).name}, perhaps for lack of memory"
        return f"pysam can't be loaded: {self._said().strip()}" if code == _NOT_LOADED else None

    def result(self) -> tuple[str | None, str | None]:
        """Waits for the end of the process.

        Returns:
            The damage that ended the input (None if there was none), and the error output (None
            if samtools succeeded).

        Raises:
            OSError: The file can't be read.
        """
        code = self._process.wait()
        self._feeder.join()
        if self._feeder.error is not None:
            raise self._feeder.error
        if code < 0:
            lost = f"[E::] samtools was killed by signal {-code}, perhaps for lack of memory"
            return self._feeder.damage, lost
        return self._feeder.damage, self._said() if code else None

    def _said(self) -> str:
        self._complaints.seek(0)
        return self._complaints.read().decode("utf-8", "replace")


class _Feeder:
    """Writes pieces to a pipe, in a thread of its own."""

    def __init__(self, pipe: IO[bytes], pieces: Generator[Piece, None, None]) -> None:
        self.position = 0
        self.damage: str | None = None
        self.error: BaseException | None = None
        self._pipe = pipe
        self._pieces = pieces
        self._thread = threading.Thread(target=self._work, name="feed")

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        if self._thread.ident is not None:
            self._thread.join()

    def _work(self) -> None:
        try:
            with contextlib.closing(self._pieces):
                for piece in self._pieces:
                    for damage in piece.damages:
                        if damage.kind is not DamageKind.PADDING:
                            self.damage = damage.sentence
                            return
                    self.position = piece.position
                    self._pipe.write(piece.data)
        except BrokenPipeError:
            # samtools has ended, and its error output says why.
            pass
        except BaseException as error:
            self.error = error
        finally:
            with contextlib.suppress(OSError):
                self._pipe.close()


def first_complaint(complaints: str) -> str:
    """The first error in htslib's output; later ones are its consequences."""
    errors = (line for line in complaints.splitlines() if line.startswith("[E::"))
    return next(errors, "htslib gave up")


def lacks_reference(complaints: str) -> bool:
    """Whether htslib reported that the reference is missing, or isn't the file's.

    The messages are in cram/cram_decode.c and cram/cram_io.c.
    """
    return any(each in complaints for each in _REFERENCE_ERRORS)


_REFERENCE_ERRORS = (
    "get_ref",
    "etch reference",
    "No reference specified",
    "reference mismatch",
    "[E::fai_",
)


def _unreadable(name: str, complaints: str) -> InputError:
    if lacks_reference(complaints):
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
