"""Reads what lies beside a run's files and says of which run and sample they are; blocking."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, TypeVar

from turboupload.core.folders.documents import (
    FASTQ_LIST,
    IlluminaSheet,
    MinknowSheet,
    read_fastq_list,
    read_illumina_sheet,
    read_minknow_sheet,
)
from turboupload.core.folders.names import folders_above, instrument_file
from turboupload.core.folders.runs import (
    Run,
    is_run_folder,
    named_run,
    run_info,
    run_of_read,
)
from turboupload.seqcheck.first_line import first_line
from turboupload.value import Value

__all__ = ["RunDocuments"]

T = TypeVar("T")

_MOST_BYTES: Final = 16 * 1024 * 1024
"""A sample sheet of 100,000 samples has a third of that."""

_HIGHEST: Final = 6
"""How many folders up a run is looked for, as from a sample's in a project's in
`RUN/Data/Intensities/BaseCalls`."""

_TO_MINKNOWS_RUN: Final = 3
"""How many folders up that is at most, as from a barcode's in `RUN/fastq_pass`."""


class _Beside(Value, frozen=True):
    """What one folder, or `Reports` in it, has."""

    run: Run | None = None
    samples: IlluminaSheet | None = None
    listed: dict[str, str] | None = None


class RunDocuments:
    """The documents of the runs that files come from; each is read once.

    The nearest one above a file counts, up to the run's own folder, also where that is above the
    folder that is looked through; else up to that one, since documents further up may be about
    other data. BCL Convert keeps copies of what it read in `Reports`, beside the FASTQs.

    Args:
        root: The folder that is looked through; None where files are only named.
        warn: Called with a document that can't be read, in a sentence.
    """

    def __init__(self, root: Path | None = None, warn: Callable[[str], object] = str) -> None:
        self._root = root
        self._warn = warn
        self._ranges: dict[Path, tuple[Path, ...]] = {}
        self._beside: dict[Path, _Beside] = {}
        self._minknow: dict[Path, MinknowSheet | None] = {}

    def run(self, path: str) -> Run | None:
        """The run of a file, for the instruments of any maker."""
        named = instrument_file(path)
        return named.run if named is not None else self.illumina_run(path)

    def illumina_run(self, path: str) -> Run | None:
        """The run of an Illumina file: by its documents, its folders, or its first read."""
        found = self._nearest(path, lambda beside: beside.run) or named_run(folders_above(path))
        return found or run_of_read(first_line(path))

    def illumina_samples(self, path: str) -> IlluminaSheet | None:
        """The sample sheet of the run of a file."""
        return self._nearest(path, lambda beside: beside.samples)

    def samples_of(self, folder: Path) -> tuple[str, ...]:
        """The samples of the sample sheet that lies in a folder, or in `Reports` in it."""
        found = self._look(folder).samples
        return found.ids if found is not None else ()

    def listed_sample(self, path: str) -> str | None:
        """The sample of a FASTQ, where a `fastq_list.csv` names it."""
        listed = self._nearest(path, lambda beside: beside.listed)
        return (listed or {}).get(Path(path).name)

    def minknow_samples(self, path: str) -> MinknowSheet:
        """The sample sheet that MinKNOW left in the run's folder."""
        for folder in list(Path(path).absolute().parents)[:_TO_MINKNOWS_RUN]:
            if folder not in self._minknow:
                self._minknow[folder] = self._minknow_sheet(folder)
            if (found := self._minknow[folder]) is not None:
                return found
        return MinknowSheet()

    def _nearest(self, path: str, member: Callable[[_Beside], T | None]) -> T | None:
        parent = Path(path).absolute().parent
        if parent not in self._ranges:
            self._ranges[parent] = tuple(self._range((parent, *parent.parents)))
        for folder in self._ranges[parent]:
            if (found := member(self._look(folder))) is not None:
                return found
        return None

    def _range(self, parents: Sequence[Path]) -> Sequence[Path]:
        """The folders above a file whose documents may be about it."""
        for index, folder in enumerate(parents[:_HIGHEST]):
            if is_run_folder(folder.name) or self._look(folder).run is not None:
                return parents[: index + 1]
        if self._root is None:
            return parents[:1]
        return [each for each in parents if each == self._root or self._root in each.parents]

    def _look(self, folder: Path) -> _Beside:
        if folder not in self._beside:
            places = (folder, folder / "Reports")
            info = self._first_text(place / "RunInfo.xml" for place in places)
            samples = self._first_text(place / "SampleSheet.csv" for place in places)
            listed = self._first_text(place / FASTQ_LIST for place in places)
            self._beside[folder] = _Beside(
                run=run_info(info) if info is not None else None,
                samples=read_illumina_sheet(samples) if samples is not None else None,
                listed=read_fastq_list(listed) if listed is not None else None,
            )
        return self._beside[folder]

    def _minknow_sheet(self, folder: Path) -> MinknowSheet | None:
        try:
            names = sorted(
                each
                for each in os.listdir(folder)  # noqa: PTH208 - names only, of a folder of any size
                if each.startswith("sample_sheet_") and each.endswith(".csv")
            )
        except OSError:
            return None
        # If two runs were pooled in one folder, a file may be of either.
        text = self._text(folder / names[0]) if len(names) == 1 else None
        return read_minknow_sheet(text) if text is not None else None

    def _first_text(self, paths: Iterable[Path]) -> str | None:
        return next((text for path in paths if (text := self._text(path)) is not None), None)

    def _text(self, path: Path) -> str | None:
        """A small document; None where it isn't there, or can't be read."""
        try:
            if not path.is_file() or path.stat().st_size > _MOST_BYTES:
                return None
            return path.read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError:
            self._warn(f"{path} is not UTF-8, and nothing was taken from it")
        except (OSError, ValueError):
            pass
        return None
