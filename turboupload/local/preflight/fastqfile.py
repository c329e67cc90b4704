"""Is a gzipped FASTQ whole, and of the right form?

A small file is read whole. Of a large one, without `deep`, the start is read; of BGZF also some
places between and the end, where the last record must be complete. What plain gzip holds can only
be read from its start: whether it is whole shows in its very last bytes, which say nothing by
themselves; `gziptail` finds out what can be found out about them.
"""

from __future__ import annotations

import os

from turboupload.local.ahead import ahead, in_pieces
from turboupload.local.bgzf import EOF_BLOCK
from turboupload.local.fastq import FastqRecords, find_record
from turboupload.local.inflate import stream_members
from turboupload.local.preflight.findings import Depth
from turboupload.local.preflight.gziptail import TailVerdict, inspect_tail
from turboupload.local.preflight.places import (
    has_hole,
    read_window,
    sampled_offsets,
)
from turboupload.local.preflight.progress import Meter
from turboupload.local.preflight.reading import SHARED_FROM_BYTES, Reading
from turboupload.local.preflight.report import AGAIN, Report
from turboupload.local.shortcut import load_bulk
from turboupload.processors import processors

__all__ = ["WHOLE_BELOW_BYTES", "align", "check_fastq"]

WHOLE_BELOW_BYTES = 4 * 1024 * 1024
"""Files up to this size are read whole in any case: that takes a fraction of a second."""

_WHOLE_CONTENT_BYTES = 80 * 1024 * 1024
_HEAD_CONTENT_BYTES = 4 * 1024 * 1024
_WINDOW_BYTES = 192 * 1024
_END_BYTES = 256 * 1024
_RECORD_BYTES = 64 * 1024
_CUT = "the step that wrote it, or the copy, was cut off: make or copy it again"


def check_fastq(
    descriptor: int,
    report: Report,
    *,
    bgzf: bool,
    deep: bool,
    names: bool,
    threads: int,
    meter: Meter,
) -> None:
    """Checks a gzipped FASTQ, and fills in the report.

    Args:
        descriptor: The file, open.
        report: Where to.
        bgzf: Whether it is BGZF.
        deep: Whether to read all of it.
        names: Whether the names of its reads may be compared with another file's.
        threads: How many threads, or processes, to use.
        meter: Told how far the reading is.
    """
    size = report.facts.size_bytes
    records = FastqRecords(digest_names=names)
    reading = Reading(descriptor, report, records, meter, strict=False)
    read_all = True
    if deep:
        _read_deep(descriptor, reading, records, bgzf=bgzf, size=size, threads=threads)
    else:
        whole = size <= WHOLE_BELOW_BYTES
        limit = _WHOLE_CONTENT_BYTES if whole else _HEAD_CONTENT_BYTES
        pieces = reading.blocks(threads=threads) if bgzf else stream_members(descriptor, size)
        read_all = reading.read(
            in_pieces(ahead(pieces)) if whole and not bgzf else pieces,
            until=lambda read: read >= limit,
        )
    if read_all:
        reading.finish()
    _note_head(report, records)
    if reading.follows:
        report.fastq = records
        if read_all:
            _note_counts(report, records)
    if read_all:
        report.facts.depth = Depth.WHOLE
        if bgzf:
            _check_eof_block(descriptor, report)
    else:
        report.facts.depth = Depth.SAMPLED
        _check_places(descriptor, report, bgzf=bgzf)


def align(text: bytes) -> bytes | None:
    """The text from the first record that starts in it; None where none is seen."""
    at = find_record(text, _RECORD_BYTES)
    return None if at is None else text[at:]


def _read_deep(
    descriptor: int, reading: Reading, records: FastqRecords, *, bgzf: bool, size: int, threads: int
) -> None:
    """Reads all of it, in processes of its own where that can be and pays."""
    members = stream_members(descriptor, size)
    if size < SHARED_FROM_BYTES or processors() == 1:
        records.bulk = load_bulk(size)
        reading.read(reading.blocks(threads=threads) if bgzf else in_pieces(ahead(members)))
    elif bgzf:
        reading.read(reading.chain(), until=lambda _: records.knows_first_names)
        reading.read_in_ranges(workers=threads, names=records.digest_names)
    else:
        reading.read_in_texts(
            members,
            # Two check faster than one inflates.
            workers=max(1, min(2, threads - 1)),
            asking=lambda: records.knows_first_names,
            names=records.digest_names,
        )


