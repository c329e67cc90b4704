"""Checks whether two FASTQ files are the mates of the same reads, in the right order.

Names must agree at the start. In BGZF files, a name from the middle of R1 is searched near the same
place of R2, and the names after it are compared; then those at the end. If both files were read
whole, the digests of all names and the counts are compared.

The mate in a read's name proves little: index reads, barcodes and renamed files (10x) say `1`
beside R1. One file was given twice only if the reads are the same, too.
"""

from __future__ import annotations

import os
import zlib

from turboupload.seqcheck.checks.findings import Finding, PairFacts, Severity
from turboupload.seqcheck.checks.names import mark_of
from turboupload.seqcheck.checks.places import read_window
from turboupload.seqcheck.fastq import (
    NAMES_PER_DIGEST,
    FastqRecords,
    mate_of,
    read_within,
    template,
)
from turboupload.value import Value

__all__ = ["Mate", "compare_mates", "same_file"]

_PLACES = (0.25, 0.5, 0.75)
_PROBE_BYTES = 192 * 1024
_SEARCH_BYTES = (512 * 1024, 4 * 1024 * 1024)
_END_BYTES = 256 * 1024
_LOCKSTEP = 100
_COMPARED_BYTES = 64 * 1024
# So many first bases identify a read; trimming only removes its end.
_IDENTIFYING_BASES = 20


class Mate(Value, frozen=True):
    """One of two FASTQ files.

    Attributes:
        path: The file.
        descriptor: The file, open.
        size: Its size in bytes.
        bgzf: Whether it is BGZF, and can be sampled.
        whole: Whether `records` holds all of it.
        records: Its records that were read.
    """

    path: str
    descriptor: int
    size: int
    bgzf: bool
    whole: bool
    records: FastqRecords


def same_file(first: Mate, second: Mate) -> str | None:
    """A sentence if both are one file, by inode or by content; else None."""
    if os.path.samestat(os.fstat(first.descriptor), os.fstat(second.descriptor)):
        return f"is the same file as {first.path}"
    if first.size != second.size:
        return None
    # Two gzip files of the same size that agree in six places of 64 KiB are copies.
    for index in range(6):
        offset = (first.size - _COMPARED_BYTES) * index // 5 if first.size > _COMPARED_BYTES else 0
        ours = os.pread(first.descriptor, _COMPARED_BYTES, offset)
        if ours != os.pread(second.descriptor, _COMPARED_BYTES, offset):
            return None
    return f"has the same content as {first.path}"


def compare_mates(first: Mate, second: Mate) -> tuple[PairFacts, list[Finding]]:
    """Compares R1 and R2; returns the places where they agree, and the findings."""
    same = same_file(first, second)
    if same is not None:
        advice = "give R1 and R2, or one file for single reads"
        return _facts(first, second), [_error(second, "pair.same", same, advice)]
    findings = _order(first, second)
    places: list[str] = []
    problem = _start(first, second)
    if problem is not None:
        findings.append(problem)
        return _facts(first, second), findings
    places.append("start")
    if first.whole and second.whole:
        more = _everywhere(first, second)
        findings += more
        return _facts(first, second, *(places if more else ["everywhere"])), findings
    if first.bgzf and second.bgzf:
        more, seen = _sampled(first, second)
        findings += more
        places += seen
    return _facts(first, second, *places), findings


def _facts(first: Mate, second: Mate, *places: str) -> PairFacts:
    return PairFacts(first=first.path, second=second.path, agreed_at=places)


def _error(mate: Mate, code: str, sentence: str, advice: str) -> Finding:
    return Finding(
        severity=Severity.ERROR, code=code, path=mate.path, sentence=sentence, advice=advice
    )


def _order(first: Mate, second: Mate) -> list[Finding]:
    """Compares the mates that the reads' names state; without these, the files' names."""
    marks = [
        mate_of(mate.records.first_names[0]) if mate.records.first_names else None
        for mate in (first, second)
    ]
    if marks == [2, 1]:
        sentence = f"holds second reads, and {second.path} first reads: they are swapped"
        return [_error(first, "pair.swapped", sentence, "give R1 first, then R2")]
    if marks[0] is not None and marks[0] == marks[1]:
        if _start(first, second) is not None or _hold_same_reads(first, second):
            sentence = f"holds reads of mate {marks[1]}, as does {first.path}"
            return [_error(second, "pair.mate", sentence, "give one file of each mate")]
        return [
            Finding(
                severity=Severity.WARNING,
                code="pair.mate",
                path=second.path,
                sentence=f"its names say that it holds mate {marks[1]}, as do those of "
                f"{first.path}; the names agree, and the reads differ",
                advice="make sure that both are mates, and neither holds index reads",
            )
        ]
    if None in marks and (mark_of(first.path), mark_of(second.path)) == ("2", "1"):
        return [
            Finding(
                severity=Severity.WARNING,
                code="pair.order",
                path=first.path,
                sentence=f"is R2 by its name, and {second.path} R1: they may be swapped",
                advice="give R1 first, then R2; the reads' names don't say which is which",
            )
        ]
    return []


