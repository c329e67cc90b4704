"""Checks every row of a sheet before anything is sent, and reports all findings together.

This takes a fraction of a millisecond a file: can it be read, what is it, does it fit the row?
Whether a file is complete is checked later, when its row is sent.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import anyio
import anyio.to_thread

from turboupload.batch.listing import StoreListing
from turboupload.config import UploadConfig
from turboupload.core.batch import BatchRow
from turboupload.core.model import ReadSet, paths_of
from turboupload.core.proof.manifest import Expected, algorithm_of
from turboupload.core.shards import Shard
from turboupload.core.sheet.columns import SEPARATOR
from turboupload.core.sheet.model import SheetFinding, SheetRejected, SheetRow
from turboupload.core.upload.matching import is_gone, read_set_matches
from turboupload.core.upload.plan import make_plan
from turboupload.engine.prepare import identify_files
from turboupload.errors import ConfigError, InputError

__all__ = [
    "SheetRejected",
    "check_rows",
    "check_store",
    "look_at_rows",
    "read_sets_of",
    "rows_of",
    "same_names",
]

AT_A_TIME: Final = 250
"""Rows that one thread checks at a time. On a file server most of the time is spent waiting for
answers, so several threads check side by side."""


def read_sets_of(rows: Iterable[SheetRow]) -> tuple[dict[int, ReadSet], list[SheetFinding]]:
    """The read sets by row number, and why other rows can't be one."""
    found: dict[int, ReadSet] = {}
    findings: list[SheetFinding] = []
    for row in rows:
        if any(source.startswith("s3://") for source in row.paths):
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
                checksums=_checksums(row),
            )
        except InputError as error:
            findings.append(_finding(row.number, error))
        else:
            found[row.number] = read_set
    return found, findings


def _checksums(row: SheetRow) -> dict[str, str | Expected]:
    """What the row's files must hash to, by their paths, as far as the sheet says it."""
    found: dict[str, str | Expected] = {}
    for source, digests in zip(row.sources, (row.md5_1, row.md5_2), strict=False):
        for path, digest in zip(paths_of(source), (digests or "").split(SEPARATOR), strict=False):
            algorithm = algorithm_of(digest)
            if algorithm is not None:
                told = Expected("file", algorithm, digest.lower(), "the sheet", row.number)
                found[path] = told
    return found


def rows_of(
    shard: Shard, read_sets: Mapping[int, ReadSet]
) -> tuple[dict[int, ReadSet], list[SheetFinding]]:
    """The rows of a shard, by number.

    Their files are compared with each other later, whatever they are called. With the files of
    other shards only the paths are compared: those files may not be on this machine.
    """
    mine = {number: each for number, each in read_sets.items() if shard.has(each)}
    places = {number: [_place(path) for path in each.paths] for number, each in read_sets.items()}
    theirs = {
        place: number for number, each in places.items() if number not in mine for place in each
    }
    findings = [
        _shared_file(number, place, theirs[place])
        for number in mine
        for place in places[number]
        if place in theirs
    ]
    return mine, findings


def _place(path: str) -> str:
    return os.path.abspath(path)  # noqa: PTH100 - resolve() would ask the disk


async def check_rows(
    read_sets: Mapping[int, ReadSet], config: UploadConfig
) -> tuple[list[BatchRow], list[SheetFinding]]:
    """Looks at the files of all rows, and compares the rows with each other.

    Args:
        read_sets: By row number, in the order of the sheet.
        config: How to upload.

    Returns:
        The rows that may be sent, and the findings, both in the order of the sheet.
    """
    checked, findings = await look_at_rows(read_sets, config)
    findings += same_names(read_sets)
    return checked, sorted(findings, key=lambda each: each.row)


