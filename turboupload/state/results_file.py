"""The results of a sheet's rows in a file that is whole at every moment."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from turboupload.core.next_step import (
    NF_CORE_HEAD,
    RESULTS_FORMATS,
    RUN_SETTINGS_HEAD,
    ResultsFormat,
    as_nf_core,
    as_run_settings,
)
from turboupload.core.rows import RowResult, as_csv, as_json
from turboupload.errors import ConfigError

__all__ = ["ResultsFile"]

_Form = Callable[[Sequence[RowResult]], str]
_BY_NAME: Final[Mapping[str, _Form]] = MappingProxyType({".csv": as_csv, ".json": as_json})
_FORMS: Final[Mapping[str, tuple[str, _Form]]] = MappingProxyType(
    {"nf-core": (".csv", as_nf_core), "healthomics-run": (".json", as_run_settings)}
)

_HEAD_BYTES: Final = 64
_RESULTS: Final = re.compile(
    rb'row,name,sample,status|\[\s*(\{"row": |\]\s*$)|' + NF_CORE_HEAD + b"|" + RUN_SETTINGS_HEAD
)
"""What results begin with, in either form; results of no rows are only brackets."""


class ResultsFile:
    """A file of results, CSV or JSON by its name, or in the form that the next step takes.

    Each writing makes a new file beside it and renames that, so that readers see the rows
    of one moment, whatever happens to us meanwhile.

    Args:
        path: Where; `.csv` or `.json`.
        form: What is written: `nf-core`, a sample sheet (`.csv`); `healthomics-run`, what
            StartRunBatch takes (`.json`); None a line or object for each row.

    Raises:
        ConfigError: The name says neither, or doesn't fit the form, or a file is there that holds
            no results.
    """

    def __init__(self, path: str | os.PathLike[str], form: ResultsFormat | None = None) -> None:
        self.path = Path(path)
        self.form = form
        ending = self.path.suffix.lower()
        if form is not None:
            wanted, self._form = _form_of(form)
            if ending != wanted:
                raise ConfigError(
                    f"results for {form} are {wanted[1:].upper()}",
                    path=str(self.path),
                    hint=f"end the file's name in {wanted}",
                )
        elif ending in _BY_NAME:
            self._form = _BY_NAME[ending]
        else:
            raise ConfigError(
                "results are written as CSV or JSON",
                path=str(self.path),
                hint="end the file's name in .csv or .json",
            )
        self._refuse_others()

    def _refuse_others(self) -> None:
        """Refuses to be written over anything but earlier results.

        Raises:
            ConfigError: Something else is there.
        """
        try:
            if not self.path.exists():
                return
            what = "is not a regular file"
            if self.path.is_file():
                with self.path.open("rb") as file:
                    head = file.read(_HEAD_BYTES)
                if not head or _RESULTS.match(head):
                    return
                what = "does not hold results of turboupload"
        except (OSError, ValueError):
            return  # the writing says what is wrong
        raise ConfigError(
            f"exists already and {what}, so it is not replaced",
            path=str(self.path),
            hint="name another file with --results",
        )

    def keep_off(self, sheet: str | os.PathLike[str]) -> None:
        """Refuses to be written over the sheet that the rows come from.

        Raises:
            ConfigError: They are one file.
        """
        try:
            same = self.path.samefile(sheet)
        except (OSError, ValueError):
            return  # one of them isn't there, or is no file at all: the writing says what is wrong
        if same:
            raise ConfigError(
                "the results would take the sheet's place",
                path=str(self.path),
                hint="name another file with --results",
            )

    def write(self, rows: Sequence[RowResult]) -> None:
        """Writes all rows; blocking.

        Raises:
            ConfigError: The file can't be written.
        """
        # Of our own, so that two runs of one sheet don't write into each other's.
        beside = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        try:
            # A file's name may be no text at all, and messages have it as it is.
            with beside.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
                file.write(self._form(rows))
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self.path)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"the results can't be written: {getattr(error, 'strerror', None) or error}",
                path=str(self.path),
                hint="name another file with --results",
            ) from error


def _form_of(form: str) -> tuple[str, _Form]:
    """The ending and the writer of a form.

    Raises:
        ConfigError: There is no such form.
    """
    if form not in _FORMS:
        raise ConfigError(
            f"{form!r} is not a format of results", hint=f"use one of {', '.join(RESULTS_FORMATS)}"
        )
    return _FORMS[form]
