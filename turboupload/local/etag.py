"""The HealthOmics ETag of a read set's content, computed from the local file.

A FASTQ's ETag is the hash of the complete uncompressed text and can be computed exactly. A BAM's,
uBAM's or CRAM's is the hash of its alignment records as SAM text, "alignment section" in the
user guide's words; how exactly that text is written isn't documented, so that what is computed
here, the same as `samtools view FILE | md5sum`, is the best guess. An equal hash proves equal
content either way; a different one proves a difference only for FASTQ.

Source: https://docs.aws.amazon.com/omics/latest/dev/etags-and-provenance.html (read 2026-11).
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from turboupload.errors import ConfigError, InputError
from turboupload.local.bgzf import is_bgzf
from turboupload.local.formats import FILE_TYPES, regular_size
from turboupload.local.inflate import DamageKind, ahead, stream_blocks, stream_members

__all__ = [
    "FAMILIES",
    "ETag",
    "ETagComparison",
    "ETagOutcome",
    "compare_etag",
    "compute_etag",
    "etag_algorithm",
]

FAMILIES = {"MD5up": "md5", "SHA256up": "sha256", "SHA512up": "sha512"}
"""The service's ETag families, and the hash of each. MD5up is the default of a new store."""

_HEAD_BYTES = 64
_READ_BYTES = 1024 * 1024
_INFLATE_THREADS = 2

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
class ETag:
    """An ETag as the service reports it.

    Attributes:
        algorithm: Such as `FASTQ_MD5up`.
        source1: The hash of the first source, in hexadecimal.
        source2: The hash of the second source of a FASTQ pair.
    """

    algorithm: str
    source1: str
    source2: str | None = None

    @classmethod
    def from_reply(cls, reply: Mapping[str, Any] | None) -> ETag | None:
        """Reads the `etag` member of GetReadSetMetadata; None where it isn't there (yet)."""
        if not reply or not reply.get("algorithm") or not reply.get("source1"):
            return None
        return cls(reply["algorithm"], reply["source1"], reply.get("source2"))

    @property
    def family(self) -> str:
        """The part after the underscore, such as `MD5up`."""
        return self.algorithm.rpartition("_")[2]


class ETagOutcome(StrEnum):
    """What a comparison of two ETags says."""

    EQUAL = "equal"
    DIFFERENT = "different"
    INCOMPARABLE = "incomparable"


@dataclass(frozen=True, slots=True)
class ETagComparison:
    """The outcome of a comparison, and what it proves.

    Attributes:
        outcome: Equal, different, or not comparable.
        is_proof: Whether the outcome is certain.
        sentence: What is and isn't known, in plain words.
    """

    outcome: ETagOutcome
    is_proof: bool
    sentence: str


def etag_algorithm(file_type: str, family: str = "MD5up") -> str:
    """The service's name for an ETag algorithm; uBAM uses BAM's.

    Raises:
        ConfigError: The file type or the family is unknown.
    """
    kind = file_type.upper()
    if kind not in FILE_TYPES:
        raise ConfigError(
            f"{file_type!r} is not a file type", hint=f"use one of {', '.join(FILE_TYPES)}"
        )
    if family not in FAMILIES:
        raise ConfigError(
            f"{family!r} is not an ETag family", hint=f"use one of {', '.join(FAMILIES)}"
        )
    return f"{'BAM' if kind == 'UBAM' else kind}_{family}"


