"""Looks for runs in a folder that is watched: which there are, what ends them, are they at rest?"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from turboupload.core.watch.sentinels import SENTINELS, Sentinel, sentinel_for
from turboupload.errors import InputError
from turboupload.paths import unreadable
from turboupload.value import Value

__all__ = ["FoundRun", "find_runs", "network_file_system", "require_over", "snapshot", "written_ns"]

DEPTH: Final = 4
"""How deep runs are looked for: MinKNOW's are in experiment/sample/run."""

_MOUNTS: Final = Path("/proc/self/mounts")
_NETWORK: Final = ("nfs", "cifs", "smb", "9p", "afs", "ceph", "lustre", "gpfs", "beegfs", "fuse")


class FoundRun(Value, frozen=True):
    """A folder that is a run, or may become one.

    Attributes:
        run: Below the one that is watched, with `/`.
        path: Where it is.
        sentinel: The file that ended it, below `path`; empty while there is none.
        sentinel_ns: When that was written, in nanoseconds since the epoch; 0 without one.
    """

    run: str
    path: str
    sentinel: str = ""
    sentinel_ns: int = 0


Wanted = Callable[[str], Sequence[Sentinel] | None]
"""The sentinels of a folder, by its name below the one that is watched: none where it must only be
at rest, None where it is left alone."""


def find_runs(folder: str, wanted: Wanted) -> list[FoundRun]:
    """Every run in a folder, the longest ended first; and what may become one.

    A folder with a sentinel is a run, and is not looked into any further. One directly in the
    folder that has no run in it may become one.

    Args:
        folder: The one that is watched.
        wanted: Which sentinels end which folder.

    Raises:
        InputError: The folder can't be read.
    """
    found: list[FoundRun] = []
    for path in _folders(folder, strict=True):
        name = os.path.basename(path)  # noqa: PTH119 - as it is written
        runs = list(_runs_in(path, name, wanted, DEPTH))
        if not runs and wanted(name) is not None:
            runs = [FoundRun(name, path)]
        found += runs
    return sorted(found, key=lambda each: (each.sentinel_ns, each.run))


def _runs_in(path: str, run: str, wanted: Wanted, depth: int) -> Iterator[FoundRun]:
    sentinels = wanted(run)
    if sentinels is not None:
        if (sentinel := _sentinel(path, sentinels)) is not None:
            yield FoundRun(run, path, *sentinel)
            return
        if not sentinels or (sentinels is SENTINELS and _is_illumina(path)):
            return
    if depth > 1:
        for inner in _folders(path):
            name = os.path.basename(inner)  # noqa: PTH119 - as above
            yield from _runs_in(inner, f"{run}/{name}", wanted, depth - 1)


def _sentinel(path: str, wanted: Sequence[Sentinel]) -> tuple[str, int] | None:
    """The foremost sentinel that a folder has, and when it was written."""
    found: list[tuple[int, str]] = []
    for inside in dict.fromkeys(each.inside for each in wanted):
        at = os.path.join(path, inside) if inside else path  # noqa: PTH118 - as above
        names = [entry.name for entry in _entries(at) if _is_file(entry)]
        if (first := sentinel_for(names, inside, wanted)) is not None:
            rank, name = first
            found.append((rank, f"{inside}/{name}" if inside else name))
    for _, file in sorted(found):
        if (when := written_ns(os.path.join(path, file))) is not None:  # noqa: PTH118 - as above
            return file, when
    return None


def _is_illumina(path: str) -> bool:
    """Whether a folder is an Illumina run that is still written, with thousands of folders."""
    return os.path.exists(os.path.join(path, "RunInfo.xml"))  # noqa: PTH110, PTH118 - as above


def written_ns(path: str) -> int | None:
    """When a file was written, in nanoseconds since the epoch; None where it isn't there."""
    try:
        return os.stat(path).st_mtime_ns  # noqa: PTH116 - as above
    except OSError:
        return None


def require_over(path: str) -> None:
    """Makes sure that no analysis of an Illumina run is at work in its folder.

    The instrument's sentinel says that the base calls are there. The reads are made of them
    afterwards, each analysis in a folder of its own, which has a CopyComplete.txt in the end; BCL
    Convert has its Logs, and FastqComplete.txt in the end.

    Raises:
        InputError: One is.
    """
    root = Path(path)
    for analysis in sorted(_folders(os.path.join(path, "Analysis"))):  # noqa: PTH118 - as above
        if not Path(analysis, "CopyComplete.txt").exists():
            name = os.path.basename(analysis)  # noqa: PTH119 - as above
            raise InputError(f"its Analysis/{name} has no CopyComplete.txt yet", path=path)
    if (root / "Logs/Info.log").exists() and not (root / "Logs/FastqComplete.txt").exists():
        raise InputError("BCL Convert's Logs have no FastqComplete.txt yet", path=path)


def _entries(path: str, *, strict: bool = False) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            return list(entries)
    except OSError as error:
        if strict:
            raise unreadable(path, error) from error
        return []


def _folders(path: str, *, strict: bool = False) -> list[str]:
    return sorted(
        entry.path
        for entry in _entries(path, strict=strict)
        if not entry.name.startswith(".") and _is_folder(entry, links=strict)
    )


def _is_folder(entry: os.DirEntry[str], *, links: bool) -> bool:
    try:
        return entry.is_dir(follow_symlinks=links)
    except OSError:
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False


def snapshot(paths: Iterable[str]) -> str:
    """A digest of the state of files; it changes when one of them, or a file beside them, does.

    Nothing in it is compared with a clock of ours, since those of file servers differ.

    Raises:
        InputError: One of them is gone.
    """
    digest = hashlib.sha256()
    names = sorted(paths)
    for name in [*names, *sorted({os.path.dirname(each) for each in names})]:  # noqa: PTH120
        try:
            found = os.stat(name)  # noqa: PTH116 - a Path for each of many files
        except OSError as error:
            raise InputError(f"is gone: {error.strerror}", path=name) from error
        digest.update(os.fsencode(name))
        digest.update(f" {found.st_size} {found.st_mtime_ns} {found.st_ino}\n".encode())
    return digest.hexdigest()


def network_file_system(folder: str) -> str | None:
    """The kind of file system of a folder, if it doesn't report changes by other machines.

    Returns:
        Such as `nfs4`; None where it is a local one, or that can't be found out.
    """
    try:
        lines = _MOUNTS.read_text(errors="replace").splitlines()
    except OSError:
        return None
    place = os.path.realpath(folder) + "/"
    best = ("", "")
    for line in lines:
        words = line.split()
        if len(words) < 3:
            continue
        mount = words[1].replace("\\040", " ").rstrip("/") + "/"
        if place.startswith(mount) and len(mount) >= len(best[0]):
            best = (mount, words[2])
    return best[1] if best[1].startswith(_NETWORK) else None
