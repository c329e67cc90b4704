"""Checks whether a BAM, uBAM or CRAM is whole, and reads its header.

A small file is read whole. Of a large one, without `deep`, the header, the first records, samples
and the end-of-file marker are read.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress

from turboupload.runtime.processors import processors
from turboupload.seqcheck.bam import BamHeader, BamRecords
from turboupload.seqcheck.bam_mapped import Seen, look_for_mapped
from turboupload.seqcheck.bgzf import EOF_BLOCK
from turboupload.seqcheck.checks.findings import Depth, HeaderFacts
from turboupload.seqcheck.checks.places import (
    ZEROS,
    ends_in_zeros,
    has_hole,
    read_window,
    sampled_offsets,
)
from turboupload.seqcheck.checks.progress import Meter
from turboupload.seqcheck.checks.reading import SHARED_FROM_BYTES, Reading
from turboupload.seqcheck.checks.report import CUT_ADVICE, Report
from turboupload.seqcheck.cram import (
    BadCram,
    Container,
    CramHeader,
    check_blocks,
    containers,
    ends_whole,
    preserved,
    read_header,
)
from turboupload.seqcheck.fast_path import load_vectorized
from turboupload.seqcheck.formats import DECLARE, UNDECIDED, bam_detail
from turboupload.seqcheck.sam_header import SamHeader
from turboupload.seqcheck.sam_text import can_read_alignments, first_complaint, lacks_reference
from turboupload.seqcheck.witness import NoVerdict, Witness

__all__ = ["check_bam", "check_cram"]

_WHOLE_BELOW_BYTES = 4 * 1024 * 1024
_WHOLE_CONTENT_BYTES = 80 * 1024 * 1024
_HEAD_CONTENT_BYTES = 4 * 1024 * 1024
_WINDOW_BYTES = 192 * 1024
_END_BYTES = 256 * 1024
_SAMPLED_CONTAINERS = 32


def check_bam(descriptor: int, report: Report, *, deep: bool, threads: int, meter: Meter) -> None:
    """Checks a BAM or uBAM, and fills in the report."""
    size = report.facts.size_bytes
    records = BamRecords()
    reading = Reading(descriptor, report, records, meter, strict=True)
    read_all = True
    if deep and size >= SHARED_FROM_BYTES and processors() > 1:
        reading.read(reading.blocks(threads=1), until=lambda _: records.header is not None)
        reading.read_in_ranges(workers=threads, sequences=records.sequences)
    elif deep:
        records.vectorized = load_vectorized(size)
        reading.read(reading.blocks(threads=threads))
    else:
        limit = _WHOLE_CONTENT_BYTES if size <= _WHOLE_BELOW_BYTES else _HEAD_CONTENT_BYTES
        read_all = reading.read(
            reading.blocks(threads=threads),
            until=lambda read: read >= limit and (records.header is not None or records.lost),
        )
    if read_all:
        reading.finish()
    if records.problem:
        (report.odd if records.is_odd else report.error)("bam.records", records.problem)
    if records.header is not None:
        _note_bam_header(report, records.header)
    report.learn(depth=Depth.WHOLE if read_all else Depth.SAMPLED)
    if not read_all:
        _check_bam_places(descriptor, report)
    _check_bam_eof(descriptor, report)
    doubtful = read_all and report.doubtful and can_read_alignments()
    report.grade_odd(asked=doubtful and _ask_about_bam(descriptor, report, threads, meter))
    if read_all and not records.problem and not report.broken:
        _note_counts(report, records)
    elif report.facts.file_type is None and not report.broken:
        _look_for_type(descriptor, report, records)


def _ask_about_bam(descriptor: int, report: Report, threads: int, meter: Meter) -> bool:
    """Reports whether htslib reads a BAM; False if it can't tell."""
    try:
        with Witness.of_bam(descriptor, report.facts.size_bytes, threads) as witness:
            complaint = witness.complaint(look=lambda: meter.add(0))
    except NoVerdict:
        return False
    if complaint is not None:
        report.error("bam.records", f"htslib can't read it: {first_complaint(complaint)}")
    return True


