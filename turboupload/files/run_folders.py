"""A folder of sequencing files becomes a sample sheet for a person to review."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from turboupload.core.folders.left_out import LeftOut
from turboupload.core.folders.names import without_lane
from turboupload.core.folders.naming import DEFAULT_PATTERN
from turboupload.core.folders.runs import Run
from turboupload.core.formats import FORMATS, FileType, in_words
from turboupload.core.model import flat
from turboupload.core.sheet.merging import merge_rows
from turboupload.core.sheet.model import Sheet, SheetDefaults, SheetFinding, SheetRow
from turboupload.core.sheet.names import name_rows, title
from turboupload.core.subjects import SubjectRule
from turboupload.errors import InputError
from turboupload.files.folder_walk import Walk
from turboupload.files.found_files import FoundFiles, FoundReadSet
from turboupload.files.sheets import holds_fastq_list, read_sheet

__all__ = ["propose_sheet"]

_TOLD_ONE_BY_ONE: Final = frozenset({"unseen", "unreadable", "other-content"})
"""What is left out with a finding of its own for each file."""


def propose_sheet(
    folder: str,
    *,
    recursive: bool = False,
    defaults: SheetDefaults | None = None,
    mates: tuple[str, str] | None = None,
) -> Sheet:
    """Looks through a folder and proposes a row for each read set in it; blocking.

    Watchers and people get the same: this is the one understanding of folders.

    The folders of Illumina (BCL Convert, DRAGEN, 10x), Oxford Nanopore and PacBio are understood:
    which files are whose, and of which run. What isn't certain is left out or left open, and said.
    The subject is the sample, unless the defaults say otherwise.

    Args:
        folder: Where to look; hidden files and folders are passed over. Also a `fastq_list.csv`, as
            BCL Convert and DRAGEN write it: then the files that it names.
        recursive: Whether to look into its folders, too; into those of a run in any case.
        defaults: What to write in every row; the reference only where the file needs one, and
            names by `name_pattern`.
        mates: Which two reads are the mates where a sample has three, such as R1 and R3.

    Returns:
        The rows in the order of their paths, which are absolute, and what a reviewer should know.

    Raises:
        InputError: There is no such folder, or nothing in it is a sequencing file.
    """
    defaults = defaults or SheetDefaults()
    if holds_fastq_list(folder):
        return _listed(folder, defaults)
    return _Proposal(folder, recursive=recursive, defaults=defaults).sheet(mates)


def _listed(path: str, defaults: SheetDefaults) -> Sheet:
    """The sheet of a FASTQ list; its paths are as the list has them, and absolute."""
    rule = defaults.subject_from or SubjectRule()
    sheet = read_sheet(Path(path).absolute(), replace(defaults, subject_from=rule))
    gone = [source for row in sheet.rows for source in row.paths if not Path(source).exists()]
    if not gone:
        return sheet
    moved = SheetFinding(
        0,
        None,
        f"{len(gone):,} files are not where the list says, such as {gone[0]}",
        "where the data have moved, look through their folder: `turboupload sheet FOLDER`",
        "warning",
    )
    return replace(sheet, findings=(moved, *sheet.findings))


class _Proposal:
    def __init__(self, folder: str, *, recursive: bool, defaults: SheetDefaults) -> None:
        self._folder = Path(folder).absolute()
        self._recursive = recursive
        self._defaults = defaults
        self._findings: list[SheetFinding] = []

    def sheet(self, mates: tuple[str, str] | None) -> Sheet:
        walk = Walk(self._folder, recursive=self._recursive, warn=self._warn)
        walk.run()
        files = FoundFiles(walk, self._folder, mates=mates, warn=self._warn)
        found = {each.sources: each for each in files.read_sets()}
        self._tell_left_out(walk.left_out)
        if not found:
            self._nothing_found(walk.left_out)
        rows = [self._row(each) for each in sorted(found.values(), key=_place)]
        if self._defaults.merge:
            rows = self._merged(rows, found)
        named, notes = name_rows(rows, lambda row: self._name(row, found[flat(row.sources)]))
        numbered = tuple(replace(row, number=number) for number, row in enumerate(named, start=2))
        runs = tuple(dict.fromkeys(each.run for each in found.values() if each.run is not None))
        self._tell_samples(files.renamed, numbered)
        self._tell_missing(files.expected, numbered)
        self._tell_both_forms(found.values())
        self._tell_subjects()
        self._tell_runs(runs, found.values())
        self._tell_references(numbered)
        return Sheet(numbered, (*self._findings, *notes), walk.left_out, runs)

    def _warn(self, message: str, hint: str | None = None) -> None:
        self._findings.append(SheetFinding(0, None, message, hint, "warning"))

    def _note(self, message: str, hint: str | None = None) -> None:
        self._findings.append(SheetFinding(0, None, message, hint, "note"))

    def _merged(
        self, rows: list[SheetRow], found: dict[tuple[str, ...], FoundReadSet]
    ) -> list[SheetRow]:
        """The rows with a sample's lanes and chunks of one run as one row.

        Their common name, without lane and chunk, is what makes them one.
        """
        common = [
            replace(row, name=self._name(row, found[flat(row.sources)], merged=True))
            if row.file_type is not None and FORMATS[row.file_type].merged
            else row
            for row in rows
        ]
        doubled = self._doubled(common)
        merged, about = merge_rows(row for row in common if title(row) not in doubled)
        merged += [replace(row, name=None) for row in common if title(row) in doubled]
        for each in about:
            (self._note if each.severity == "note" else self._warn)(each.message, each.hint)
        # What could not be merged is named like any other row.
        alike = Counter(map(title, merged))
        return [replace(row, name=None) if alike[title(row)] > 1 else row for row in merged]

    def _doubled(self, rows: Iterable[SheetRow]) -> set[object]:
        """The titles under which a file's name is there twice, as that of a copy is."""
        names: dict[object, list[str]] = {}
        for row in rows:
            names.setdefault(title(row), []).append(Path(row.paths[0]).name)
        doubled = {each for each, found in names.items() if len(set(found)) < len(found)}
        if doubled:
            named = next(found for each, found in names.items() if each in doubled)
            name = next(each for each in named if named.count(each) > 1)
            self._warn(
                f"not merged, since files of one name may be copies of the same reads: {name} is "
                "there more than once",
                "take the copies out of the folder, or give the rows of a read set one name in the "
                "sheet",
            )
        return doubled

    # --- rows -------------------------------------------------------------------------------

    def _row(self, found: FoundReadSet) -> SheetRow:
        default = self._defaults
        sample = default.sample_id or found.sample
        run = found.run.words if found.run is not None else None
        return SheetRow(
            number=0,
            sources=found.sources,
            file_type=found.file_type,
            sample_id=sample,
            subject_id=default.subject_id or (self._subject_of(sample) if sample else None),
            reference_arn=default.reference_arn if _needs_reference(found.file_type) else None,
            generated_from=default.generated_from or run,
            description=default.description,
            tags=default.tags,
        )

    def _name(self, row: SheetRow, found: FoundReadSet, *, merged: bool = False) -> str:
        run = found.run
        return (self._defaults.name_pattern or DEFAULT_PATTERN).name(
            {
                "sample": row.sample_id,
                "subject": row.subject_id,
                "name": without_lane(found.name) if merged else found.name,
                "run": run.run if run is not None else None,
                "flowcell": run.flowcell if run is not None else None,
                "short_run": run.short if run is not None else None,
                "lane": None if merged else found.lane,
                "barcode": found.barcode,
                "chunk": str(found.chunk) if found.chunk is not None and not merged else None,
            }
        )

    def _subject_of(self, sample: str) -> str:
        rule = self._defaults.subject_from or SubjectRule()
        try:
            return rule.subject_of(sample)
        except ValueError as error:
            self._warn(f"{error}; the sample stands in for it", "correct it in the sheet")
            return sample

    # --- what a reviewer should know --------------------------------------------------------

    def _tell_left_out(self, left_out: Iterable[LeftOut]) -> None:
        for each in left_out:
            if each.code in _TOLD_ONE_BY_ONE:
                continue
            example = os.path.relpath(each.paths[0], self._folder)
            count = len(each.paths)
            which = example if count == 1 else f"{count:,} files, such as {example}"
            tell = self._note if each.reason.harmless else self._warn
            tell(f"left out, {each.reason.words}: {which}", each.reason.hint)

    def _nothing_found(self, left_out: Iterable[LeftOut]) -> None:
        deeper = any(each.code == "folders" for each in left_out)
        why = f" ({self._findings[0].message})" if self._findings else ""
        hint = next((each.hint for each in self._findings if each.hint), None)
        raise InputError(
            f"there are no sequencing files in it{why}",
            path=str(self._folder),
            hint=hint or ("add --recursive to look into its folders" if deeper else None),
        )

    def _tell_samples(self, renamed: dict[str, str], rows: Iterable[SheetRow]) -> None:
        if renamed and self._defaults.sample_id is None:
            called, sample = next(iter(renamed.items()))
            self._note(
                f"samples have the ids of the run's sample sheet ({len(renamed):,}), such as "
                f"{sample!r} where the files say {called!r}"
            )
        lacking = [row for row in rows if row.sample_id is None]
        if lacking:
            example = os.path.relpath(lacking[0].paths[0], self._folder)
            self._warn(
                f"nothing says whose reads {_rows(len(lacking))} {_has(len(lacking))}, such as "
                f"{example}",
                "fill the column `sample` in, give all of them one with --sample, or put the "
                "run's sample sheet with its aliases beside the reads",
            )

    def _tell_missing(self, expected: Iterable[str], rows: Iterable[SheetRow]) -> None:
        """Tells of samples without a row, as where a copy isn't complete."""
        there = {row.sample_id for row in rows}
        missing = [each for each in expected if each not in there]
        if missing and self._defaults.sample_id is None:
            which = ", ".join(missing[:3])
            more = f" and {len(missing) - 3:,} more" if len(missing) > 3 else ""
            self._warn(
                f"the run's sample sheet names samples without a row here: {which}{more}",
                "is the folder complete?",
            )

    def _tell_subjects(self) -> None:
        if self._defaults.subject_id is None:
            rule = self._defaults.subject_from or SubjectRule()
            self._note(
                f"the subject of each row is {rule}",
                "correct it where a subject has several samples, or give --subject or "
                "--subject-from",
            )

    def _tell_runs(self, runs: tuple[Run, ...], found: Iterable[FoundReadSet]) -> None:
        for run in runs[:3]:
            self._note(f"the data are of {run.words}")
        if len(runs) > 3:
            self._note(f"and of {len(runs) - 3:,} more runs")
        unknown = sum(each.run is None for each in found)
        if runs and unknown:
            self._warn(
                f"nothing says of which run {_rows(unknown)} {_has(unknown)} the reads, so names "
                "don't say it either"
            )

    def _tell_both_forms(self, found: Iterable[FoundReadSet]) -> None:
        """Tells of reads that Oxford Nanopore's software wrote twice, as FASTQ and as BAM."""
        forms: dict[tuple[str, str | None], set[bool]] = {}
        for each in found:
            if each.run is not None and each.run.platform == "ont":
                key = (each.run.short, each.barcode)
                forms.setdefault(key, set()).add(each.file_type is FileType.FASTQ)
        twice = sum(len(each) == 2 for each in forms.values())
        if twice:
            self._warn(
                "of Oxford Nanopore's runs there are the same reads as FASTQ and as BAM",
                "look through fastq_pass or bam_pass alone",
            )

    def _tell_references(self, rows: Iterable[SheetRow]) -> None:
        lacking = [
            row for row in rows if _needs_reference(row.file_type) and row.reference_arn is None
        ]
        if lacking:
            types = in_words(each.word for each in FORMATS.values() if each.needs_reference)
            self._warn(
                f"{_rows(len(lacking))} {_has(len(lacking))} no reference, and {types} need one",
                "add --reference ARN, or fill the column `reference` in",
            )


def _place(found: FoundReadSet) -> tuple[str, int, tuple[str, ...]]:
    """The order of rows: by folder, and a sample's many files by their numbers."""
    folder = os.path.dirname(found.sources[0])  # noqa: PTH120 - a Path for each of 10,000 strings would cost more than the walk
    return folder, found.chunk or 0, found.sources


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _has(count: int) -> str:
    return "has" if count == 1 else "have"


def _needs_reference(file_type: FileType | None) -> bool:
    return file_type is not None and file_type.needs_reference
