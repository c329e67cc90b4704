"""Rows that are the lanes or chunks of one read set, made into one row."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from turboupload.core.formats import FORMATS, type_in_name
from turboupload.core.model import paths_of
from turboupload.core.sheet.columns import SEPARATOR, WRITTEN
from turboupload.core.sheet.model import SheetFinding, SheetRow

__all__ = ["merge_rows"]

_SAME: Final = ("file_type", "reference_arn", "generated_from", "description", "tags")
"""What rows must agree in beside name, sample and subject."""


def merge_rows(rows: Iterable[SheetRow]) -> tuple[list[SheetRow], list[SheetFinding]]:
    """Makes one row of those with the same name, sample and subject.

    Where no name is given, those with the same sample and subject become one. R1's files follow
    each other in the order of the rows, and so do R2's. Rows of a type that can't be merged stay as
    they are.

    Returns:
        The rows, each in the place of its first one, and the findings.
    """
    groups: dict[object, list[SheetRow]] = {}
    for row in rows:
        # A row by itself has a key that no other has.
        key = (row.name, row.sample_id, row.subject_id) if _can_be_merged(row) else id(row)
        groups.setdefault(key, []).append(row)
    merged, findings = [], []
    before = after = 0
    for group in groups.values():
        if len(group) == 1:
            merged += group
        elif faults := list(_faults(group)):
            merged += group
            findings += faults
        else:
            merged.append(_one(group))
            before, after = before + len(group), after + 1
    if after:
        message = f"{before:,} rows were merged into {after:,}, with their files in this order"
        findings.append(SheetFinding(0, None, message, severity="note"))
    return merged, findings + _left_apart(merged)


def _left_apart(rows: Iterable[SheetRow]) -> list[SheetFinding]:
    """A warning where a sample is in several rows all the same, since their names differ."""
    titles = {(row.name, row.sample_id, row.subject_id) for row in rows if _can_be_merged(row)}
    counts = Counter((sample, subject) for name, sample, subject in titles if name and sample)
    several = [sample for (sample, _), count in counts.items() if count > 1]
    if not several:
        return []
    which = f"sample {several[0]!r}" if len(several) == 1 else f"{len(several):,} samples"
    message = f"{which} in several rows that were not merged, since their names differ"
    hint = "give the rows of a read set one name, or none"
    return [SheetFinding(0, None, message, hint, "warning")]


def _can_be_merged(row: SheetRow) -> bool:
    file_type = row.file_type or type_in_name(row.paths[0])
    named = row.name is not None or row.sample_id is not None
    return named and (file_type is None or FORMATS[file_type].merged)


def _faults(group: Sequence[SheetRow]) -> Iterable[SheetFinding]:
    """Why rows can't be merged."""
    first = group[0]
    for row in group[1:]:
        which = f"row {first.number}" if first.number else first.paths[0]
        if len(row.sources) != len(first.sources):
            message = f"can't be merged with {which}: one of them is a pair, and the other is none"
            hint = "give one of them another name, or complete it"
            yield SheetFinding(row.number, None, message, hint)
        for field in _SAME:
            if getattr(row, field) != getattr(first, field):
                column = WRITTEN.get(field, field)
                message = f"can't be merged with {which}: they differ in {column}"
                hint = f"give both the same {column}, or different names"
                yield SheetFinding(row.number, None, message, hint)


def _one(group: Sequence[SheetRow]) -> SheetRow:
    sources = tuple(
        tuple(path for files in lanes for path in paths_of(files))
        for lanes in zip(*(row.sources for row in group), strict=True)
    )
    return dataclasses.replace(
        group[0], sources=sources, md5_1=_digests(group, "md5_1"), md5_2=_digests(group, "md5_2")
    )


def _digests(group: Sequence[SheetRow], field: str) -> str | None:
    """What the files of a source hash to; nothing between separators where that isn't known."""
    known = [getattr(row, field) for row in group]
    if all(each is None for each in known):
        return None
    index = int(field[-1]) - 1
    unknown = [SEPARATOR * (len(paths_of(row.sources[index])) - 1) for row in group]
    return SEPARATOR.join(
        digests if digests is not None else nothing
        for digests, nothing in zip(known, unknown, strict=True)
    )
