"""Sample sheets as values: rows and findings.

`core.sheet.reading` makes them from text, `core.sheet.writing` makes text from rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from turboupload.core.folders.left_out import LeftOut
from turboupload.core.folders.naming import NamePattern
from turboupload.core.folders.runs import Run
from turboupload.core.metadata import check_kind
from turboupload.core.model import FileType, flat
from turboupload.core.subjects import SubjectRule
from turboupload.errors import ConfigError, InputError
from turboupload.units import counted

__all__ = ["Sheet", "SheetDefaults", "SheetFinding", "SheetRejected", "SheetRow", "rows_given"]


T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetRow:
    """One read set of a sheet.

    Attributes:
        number: Its line in the sheet as an editor counts it; the header is usually 1.
        sources: One or two paths or `s3://` URIs, R1 first. Where several files are to become one
            source, their paths are a tuple in the place of one path.
        file_type: None where the sheet doesn't say.
        name: Given, or made of the files' names.
        sample_id: None only where a finding says that it is missing.
        subject_id: None only where a finding says that it is missing.
        reference_arn: None where the sheet doesn't say.
        generated_from: None where the sheet doesn't say.
        description: None where the sheet doesn't say.
        tags: Those of the row over those of the defaults.
        md5_1: What the first source's file hashes to: an MD5 or SHA-256 in hexadecimal; of several
            files with `SEPARATOR` between, and nothing for one where that isn't known.
        md5_2: The same of the second.
    """

    number: int
    sources: tuple[str | tuple[str, ...], ...]
    file_type: FileType | None = None
    name: str | None = None
    sample_id: str | None = None
    subject_id: str | None = None
    reference_arn: str | None = None
    generated_from: str | None = None
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)
    md5_1: str | None = None
    md5_2: str | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        """All of its paths or URIs: those of the first source, then those of the second."""
        return flat(self.sources)


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetDefaults:
    """What holds for every row that doesn't say otherwise.

    Attributes:
        merge: Whether rows of gzipped FASTQ with the same name, sample and subject are one read
            set; without names, those with the same sample and subject.
        subject_from: How the subject follows from the sample of a row, where neither the row nor
            `subject_id` gives it.
        name_pattern: How a row without a name gets one; None takes what its files' names have in
            common, and in a folder the run.
        odd_ids: Whether ids are taken that look as if a spreadsheet had changed them.

    Raises:
        ConfigError: A value makes no sense; the message begins with the attribute's name.
    """

    file_type: FileType | None = None
    sample_id: str | None = None
    subject_id: str | None = None
    subject_from: SubjectRule | None = None
    reference_arn: str | None = None
    generated_from: str | None = None
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)
    name_pattern: NamePattern | None = None
    odd_ids: bool = False
    merge: bool = False

    def __post_init__(self) -> None:
        for name, kind, hint in _KINDS:
            if (value := getattr(self, name)) is not None:
                check_kind(name, value, kind, hint=hint)
        if self.file_type is not None and self.file_type not in tuple(FileType):
            words = ", ".join(FileType)
            raise ConfigError(f"file_type is one of {words}, or None, not {self.file_type!r}")


_KINDS: tuple[tuple[str, type, str | None], ...] = (
    *((name, str, None) for name in ("sample_id", "subject_id", "reference_arn")),
    *((name, str, None) for name in ("generated_from", "description")),
    ("tags", Mapping, None),
    ("subject_from", SubjectRule, "write: turboupload.SubjectRule.parse('sample')"),
    ("name_pattern", NamePattern, "write: turboupload.NamePattern.parse('{sample}_{run}')"),
    *((name, bool, None) for name in ("odd_ids", "merge")),
)


@dataclass(frozen=True, slots=True)
class SheetFinding:
    """One thing to know about a sheet.

    Attributes:
        row: The line in the sheet; 0 for the sheet as a whole.
        column: The column as the sheet names it, where there is one to name.
        message: What was found.
        hint: What to do, where we know it.
        severity: An `error` must be mended before anything is sent; a `warning` should be read;
            a `note` says what was decided.
    """

    row: int
    column: str | None
    message: str
    hint: str | None = None
    severity: Literal["error", "warning", "note"] = "error"

    def __str__(self) -> str:
        where = [f"row {self.row}"] if self.row else []
        where += [self.column] if self.column else []
        return f"{', '.join(where)}: {self.message}" if where else self.message


@dataclass(frozen=True, slots=True)
class Sheet:
    """What was read of a sheet.

    Attributes:
        rows: Every row that names its files, also those with errors.
        findings: In the order of rows; those of the whole sheet first.
        left_out: Of a folder: the files that are in no row, by reason.
        runs: Of a folder: the runs that its files come from, as far as that is known.
    """

    rows: tuple[SheetRow, ...]
    findings: tuple[SheetFinding, ...]
    left_out: tuple[LeftOut, ...] = ()
    runs: tuple[Run, ...] = ()

    @property
    def errors(self) -> tuple[SheetFinding, ...]:
        """The findings that must be mended."""
        return tuple(each for each in self.findings if each.severity == "error")


class SheetRejected(InputError):
    """Something is wrong with rows or their files; nothing was sent.

    Attributes:
        findings: All that was found, in the order of the sheet.
    """

    def __init__(self, findings: Sequence[SheetFinding]) -> None:
        errors = [each for each in findings if each.severity == "error"]
        first = errors[0]
        more = f", and {counted(len(errors) - 1, 'more finding')}" if len(errors) > 1 else ""
        super().__init__(f"{first}{more}", hint="correct the sheet; nothing was sent")
        self.findings = tuple(findings)


def rows_given(rows: Sheet | Iterable[T], kind: type[T]) -> Sheet | list[T]:
    """A sheet, or values of which each is to be a row.

    Raises:
        ConfigError: It is neither.
    """
    if isinstance(rows, Sheet):
        return rows
    if isinstance(rows, str | bytes | Mapping) or not isinstance(rows, Iterable):
        raise ConfigError(
            f"rows are a Sheet or a list of {kind.__name__}s, not of type {type(rows).__name__}",
            hint="turboupload.read_sheet(path) reads a sheet; one alone is a list of one",
        )
    listed = list(rows)
    for number, each in enumerate(listed, 1):
        check_kind(f"row {number}", each, kind)
    return listed