async def look_at_rows(
    read_sets: Mapping[int, ReadSet], config: UploadConfig
) -> tuple[list[BatchRow], list[SheetFinding]]:
    """Looks at the files of rows, and compares these with each other; see `check_rows`."""
    numbered = list(read_sets.items())
    chunks = [numbered[at : at + AT_A_TIME] for at in range(0, len(numbered), AT_A_TIME)]
    looked: list[list[BatchRow | SheetFinding]] = [[] for _ in chunks]

    async def look(index: int) -> None:
        looked[index] = await anyio.to_thread.run_sync(_look_at, chunks[index], config)

    async with anyio.create_task_group() as group:
        for index in range(len(chunks)):
            group.start_soon(look, index)
    all_looked = [each for chunk in looked for each in chunk]
    checked = [each for each in all_looked if isinstance(each, BatchRow)]
    findings = [each for each in all_looked if isinstance(each, SheetFinding)]
    return checked, [*findings, *_same_files(checked)]


def check_store(rows: Iterable[BatchRow], listing: StoreListing) -> list[SheetFinding]:
    """Reports rows whose name, sample and subject another read set of the store already has.

    A read set whose other metadata are equal, too, may be the row's own from an earlier run; the
    row's upload finds that out.
    """
    return [
        SheetFinding(
            row.number,
            None,
            f"read set {record.read_set_id} ({record.status or 'no status'}) has this name, "
            "sample and subject already, with another description, reference, origin or type",
            "if it is another data set, choose another name; to upload these files all the same, "
            "use `turboupload upload --force`",
        )
        for row in rows
        for record in listing.of(row.read_set)
        if not is_gone(record) and not read_set_matches(row.read_set, row.file_type, record)
    ]


def _look_at(
    read_sets: Sequence[tuple[int, ReadSet]], config: UploadConfig
) -> list[BatchRow | SheetFinding]:
    looked: list[BatchRow | SheetFinding] = []
    for number, read_set in read_sets:
        try:
            looked.append(_look_at_one(number, read_set, config))
        except (InputError, ConfigError) as error:
            looked.append(_finding(number, error))
    return looked


def _look_at_one(number: int, read_set: ReadSet, config: UploadConfig) -> BatchRow:
    sources, file_type = identify_files(read_set)
    if file_type.needs_reference and read_set.reference_arn is None:
        raise InputError(
            f"a {file_type} needs the ARN of its reference",
            path=read_set.paths[0],
            hint="fill in the column `reference`, or add --reference",
        )
    make_plan(sources, part_size=config.part_size_bytes)
    return BatchRow(
        number=number,
        read_set=read_set,
        file_type=file_type,
        identities=tuple(file.identity for source in sources for file in source.files),
    )


def same_names(read_sets: Mapping[int, ReadSet]) -> Iterable[SheetFinding]:
    """Reports rows that could not be told apart in the store."""
    first = _FirstRows()
    for number, read_set in read_sets.items():
        about = (read_set.name, read_set.sample_id, read_set.subject_id)
        if (other := first(about, number)) is not None:
            yield SheetFinding(
                number,
                None,
                f"has the name, sample and subject of row {other}",
                "give one of them another name: they could not be told apart in the store",
            )


def _same_files(rows: Iterable[BatchRow]) -> Iterable[SheetFinding]:
    first = _FirstRows()
    for row in rows:
        for path, identity in zip(row.read_set.paths, row.identities, strict=True):
            other = first((identity.device, identity.inode), row.number)
            if other is not None:
                yield _shared_file(row.number, path, other)


def _shared_file(row: int, path: str, other: int) -> SheetFinding:
    return SheetFinding(
        row, None, f"{path} is also a file of row {other}", "take it out of one of them"
    )


class _FirstRows:
    """Remembers which row had a value first."""

    def __init__(self) -> None:
        self._seen: dict[object, int] = {}

    def __call__(self, what: object, row: int) -> int | None:
        """The row that had the value before; None if this one is the first."""
        before = self._seen.get(what)
        if before is None:
            self._seen[what] = row
        return before


def _finding(row: int, error: InputError | ConfigError) -> SheetFinding:
    return SheetFinding(row, None, str(error), error.hint)
