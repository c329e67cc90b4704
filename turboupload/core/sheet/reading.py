"""A sheet's text to rows: every value checked, every finding told at once."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Iterable, Sequence

from turboupload import limits
from turboupload.core.fields import REFERENCE_HINT, reference_fault, tag_fault, text_fault
from turboupload.core.folders.names import lane_of
from turboupload.core.folders.naming import DEFAULT_PATTERN
from turboupload.core.folders.runs import Run
from turboupload.core.formats import FORMATS, FileType, pair_fault
from turboupload.core.model import flat, paths_of
from turboupload.core.proof.manifest import algorithm_of
from turboupload.core.sheet.columns import (
    MD5S,
    SEPARATOR,
    TAG,
    WRITTEN,
    field_of,
    is_fastq_list,
    is_known_beside,
)
from turboupload.core.sheet.illumina import has_illumina_columns, not_ours
from turboupload.core.sheet.merging import merge_rows
from turboupload.core.sheet.model import Sheet, SheetDefaults, SheetFinding, SheetRow
from turboupload.core.sheet.names import name_of_files, name_rows, title
from turboupload.core.sheet.records import Record, Records, read_records
from turboupload.core.sheet.spreadsheets import ODD_ID_HINT, odd_id

__all__ = ["parse_sheet", "sheet_of"]

Sources = tuple[str | tuple[str, ...], ...]

_SOURCES = ("source1", "source2")
# A key in S3 may have a semicolon itself.
_BETWEEN_URIS = re.compile(rf"{SEPARATOR}(?=\s*s3://)", re.IGNORECASE)
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_TEXTS = ("sample_id", "subject_id", "name", "generated_from", "description")
_MOST_COLUMNS_TOLD = 6

_SPOKEN = {"sample_id": "sample", "subject_id": "subject"}


def parse_sheet(
    text: str,
    defaults: SheetDefaults | None = None,
    *,
    folder: str = "",
    expand: Callable[[str], str] = str,
    run_of: Callable[[str], Run | None] = lambda _: None,
) -> Sheet:
    """Reads a sheet; never raises, whatever the text: what is wrong with it is a finding.

    Args:
        text: The sheet: CSV with commas, semicolons or tabs, JSON lines or a JSON array.
        defaults: What holds for every row that doesn't say otherwise.
        folder: What relative paths are relative to; as it is written it is put before them.
        expand: What a shell would do to a path, such as put a home in place of `~`.
        run_of: The run that a file comes from; asked where names are made by a pattern, and for a
            `fastq_list.csv`.
    """
    records = read_records(text)
    return _Reading(records, defaults or SheetDefaults(), folder, expand, run_of).sheet()


def sheet_of(sources: Sequence[str], defaults: SheetDefaults, *, name: str | None = None) -> Sheet:
    """The sheet of one read set that was named by other means than a sheet; its row is 1.

    Args:
        sources: Its files.
        defaults: All else that is known of it.
        name: Its name; None takes it from its files.
    """
    if len(sources) > 2:
        return Sheet((), (SheetFinding(1, None, f"has {len(sources)} files, and can have two"),))
    files = dict(zip(("source1", "source2"), sources, strict=False))
    return parse_sheet(json.dumps(files if name is None else {**files, "name": name}), defaults)


class _Reading:
    def __init__(
        self,
        records: Records,
        defaults: SheetDefaults,
        folder: str,
        expand: Callable[[str], str],
        run_of: Callable[[str], Run | None],
    ) -> None:
        self._records = records
        self._defaults = defaults
        self._folder = folder
        self._expand = expand
        self._run_of = run_of
        self._listed = is_fastq_list(records.columns)
        self._findings = list(records.findings)
        self._fields = {column: field_of(column) for column in records.columns}
        self._column_of = {field: column for column, field in self._fields.items() if field}
        # Said once for the sheet, not once a row.
        self._missing = {
            field
            for field in _SPOKEN
            if field not in self._column_of and not self._has_default(field)
        }
        self._derived = 0
        self._undetermined = 0

    def sheet(self) -> Sheet:
        if self._records.columns:
            self._check_columns()
        elif self._records.rows:
            self._find(0, None, "no row says anything")  # JSON objects without a member
        self._check_defaults()
        rows = [row for record in self._records.rows if (row := self._row(record))]
        if self._defaults.merge:
            rows, about_merging = merge_rows(rows)
            self._findings += about_merging
        rows, about_names = name_rows(rows, self._name)
        self._findings += about_names
        self._check_twice(rows)
        if self._undetermined:
            note = f"rows of no sample (Undetermined) are left out: {self._undetermined:,}"
            self._findings.append(SheetFinding(0, None, note, severity="note"))
        if self._derived:
            note = f"the subject of {self._derived:,} rows is {self._defaults.subject_from}"
            self._findings.append(SheetFinding(0, None, note, severity="note"))
        return Sheet(tuple(rows), tuple(sorted(self._findings, key=lambda each: each.row)))

    def _name(self, row: SheetRow) -> str:
        """A name for a row that has none."""
        name = name_of_files(row)
        pattern = self._defaults.name_pattern or (DEFAULT_PATTERN if self._listed else None)
        if pattern is None:
            return name
        run = self._run_of(row.paths[0])
        return pattern.name(
            {
                "sample": row.sample_id,
                "subject": row.subject_id,
                "name": name,
                "run": run.run if run is not None else None,
                "flowcell": run.flowcell if run is not None else None,
                "short_run": run.short if run is not None else None,
                "lane": lane_of(name),
            }
        )

    def _has_default(self, field: str) -> bool:
        if field == "subject_id" and self._defaults.subject_from is not None:
            return True
        return getattr(self._defaults, field) is not None

    def _find(self, row: int, column: str | None, message: str, hint: str | None = None) -> None:
        self._findings.append(SheetFinding(row, column, message, hint))

    def _find_field(
        self, record: Record, field: str, message: str, hint: str | None = None
    ) -> None:
        """Finds something about a field, in the column that gave its value."""
        columns = [column for column, _ in record.values if self._fields[column] == field]
        self._find(record.number, (columns or [self._column_of[field]])[0], message, hint)

    def _check_columns(self) -> None:
        if "source1" not in self._column_of:
            if has_illumina_columns(self._records.columns):
                self._findings.append(not_ours(self._records.header))
                return
            self._find(
                self._records.header,
                None,
                "there is a column for R2, and none for R1 or the one file"
                if "source2" in self._column_of
                else "no column names the files; the first line has "
                + _named(self._records.columns),
                "the first line names the columns: sample, subject, name, type, source1, source2, "
                "reference, generated_from, description and tag:KEY; or nf-core's sample, fastq_1, "
                "fastq_2",
            )
            return
        for field in sorted(self._missing):
            word = _SPOKEN[field]
            self._find(
                self._records.header,
                None,
                f"there is no column {word!r}",
                f"add one, or give --{word} for all rows"
                + (", or --subject-from sample" if field == "subject_id" else ""),
            )
        for column in dict.fromkeys(self._records.columns):
            beside = self._listed and is_known_beside(column)
            if column and self._fields[column] is None and not beside:
                self._findings.append(
                    SheetFinding(
                        self._records.header,
                        column,
                        "this column is not used",
                        f"name it tag:{column} to keep it as a tag",
                        "warning",
                    )
                )
        if any(not column for record in self._records.rows for column, _ in record.values):
            message = "a column without a name is not used"
            self._findings.append(
                SheetFinding(self._records.header, None, message, severity="warning")
            )

    def _check_defaults(self) -> None:
        default = self._defaults
        values = {field: getattr(default, field, None) for field in _TEXTS}
        faults = [text_fault(field, value) for field, value in values.items() if value is not None]
        faults += [_reference_fault(default.reference_arn), tag_fault(default.tags)]
        for fault in faults:
            if fault is not None:
                self._find(0, None, f"the default for all rows: {fault}")

    def _row(self, record: Record) -> SheetRow | None:
        """The row, unless it doesn't say which files it is about."""
        values, own_tags, files = self._values(record)
        if self._listed and values.get("sample_id") == "Undetermined":
            self._undetermined += 1
            return None
        sources = self._sources(record, files)
        for field in _TEXTS:
            if field in values and (fault := text_fault(field, values[field])):
                self._find_field(record, field, fault)
        for field, word in _SPOKEN.items():
            if field in values:
                self._question(record, field, values[field])
            missing = field not in values and not self._has_default(field)
            if missing and field not in self._missing:
                self._find_field(record, field, f"there is no {word}")
        arn = values.get("reference_arn")
        if fault := _reference_fault(arn):
            self._find_field(record, "reference_arn", fault, REFERENCE_HINT)
        if own_tags and (fault := tag_fault({**self._defaults.tags, **own_tags})):
            self._find(record.number, None, fault)
        file_type = self._file_type(record, values, sources)
        digests = self._digests(record, values, sources)
        if not sources:
            return None
        chosen = {
            field: values.get(field, getattr(self._defaults, field))
            for field in ("sample_id", "subject_id", "generated_from", "description")
        }
        if chosen["generated_from"] is None and self._listed:
            run = self._run_of(flat(sources)[0])
            chosen["generated_from"] = run.words if run is not None else None
        if chosen["subject_id"] is None and chosen["sample_id"] is not None:
            chosen["subject_id"] = self._subject_of(record, chosen["sample_id"])
        return SheetRow(
            number=record.number,
            sources=sources,
            file_type=file_type,
            name=values.get("name"),
            reference_arn=values.get("reference_arn", self._defaults.reference_arn),
            tags={**self._defaults.tags, **own_tags},
            md5_1=digests[0],
            md5_2=digests[1],
            **chosen,
        )

    def _digests(
        self, record: Record, values: dict[str, str], sources: tuple[str | tuple[str, ...], ...]
    ) -> tuple[str | None, str | None]:
        """What the files hash to, where the row says it; `SEPARATOR` between those of a source."""
        counts = [len(paths_of(each)) for each in sources]
        told = {field: _split(values[field]) for field in ("md5_1", "md5_2") if field in values}
        if MD5S in values:
            several = _split(values[MD5S])
            if sources and len(several) != sum(counts):
                fault = f"has {len(several)} digests, and the row {sum(counts)} files"
                self._find_field(record, MD5S, fault)
                return None, None
            first = counts[0] if counts else 1
            told.setdefault("md5_1", several[:first])
            if several[first:]:
                told.setdefault("md5_2", several[first:])
        for field, digests in told.items():
            index = int(field[-1]) - 1
            wrong = next((each for each in digests if each and algorithm_of(each) is None), None)
            fault = ""
            if wrong is not None:
                fault = f"{wrong!r} is not an MD5 or SHA-256 in hexadecimal"
            elif sources and index >= len(sources):
                fault = "is of a second file, and the row has one"
            elif sources and len(digests) != counts[index]:
                fault = f"has {len(digests)} digests for {counts[index]} files"
            if fault:
                self._find_field(record, field if field in self._column_of else MD5S, fault)
                return None, None
        joined = {field: SEPARATOR.join(digests) for field, digests in told.items()}
        return joined.get("md5_1"), joined.get("md5_2")

    def _question(self, record: Record, field: str, value: str) -> None:
        """Asks whether an id is what was meant, where a spreadsheet may have changed it."""
        if not self._defaults.odd_ids and (looks_like := odd_id(value)) is not None:
            message = f"{value!r} is {looks_like}, as a spreadsheet makes it of an id"
            self._find_field(record, field, message, ODD_ID_HINT)

    def _subject_of(self, record: Record, sample_id: str) -> str | None:
        rule = self._defaults.subject_from
        if rule is None:
            return None
        self._derived += 1
        try:
            return rule.subject_of(sample_id)
        except ValueError as error:
            self._find(record.number, None, str(error), "give the row a subject")
            return None

    def _values(
        self, record: Record
    ) -> tuple[dict[str, str], dict[str, str], dict[str, tuple[str, ...]]]:
        """The values by field, the tags by key, and the files by source."""
        values: dict[str, str] = {}
        files: dict[str, tuple[str, ...]] = {}
        for column, cell in record.values:
            field = self._fields[column]
            if field is None:
                continue
            value = cell if isinstance(cell, str) else SEPARATOR.join(cell)
            if field in _SOURCES:
                files.setdefault(field, _files(cell))
            elif not isinstance(cell, str):
                self._find(record.number, column, "is not a text")
                continue
            if values.setdefault(field, value) != value:
                self._find(
                    record.number,
                    column,
                    f"another column says {values[field]!r} for the same thing, "
                    f"and this one {value!r}",
                )
        tags = {
            field.removeprefix(TAG): values.pop(field)
            for field in list(values)
            if field.startswith(TAG)
        }
        return values, tags, files

    def _sources(self, record: Record, files: dict[str, tuple[str, ...]]) -> Sources:
        if "source1" not in files:
            if "source1" in self._column_of:
                self._find_field(record, "source1", "no file is named")
            return ()
        found: list[str | tuple[str, ...]] = []
        for field in _SOURCES:
            if field not in files:
                continue
            paths = [self._source(record, field, each) for each in files[field]]
            named = tuple(each for each in paths if each is not None)
            if len(named) < len(paths):
                return ()
            found.append(named[0] if len(named) == 1 else named)
        self._check_paths(record, "source2" if "source2" in files else "source1", flat(found))
        return tuple(found)

    def _source(self, record: Record, field: str, value: str) -> str | None:
        """A path with its folder, or an S3 URI as it is."""
        fault = hint = None
        if not value:
            fault = f"there is nothing between two {SEPARATOR!r}, or before or after one"
        elif value.lower().startswith("s3://"):
            if not limits.S3_URI.fullmatch(value):
                fault, hint = f"{value!r} is not an S3 URI", "it looks like s3://BUCKET/KEY"
        elif _URI.match(value):
            fault, hint = f"{value!r} can't be read", "give a path, or an S3 URI to import"
        elif not value.isprintable() and re.search(r"[\x00\ud800-\udfff]", value):
            fault = f"{value!r} can't be the name of a file"
        if fault is not None:
            self._find_field(record, field, fault, hint)
            return None
        return value if _is_s3(value) else posixpath.join(self._folder, self._expand(value))

    def _check_paths(self, record: Record, field: str, paths: tuple[str, ...]) -> None:
        if len(set(map(_is_s3, paths))) > 1:
            self._find_field(record, field, "one file is local and the other in S3")
        elif len(set(map(_place, paths))) < len(paths):
            self._find_field(record, field, "the same file is named twice")

    def _file_type(
        self, record: Record, values: dict[str, str], sources: Sources
    ) -> FileType | None:
        said = values.get("file_type")
        if said is not None and said.upper() not in FORMATS:
            self._find_field(
                record,
                "file_type",
                f"{said!r} is not a file type of the service",
                f"use one of {', '.join(FileType)}, or leave it empty",
            )
            return None
        file_type = FileType(said.upper()) if said is not None else self._defaults.file_type
        if file_type is None and self._listed:
            file_type = FileType.FASTQ
        if len(sources) == 2 and (fault := pair_fault(file_type)):
            self._find_field(record, "source2", fault)
        return file_type

    def _check_twice(self, rows: Iterable[SheetRow]) -> None:
        files: dict[str, int] = {}
        titles: dict[tuple[str | None, ...], int] = {}
        for row in rows:
            earlier = titles.setdefault(title(row), row.number)
            for source in row.paths:
                other = files.setdefault(_place(source), row.number)
                if other != row.number:
                    self._find(row.number, None, f"{source} is in row {other} already")
                    earlier = row.number
            if earlier != row.number:
                self._find(
                    row.number,
                    None,
                    f"row {earlier} has the same name, sample and subject ({row.name!r})",
                    f"give each row another {WRITTEN['name']}",
                )


def _split(cell: str) -> list[str]:
    return [each.strip() for each in cell.split(SEPARATOR)]


def _reference_fault(arn: str | None) -> str | None:
    return reference_fault(arn) if arn is not None else None


def _files(cell: str | tuple[str, ...]) -> tuple[str, ...]:
    """The files of a cell: what a list has as they are, and a text divided."""
    if isinstance(cell, tuple):
        return cell
    parts = _BETWEEN_URIS.split(cell) if _is_s3(cell) else cell.split(SEPARATOR)
    return tuple(each.strip() for each in parts) if len(parts) > 1 else (cell,)


def _is_s3(source: str) -> bool:
    return source.lower().startswith("s3://")


def _place(source: str) -> str:
    return source if _is_s3(source) else posixpath.normpath(source)


def _named(columns: Sequence[str]) -> str:
    """A header's cells as a message shows them, the first few."""
    more = ", …" if len(columns) > _MOST_COLUMNS_TOLD else ""
    return ", ".join(map(repr, columns[:_MOST_COLUMNS_TOLD])) + more
