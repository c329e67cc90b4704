"""The documents beside a run's files that say whose they are: text in, samples out.

Illumina's `SampleSheet.csv` in both versions, `fastq_list.csv` of BCL Convert and DRAGEN, and
MinKNOW's `sample_sheet_….csv`. Whatever the text, nothing is raised: what a document doesn't say
clearly isn't known from it.

Sources, read 2026-11: https://support-docs.illumina.com/SW/dragen_v42 (sample sheet, output
files), https://nanoporetech.github.io/ont-output-specifications (sample sheet).
"""

from __future__ import annotations

import csv
import io
import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

__all__ = [
    "FASTQ_LIST",
    "IlluminaSheet",
    "MinknowSheet",
    "read_fastq_list",
    "read_illumina_sheet",
    "read_minknow_sheet",
]

FASTQ_LIST = "fastq_list.csv"
"""What BCL Convert and DRAGEN call the list of the FASTQs that they wrote."""

_SECTION = re.compile(r"\[(\w+)\]")
_DATA = ("bclconvert_data", "data")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9-]+")
_PLACEHOLDERS = frozenset({"no_sample", "unknown", ""})


@dataclass(frozen=True, slots=True)
class IlluminaSheet:
    """The samples of an Illumina run.

    Attributes:
        ids: Every `Sample_ID`, in order.
        by_name: The ids that a file's sample may stand for: by the id, by `Sample_Name`, and by
            either with the characters replaced that Illumina's software replaces in file names.
    """

    ids: tuple[str, ...]
    by_name: Mapping[str, frozenset[str]]

    def sample_of(self, name: str) -> str | None:
        """The `Sample_ID` of the sample in a file's name; None if it has none, or several."""
        found = self.by_name.get(name, frozenset())
        return next(iter(found)) if len(found) == 1 else None

    def has_several(self, name: str) -> bool:
        """Whether the sample in a file's name may be any of several."""
        return len(self.by_name.get(name, ())) > 1


@dataclass(frozen=True, slots=True)
class MinknowSheet:
    """The samples of a run of Oxford Nanopore.

    Attributes:
        sample: The sample of a run without barcodes; None if it has no name.
        aliases: What stands for each barcode, such as `barcode01`.
    """

    sample: str | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)

    def sample_of(self, barcode: str | None) -> str | None:
        """The sample of a barcode or of an alias's folder; None where it isn't said."""
        if barcode is None:
            return None if self.aliases else self.sample
        return barcode if barcode in self.aliases.values() else self.aliases.get(barcode)


def read_illumina_sheet(text: str) -> IlluminaSheet:
    """Takes the samples out of a `SampleSheet.csv`, of version 1 or 2."""
    sections = _sections(text)
    data = next((sections[name] for name in _DATA if name in sections), [])
    by_name: dict[str, set[str]] = defaultdict(set)
    plain: dict[str, set[str]] = defaultdict(set)
    ids: dict[str, None] = {}
    for row in _rows(data):
        sample = row.get("sample_id") or row.get("sample_name")
        if not sample:
            continue
        ids[sample] = None
        for name in (sample, row.get("sample_name")):
            if name:
                by_name[name].add(sample)
                plain[_plain(name)].add(sample)
    # A name that is written in full says more than one with replaced characters.
    merged = {**plain, **by_name}
    return IlluminaSheet(tuple(ids), {name: frozenset(found) for name, found in merged.items()})


def read_fastq_list(text: str) -> dict[str, str]:
    """The sample of each FASTQ that a `fastq_list.csv` names, by the name of its file.

    The folders in it are those of the machine that wrote them; the files may have moved since.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for row in _rows(list(_lines(text))):
        for column in ("read1file", "read2file"):
            if row.get(column) and row.get("rgsm"):
                found[posixpath.basename(row[column])].add(row["rgsm"])
    return {name: next(iter(samples)) for name, samples in found.items() if len(samples) == 1}


def read_minknow_sheet(text: str) -> MinknowSheet:
    """Takes the samples out of MinKNOW's `sample_sheet_….csv`."""
    samples: set[str] = set()
    aliases: dict[str, set[str]] = defaultdict(set)
    for row in _rows(list(_lines(text))):
        samples.add(row.get("sample_id", ""))
        barcode, alias = row.get("barcode", ""), row.get("alias", "")
        if barcode and alias and alias != barcode:
            aliases[barcode].add(alias)
    named = samples - _PLACEHOLDERS
    return MinknowSheet(
        sample=named.pop() if len(named) == len(samples) == 1 else None,
        aliases={name: next(iter(each)) for name, each in aliases.items() if len(each) == 1},
    )


def _plain(name: str) -> str:
    return _NOT_IN_NAMES.sub("-", name)


def _lines(text: str) -> Iterator[list[str]]:
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    try:
        for cells in reader:
            yield [cell.strip() for cell in cells]
    except csv.Error:
        return


def _sections(text: str) -> dict[str, list[list[str]]]:
    """The lines of each section by its name in small letters; a second of a name adds to it."""
    found: dict[str, list[list[str]]] = defaultdict(list)
    name = ""
    for cells in _lines(text):
        if cells and (section := _SECTION.fullmatch(cells[0])) is not None:
            name = section[1].lower()
        elif any(cells):
            found[name].append(cells)
    return found


def _rows(lines: Iterable[list[str]]) -> Iterator[dict[str, str]]:
    """Rows by column, the columns' names in small letters; the first line has them."""
    columns: list[str] | None = None
    for cells in lines:
        if not any(cells):
            continue
        if columns is None:
            columns = [cell.lower() for cell in cells]
        else:
            yield dict(zip(columns, cells, strict=False))
