"""Checks whether a gzipped FASTQ is whole and well-formed.

A small file is read whole. Of a large one, without `deep`, the start is read, and of BGZF also
samples and the end, where the last record must be complete. Plain gzip can only be inflated from
its start, and its last bytes alone don't show whether it is whole; `gziptail` gets what it can from
them.
"""

from __future__ import annotations

import os

from turboupload.runtime.processors import processors
from turboupload.seqcheck.bgzf import EOF_BLOCK
from turboupload.seqcheck.checks.findings import Depth
from turboupload.seqcheck.checks.gziptail import TailVerdict, inspect_tail
from turboupload.seqcheck.checks.merging import UNTERMINATED, UNTERMINATED_HINT
from turboupload.seqcheck.checks.places import (
    ZEROS,
    Window,
    end_of_data,
    has_hole,
    read_window,
    sampled_offsets,
)
from turboupload.seqcheck.checks.progress import Meter
from turboupload.seqcheck.checks.reading import SHARED_FROM_BYTES, Reading
from turboupload.seqcheck.checks.report import CUT_ADVICE, Report
from turboupload.seqcheck.fast_path import load_vectorized
from turboupload.seqcheck.fastq import FastqOddity, FastqRecords, read_within
from turboupload.seqcheck.inflate import Damage, DamageKind, stream_members
from turboupload.seqcheck.prefetch import in_pieces, prefetch

__all__ = ["WHOLE_BELOW_BYTES", "check_fastq"]

WHOLE_BELOW_BYTES = 4 * 1024 * 1024
"""Files up to this size are always read whole: that takes a fraction of a second."""

# Below, another thread and its buffers cost more than they save; chunks are small and many.
_PREFETCHED_FROM_BYTES = 512 * 1024
_WHOLE_CONTENT_BYTES = 80 * 1024 * 1024
_HEAD_CONTENT_BYTES = 4 * 1024 * 1024
_WINDOW_BYTES = 192 * 1024
_END_BYTES = 256 * 1024
_LEAST_LINES = 12
# A trailer and an EOF block end in zero bytes themselves, which look like padding.
_MAX_TRAILING_ZERO_BYTES = 64

_ODDITIES = {
    "fastq.crlf": ("has Windows line ends (CR LF)", "remove them with `dos2unix`"),
    "fastq.blank": (
        "has blank lines between its reads or after them",
        "remove them: seqtk skips them, but samtools and others stop there",
    ),
    "fastq.bom": (
        "has a byte order mark (UTF-8) before a read's name",
        "remove it: samtools and others don't recognise the file as a FASTQ",
    ),
    "fastq.wrapped": (
        "has reads that are not four lines each, such as bases wrapped over several lines",
        "write each read in four lines, as with `seqtk seq`: many readers accept nothing else",
    ),
    "fastq.colour": (
        "has digits among its bases: colour space (SOLiD), or another encoding",
        "make sure that the tools that read it know colour space",
    ),
    "fastq.bases": (
        "has characters among its bases that are no bases",
        "check the read: common readers accept such characters, but not as bases",
    ),
    "fastq.qualities": (
        "has characters among its qualities that are no qualities",
        "check the read: qualities are the characters from '!' to '~'",
    ),
    "fastq.ascii": (
        "has names with characters beyond ASCII",
        "write them in ASCII: several readers stop at others",
    ),
    "fastq.line": (
        "has a line of more than 64 MiB; reads from there on were not checked",
        None,
    ),
}
"""The sentence and the advice for each oddity of `FastqRecords`."""


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
        report: The report to fill in.
        bgzf: Whether it is BGZF.
        deep: Whether to read all of it.
        names: Whether the names of its reads may be compared with another file's.
        threads: How many threads, or processes, to use.
        meter: Counts the bytes read.
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
        worthwhile = whole and not bgzf and size >= _PREFETCHED_FROM_BYTES
        read_all = reading.read(
            in_pieces(prefetch(pieces)) if worthwhile else pieces,
            until=lambda read: read >= limit,
        )
    if read_all:
        reading.finish()
    if records.unterminated:
        _note_unterminated(report)
    _note_head(report, records)
    if reading.follows:
        report.fastq = records
        if read_all:
            _note_counts(report, records)
    if read_all:
        report.learn(depth=Depth.WHOLE)
        if bgzf:
            _check_eof_block(descriptor, report, end_of_data(descriptor, size))
    else:
        report.learn(depth=Depth.SAMPLED)
        _Places(descriptor, report, records).check(bgzf=bgzf)