def _note_counts(report: Report, records: FastqRecords) -> None:
    counts, facts = records.counts, report.facts
    facts.records = facts.reads = counts.records
    facts.bases, facts.shortest, facts.longest = counts.bases, counts.shortest, counts.longest
    if not counts.records:
        report.error("fastq.empty", "holds no reads", "check the step that wrote it")


def _note_head(report: Report, records: FastqRecords) -> None:
    for problem in records.problems:
        advice = _CUT if problem.code == "fastq.cut" else "write one read in four lines"
        report.error(problem.code, problem.sentence, advice)
    if records.windows_ends:
        report.warning(
            "fastq.crlf", "has Windows line ends (CR LF)", "take them off with `dos2unix`"
        )
    if records.first_names:
        report.facts.first_read = records.first_names[0].decode("ascii", "replace")


def _check_eof_block(descriptor: int, report: Report) -> None:
    size = report.facts.size_bytes
    if os.pread(descriptor, len(EOF_BLOCK), size - len(EOF_BLOCK)) != EOF_BLOCK:
        report.warning(
            "bgzf.eof",
            "has no BGZF EOF block at its end: some tools write none, but it is also missing "
            "where a file was cut between two blocks",
            "compare the number of reads with what was sequenced",
        )


def _check_places(descriptor: int, report: Report, *, bgzf: bool) -> None:
    size = report.facts.size_bytes
    hole = has_hole(descriptor, size)
    if hole is not None:
        report.error("file.hole", f"holds nothing but zero bytes around byte {hole}")
    if bgzf:
        for offset in sampled_offsets(size):
            _check_window(descriptor, report, offset)
        _check_end(descriptor, report)
    else:
        _check_tail(descriptor, report)


def _check_window(descriptor: int, report: Report, offset: int) -> None:
    window = read_window(descriptor, offset, _WINDOW_BYTES)
    if window.offset is None:
        report.warning("bgzf.mixed", f"is no longer BGZF around byte {offset}", "check with --deep")
        return
    if window.damage:
        report.error("compression.block", window.damage)
        return
    if window.text.count(b"\n") < 12:
        return
    text = align(window.text)
    if text is None:
        report.error("fastq.form", f"holds no FASTQ records around byte {window.offset}")
        return
    records = FastqRecords()
    records.feed(text)
    for problem in records.problems:
        report.error(problem.code, f"around byte {window.offset}: {problem.sentence} from there")


def _check_end(descriptor: int, report: Report) -> None:
    size = report.facts.size_bytes
    window = read_window(descriptor, size - _END_BYTES, _END_BYTES)
    if window.offset is None:
        _check_tail(descriptor, report)
        return
    if window.damage:
        report.error("compression.block", window.damage)
        return
    if window.end != size:
        if window.cut:
            report.error("compression.cut", "the file ends inside a BGZF block", _CUT)
        elif os.pread(descriptor, 2, window.end) == b"\x1f\x8b":
            _check_tail(descriptor, report)
        else:
            sentence = f"the bytes from {window.end} to the end are not gzip data"
            report.error("compression.trailing", sentence)
        return
    if not window.has_eof:
        _check_eof_block(descriptor, report)
    check_last_record(report, window.text)


def check_last_record(report: Report, text: bytes) -> None:
    """Checks that a text which ends where the file does ends with a whole record."""
    aligned = align(text) if text.count(b"\n") >= 12 else None
    if aligned is None:
        return
    records = FastqRecords()
    records.feed(aligned)
    records.finish()
    for problem in records.problems:
        if problem.code in ("fastq.cut", "fastq.lengths"):
            report.error("fastq.cut", "its text ends inside a record", _CUT)
        else:
            report.error(problem.code, f"near the end: {problem.sentence} from there", AGAIN)


def _check_tail(descriptor: int, report: Report) -> None:
    tail = inspect_tail(descriptor, report.facts.size_bytes)
    if tail.verdict is TailVerdict.CUT:
        report.error("compression.cut", "the file ends inside its compressed data", _CUT)
    elif tail.verdict is TailVerdict.WHOLE:
        check_last_record(report, tail.text)
    else:
        report.note(
            "gzip.unknown",
            "is plain gzip: whether it is complete can't be seen without reading all of it",
            "check with --deep, or compress with bgzip",
        )