def check_cram(
    descriptor: int,
    report: Report,
    *,
    deep: bool,
    threads: int,
    meter: Meter,
    reference: str | os.PathLike[str] | None = None,
) -> None:
    """Checks a CRAM, and fills in the report.

    Args:
        descriptor: The file, open.
        report: To fill in.
        deep: Whether to read all of it, and to decode its records.
        threads: How many threads to use.
        meter: Counts the bytes read.
        reference: The reference FASTA to decode the bases with.
    """
    _CramCheck(descriptor, report, threads, meter, reference).run(deep=deep)


def _look_for_type(descriptor: int, report: Report, records: BamRecords) -> None:
    """Decides between BAM and uBAM if the file was only sampled, as far as samples can."""
    seen = Seen(records.counts.records, records.counts.mapped)
    if not seen.mapped:
        seen = look_for_mapped(descriptor, report.facts.size_bytes, records.sequences)
    undecided = not seen.mapped
    detail = bam_detail(records.sequences, seen.records, seen.mapped, undecided=undecided)
    report.learn(file_type=None if undecided else "BAM", detail=detail)
    if undecided:
        report.warning(UNDECIDED, f"is {detail}", DECLARE)


def _note_counts(report: Report, records: BamRecords) -> None:
    """Reports the counts of all records, and decides between BAM and uBAM."""
    counts, file_type = records.counts, report.facts.file_type
    report.learn(records=counts.records, reads=counts.reads, bases=counts.bases)
    if file_type is None:
        file_type = "UBAM" if counts.records and not counts.mapped else "BAM"
        detail = bam_detail(records.sequences, counts.records, counts.mapped, undecided=False)
        report.learn(file_type=file_type, detail=detail)
    if not counts.records:
        report.warning("bam.empty", "holds no alignment records")
    elif file_type == "UBAM" and counts.mapped:
        report.error(
            "type.mapped",
            f"is taken as UBAM, but {counts.mapped} of its {counts.records} records are mapped",
            "declare it as BAM",
        )
    elif file_type == "BAM" and not counts.mapped:
        report.note("type.unmapped", "none of its records is mapped", "UBAM may be meant")


def _note_bam_header(report: Report, header: BamHeader) -> None:
    if (problem := header.problem) is not None:
        report.warning("bam.header", problem, "write it again with `samtools reheader`")
    text = header.text
    for line in text.problems:
        report.odd("header.line", line)
    _note_header(report, SamHeader(text.sort_order, text.read_groups, header.sequences))


def _note_header(report: Report, header: SamHeader) -> None:
    report.learn(header=HeaderFacts.of(header))
    if not header.samples:
        report.note("header.sample", "names no sample (@RG SM) in its header")
    elif len(header.samples) > 1:
        shown = ", ".join(header.samples[:5]) + (", …" if len(header.samples) > 5 else "")
        report.warning(
            "header.samples",
            f"names {len(header.samples)} samples (@RG SM) in its header: {shown}",
            "a read set holds one sample: split it with `samtools split`, or say which it is",
        )


def _check_bam_places(descriptor: int, report: Report) -> None:
    size = report.facts.size_bytes
    for offset in sampled_offsets(size):
        window = read_window(descriptor, offset, _WINDOW_BYTES)
        if window.offset is None:
            report.error("compression.chain", f"holds no BGZF blocks around byte {offset}")
        elif window.damage:
            report.error("compression.block", window.damage)
    if ends_in_zeros(descriptor, size):
        return
    _check_hole(descriptor, report)
    window = read_window(descriptor, size - _END_BYTES, _END_BYTES)
    if window.damage:
        report.error("compression.block", window.damage)
    elif window.cut:
        report.error("compression.cut", "the file ends inside a BGZF block", CUT_ADVICE)