def _read_deep(
    descriptor: int, reading: Reading, records: FastqRecords, *, bgzf: bool, size: int, threads: int
) -> None:
    """Reads the whole file, in other processes if that is possible and faster."""
    members = stream_members(descriptor, size)
    if size < SHARED_FROM_BYTES or processors() == 1:
        records.vectorized = load_vectorized(size)
        reading.read(reading.blocks(threads=threads) if bgzf else in_pieces(prefetch(members)))
    elif bgzf:
        reading.read(reading.chain(), until=lambda _: records.knows_first_names)
        reading.read_in_ranges(workers=threads, names=records.digest_names)
    else:
        reading.read_in_texts(
            members,
            # Two processes check faster than one thread inflates.
            workers=max(1, min(2, threads - 1)),
            use_workers=lambda: records.knows_first_names,
            names=records.digest_names,
        )


def _note_counts(report: Report, records: FastqRecords) -> None:
    counts = records.counts
    report.learn(
        records=counts.records,
        reads=counts.records,
        bases=counts.bases,
        shortest=counts.shortest,
        longest=counts.longest,
    )
    if not counts.records:
        advice = "check the step that wrote it, or leave the file out"
        report.error("fastq.empty", "holds no reads", advice)


def _note_head(report: Report, records: FastqRecords) -> None:
    for problem in records.problems:
        advice = CUT_ADVICE if problem.code == "fastq.cut" else "write one read in four lines"
        report.error(problem.code, problem.sentence, advice)
    for code, odd in records.oddities.items():
        _note_oddity(report, code, odd)
    if records.first_names:
        report.learn(first_read=records.first_names[0].decode("ascii", "replace"))


def _note_unterminated(report: Report) -> None:
    """Reports a text without a line end at its end, which matters where another text follows."""
    if report.followed:
        report.error("fastq.newline", UNTERMINATED, UNTERMINATED_HINT)


def _note_oddity(report: Report, code: str, odd: FastqOddity, where: str | None = None) -> None:
    sentence, advice = _ODDITIES[code]
    if where is None and odd.record:
        where = f"record {odd.record}, {odd.count} times in what was read"
    report.warning(code, f"{sentence} (first: {where})" if where else sentence, advice)


def _check_eof_block(descriptor: int, report: Report, end: int) -> None:
    """Looks for the EOF block before `end`; zero bytes from `end` on may be part of that block."""
    head = EOF_BLOCK.rstrip(b"\0")
    start = max(end - len(EOF_BLOCK) - _MAX_TRAILING_ZERO_BYTES, 0)
    data = os.pread(descriptor, end + _MAX_TRAILING_ZERO_BYTES - start, start)
    if not data.rstrip(b"\0").endswith(head):
        report.warning(
            "bgzf.eof",
            "has no BGZF EOF block at its end: some tools write none, but it is also missing "
            "where a file was cut between two blocks",
            "compare the number of reads with what was sequenced",
        )


