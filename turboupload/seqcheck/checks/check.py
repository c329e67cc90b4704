"""Checks files before the upload: type, wholeness, pairs, header, reference."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from turboupload.core.formats import (
    FORMATS,
    MERGE_HINT,
    PAIR_HINT,
    FileType,
    chosen_type,
    merge_fault,
    pair_fault,
)
from turboupload.errors import ConfigError, InputError
from turboupload.paths import regular_size
from turboupload.processors import processors
from turboupload.seqcheck.checks.alignments import check_bam, check_cram
from turboupload.seqcheck.checks.fastqfile import WHOLE_BELOW_BYTES, check_fastq
from turboupload.seqcheck.checks.findings import (
    Depth,
    FileFacts,
    Finding,
    Findings,
    PairFacts,
    Severity,
)
from turboupload.seqcheck.checks.limits import limit_findings
from turboupload.seqcheck.checks.names import find_pairs, is_beside, mark_of
from turboupload.seqcheck.checks.pairs import Mate, compare_mates, same_file
from turboupload.seqcheck.checks.places import ZEROS, ends_in_zeros
from turboupload.seqcheck.checks.progress import Meter, ProgressCallback
from turboupload.seqcheck.checks.reference import compare_reference, read_reference
from turboupload.seqcheck.checks.report import Report
from turboupload.seqcheck.fastq import mate_of, template
from turboupload.seqcheck.formats import Compression, Sniffed, judge_type, sniff
from turboupload.seqcheck.sam_header import ReferenceSequence
from turboupload.threads import results

__all__ = ["check_files"]

Files = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
"""A file, or several that are to become one source."""

_MOST_THREADS = 32


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The options of a check."""

    declared_type: FileType | None
    deep: bool
    names: bool
    reference_fasta: str | os.PathLike[str] | None
    reference: tuple[ReferenceSequence, ...] | None


def check_files(
    paths: Iterable[Files],
    *,
    declared_type: str | None = None,
    deep: bool = False,
    reference_fasta: str | os.PathLike[str] | None = None,
    as_pair: bool | None = None,
    progress: ProgressCallback | None = None,
    threads: int | None = None,
) -> Findings:
    """Checks files, and returns all findings; a bad file never raises.

    Without `deep`, header, samples and end of each file are read. That takes well under a second a
    file of any size, but longer if a header lists a million reference sequences; files up to 4 MiB
    are read whole. With `deep`, everything is checked: every block's CRC, every record's form, the
    counts of reads and bases. This function blocks; call it in a thread from an event loop. Files
    are checked side by side.

    Memory: at most about 4 MiB a thread, a BAM's header, and one read; with `deep`, about 40 MiB in
    each of as many processes as there are threads.

    Args:
        paths: The files. Where several FASTQ files are to become one source, a sequence of them is
            an item: then they are also checked for what would break readers between two files, and
            two items are R1 and R2, whose files are compared one by one.
        declared_type: The name of a `FileType`, in any case; None to decide by the content.
        deep: Whether to read everything.
        reference_fasta: A FASTA (or its `.fai` or `.dict`) to compare @SQ lines with. With `deep`,
            a CRAM's bases are decoded with the FASTA, beside which htslib writes an index where
            there is none.
        as_pair: Whether two FASTQ files are R1 and R2. None decides by the names; two files alone
            are a pair unless their names mark both as the same mate, or one as index reads (`I1`)
            or a third read (`R3`).
        progress: Called with the bytes read and the bytes to read, by the reading threads; an
            exception raised there ends the check and is raised here.
        threads: How many threads to use; by default one a usable processor, at most 32.

    Raises:
        ConfigError: `declared_type` is no file type, or `threads` is less than one.
        InputError: `reference_fasta` can't be read.
    """
    sources = [_names(each) for each in paths]
    names = [name for files in sources for name in files]
    merges = any(len(files) > 1 for files in sources)
    declared = chosen_type(declared_type) if declared_type is not None else None
    count = threads if threads is not None else min(_MOST_THREADS, processors())
    if count < 1:
        raise ConfigError(f"threads must be at least 1, not {count}")
    reference = read_reference(reference_fasta) if reference_fasta is not None else None
    compared = len(names) > 1 and as_pair is not False
    wanted = _Wanted(declared, deep, compared, _decodable(reference_fasta), reference)
    looked = [_look_at(files) for files in sources]
    checked = [c for files in looked for c in files]
    _check_all(checked, wanted, count, progress)
    merge_findings = [each for files in looked for each in _check_merged(files)]
    if not merges:
        chosen = _choose_pairs(checked, as_pair)
    elif as_pair is False or len(looked) != 2:
        chosen = []
    else:
        as_pair, chosen = True, list(zip(*looked, strict=False))
    pairs, pair_findings = _check_pairs(checked, chosen, as_pair)
    return Findings(
        files=tuple(c.report.facts for c in checked),
        pairs=tuple(pairs),
        findings=tuple(
            dict.fromkeys(
                [
                    *(f for c in checked for f in c.report.findings),
                    *merge_findings,
                    *pair_findings,
                ]
            )
        ),
    )