def _hold_same_reads(first: Mate, second: Mate) -> bool:
    """Whether most reads at the start of both begin with the same bases."""
    pairs = list(zip(_first_bases(first), _first_bases(second), strict=False))
    return 2 * sum(a == b for a, b in pairs) > len(pairs)


def _first_bases(mate: Mate) -> list[bytes]:
    """The first bases of the first reads."""
    data = os.pread(mate.descriptor, _COMPARED_BYTES, 0)
    text = zlib.decompressobj(31).decompress(data, _COMPARED_BYTES)
    return [line[:_IDENTIFYING_BASES] for line in text.split(b"\n")[1:-1:4]]


def _start(first: Mate, second: Mate) -> Finding | None:
    ours, theirs = first.records.first_names, second.records.first_names
    for number, (a, b) in enumerate(zip(ours, theirs, strict=False), start=1):
        if template(a) != template(b):
            return _disagreement(first, second, f"read {number}", a, b)
    return None


def _everywhere(first: Mate, second: Mate) -> list[Finding]:
    findings: list[Finding] = []
    ours, theirs = first.records, second.records
    if ours.counts.records != theirs.counts.records:
        sentence = f"holds {theirs.counts.records} reads, but {first.path} {ours.counts.records}"
        findings.append(
            _error(second, "pair.counts", sentence, "both must come from the same run, unfiltered")
        )
    for index, (a, b) in enumerate(zip(ours.digests, theirs.digests, strict=False)):
        # The shorter file's last digest covers fewer reads than the longer one's.
        last = index == min(len(ours.digests), len(theirs.digests)) - 1
        if a != b and not (last and findings):
            start = index * NAMES_PER_DIGEST + 1
            sentence = (
                f"its read names differ from those of {first.path} somewhere in reads {start} to "
                f"{min(start + NAMES_PER_DIGEST - 1, ours.counts.records)}"
            )
            findings.append(_error(second, "pair.names", sentence, _NAMES_ADVICE))
            break
    return findings


_NAMES_ADVICE = "both must list the same reads in the same order"


def _disagreement(first: Mate, second: Mate, where: str, a: bytes, b: bytes) -> Finding:
    sentence = (
        f"its read names differ from those of {first.path} at {where}: "
        f"{_shown(b)} instead of {_shown(a)}"
    )
    return _error(second, "pair.names", sentence, _NAMES_ADVICE)


def _shown(name: bytes) -> str:
    text = name.decode("ascii", "replace")
    return text if len(text) <= 60 else f"{text[:60]}…"


def _sampled(first: Mate, second: Mate) -> tuple[list[Finding], list[str]]:
    """Compares names at samples and at the end."""
    findings: list[Finding] = []
    places: list[str] = []
    for fraction in _PLACES:
        where = f"{fraction:.0%}"
        ours = _names_at(first, int(first.size * fraction), _PROBE_BYTES)
        if not ours:
            continue
        found = _find(second, int(second.size * fraction), ours[0])
        if found is None:
            continue
        problem = _lockstep(first, second, f"about {where} of the file", ours, found)
        if problem is not None:
            return [*findings, problem], places
        places.append(where)
    ours, theirs = _last_names(first), _last_names(second)
    if ours and theirs:
        problem = _lockstep(first, second, "the end", ours, theirs)
        if problem is None:
            places.append("end")
        else:
            findings.append(problem)
    return findings, places


def _lockstep(
    first: Mate, second: Mate, where: str, ours: list[bytes], theirs: list[bytes]
) -> Finding | None:
    for a, b in zip(ours[:_LOCKSTEP], theirs[:_LOCKSTEP], strict=False):
        if a != b:
            return _disagreement(first, second, where, a, b)
    return None


def _names_at(mate: Mate, offset: int, length: int) -> list[bytes]:
    """The templates of the whole records in a window; none if no record is recognised."""
    return _names_in(read_window(mate.descriptor, offset, length).text, ended=False)


def _last_names(mate: Mate) -> list[bytes]:
    """The templates of the last records, from the end on; none if the end can't be seen.

    It can't where the last bytes aren't BGZF, as after plain gzip was appended.
    """
    window = read_window(mate.descriptor, mate.size - _END_BYTES, _END_BYTES)
    if window.offset is None:
        return []
    if os.pread(mate.descriptor, mate.size - window.end, window.end).strip(b"\0"):
        return []
    return _names_in(window.text, ended=True)[::-1]


def _names_in(text: bytes, *, ended: bool) -> list[bytes]:
    records = read_within(text, ended=ended, keep_templates=True)
    if records is None or records.problems or "fastq.wrapped" in records.oddities:
        return []
    return records.templates.split(b"\n") if records.counts.records else []


def _find(mate: Mate, around: int, wanted: bytes) -> list[bytes] | None:
    """The templates from the read `wanted` on, searched in ever wider windows."""
    for span in _SEARCH_BYTES:
        names = _names_at(mate, around - span // 2, span)
        if wanted in names:
            return names[names.index(wanted) :]
    return None