def compute_etag(
    path: str | os.PathLike[str],
    file_type: str,
    family: str = "MD5up",
    reference: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> str:
    """Computes the ETag of one source, in hexadecimal; it blocks.

    Inflating runs in other threads than hashing, so that the rate is that of the slower of the
    two; BGZF is inflated on two. Memory stays below 16 MiB whatever the file's size.

    Args:
        path: The file.
        file_type: `FASTQ`, `BAM`, `CRAM` or `UBAM`.
        family: `MD5up`, `SHA256up` or `SHA512up`, as the store is set to.
        reference: The reference FASTA of a CRAM. Without it a CRAM is read only where its header
            names a local copy, or `REF_PATH` is set; nothing is fetched from the network.
        progress: Called with the bytes of the file read so far, and its size.

    Raises:
        ConfigError: The type or family is unknown, or pysam is missing for anything but FASTQ.
        InputError: The file can't be read, or is damaged.
    """
    algorithm = etag_algorithm(file_type, family)
    size = regular_size(path)
    digest = hashlib.new(FAMILIES[family], usedforsecurity=False)
    text = (
        _fastq_text(path, size)
        if algorithm.startswith("FASTQ_")
        else _alignment_text(path, size, reference)
    )
    with closing(text):
        for data, position in text:
            digest.update(data)
            if progress is not None:
                progress(position, size)
    return digest.hexdigest()


def compare_etag(local: ETag, remote: ETag) -> ETagComparison:
    """Compares the ETag computed here with the one that the service reports."""
    if local.algorithm != remote.algorithm:
        return ETagComparison(
            ETagOutcome.INCOMPARABLE,
            False,
            f"the service's ETag is {remote.algorithm} and the one computed here "
            f"{local.algorithm}: nothing is known",
        )
    ours = (local.source1.lower(), (local.source2 or "").lower())
    theirs = (remote.source1.lower(), (remote.source2 or "").lower())
    exact = local.algorithm.startswith("FASTQ_")
    if ours == theirs:
        what = "every byte of the uncompressed reads" if exact else "every alignment record"
        return ETagComparison(
            ETagOutcome.EQUAL, True, f"the ETags are equal: the store holds {what} of these files"
        )
    if not exact:
        return ETagComparison(
            ETagOutcome.DIFFERENT,
            False,
            "the ETags differ. How the service hashes alignments isn't documented in full, so "
            "this doesn't prove that the content differs; neither is it proven to be the same",
        )
    return ETagComparison(ETagOutcome.DIFFERENT, True, _difference(ours, theirs))


def _difference(ours: tuple[str, str], theirs: tuple[str, str]) -> str:
    if ours == theirs[::-1]:
        return "the ETags of the two sources are swapped: the store has R1 as R2 and R2 as R1"
    if bool(ours[1]) != bool(theirs[1]):
        here, there = ("two sources", "one") if ours[1] else ("one source", "two")
        return f"the ETags differ: there are {here} here, but {there} in the store"
    which = [f"source {i + 1}" for i in range(2) if ours[i] != theirs[i]]
    return (
        f"the ETags of {' and '.join(which)} differ: the store holds other reads than these files"
    )


_Text = Generator[tuple[bytes, int], None, None]


def _fastq_text(path: str | os.PathLike[str], size: int) -> _Text:
    """The uncompressed text in pieces, each with the position reached in the file."""
    name = os.fspath(path)
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        head = os.pread(descriptor, _HEAD_BYTES, 0)
        if head[:2] != b"\x1f\x8b":
            raise InputError("is not gzip", path=name, hint="FASTQ must be gzipped")
        pieces = (
            stream_blocks(descriptor, size, threads=_INFLATE_THREADS, strict=False)
            if is_bgzf(head)
            else ahead(stream_members(descriptor, size))
        )
        with closing(pieces):
            for piece in pieces:
                for damage in piece.damages:
                    if damage.kind is not DamageKind.PADDING:
                        raise InputError(damage.sentence, path=name, hint="check the file")
                yield piece.data, piece.position
    finally:
        os.close(descriptor)


def _alignment_text(
    path: str | os.PathLike[str], size: int, reference: str | os.PathLike[str] | None
) -> _Text:
    """The alignment records as SAM text in pieces, each with the position reached in the file."""
    if importlib.util.find_spec("pysam") is None:
        raise ConfigError(
            "computing the ETag of a BAM or CRAM needs pysam, which is not installed",
            hint="install it with: pip install 'turboupload[preflight]'",
        )
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
