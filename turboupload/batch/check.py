"""Every row of a sheet, looked at before anything is sent; everything that is wrong, at once.

What is looked at takes a fraction of a millisecond a file: can it be read, what is it, does it fit
the row. Whether it is whole, each upload sees to when its turn comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread

from turboupload.batch.listing import StoreListing
from turboupload.config import UploadConfig
from turboupload.core.batch import BatchRow
from turboupload.core.formats import pair_fault
from turboupload.core.model import FileIdentity, FileType, PartSource, ReadSet, Source
from turboupload.core.sheet.model import SheetFinding, SheetRejected, SheetRow
from turboupload.core.upload.matching import is_gone, read_set_matches
from turboupload.core.upload.plan import make_plan
from turboupload.errors import ConfigError, InputError
from turboupload.paths import regular_size
from turboupload.seqcheck.formats import require_type

__all__ = ["CheckedRow", "SheetRejected", "check_rows", "check_store", "read_sets_of"]

AT_A_TIME: Final = 250
"""Rows that one thread looks at in one go: on a file server it is the answers that take time, so
several threads look side by side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedRow:
    """A row that may be sent.

    Attributes:
        row: Its number and its read set.
        file_type: As found in the files where the row doesn't say.
        identities: The very files.
    """

    row: BatchRow
    file_type: FileType
    identities: tuple[FileIdentity, ...]

    @property
    def total_bytes(self) -> int:
        """Of its files."""
        return sum(each.size for each in self.identities)


def read_sets_of(rows: Iterable[SheetRow]) -> tuple[list[BatchRow], list[SheetFinding]]:
    """The rows' read sets, and what keeps the other rows from being one."""
    found: list[BatchRow] = []
    findings: list[SheetFinding] = []
    for row in rows:
        if any(source.startswith("s3://") for source in row.sources):
            findings.append(
                SheetFinding(
                    row.number, None, "its files are in S3", "use `turboupload import` for it"
                )
            )
            continue
        try:
            read_set = ReadSet(
                sources=row.sources,
                file_type=row.file_type,
                name=row.name or "",
                sample_id=row.sample_id or "",
                subject_id=row.subject_id or "",
                reference_arn=row.reference_arn,
                generated_from=row.generated_from,
                description=row.description,
                tags=row.tags,
            )
        except InputError as error:
            findings.append(_finding(row.number, error))
        else:
            found.append(BatchRow(number=row.number, read_set=read_set))
    return found, findings


async def check_rows(
    rows: Sequence[BatchRow], config: UploadConfig
) -> tuple[list[CheckedRow], list[SheetFinding]]:
    """Looks at the files of all rows, and compares the rows with each other.

    Args:
        rows: In the order of the sheet.
        config: How to upload.

    Returns:
        The rows that may be sent, and the findings, both in the order of the sheet.
    """
    chunks = [rows[start : start + AT_A_TIME] for start in range(0, len(rows), AT_A_TIME)]
    looked: list[list[CheckedRow | SheetFinding]] = [[] for _ in chunks]

    async def look(index: int) -> None:
        looked[index] = await anyio.to_thread.run_sync(_look_at, chunks[index], config)

    async with anyio.create_task_group() as group:
        for index in range(len(chunks)):
            group.start_soon(look, index)
    all_looked = [each for chunk in looked for each in chunk]
    checked = [each for each in all_looked if isinstance(each, CheckedRow)]
    findings = [each for each in all_looked if isinstance(each, SheetFinding)]
    findings += [*_same_names(rows), *_same_files(checked)]
    return checked, sorted(findings, key=lambda each: each.row)


def check_store(rows: Iterable[CheckedRow], listing: StoreListing) -> list[SheetFinding]:
    """Rows whose name, sample and subject another read set of the store has already.

    One with the same metadata may be the row's own of an earlier run; that is for its upload to
    find out.
    """
    return [
        SheetFinding(
            checked.row.number,
            None,
            f"read set {record.read_set_id} ({record.status or 'no status'}) has this name, "
            "sample and subject already, with another description, reference, origin or type",
            "if it is another data set, choose another name; to upload these files all the same, "
            "use `turboupload upload --force`",
        )
        for checked in rows
        for record in listing.of(checked.row.read_set)
        if not is_gone(record)
        and not read_set_matches(checked.row.read_set, checked.file_type, record)
    ]


def _look_at(rows: Sequence[BatchRow], config: UploadConfig) -> list[CheckedRow | SheetFinding]:
    looked: list[CheckedRow | SheetFinding] = []
    for row in rows:
        try:
            looked.append(_look_at_one(row, config))
        except (InputError, ConfigError) as error:
            looked.append(_finding(row.number, error))
    return looked


def _look_at_one(row: BatchRow, config: UploadConfig) -> CheckedRow:
    read_set = row.read_set
    sources = [
        _source(path, which) for path, which in zip(read_set.paths, PartSource, strict=False)
    ]
    declared = FileType(read_set.file_type) if read_set.file_type is not None else None
    types = [FileType(require_type(path, declared)) for path in read_set.paths]
    if len(types) == 2 and (fault := pair_fault(*types)):
        raise InputError(fault, path=read_set.paths[1], hint="give each file a row of its own")
    if types[0].needs_reference and read_set.reference_arn is None:
        raise InputError(
            f"a {types[0]} needs the ARN of its reference",
            path=read_set.paths[0],
            hint="fill in the column `reference`, or add --reference",
        )
    make_plan(sources, part_size=config.part_size_bytes)
    return CheckedRow(
        row=row, file_type=types[0], identities=tuple(source.identity for source in sources)
    )


def _source(path: str, which: PartSource) -> Source:
    """As `files.source.inspect_source`, without reading: the upload looks closely in its turn."""
    regular_size(path)
    found = Path(path).stat()
    identity = FileIdentity(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
    return Source(which, path, identity, "")


def _same_names(rows: Sequence[BatchRow]) -> Iterable[SheetFinding]:
    first = _First()
    for row in rows:
        about = (row.read_set.name, row.read_set.sample_id, row.read_set.subject_id)
        if (other := first(about, row.number)) is not None:
            yield SheetFinding(
                row.number,
                None,
                f"has the name, sample and subject of row {other}",
                "give one of them another name: they could not be told apart in the store",
            )


def _same_files(rows: Iterable[CheckedRow]) -> Iterable[SheetFinding]:
    first = _First()
    for checked in rows:
        for path, identity in zip(checked.row.read_set.paths, checked.identities, strict=True):
            other = first((identity.device, identity.inode), checked.row.number)
            if other == checked.row.number:
                yield SheetFinding(checked.row.number, None, f"{path} is given twice", None)
            elif other is not None:
                yield SheetFinding(
                    checked.row.number,
                    None,
                    f"{path} is also a file of row {other}",
                    "take it out of one of them",
                )


class _First:
    """Who had something first."""

    def __init__(self) -> None:
        self._seen: dict[object, int] = {}

    def __call__(self, what: object, row: int) -> int | None:
        """The row that came with it before; None for the first."""
        before = self._seen.get(what)
        if before is None:
            self._seen[what] = row
        return before


def _finding(row: int, error: InputError | ConfigError) -> SheetFinding:
    return SheetFinding(row, None, str(error), error.hint)