def _check_bam_eof(descriptor: int, report: Report) -> None:
    size = report.facts.size_bytes
    if os.pread(descriptor, len(EOF_BLOCK), max(size - len(EOF_BLOCK), 0)) == EOF_BLOCK:
        return
    if ends_in_zeros(descriptor, size):
        report.error("file.zeros", ZEROS)
        return
    report.error(
        "bgzf.eof", "has no BGZF EOF block at its end, as every complete BAM has", CUT_ADVICE
    )


class _CramCheck:
    """The check of one CRAM; see `check_cram` for the arguments."""

    def __init__(
        self,
        descriptor: int,
        report: Report,
        threads: int,
        meter: Meter,
        reference: str | os.PathLike[str] | None,
    ) -> None:
        self._descriptor = descriptor
        self._report = report
        self._size = report.facts.size_bytes
        self._threads = threads
        self._meter = meter
        self._reference = reference
        self._header: CramHeader | None = None
        self._bases = False

    def run(self, *, deep: bool) -> None:
        """Checks it, and fills in the report."""
        report = self._report
        whole = deep or self._size <= _WHOLE_BELOW_BYTES
        report.learn(depth=Depth.WHOLE if whole else Depth.SAMPLED)
        asked = False
        with ExitStack() as stack:
            early: Witness | None = None
            try:
                header = self._header = read_header(self._descriptor, self._size)
                for line in header.text.problems:
                    report.warning("header.line", line)
                _note_header(report, header.text)
                self._bases = self._reference is not None or not self._needs_reference(header)
                if deep:
                    # htslib decodes while the blocks are checked; its result is taken afterwards.
                    with suppress(NoVerdict):
                        early = stack.enter_context(self._start_htslib())
                if whole:
                    self._check_all(header, early)
                else:
                    self._check_some(header)
            except BadCram as bad:
                # If the blocks don't fill their container, the next bytes may not be a header.
                misplaced = report.doubtful
                (report.error if bad.proven and not misplaced else report.odd)(
                    "cram.damaged", str(bad)
                )
            if self._header is not None:
                _check_cram_eof(self._descriptor, report, self._header)
            if whole and not report.broken and (deep or report.doubtful):
                asked = self._decode(early)
            elif whole and not report.broken:
                self._note_undecoded("`check --deep` decodes them")
        report.grade_odd(asked=asked)

    def _needs_reference(self, header: CramHeader) -> bool:
        """Whether bases are differences from a reference, by the first records."""
        with suppress(BadCram):
            for container in containers(self._descriptor, self._size, header):
                if container.records:
                    return preserved(self._descriptor, container, header.major).needs_reference
            return False
        return True

    def _check_some(self, header: CramHeader) -> None:
        every = containers(self._descriptor, self._size, header)
        for container in itertools.islice(every, _SAMPLED_CONTAINERS):
            _note_blocks(self._report, check_blocks(self._descriptor, container, header.major))
        _check_hole(self._descriptor, self._report)

    def _check_all(self, header: CramHeader, early: Witness | None) -> None:
        """Checks every container and block, and adds up the containers' counts."""
        report, meter = self._report, self._meter
        records = bases = 0
        expected: int | None = None
        meter.add(header.first)
        every = _checked_containers(self._descriptor, self._size, header, self._threads)
        with closing(every):
            for container, bad in every:
                _note_blocks(report, bad)
                if container.records:
                    _note_order(report, container, expected)
                    expected = container.before + container.records
                records += container.records
                bases += container.bases
                if early is not None and not report.broken:
                    early.wait_until(container.end, look=lambda: meter.add(0))
                meter.add(container.end - container.offset)
        if not report.broken:
            report.learn(records=records, bases=bases)
            if not records:
                report.warning("cram.empty", "holds no alignment records")

    def _decode(self, early: Witness | None) -> bool:
        """Reports htslib's result on the records; False if htslib can't tell."""
        report = self._report
        try:
            if early is not None and not report.doubtful:
                complaint = early.complaint(look=lambda: self._meter.add(0))
            else:
                complaint = self._ask_htslib()
            if complaint is not None and self._bases and lacks_reference(complaint):
                self._note_reference(complaint)
                self._bases = False
                complaint = self._ask_htslib()
        except NoVerdict as why:
            self._note_undecoded(str(why))
            return False
        if complaint is not None:
            sentence = f"its records can't be decoded: {first_complaint(complaint)}"
            report.error("cram.records", sentence)
        elif not self._bases:
            report.note(
                "cram.bases",
                "its records were decoded except for their bases, which are differences from a "
                "reference",
                "to decode these, too, add --reference-fasta",
            )
        return True

    def _ask_htslib(self) -> str | None:
        with self._start_htslib() as witness:
            return witness.complaint(look=lambda: self._meter.add(0))

    def _start_htslib(self) -> Witness:
        if not can_read_alignments():
            raise NoVerdict("for that, install it with: pip install 'turboupload[preflight]'")
        return Witness.of_cram(
            self._descriptor,
            self._size,
            self._header,
            # With threads, htslib takes a container that it can't read for the end of the file
            # (cram_next_slice in cram/cram_decode.c): so only if all can be read here.
            0 if self._report.doubtful else self._threads,
            bases=self._bases,
            reference=self._reference,
        )

    def _note_reference(self, complaint: str) -> None:
        if self._reference is None:
            return
        differs = "reference mismatch" in complaint
        (self._report.error if differs else self._report.warning)(
            "reference.bases",
            f"its bases can't be decoded with this reference: {first_complaint(complaint)}",
            "give the FASTA that it was written with",
        )

    def _note_undecoded(self, advice: str) -> None:
        sentence = "its blocks were checked, and its records not decoded"
        self._report.note("cram.undecoded", sentence, advice)