def _names(files: Files) -> tuple[str, ...]:
    if isinstance(files, str | os.PathLike):
        return (os.fspath(files),)
    return tuple(os.fspath(path) for path in files)


@dataclass(frozen=True, slots=True)
class _Task:
    """A file to check, and the options for it.

    Attributes:
        descriptor: The file, open.
        report: To fill in.
        found: What its first bytes show.
        wanted: The options.
        threads: How many to use.
        meter: Counts the bytes read.
    """

    descriptor: int
    report: Report
    found: Sniffed
    wanted: _Wanted
    threads: int
    meter: Meter


@dataclass(slots=True)
class _Checked:
    """One file. It is open only while it is read: a source may have a thousand files.

    Attributes:
        report: What was found.
        place: Which file on the disk it is (device, inode); None where it can't be read.
    """

    report: Report
    place: tuple[int, int] | None = None

    @contextmanager
    def opened(self) -> Iterator[int | None]:
        """The file, open; None where it can't be read, which is reported."""
        try:
            descriptor = os.open(self.report.facts.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            self.report.error("file.unreadable", f"can't be opened: {error.strerror}")
            yield None
            return
        try:
            status = os.fstat(descriptor)
            if stat.S_ISREG(status.st_mode):
                self.place = (status.st_dev, status.st_ino)
                yield descriptor
            else:
                self.report.error("file.unreadable", "is no longer a regular file")
                yield None
        finally:
            os.close(descriptor)


def _check_all(
    checked: Sequence[_Checked], wanted: _Wanted, threads: int, progress: ProgressCallback | None
) -> None:
    total = sum(c.report.facts.size_bytes for c in checked if _is_read_whole(c, wanted))
    meter = Meter(total, progress)
    unmeasured = Meter(0, None)
    workers = max(1, min(len(checked), threads))
    share = max(1, threads // workers)
    with ThreadPoolExecutor(workers, thread_name_prefix="preflight") as pool:
        futures = [
            pool.submit(
                _check_one, c, wanted, share, meter if _is_read_whole(c, wanted) else unmeasured
            )
            for c in checked
        ]
        try:
            for _ in results(futures):
                pass
        except BaseException:
            meter.stop()
            unmeasured.stop()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _is_read_whole(checked: _Checked, wanted: _Wanted) -> bool:
    return wanted.deep or checked.report.facts.size_bytes <= WHOLE_BELOW_BYTES


def _look_at(names: Sequence[str]) -> list[_Checked]:
    last = len(names) - 1
    return [_look_at_one(name, followed=index < last) for index, name in enumerate(names)]


def _look_at_one(name: str, *, followed: bool) -> _Checked:
    report = Report(FileFacts(path=name), followed=followed)
    try:
        report.facts.size_bytes = regular_size(name)
    except InputError as error:
        report.error("file.unreadable", error.message, error.hint)
    return _Checked(report)


def _check_one(checked: _Checked, wanted: _Wanted, threads: int, meter: Meter) -> None:
    report = checked.report
    if report.broken:
        return
    with checked.opened() as descriptor:
        if descriptor is None:
            return
        try:
            found = sniff(report.facts.path)
            _check_content(_Task(descriptor, report, found, wanted, threads, meter))
        except InputError as error:
            report.error("type.rejected", error.message, error.hint)
        except OSError as error:
            report.error("file.unreadable", f"can't be read: {error.strerror}", "check the disk")
    report.close()


def _check_content(task: _Task) -> None:
    facts = task.report.facts
    declared = task.wanted.declared_type
    facts.detail, facts.compression = task.found.detail, task.found.compression.value
    if declared is not None or not task.found.undecided:
        facts.file_type = judge_type(facts.path, task.found, declared)
    _read_content(task)
    # Reading the whole file may have decided the type.
    task.report.findings[:0] = limit_findings(facts)


def _read_content(task: _Task) -> None:
    report, facts = task.report, task.report.facts
    file_type = facts.file_type or FileType.BAM  # or uBAM: the records will decide
    whole = task.wanted.deep or facts.size_bytes <= WHOLE_BELOW_BYTES
    zeros = FORMATS[file_type].has_header and not whole
    if zeros and ends_in_zeros(task.descriptor, facts.size_bytes):
        # The zeros may go on for most of a terabyte, which a quick check must not read.
        report.error("file.zeros", ZEROS)
        facts.depth = Depth.SAMPLED
        return
    _CHECKERS[file_type](task)
    if task.wanted.reference is not None and facts.header is not None:
        report.findings += compare_reference(facts.path, facts.header.header, task.wanted.reference)


def _check_fastq(task: _Task) -> None:
    check_fastq(
        task.descriptor,
        task.report,
        bgzf=task.found.compression is Compression.BGZF,
        deep=task.wanted.deep,
        names=task.wanted.names,
        threads=task.threads,
        meter=task.meter,
    )


def _check_bam(task: _Task) -> None:
    check_bam(
        task.descriptor,
        task.report,
        deep=task.wanted.deep,
        threads=task.threads,
        meter=task.meter,
    )


def _check_cram(task: _Task) -> None:
    check_cram(
        task.descriptor,
        task.report,
        deep=task.wanted.deep,
        threads=task.threads,
        meter=task.meter,
        reference=task.wanted.reference_fasta,
    )


_CHECKERS: Final[Mapping[str, Callable[[_Task], None]]] = {
    FileType.FASTQ: _check_fastq,
    FileType.BAM: _check_bam,
    FileType.UBAM: _check_bam,
    FileType.CRAM: _check_cram,
}


def _decodable(reference: str | os.PathLike[str] | None) -> str | os.PathLike[str] | None:
    """The reference if it is a FASTA; None if it is an index or a dictionary."""
    if reference is None or Path(reference).suffix in (".fai", ".dict"):
        return None
    return reference


def _check_merged(files: Sequence[_Checked]) -> Iterator[Finding]:
    """What speaks against files that are to become one source, beside what is wrong with one."""
    if len(files) < 2:
        return
    for c in files:
        if fault := merge_fault(c.report.facts.file_type):
            yield _merge_finding(c, "merge.type", fault, MERGE_HINT)
    yield from _check_reads_in_one(files)
    first = files[0].report.facts
    mixed = [c for c in files if c.report.facts.compression == Compression.GZIP]
    if first.compression == Compression.BGZF and mixed:
        sentence = (
            f"is plain gzip, and {first.path} before it is BGZF: readers that take the whole for "
            "BGZF may stop there"
        )
        advice = "compress all of them with bgzip, or put it first"
        yield _merge_finding(mixed[0], "merge.mixed", sentence, advice, Severity.WARNING)


def _check_reads_in_one(files: Iterable[_Checked]) -> Iterator[Finding]:
    """Reports files of one source that hold the same reads, or first and second reads."""
    by_name: dict[bytes, _Checked] = {}
    by_mate: dict[int, str] = {}
    places: set[tuple[int, int] | None] = set()
    for c in files:
        records = c.report.fastq
        # A file that is given twice is reported by `_repeated`.
        if records is None or not records.first_names or c.place in places:
            continue
        places.add(c.place)
        number = mate_of(records.first_names[0])
        if number is not None:
            by_mate.setdefault(number, c.report.facts.path)
        other = by_name.setdefault(template(records.first_names[0]), c)
        if other is not c and (same := _same(other, c)) is not None:
            advice = "name each file once: its reads would be in the read set twice"
            yield _merge_finding(c, "merge.same", same, advice)
        elif other is not c:
            sentence = f"begins with the same read as {other.report.facts.path}, by its name"
            yield _merge_finding(c, "merge.reads", sentence, _MATES_APART)
        elif number is not None and 3 - number in by_mate:
            sentence = (
                f"holds reads of mate {number} by their names, and {by_mate[3 - number]} before "
                f"it of mate {3 - number}"
            )
            yield _merge_finding(c, "merge.mate", sentence, _MATES_APART)


def _same(first: _Checked, second: _Checked) -> str | None:
    """A sentence if both are one file by their content; else None."""
    with _mates(first, second) as mates:
        return same_file(*mates) if mates is not None else None


_MATES_APART = "put the files of R1 into one source and those of R2 into the other, each once"


def _merge_finding(
    checked: _Checked,
    code: str,
    sentence: str,
    advice: str,
    severity: Severity = Severity.ERROR,
) -> Finding:
    path = checked.report.facts.path
    return Finding(severity=severity, code=code, path=path, sentence=sentence, advice=advice)


def _check_pairs(
    checked: list[_Checked], chosen: Iterable[tuple[_Checked, _Checked]], as_pair: bool | None
) -> tuple[list[PairFacts], list[Finding]]:
    facts: list[PairFacts] = []
    findings: list[Finding] = _repeated(checked)
    if as_pair:
        findings += _unpaired(checked)
    for first, second in chosen:
        with _mates(first, second) as mates:
            if mates is None:
                continue
            pair, more = compare_mates(*mates)
        facts.append(pair)
        findings += more
    return facts, findings


def _unpaired(checked: list[_Checked]) -> Iterator[Finding]:
    """Reports files that were given as a pair, but can't be one by their type."""
    for c in checked[1:]:
        types = checked[0].report.facts.file_type, c.report.facts.file_type
        if fault := pair_fault(*types):
            yield Finding(
                severity=Severity.ERROR,
                code="pair.type",
                path=c.report.facts.path,
                sentence=fault,
                advice=PAIR_HINT,
            )


def _repeated(checked: list[_Checked]) -> list[Finding]:
    """Reports files given twice, under any names; `pairs` compares FASTQ content later."""
    seen: dict[tuple[int, int], _Checked] = {}
    findings: list[Finding] = []
    for c in checked:
        if c.place is None:
            continue
        earlier = seen.setdefault(c.place, c)
        if earlier is not c:
            findings.append(
                Finding(
                    severity=Severity.ERROR,
                    code="pair.same",
                    path=c.report.facts.path,
                    sentence=f"is the same file as {earlier.report.facts.path}",
                    advice="give R1 and R2, or one file for single reads",
                )
            )
    return findings


def _choose_pairs(checked: list[_Checked], as_pair: bool | None) -> list[tuple[_Checked, _Checked]]:
    if as_pair is False:
        return []
    mates = [c for c in checked if _may_be_paired(c.report.facts)]
    names = [c.report.facts.path for c in mates]
    if len(mates) == 2 and (as_pair or len(checked) == 2):
        marks = {mark_of(name) for name in names}
        unlike = len(marks) == 1 and None not in marks and names[0] != names[1]
        unlike |= any(map(is_beside, names))
        return [] if as_pair is None and unlike else [(mates[0], mates[1])]
    by_name = {c.report.facts.path: c for c in mates}
    return [(by_name[a], by_name[b]) for a, b in find_pairs(names).pairs]


def _may_be_paired(facts: FileFacts) -> bool:
    return facts.file_type is not None and FORMATS[facts.file_type].paired


@contextmanager
def _mates(first: _Checked, second: _Checked) -> Iterator[tuple[Mate, Mate] | None]:
    """Two files to be compared, open; None where one can't be."""
    if first.report.fastq is None or second.report.fastq is None:
        yield None
        return
    with first.opened() as ours, second.opened() as theirs:
        if ours is None or theirs is None:
            yield None
        else:
            yield _mate(first.report, ours), _mate(second.report, theirs)


def _mate(report: Report, descriptor: int) -> Mate:
    facts = report.facts
    assert report.fastq is not None
    return Mate(
        facts.path,
        descriptor,
        facts.size_bytes,
        bgzf=facts.compression == Compression.BGZF,
        whole=facts.depth is Depth.WHOLE,
        records=report.fastq,
    )
