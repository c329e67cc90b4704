"""Compares files with a read set in a store, by its ETag."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import anyio
import anyio.to_thread

from turboupload.config import UploadConfig
from turboupload.core.formats import FORMATS, FileType, count_fault, has_exact_etag
from turboupload.core.model import PartSource, Source, SourcePaths, paths_of
from turboupload.core.proof.etag import (
    FAMILIES,
    ContentETag,
    ETagComparison,
    ETagOutcome,
    compare_etag,
)
from turboupload.core.proof.manifest import Manifests
from turboupload.core.proof.receipt import STORED
from turboupload.core.records import ReadSetDetails
from turboupload.core.upload.events import ETagComputed
from turboupload.engine.proving.hashing import ContentHasher
from turboupload.errors import ConfigError, IntegrityError, ServiceRefused
from turboupload.files.manifests import load_manifests
from turboupload.files.source import inspect_source
from turboupload.paths import regular_size
from turboupload.runtime.eventloop import blocking
from turboupload.seqcheck.sam_text import require_alignment_reader
from turboupload.stores import SequenceStores

__all__ = ["Verification", "verify_in", "verify_read_set", "verify_read_set_sync"]

REPORT_S = 0.2
"""The interval between progress calls, in seconds."""

Path = str | os.PathLike[str]
OnProgress = Callable[[int, int], None]
"""Called with the bytes hashed so far and the total bytes of the files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The result of comparing files with a read set.

    Attributes:
        read_set: The read set, as the service describes it.
        paths: The files.
        total_bytes: Total size of the files, in bytes.
        outcome: `equal`, `different`, or `incomparable` if the ETag can't be computed here.
        proof: Whether the outcome is certain.
        sentence: What is and isn't known, in words.
        algorithm: The ETag's, such as `FASTQ_MD5up`.
        theirs: The service's ETag of each source.
        ours: The ETag of each file; empty if it can't be computed.
        reads: How many reads all files have, if they could be counted.
        reader: The software that made the hashed text of alignments, with its version.
        seconds: How long it took.
    """

    read_set: ReadSetDetails
    paths: tuple[str, ...]
    total_bytes: int
    outcome: str
    proof: bool
    sentence: str
    algorithm: str
    theirs: tuple[str, ...]
    ours: tuple[str, ...] = ()
    reads: int | None = None
    reader: str = ""
    seconds: float = 0.0

    @property
    def proven(self) -> bool:
        """Whether it is proven that the store holds the content of these files."""
        return self.proof and self.outcome == ETagOutcome.EQUAL

    @property
    def disproven(self) -> bool:
        """Whether it is proven that the store holds other content."""
        return self.proof and self.outcome == ETagOutcome.DIFFERENT

    @property
    def counts_differ(self) -> bool:
        """Whether the service counts another number of reads; that proves nothing.

        It is inferred that it counts both mates of a pair together.
        """
        theirs = self.read_set.total_reads
        return self.reads is not None and theirs is not None and self.reads != theirs


async def verify_read_set(
    read_set_id: str,
    files: Path | Sequence[Path | Sequence[Path]],
    *,
    store_id: str,
    config: UploadConfig | None = None,
    reference_fasta: Path | None = None,
    md5: Path | Sequence[Path] = (),
    on_progress: OnProgress | None = None,
) -> Verification:
    """Compares files with a read set that is ACTIVE, by its ETag.

    A FASTQ's ETag is exact. How the service hashes the records of BAM, uBAM and CRAM isn't
    documented in full: an equal ETag proves them equal, a different one proves nothing.

    Args:
        read_set_id: The read set, 10 to 36 digits.
        files: Its file, or R1 and R2 as a list; in the place of one that was merged, a sequence of
            its files.
        store_id: The sequence store.
        config: How to reach the service.
        reference_fasta: The reference of a CRAM.
        md5: Manifests of FASTQ files before they were gzipped. Their digests are the ETag, so no
            file is read, and none has to be there.
        on_progress: Called with the progress, on the event loop.

    Raises:
        ConfigError: The number of files is wrong, or pysam is missing.
        InputError: A file can't be read.
        IntegrityError: A FASTQ is damaged, or a file changed meanwhile.
        ServiceRefused: There is no such read set, or it is not ACTIVE.
        Stopped: The service could not be reached.
    """
    async with SequenceStores(config) as stores:
        return await verify_in(
            stores,
            store_id,
            read_set_id,
            files,
            reference_fasta=reference_fasta,
            md5=md5,
            on_progress=on_progress,
        )


verify_read_set_sync = blocking(verify_read_set)


async def verify_in(
    stores: SequenceStores,
    store_id: str,
    read_set_id: str,
    files: Path | Sequence[Path | Sequence[Path]],
    *,
    reference_fasta: Path | None = None,
    md5: Path | Sequence[Path] = (),
    on_progress: OnProgress | None = None,
) -> Verification:
    """The same as `verify_read_set`, with stores that are open already."""
    began = time.monotonic()
    files = [files] if isinstance(files, str | os.PathLike) else files
    manifests = [md5] if isinstance(md5, str | os.PathLike) else md5
    if manifests:
        told = await anyio.to_thread.run_sync(load_manifests, manifests)
        return await _verify_told(stores, store_id, read_set_id, files, told)
    sources = await anyio.to_thread.run_sync(_inspect, files)
    paths = tuple(path for source in sources for path in source.paths)
    read_set = await stores.get_read_set_metadata(store_id, read_set_id)
    theirs = _etag(read_set)
    _check_number(read_set, theirs, len(sources))
    file_type = FileType(read_set.file_type or theirs.algorithm.partition("_")[0])
    if FORMATS[file_type].has_header:
        require_alignment_reader()
        if reference_fasta is not None:
            regular_size(reference_fasta)
    hasher = ContentHasher(sources, file_type, reference=reference_fasta, as_is=False)
    hasher.gate.open()
    computed = await _compute(hasher, theirs.family, on_progress)
    comparison = (
        compare_etag(computed.etag, theirs, computed.reservation)
        if computed.etag is not None
        else ETagComparison(
            ETagOutcome.INCOMPARABLE,
            False,
            f"the ETag can't be computed here, so nothing is known: {computed.reason}",
        )
    )
    return Verification(
        read_set=read_set,
        paths=paths,
        total_bytes=hasher.total_bytes,
        outcome=str(comparison.outcome),
        proof=comparison.is_proof,
        sentence=comparison.sentence,
        algorithm=theirs.algorithm,
        theirs=theirs.sources,
        ours=computed.etag.sources if computed.etag is not None else (),
        reads=computed.reads,
        reader=computed.reader,
        seconds=time.monotonic() - began,
    )


async def _verify_told(
    stores: SequenceStores,
    store_id: str,
    read_set_id: str,
    files: Sequence[SourcePaths],
    manifests: Manifests,
) -> Verification:
    """Compares what manifests say of files' text with a read set, without the files."""
    began = time.monotonic()
    if fault := count_fault(len(files)):
        raise ConfigError(fault)
    paths = tuple(path for each in files for path in paths_of(each))
    if len(paths) != len(files):
        raise ConfigError("no manifest has the ETag of merged files: leave --md5 out")
    read_set = await stores.get_read_set_metadata(store_id, read_set_id)
    theirs = _etag(read_set)
    _check_number(read_set, theirs, len(files))
    hashed = FAMILIES.get(theirs.family, "")
    if not has_exact_etag(theirs.algorithm):
        raise ConfigError(
            f"read set {read_set_id} is not a FASTQ, and manifests have no ETags of other types",
            hint="name the files, and leave --md5 out",
        )
    digests = await anyio.to_thread.run_sync(_told_digests, manifests, paths, hashed)
    ours = ContentETag(theirs.algorithm, digests[0], digests[1] if len(digests) > 1 else None)
    comparison = compare_etag(ours, theirs)
    return Verification(
        read_set=read_set,
        paths=paths,
        total_bytes=0,
        outcome=str(comparison.outcome),
        proof=comparison.is_proof,
        sentence=f"{comparison.sentence}, by the manifest's digests; no file was read",
        algorithm=theirs.algorithm,
        theirs=theirs.sources,
        ours=ours.sources,
        seconds=time.monotonic() - began,
    )