def _note_blocks(report: Report, bad: BadCram | None) -> None:
    if bad is not None:
        (report.error if bad.proven else report.odd)("cram.block", str(bad))


def _note_order(report: Report, container: Container, expected: int | None) -> None:
    """Compares a container's count of earlier records with our own count.

    A difference is a warning: a file that was joined from others, or cut from one, is not damaged.
    """
    if expected is None:
        # The specification counts from 1, htslib from 0.
        expected = int(container.before == 1)
    if container.before > expected:
        report.warning(
            "cram.gap",
            f"{container.before - expected} records are missing before byte {container.offset}, "
            "by its writer's count",
            "compare its number of records with that of the file it was made from",
        )
    elif 0 < container.before < expected:
        report.warning(
            "cram.order",
            f"the records from byte {container.offset} on are repeated or out of order, "
            "by its writer's count",
            "compare its number of records with that of the file it was made from",
        )


def _checked_containers(
    descriptor: int, size: int, header: CramHeader, threads: int
) -> Generator[tuple[Container, BadCram | None], None, None]:
    """Yields each container, with the first problem of its blocks (None if there is none)."""

    def check(container: Container) -> tuple[Container, BadCram | None]:
        return container, check_blocks(descriptor, container, header.major)

    with ThreadPoolExecutor(threads, thread_name_prefix="cram") as pool:
        for batch in _batches(containers(descriptor, size, header), 4 * threads):
            yield from pool.map(check, batch)


def _batches(every: Iterator[Container], count: int) -> Iterator[list[Container]]:
    batch: list[Container] = []
    try:
        for container in every:
            batch.append(container)
            if len(batch) == count:
                yield batch
                batch = []
    except BadCram:
        # Check the bytes before it first: they may show the cause.
        yield batch
        raise
    yield batch


def _check_cram_eof(descriptor: int, report: Report, header: CramHeader) -> None:
    if (header.major, header.minor) == (2, 0):
        report.warning("cram.old", "is CRAM 2.0, which has no end marker", "convert it to 3.0")
    elif not ends_whole(descriptor, report.facts.size_bytes, header):
        report.error("cram.eof", "has no EOF container, as every complete CRAM has", CUT_ADVICE)


def _check_hole(descriptor: int, report: Report) -> None:
    hole = has_hole(descriptor, report.facts.size_bytes)
    if hole is not None:
        report.error("file.hole", f"holds nothing but zero bytes around byte {hole}")