class _Places:
    """Samples a file that is not read whole.

    Args:
        descriptor: The file, open.
        report: Where findings go.
        head: The records at its start.
    """

    def __init__(self, descriptor: int, report: Report, head: FastqRecords) -> None:
        self._descriptor = descriptor
        self._report = report
        self._noted = set(head.oddities)
        # From the middle of wrapped lines, names can't be recognised.
        self._wrapped = "fastq.wrapped" in head.oddities
        size = report.facts.size_bytes
        zeros = end_of_data(descriptor, size)
        self._zeros = size - zeros
        self._end = min(size, zeros + _MAX_TRAILING_ZERO_BYTES) if self._zeros else size

    def check(self, *, bgzf: bool) -> None:
        """Checks the samples."""
        hole = has_hole(self._descriptor, self._end)
        if hole is not None:
            self._report.error("file.hole", f"holds nothing but zero bytes around byte {hole}")
        if bgzf:
            for offset in sampled_offsets(self._end):
                self._check_window(offset)
            self._check_end()
        else:
            self._check_tail()

    def _check_window(self, offset: int) -> None:
        window = read_window(self._descriptor, offset, _WINDOW_BYTES)
        if window.offset is None:
            self._report.warning(
                "bgzf.mixed", f"is no longer BGZF around byte {offset}", "check with --deep"
            )
        elif window.damage:
            self._report.error("compression.block", window.damage)
        else:
            self._check_text(window.text, f"around byte {window.offset}", ended=False)

    def _check_text(self, text: bytes, where: str, *, ended: bool) -> None:
        """Checks text from anywhere in the file; `ended` if the file ends with it."""
        if self._wrapped or text.count(b"\n") < _LEAST_LINES:
            return
        records = read_within(text, ended=ended)
        if records is None or (records.problems and not records.counts.records):
            self._report.warning(
                "fastq.form", f"{where}: no reads are recognised", "check with --deep"
            )
            return
        for code in records.oddities.keys() - self._noted:
            self._noted.add(code)
            _note_oddity(self._report, code, records.oddities[code], where)
        for problem in records.problems:
            if ended and problem.code in ("fastq.cut", "fastq.lengths"):
                self._report.error("fastq.cut", "its text ends inside a record", CUT_ADVICE)
            else:
                self._report.error(problem.code, f"{where}: {problem.sentence} from there")

    def _check_end_of_text(self, text: bytes) -> None:
        self._check_text(text, "near the end", ended=True)
        if text and not text.endswith(b"\n"):
            _note_unterminated(self._report)

    def _check_end(self) -> None:
        window = read_window(self._descriptor, self._end - _END_BYTES, _END_BYTES)
        if window.offset is None:
            self._check_tail()
        elif window.damage:
            self._report.error("compression.block", window.damage)
        elif os.pread(self._descriptor, self._end - window.end, window.end).strip(b"\0"):
            self._check_after_blocks(window)
        else:
            self._note_padding(self._report.facts.size_bytes - window.end)
            if not window.has_eof:
                _check_eof_block(self._descriptor, self._report, window.end)
            self._check_end_of_text(window.text)

    def _check_after_blocks(self, window: Window) -> None:
        if window.cut and self._zeros:
            self._report.error("file.zeros", ZEROS)
        elif window.cut:
            self._report.error("compression.cut", "the file ends inside a BGZF block", CUT_ADVICE)
        elif os.pread(self._descriptor, 2, window.end) == b"\x1f\x8b":
            self._check_tail()
        else:
            sentence = f"the bytes from {window.end} to the end are not gzip data"
            self._report.error("compression.trailing", sentence)

    def _note_padding(self, count: int) -> None:
        if count:
            sentence = f"{count} zero bytes follow the compressed data"
            damage = Damage(DamageKind.PADDING, self._report.facts.size_bytes - count, sentence)
            self._report.damage(damage, strict=False)

    def _check_tail(self) -> None:
        tail = inspect_tail(self._descriptor, self._end)
        if self._zeros and tail.verdict is TailVerdict.UNKNOWN:
            # Inflating fails where the zeros begin, so leave them out.
            without = inspect_tail(self._descriptor, self._end - _MAX_TRAILING_ZERO_BYTES)
            tail = without if without.verdict is TailVerdict.CUT else tail
        if tail.verdict is TailVerdict.WHOLE:
            self._note_padding(self._report.facts.size_bytes - self._end + tail.padding)
            self._check_end_of_text(tail.text)
        elif tail.verdict is TailVerdict.CUT and self._zeros:
            self._report.error("file.zeros", ZEROS)
        elif tail.verdict is TailVerdict.CUT:
            self._report.error(
                "compression.cut", "the file ends inside its compressed data", CUT_ADVICE
            )
        elif self._zeros:
            # Where another file follows, that is no matter of taste.
            note = self._report.error if self._report.followed else self._report.warning
            note(
                "gzip.padding",
                f"ends in {self._zeros} zero bytes: padding, or space that was never filled",
                "check with --deep",
            )
        else:
            self._report.note(
                "gzip.unknown",
                "is plain gzip: whether it is complete can't be seen without reading all of it",
                "check with --deep, or compress with bgzip",
            )