def _told_digests(manifests: Manifests, paths: tuple[str, ...], hashed: str) -> list[str]:
    """What manifests say of the text of files, which need not exist.

    Raises:
        IntegrityError: They say nothing of one.
    """
    digests = []
    for path in paths:
        told = manifests.text(os.path.abspath(path), hashed)  # noqa: PTH100 - as manifests name them
        if told is None:
            raise IntegrityError(
                f"no line has the {hashed} of its text, uncompressed, in "
                f"{', '.join(manifests.paths)}",
                path=path,
                operation="manifest",
                hint="a line for x.fastq is of the text of x.fastq.gz",
            )
        digests.append(told.digest)
    return digests


def _inspect(files: Sequence[SourcePaths]) -> tuple[Source, ...]:
    if fault := count_fault(len(files)):
        raise ConfigError(fault, hint="files that were merged are verified with --merge")
    return tuple(
        inspect_source(each, which) for each, which in zip(files, PartSource, strict=False)
    )


def _etag(read_set: ReadSetDetails) -> ContentETag:
    etag = ContentETag.of(read_set.etag)
    if read_set.status in STORED and etag is not None:
        return etag
    hints = {
        "PROCESSING_UPLOAD": "wait until it is ACTIVE: turboupload readsets wait",
        "UPLOAD_FAILED": "the service turned it down, so there is nothing to compare with",
    }
    raise ServiceRefused(
        f"read set {read_set.read_set_id} is {read_set.status}, and has no ETag to compare with",
        code="ReadSetNotActive",
        operation="GetReadSetMetadata",
        hint=hints.get(read_set.status or ""),
    )


def _check_number(read_set: ReadSetDetails, theirs: ContentETag, count: int) -> None:
    """Refuses a number of files that the read set can't have.

    An ETag may lack the second source of a pair, so the stored files decide if the service
    describes them.
    """
    files = read_set.files
    paired = theirs.source2 is not None or (files is not None and files.source2 is not None)
    single = not paired and files is not None and files.source1 is not None
    if not (paired if count == 1 else single):
        return
    what = "two files (R1 and R2)" if paired else "one file"
    raise ConfigError(
        f"read set {read_set.read_set_id} was made of {what}, and {count} "
        f"{'was' if count == 1 else 'were'} given",
        hint="name all files of the read set, R1 first",
    )


async def _compute(
    hasher: ContentHasher, family: str, on_progress: OnProgress | None
) -> ETagComputed:
    """Computes the ETag, and reports progress; an exception of the callback ends it."""
    ended = anyio.Event()
    computed: list[ETagComputed] = []
    failures: list[Exception] = []

    async def compute() -> None:
        try:
            computed.append(await hasher.compute(family))
        except Exception as error:  # raised again below, outside the group
            failures.append(error)
        finally:
            ended.set()

    async with anyio.create_task_group() as group:
        group.start_soon(compute)
        try:
            while not ended.is_set():
                with anyio.move_on_after(REPORT_S):
                    await ended.wait()
                if on_progress is not None:
                    on_progress(hasher.done_bytes, hasher.total_bytes)
        except Exception as error:  # as above
            failures.append(error)
            group.cancel_scope.cancel()
    if failures:
        raise failures[0]
    return computed[0]
