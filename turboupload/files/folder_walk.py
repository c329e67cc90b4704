"""The files of a folder, and those that by their names or kind can be no sequencing data."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from turboupload.core.folders.documents import FASTQ_LIST
from turboupload.core.folders.left_out import REASONS, LeftOut
from turboupload.core.folders.names import aside
from turboupload.core.folders.runs import is_run_folder
from turboupload.core.formats import FORMATS, OTHER_COMPRESSION, type_in_name
from turboupload.errors import InputError
from turboupload.paths import not_utf8, unsearchable

__all__ = ["Walk"]

_GZIP: Final = re.compile(r"\.(?:gz|bgz|bgzf)$", re.IGNORECASE)
# The cycles of older instruments: a folder each, with hundreds of files.
_CYCLE: Final = re.compile(r"C\d+\.\d+")
_MARKS_OF_A_RUN: Final = frozenset(
    {
        "RunInfo.xml",
        FASTQ_LIST,
        "Reports",
        "fastq_path",
        *(f"{form}_{status}" for form in ("fastq", "bam") for status in ("pass", "fail")),
        "pod5",
        "hifi_reads",
        "fail_reads",
    }
)
"""What only a run's folder has in it; `fastq_path` is Cell Ranger's."""


class Walk:
    """Looks through a folder; blocking.

    Args:
        folder: Where.
        recursive: Whether to look into its folders, too. Those of a run are always looked into.
        warn: Called with what can't be looked through, in a sentence.

    Attributes:
        fastq: Gzipped files that are FASTQ by their names.
        others: BAM and CRAM by their names.
    """

    def __init__(self, folder: Path, *, recursive: bool, warn: Callable[[str], None]) -> None:
        self._folder = folder
        self._recursive = recursive
        self._warn = warn
        self._left_out: dict[str, list[str]] = defaultdict(list)
        self.fastq: list[str] = []
        self.others: list[str] = []

    def run(self) -> None:
        """Looks through it.

        Raises:
            InputError: There is no such folder, or it is none.
        """
        for path in sorted(self._files()):
            self._sort(path)

    def leave_out(self, code: str, *paths: str) -> None:
        """Remembers files that become no read set; see `REASONS`."""
        self._left_out[code] += paths

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What was left out, the most important first."""
        return tuple(
            LeftOut(code, tuple(sorted(self._left_out[code])))
            for code in REASONS
            if code in self._left_out
        )

    def _sort(self, path: str) -> None:
        spoken = type_in_name(OTHER_COMPRESSION.sub("", path))
        gzipped = spoken is not None and FORMATS[spoken].gzipped
        if not_utf8(os.path.relpath(path, self._folder)):
            self.leave_out("not-utf8", path)
        elif (code := aside(path)) is not None:
            self.leave_out(code, path)
        elif gzipped and _GZIP.search(path):
            self.fastq.append(path)
        elif gzipped:
            self.leave_out("not-gzipped", path)
        elif spoken is None or OTHER_COMPRESSION.search(path):
            self.leave_out("other", path)
        else:
            self.others.append(path)

    def _files(self) -> Iterator[str]:
        """Every file below, without recursion: folders may be deeper than Python's stack."""
        found = self._entries(self._folder)
        self._recursive |= is_run_folder(self._folder.name) or any(
            each.name in _MARKS_OF_A_RUN for each in found
        )
        while found:
            entry = found.pop()
            if entry.is_dir(follow_symlinks=False):
                if _CYCLE.fullmatch(entry.name):
                    self.leave_out("bcl", entry.path)
                elif self._recursive:
                    found += self._entries(Path(entry.path))
                else:
                    self.leave_out("folders", entry.path)
            elif size := _size(entry):
                yield entry.path
            elif aside(entry.path) is None:
                # A run's own marks, such as RTAComplete.txt, are always empty.
                meant = type_in_name(entry.name) is not None
                code = "empty" if meant else "other"
                self.leave_out(code if size == 0 else "no-file", entry.path)

    def _entries(self, folder: Path) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                return [entry for entry in entries if not entry.name.startswith(".")]
        except NotADirectoryError as error:
            raise InputError(
                "is a file, not a folder",
                path=str(folder),
                hint="`turboupload upload` takes one or two files",
            ) from error
        except OSError as error:
            if folder == self._folder:
                raise unsearchable(str(folder), error) from error
            self.leave_out("unseen", str(folder))
            self._warn(f"{folder} can't be searched: {error.strerror}")
            return []


def _size(entry: os.DirEntry[str]) -> int | None:
    """A file's size in bytes; None where it is no file, or gone."""
    try:
        return entry.stat().st_size if entry.is_file() else None
    except OSError:
        return None
