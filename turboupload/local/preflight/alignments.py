"""Is a BAM, uBAM or CRAM whole, and what does its header say?

A small file is read whole. Of a large one, without `deep`, header, first records, some places
between and the end-of-file marker are looked at.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

from turboupload.local.bam import BamHeader, BamRecords
from turboupload.local.bgzf import EOF_BLOCK
from turboupload.local.cram import (
    BadCram,
    Container,
    CramHeader,
    check_blocks,
    containers,
    eof_container,
    read_header,
)
from turboupload.local.cramrecords import CramRecords
from turboupload.local.preflight.findings import Depth, HeaderFacts
from turboupload.local.preflight.places import (
    ZEROS,
    ends_in_zeros,
    has_hole,
    read_window,
    sampled_offsets,
)
from turboupload.local.preflight.progress import Meter
from turboupload.local.preflight.reading import SHARED_FROM_BYTES, Reading
from turboupload.local.preflight.report import Report
from turboupload.local.samheader import SamHeader
from turboupload.local.samtext import can_read_alignments
from turboupload.local.shortcut import load_bulk
from turboupload.processors import processors

__all__ = ["check_bam", "check_cram"]

_WHOLE_BELOW_BYTES = 4 * 1024 * 1024
_WHOLE_CONTENT_BYTES = 80 * 1024 * 1024
_HEAD_CONTENT_BYTES = 4 * 1024 * 1024
_WINDOW_BYTES = 192 * 1024
_END_BYTES = 256 * 1024
_SAMPLED_CONTAINERS = 32
_CUT = "the step that wrote it, or the copy, was cut off: make or copy it again"


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
        records.bulk = load_bulk(size)
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
        report.error("bam.records", records.problem)
    if records.header is not None:
        _note_bam_header(report, records.header)
    if read_all:
        report.facts.depth = Depth.WHOLE
        _note_counts(report, records)
    else:
        report.facts.depth = Depth.SAMPLED
        _check_bam_places(descriptor, report)
    _check_bam_eof(descriptor, report)


def check_cram(descriptor: int, report: Report, *, deep: bool, threads: int, meter: Meter) -> None:
    """Checks a CRAM, and fills in the report."""
    size = report.facts.size_bytes
    try:
        header = read_header(descriptor, size)
        _note_header(report, header.text)
        if deep or size <= _WHOLE_BELOW_BYTES:
            _read_cram(descriptor, report, header, threads, meter, deep=deep)
        else:
            report.facts.depth = Depth.SAMPLED
            for container in itertools.islice(
                containers(descriptor, size, header), _SAMPLED_CONTAINERS
            ):
                _note_blocks(report, check_blocks(descriptor, container, header.major))
            _check_hole(descriptor, report)
    except BadCram as bad:
        report.error("cram.damaged", str(bad))
        return
    _check_cram_eof(descriptor, report, header)


def _note_counts(report: Report, records: BamRecords) -> None:
    if any(f.code.startswith(("compression.", "bam.records")) for f in report.findings):
        return
    facts, counts = report.facts, records.counts
    facts.records, facts.reads, facts.bases = counts.records, counts.reads, counts.bases
    if not counts.records:
        report.warning("bam.empty", "holds no alignment records")
    elif facts.file_type == "UBAM" and counts.mapped:
        report.error(
            "type.mapped",
            f"is taken as UBAM, but {counts.mapped} of its {counts.records} records are mapped",
            "declare it as BAM",
        )
    elif facts.file_type == "BAM" and not counts.mapped:
        report.note("type.unmapped", "none of its records is mapped", "UBAM may be meant")


def _note_bam_header(report: Report, header: BamHeader) -> None:
    if header.problem:
        report.warning("bam.header", header.problem, "write it anew with `samtools reheader`")
    text = header.text
    if not text.sequences and header.listed:
        text = SamHeader(text.sort_order, text.read_groups, header.listed, text.problems)
    _note_header(report, text)


def _note_header(report: Report, header: SamHeader) -> None:
    report.facts.header = HeaderFacts.of(header)
    for problem in header.problems:
        report.warning("header.line", problem)
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
        report.error("compression.cut", "the file ends inside a BGZF block", _CUT)


def _check_bam_eof(descriptor: int, report: Report) -> None:
    size = report.facts.size_bytes
    if os.pread(descriptor, len(EOF_BLOCK), max(size - len(EOF_BLOCK), 0)) == EOF_BLOCK:
        return
    if ends_in_zeros(descriptor, size):
        report.error("file.zeros", ZEROS)
        return
    report.error("bgzf.eof", "has no BGZF EOF block at its end, as every complete BAM has", _CUT)


def _read_cram(
    descriptor: int, report: Report, header: CramHeader, threads: int, meter: Meter, *, deep: bool
) -> None:
    """Checks every container and block, and adds up what the containers say they hold.

    With `deep`, the records are decoded as well.
    """
    records = bases = 0
    good = True
    with ExitStack() as stack:
        decoded = None
        advice: str | None = "for that, install it with: pip install 'turboupload[preflight]'"
        if deep and can_read_alignments():
            try:
                decoded = stack.enter_context(CramRecords(descriptor, threads))
            except OSError as error:
                advice = f"samtools can't be started: {error.strerror or error}"
        meter.add(header.first)
        every = _checked_containers(descriptor, report.facts.size_bytes, header, threads)
        for container, problem in stack.enter_context(closing(every)):
            good = _note_blocks(report, problem) and good
            records += container.records
            bases += container.bases
            if decoded is not None and good:
                decoded.keep_up(container.end, look=lambda: meter.add(0))
            meter.add(container.end - container.offset)
        report.facts.depth = Depth.WHOLE
        if not good:
            return
        report.facts.records, report.facts.bases = records, bases
        if not records:
            report.warning("cram.empty", "holds no alignment records")
        if decoded is not None:
            complaint = decoded.complaint(look=lambda: meter.add(0))
            if complaint is not None:
                report.error("cram.records", f"its records can't be decoded: {complaint}")
        elif deep:
            report.note(
                "cram.undecoded",
                "its blocks were checked, and its records not decoded",
                advice,
            )


def _checked_containers(
    descriptor: int, size: int, header: CramHeader, threads: int
) -> Generator[tuple[Container, str | None], None, None]:
    """Each container, with what is wrong with its blocks, if anything."""

    def check(container: Container) -> tuple[Container, str | None]:
        return container, check_blocks(descriptor, container, header.major)

    with ThreadPoolExecutor(threads, thread_name_prefix="cram") as pool:
        for batch in _batches(containers(descriptor, size, header), 4 * threads):
            yield from pool.map(check, batch)


def _batches(every: Iterator[Container], count: int) -> Iterator[list[Container]]:
    while batch := list(itertools.islice(every, count)):
        yield batch


def _note_blocks(report: Report, problem: str | None) -> bool:
    if problem is None:
        return True
    report.error("cram.block", problem)
    return False


def _check_cram_eof(descriptor: int, report: Report, header: CramHeader) -> None:
    if (header.major, header.minor) == (2, 0):
        report.warning("cram.old", "is CRAM 2.0, which has no end marker", "convert it to 3.0")
        return
    marker = eof_container(header.major)
    size = report.facts.size_bytes
    if os.pread(descriptor, len(marker), max(size - len(marker), 0)) != marker:
        report.error("cram.eof", "has no EOF container, as every complete CRAM has", _CUT)


def _check_hole(descriptor: int, report: Report) -> None:
    hole = has_hole(descriptor, report.facts.size_bytes)
    if hole is not None:
        report.error("file.hole", f"holds nothing but zero bytes around byte {hole}")
