"""Every file under folders: sequencing files, others, and what can't be looked at."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from msgspec import Struct, field

from turboupload.core.formats import OTHER_COMPRESSION, type_in_name
from turboupload.core.model import FileIdentity
from turboupload.core.proof.known_files import SeenFile
from turboupload.paths import unsearchable

__all__ = ["FolderScan", "is_sequencing_file", "scan_folders"]

_RAW: Final = re.compile(r"\.(?:pod5|fast5|[bs]low5|ora|sra)$", re.IGNORECASE)
"""Reads in formats that the service doesn't take: they are never in a store."""

_BLOCK: Final = 512
"""The unit of `st_blocks`, in bytes, whatever the file system's blocks are."""


def is_sequencing_file(path: str) -> bool:
    """Whether a file's name says that it has reads."""
    return (
        type_in_name(OTHER_COMPRESSION.sub("", path)) is not None or _RAW.search(path) is not None
    )


class FolderScan(Struct):
    """What is under the folders.

    Attributes:
        files: The sequencing files, and those that a receipt names.
        unread: What couldn't be looked at, each with the reason.
        other_files: How many other files there are.
        other_bytes: Their sizes together.
        links: How many symbolic links there are; they aren't followed.
    """

    files: list[SeenFile] = field(default_factory=list)
    unread: list[tuple[str, str]] = field(default_factory=list)
    other_files: int = 0
    other_bytes: int = 0
    links: int = 0


def scan_folders(folders: Iterable[str], is_named: Callable[[str], bool]) -> FolderScan:
    """Looks through folders and all that is in them, hidden files too; it blocks.

    Args:
        folders: Folders, or files; one inside another is looked through once.
        is_named: Whether a receipt names a path without symbolic links; such files are looked at
            whatever they are called.

    Raises:
        InputError: A folder doesn't exist, or can't be looked through at all.
    """
    scan, done = FolderScan(), set[str]()
    for folder in folders:
        _check(folder)
        for path, real_path, found in _walk(folder, os.path.realpath(folder), scan):
            if real_path in done:
                continue
            done.add(real_path)
            if stat.S_ISLNK(found.st_mode):
                scan.links += 1
            elif not stat.S_ISREG(found.st_mode):
                continue
            elif is_sequencing_file(path) or is_named(real_path):
                scan.files.append(_seen(path, real_path, found))
            else:
                scan.other_files += 1
                scan.other_bytes += found.st_size
    scan.files.sort(key=lambda each: each.path)
    return scan


def _check(folder: str) -> None:
    try:
        if stat.S_ISDIR(os.stat(folder).st_mode):  # noqa: PTH116 - a folder may be bare text
            os.scandir(folder).close()
    except OSError as error:
        raise unsearchable(folder, error) from error


def _walk(path: str, real_path: str, scan: FolderScan) -> Iterator[tuple[str, str, os.stat_result]]:
    """Every file below, without recursion: folders may be deeper than Python's stack."""
    found = os.stat(path)  # noqa: PTH116 - as above
    if not stat.S_ISDIR(found.st_mode):
        yield path, real_path, found
        return
    left = [(path, real_path)]
    while left:
        folder, real = left.pop()
        try:
            with os.scandir(folder) as entries:
                listed = list(entries)
        except OSError as error:
            scan.unread.append((folder, error.strerror or str(error)))
            continue
        for entry in listed:
            inside = os.path.join(real, entry.name)  # noqa: PTH118 - a Path costs more than the stat
            try:
                found = entry.stat(follow_symlinks=False)
            except OSError as error:
                scan.unread.append((entry.path, error.strerror or str(error)))
                continue
            if stat.S_ISDIR(found.st_mode):
                left.append((entry.path, inside))
            else:
                yield entry.path, inside, found


def _seen(path: str, real_path: str, found: os.stat_result) -> SeenFile:
    return SeenFile(
        path,
        real_path,
        FileIdentity.of(found),
        links=found.st_nlink,
        allocated=found.st_blocks * _BLOCK,
    )
