"""A folder of sequencing files becomes a sample sheet for a person to review."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from turboupload.core.formats import FORMATS, FileType, in_words, type_in_name
from turboupload.core.sheet.filenames import IlluminaName, default_name, illumina_name
from turboupload.core.sheet.merging import merge_rows
from turboupload.core.sheet.model import Sheet, SheetDefaults, SheetFinding, SheetRow
from turboupload.core.sheet.names import name_rows
from turboupload.core.subjects import SubjectRule
from turboupload.errors import InputError
from turboupload.paths import not_utf8
from turboupload.seqcheck.checks.names import find_pairs, mark_of
from turboupload.seqcheck.formats import look_further, sniff
from turboupload.seqcheck.headers import sam_header

__all__ = ["propose_sheet"]

_GZIP = re.compile(r"\.(?:gz|bgz|bgzf)$", re.IGNORECASE)
_NOT_GZIP = re.compile(r"\.(?:bz2|xz|zst|zip)$", re.IGNORECASE)
_LANE = re.compile(r"_L\d{3}(?=_|$)")
_LETTERED_R2 = re.compile(r"[._-](?:R|read)2(?=[._-]|$)", re.IGNORECASE)


def propose_sheet(
    folder: str, *, recursive: bool = False, defaults: SheetDefaults | None = None
) -> Sheet:
    """Looks through a folder and proposes a row for each read set in it; blocking.

    FASTQ files are paired by their names, and Illumina's names say the sample. Of BAM and CRAM
    files the header is read. The subject is the sample, unless the defaults say otherwise.

    Args:
        folder: Where to look; hidden files and folders are passed over.
        recursive: Whether to look into its folders, too.
        defaults: What to write in every row; the reference only where the file needs one.

    Returns:
        The rows in the order of their paths, which are absolute, and what a reviewer should know.

    Raises:
        InputError: There is no such folder, or nothing in it is a sequencing file.
    """
    return _Proposal(folder, recursive=recursive, defaults=defaults or SheetDefaults()).sheet()


class _Proposal:
    def __init__(self, folder: str, *, recursive: bool, defaults: SheetDefaults) -> None:
        self._folder = Path(folder).absolute()
        self._recursive = recursive
        self._defaults = defaults
        self._findings: list[SheetFinding] = []
        self._left_out: dict[str, list[str]] = defaultdict(list)

    def sheet(self) -> Sheet:
        fastq, others = [], []
        for path in sorted(self._files(self._folder)):
            if not_utf8(os.path.relpath(path, self._folder)):
                self._left_out["in names that are not UTF-8, which no sheet can hold"].append(path)
                continue
            spoken = type_in_name(_NOT_GZIP.sub("", path))
            gzipped = spoken is not None and FORMATS[spoken].gzipped
            if gzipped and _GZIP.search(path):
                fastq.append(path)
            elif gzipped:
                self._left_out[f"not gzipped, as HealthOmics wants {spoken}"].append(path)
            elif spoken is None or _NOT_GZIP.search(path):
                self._left_out["of no type that can be uploaded"].append(path)
            else:
                others.append(path)
        rows = [*self._fastq_rows(fastq), *self._single_rows(others)]
        self._tell_left_out()
        if not rows:
            self._nothing_found()
        rows.sort(key=lambda row: row.paths)
        if self._defaults.merge:
            rows, about_merging = merge_rows(rows)
            self._findings += (
                replace(each, severity="warning") if each.severity == "error" else each
                for each in about_merging
            )
        named, notes = name_rows(rows)
        numbered = tuple(replace(row, number=number) for number, row in enumerate(named, start=2))
        self._tell_subjects()
        self._tell_references(numbered)
        return Sheet(numbered, (*self._findings, *notes))

    def _find(self, message: str, hint: str | None = None, *, note: bool = False) -> None:
        self._findings.append(SheetFinding(0, None, message, hint, "note" if note else "warning"))

    # --- which files there are --------------------------------------------------------------

    def _files(self, folder: Path) -> Iterator[str]:
        try:
            with os.scandir(folder) as entries:
                found = [entry for entry in entries if not entry.name.startswith(".")]
        except OSError as error:
            if isinstance(error, NotADirectoryError):
                raise InputError(
                    "is a file, not a folder",
                    path=str(folder),
                    hint="`turboupload upload` takes one or two files",
                ) from error
            if folder == self._folder:
                raise InputError(
                    f"can't be looked through: {error.strerror}", path=str(folder)
                ) from error
            self._find(f"{folder} can't be looked through: {error.strerror}")
            return
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                if self._recursive:
                    yield from self._files(Path(entry.path))
                else:
                    self._left_out["in folders, which --recursive looks into"].append(entry.path)
            elif size := _size(entry):
                yield entry.path
            else:
                why = "empty" if size == 0 else "no files that can be read"
                self._left_out[why].append(entry.path)

    # --- rows -------------------------------------------------------------------------------

    def _fastq_rows(self, paths: list[str]) -> Iterator[SheetRow]:
        wanted = [path for path in paths if self._is_of_a_sample(path, illumina_name(path))]
        paired = find_pairs(wanted)
        for first, second in paired.pairs:
            yield self._row((first, second), FileType.FASTQ, _sample_in_name(first, second))
        for path in paired.singles:
            if _LETTERED_R2.search(os.path.basename(path)):  # noqa: PTH119 - a Path for each of 10,000 strings would cost more than the walk
                self._left_out["R2 without an R1"].append(path)
                continue
            if mark_of(path) == "2":
                self._find(f"{path} looks like an R2, and its R1 is not here")
            elif mark_of(path) == "1" and paired.pairs:
                self._find(f"{path} looks like an R1, and its R2 is not here")
            yield self._row((path,), FileType.FASTQ, _sample_in_name(path))

    def _is_of_a_sample(self, path: str, name: IlluminaName | None) -> bool:
        if name is None:
            return True
        if name.is_index:
            self._left_out["index reads (I1, I2)"].append(path)
        elif name.is_undetermined:
            self._left_out["reads of no sample (Undetermined)"].append(path)
        elif name.read not in ("R1", "R2"):
            self._left_out["reads beyond R2"].append(path)
        else:
            return True
        return False

    def _single_rows(self, paths: list[str]) -> Iterator[SheetRow]:
        for path in paths:
            try:
                found = look_further(path, sniff(path))
            except InputError as error:
                self._left_out[f"unreadable ({error.message})"].append(path)
                continue
            if found.undecided:
                self._find(f"{path} is {found.detail}", "fill its column `type` in: BAM or UBAM")
            elif found.file_type is None or FORMATS[found.file_type].gzipped:
                self._find(f"{path} is {found.detail}, whatever its name says; left out")
                continue
            yield self._row((path,), found.file_type, self._sample_in_header(path))

    def _sample_in_header(self, path: str) -> str:
        header = sam_header(path)
        samples = header.samples if header is not None else ()
        if len(samples) == 1:
            return samples[0]
        if samples:
            several = ", ".join(samples[:3])
            self._find(f"{path} holds several samples ({several}); its name is taken for one")
        return default_name((path,))

    def _row(self, sources: tuple[str, ...], file_type: FileType | None, sample: str) -> SheetRow:
        default = self._defaults
        sample = default.sample_id or sample
        return SheetRow(
            number=0,
            sources=sources,
            file_type=file_type,
            sample_id=sample,
            subject_id=default.subject_id or self._subject_of(sample),
            reference_arn=default.reference_arn if _needs_reference(file_type) else None,
            generated_from=default.generated_from,
            description=default.description,
            tags=default.tags,
        )

    # --- what a reviewer should know --------------------------------------------------------

    def _tell_left_out(self) -> None:
        for why, paths in self._left_out.items():
            example = os.path.relpath(paths[0], self._folder)
            which = example if len(paths) == 1 else f"{len(paths)} files, such as {example}"
            harmless = why.startswith(("index", "reads of", "of no type"))
            self._find(f"left out, {why}: {which}", note=harmless)

    def _nothing_found(self) -> None:
        why = f" ({self._findings[0].message})" if self._findings else ""
        raise InputError(
            f"there are no sequencing files in it{why}",
            path=str(self._folder),
            hint=None if self._recursive else "add --recursive to look into its folders",
        )

    def _subject_of(self, sample: str) -> str:
        rule = self._defaults.subject_from or SubjectRule()
        try:
            return rule.subject_of(sample)
        except ValueError as error:
            self._find(f"{error}; the sample stands in for it", "correct it in the sheet")
            return sample

    def _tell_subjects(self) -> None:
        if self._defaults.subject_id is None:
            rule = self._defaults.subject_from or SubjectRule()
            self._find(
                f"the subject of each row is {rule}",
                "correct it where a subject has several samples, or give --subject or "
                "--subject-from",
                note=True,
            )

    def _tell_references(self, rows: Iterable[SheetRow]) -> None:
        lacking = [
            row for row in rows if _needs_reference(row.file_type) and row.reference_arn is None
        ]
        if lacking:
            types = in_words(each.word for each in FORMATS.values() if each.needs_reference)
            self._find(
                f"{len(lacking)} rows have no reference, and {types} need one",
                "add --reference ARN, or fill the column `reference` in",
            )


def _size(entry: os.DirEntry[str]) -> int | None:
    """A file's size in bytes; None where it is no file, or gone."""
    try:
        return entry.stat().st_size if entry.is_file() else None
    except OSError:
        return None


def _needs_reference(file_type: FileType | None) -> bool:
    return file_type is not None and file_type.needs_reference


def _sample_in_name(*sources: str) -> str:
    name = illumina_name(sources[0])
    if name is not None:
        return name.sample
    plain = default_name(sources)
    return _LANE.sub("", plain) or plain
