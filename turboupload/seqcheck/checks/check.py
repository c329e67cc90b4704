"""Checks files before the upload: type, wholeness, pairs, header, reference."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

from turboupload.core.formats import (
    FORMATS,
    FileType,
    chosen_type,
    type_in_name,
)
from turboupload.errors import InputError
from turboupload.runtime.processors import thread_count
from turboupload.runtime.threads import results
from turboupload.seqcheck.checks.checked import Checked, look_at
from turboupload.seqcheck.checks.fastqfile import WHOLE_BELOW_BYTES, check_fastq
from turboupload.seqcheck.checks.findings import (
    Depth,
    Findings,
)
from turboupload.seqcheck.checks.limits import limit_findings
from turboupload.seqcheck.checks.places import ZEROS, ends_in_zeros
from turboupload.seqcheck.checks.progress import Meter, ProgressCallback
from turboupload.seqcheck.checks.report import Report
from turboupload.seqcheck.checks.together import check_together
from turboupload.seqcheck.formats import Compression, Sniffed, judge_type, sniff
from turboupload.value import Value

if TYPE_CHECKING:
    from turboupload.seqcheck.sam_header import ReferenceSequence

__all__ = ["check_files"]

Files = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
"""A file, or several that are to become one source."""

_MOST_THREADS = 32


class _Wanted(Value, frozen=True):
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
    declared = chosen_type(declared_type) if declared_type is not None else None
    count = min(_MOST_THREADS, thread_count(None)) if threads is None else thread_count(threads)
    reference = None
    if reference_fasta is not None:
        # An upload starts sooner without what it doesn't need.
        from turboupload.seqcheck.checks.reference import read_reference

        reference = read_reference(reference_fasta)
    compared = sum(map(len, sources)) > 1 and as_pair is not False
    wanted = _Wanted(declared, deep, compared, _decodable(reference_fasta), reference)
    looked = [look_at(files) for files in sources]
    checked = [c for files in looked for c in files]
    _check_all(checked, wanted, count, progress)
    pairs, more = check_together(looked, as_pair)
    findings = [*(f for c in checked for f in c.report.findings), *more]
    return Findings(
        files=tuple(c.report.facts for c in checked),
        pairs=tuple(pairs),
        findings=tuple(dict.fromkeys(findings)),
    )


def _names(files: Files) -> tuple[str, ...]:
    if isinstance(files, str | os.PathLike):
        return (os.fspath(files),)
    return tuple(os.fspath(path) for path in files)


class _Task(Value, frozen=True):
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


def _check_all(
    checked: Sequence[Checked], wanted: _Wanted, threads: int, progress: ProgressCallback | None
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


def _is_read_whole(checked: Checked, wanted: _Wanted) -> bool:
    return wanted.deep or checked.report.facts.size_bytes <= WHOLE_BELOW_BYTES


def _check_one(checked: Checked, wanted: _Wanted, threads: int, meter: Meter) -> None:
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
    report, found = task.report, task.found
    declared = task.wanted.declared_type
    report.learn(detail=found.detail, compression=found.compression.value)
    if declared is not None or not found.undecided:
        report.learn(file_type=judge_type(report.facts.path, found, declared))
    _read_content(task)
    _compare_with_name(task.report)
    # Reading the whole file may have decided the type.
    report.findings[:0] = limit_findings(report.facts)


def _compare_with_name(report: Report) -> None:
    """Warns of a file of another format than its name says: one of the two is a mistake."""
    found, named = report.facts.file_type, type_in_name(report.facts.path)
    if found is None or named is None or FORMATS[found].word.endswith(FORMATS[named].word):
        return
    report.warning(
        "type.name",
        f"is {FORMATS[found].example}, and is named as {FORMATS[named].example}",
        "is it the file that you mean? Its content decides, not its name",
    )


def _read_content(task: _Task) -> None:
    report, facts = task.report, task.report.facts
    file_type = facts.file_type or FileType.BAM  # or uBAM: the records will decide
    whole = task.wanted.deep or facts.size_bytes <= WHOLE_BELOW_BYTES
    zeros = FORMATS[file_type].has_header and not whole
    if zeros and ends_in_zeros(task.descriptor, facts.size_bytes):
        # The zeros may go on for most of a terabyte, which a quick check must not read.
        report.error("file.zeros", ZEROS)
        report.learn(depth=Depth.SAMPLED)
        return
    _CHECKERS[file_type](task)
    if task.wanted.reference is not None and (seen := report.facts.header) is not None:
        from turboupload.seqcheck.checks.reference import compare_reference

        report.findings += compare_reference(facts.path, seen.header, task.wanted.reference)


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
    from turboupload.seqcheck.checks.alignments import check_bam

    check_bam(
        task.descriptor,
        task.report,
        deep=task.wanted.deep,
        threads=task.threads,
        meter=task.meter,
    )


def _check_cram(task: _Task) -> None:
    from turboupload.seqcheck.checks.alignments import check_cram

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
