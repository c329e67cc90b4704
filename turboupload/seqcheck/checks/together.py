"""What checked files say together: given twice, mates, or of one source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from turboupload.core.formats import FORMATS, MERGE_HINT, PAIR_HINT, merge_fault, pair_fault
from turboupload.seqcheck.checks.checked import Checked, mates_of
from turboupload.seqcheck.checks.findings import FileFacts, Finding, PairFacts, Severity
from turboupload.seqcheck.checks.names import find_pairs, is_beside, mark_of, mate_name
from turboupload.seqcheck.checks.pairs import compare_mates, same_file
from turboupload.seqcheck.fastq import mate_of, template
from turboupload.seqcheck.formats import Compression

__all__ = ["check_together"]


def check_together(
    sources: Sequence[Sequence[Checked]], as_pair: bool | None
) -> tuple[list[PairFacts], list[Finding]]:
    """Compares checked files with each other.

    Args:
        sources: The files of each source; mostly one.
        as_pair: See `check_files`.

    Returns:
        The pairs, and the findings about files together.
    """
    checked = [c for files in sources for c in files]
    findings = [each for files in sources for each in _check_merged(files)]
    findings += _repeated(checked)
    if len(checked) == len(sources):
        pairs = _choose_pairs(checked, as_pair)
    else:
        as_pair = as_pair is not False and len(sources) == 2
        pairs = list(zip(*sources, strict=False)) if as_pair else []
    if as_pair:
        findings += _unpaired(checked)
    if as_pair is not False:
        findings += _without_mate(checked)
    facts: list[PairFacts] = []
    for first, second in pairs:
        with mates_of(first, second) as mates:
            if mates is None:
                continue
            pair, more = compare_mates(*mates)
        facts.append(pair)
        findings += more
    return facts, findings


def _check_merged(files: Sequence[Checked]) -> Iterator[Finding]:
    """Errors of files as one source, beside those of each file."""
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


def _check_reads_in_one(files: Iterable[Checked]) -> Iterator[Finding]:
    """Reports files of one source that hold the same reads, or first and second reads."""
    by_name: dict[bytes, Checked] = {}
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


def _same(first: Checked, second: Checked) -> str | None:
    """A sentence if both are one file by their content; else None."""
    with mates_of(first, second) as mates:
        return same_file(*mates) if mates is not None else None


_MATES_APART = "put the files of R1 into one source and those of R2 into the other, each once"


def _merge_finding(
    checked: Checked,
    code: str,
    sentence: str,
    advice: str,
    severity: Severity = Severity.ERROR,
) -> Finding:
    path = checked.report.facts.path
    return Finding(severity=severity, code=code, path=path, sentence=sentence, advice=advice)


def _unpaired(checked: list[Checked]) -> Iterator[Finding]:
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


def _without_mate(checked: Sequence[Checked]) -> Iterator[Finding]:
    """Reports a FASTQ that is given alone, where its mate lies beside it."""
    if len(checked) == 1:  # of several, such as R1 and R3, the user has chosen
        path = checked[0].report.facts.path
        mate = mate_name(path) if checked[0].report.fastq is not None else None
        if mate is not None and Path(mate).is_file():
            yield Finding(
                severity=Severity.WARNING,
                code="pair.left-out",
                path=path,
                sentence=f"its mate by its name, {mate}, lies beside it and was not given: the "
                "read set would have one half of the pair",
                advice="give R1 and R2 together, in a sheet in one row",
            )


def _repeated(checked: list[Checked]) -> list[Finding]:
    """Reports files given twice, under any names; `pairs` compares FASTQ content later."""
    seen: dict[tuple[int, int], Checked] = {}
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


def _choose_pairs(checked: list[Checked], as_pair: bool | None) -> list[tuple[Checked, Checked]]:
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
