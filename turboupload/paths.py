"""What is known of a path without opening it, and why it can't be read."""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from itertools import islice
from pathlib import Path

from turboupload.errors import InputError, Stopped
from turboupload.runtime.exhaustion import used_up

__all__ = ["not_utf8", "regular_size", "special", "unreadable", "unsearchable"]

_PATTERN = re.compile(r"[*?\[]")
"""What a shell would have replaced by the names of files."""

_BETWEEN = re.compile(r"[,;\s]+")

_MOST_LOOKED_AT = 10_000
"""Entries of a folder, in search of a name that is alike."""

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")


def regular_size(path: str | os.PathLike[str]) -> int:
    """The size in bytes of a file that can be read; never opens anything that could hang.

    Raises:
        InputError: There is no such file, or it is a folder, FIFO, device or socket, or it can't
            be read.
    """
    name = os.fspath(path)
    try:
        status = Path(path).stat()
    except FileNotFoundError:
        if (scheme := _URL.match(name)) is not None:
            raise _not_here(name, scheme[1].lower()) from None
        dangling = Path(path).is_symlink()
        message = "is a link to a file that does not exist" if dangling else "no such file"
        hint = "check the path" if dangling else _where_it_may_be(name)
        raise InputError(message, path=name, hint=hint) from None
    except (OSError, ValueError) as error:
        raise unreadable(name, error) from error
    instead = special(status.st_mode)
    if instead is not None:
        raise InputError(f"is {instead[0]}, not a file", path=name, hint=instead[1])
    if not os.access(path, os.R_OK, effective_ids=True):
        raise InputError("permission denied", path=name, hint="check who may read it")
    return status.st_size


def _where_it_may_be(name: str) -> str:
    """What to do about a path at which there is nothing."""
    if _PATTERN.search(name):
        return "no file fits this pattern, so the shell left it as it is: check the folder"
    turned = name.replace("\\", "/")
    if turned != name:
        found = f"give {turned}" if _is_file(turned) else "name the folder as it is mounted here"
        return f"a path on Linux has / between its folders, and no drive letter: {found}"
    several = [each for each in _BETWEEN.split(name) if each]
    if len(several) > 1 and all(map(_is_file, several)):
        return f"these are several files, each an argument of its own: {' '.join(several)}"
    from difflib import get_close_matches  # needed for a mistake alone

    folder, last = os.path.split(name)
    try:
        with os.scandir(folder or ".") as entries:
            names = [each.name for each in islice(entries, _MOST_LOOKED_AT)]
    except OSError:
        return f"check the path: there is no folder {folder}"
    if alike := get_close_matches(last, names, n=1, cutoff=0.7):
        return f"check the path: did you mean {os.path.join(folder, alike[0])}?"  # noqa: PTH118 - as it was written
    if os.path.isabs(name):  # noqa: PTH117 - the same
        return "check the path"
    return f"check the path: it begins in the folder {Path.cwd()}"


def _is_file(path: str) -> bool:
    with suppress(OSError, ValueError):
        return Path(path).is_file()
    return False


def _not_here(name: str, scheme: str) -> InputError:
    """The error for a URL where a file is expected."""
    if scheme == "s3":
        hint = "`turboupload import` has the service read it there"
        return InputError("is in S3, not on this machine", path=name, hint=hint)
    hint = "give its path" if scheme == "file" else "fetch it first: a file is read more than once"
    return InputError("is a URL, not the path of a file", path=name, hint=hint)


def not_utf8(path: str) -> bool:
    """Whether a path has bytes that are not UTF-8, which Python keeps as surrogates."""
    return any("\ud800" <= each <= "\udfff" for each in path)


def unreadable(name: str, error: OSError | ValueError) -> InputError | Stopped:
    """The error for a file that can't be read; a limit of this machine is no fault of the file."""
    if isinstance(error, PermissionError):
        return InputError("permission denied", path=name, hint="check who may read it")
    if isinstance(error, NotADirectoryError):
        if os.path.exists(name):  # noqa: PTH110 - never raises
            hint = "name the folder that it is in"
            return InputError("is a file, not a folder", path=name, hint=hint)
        return InputError("no such file", path=name, hint="a part of the path is not a folder")
    if (what := used_up(error)) is not None:
        return Stopped(
            f"can't be read: {what}", path=name, operation="read", hint="raise that limit"
        )
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return InputError(f"can't be read: {reason}", path=name, hint="check the path and the disk")


def unsearchable(folder: str, error: OSError) -> InputError:
    """The error for a folder that can't be looked through."""
    if isinstance(error, FileNotFoundError):
        return InputError("no such folder", path=folder, hint=_where_it_may_be(folder))
    return InputError(f"can't be searched: {error.strerror}", path=folder)


def special(mode: int) -> tuple[str, str] | None:
    """What a path is that isn't a regular file, with a hint; None for a regular file."""
    stream = "write the data to a file first: a resumable upload must be able to read it again"
    if stat.S_ISREG(mode):
        return None
    if stat.S_ISDIR(mode):
        return "a folder", (
            "name the files in it, or let `turboupload sheet FOLDER` write a sheet of them for "
            "`turboupload batch`"
        )
    if stat.S_ISFIFO(mode):
        return "a named pipe", stream
    if stat.S_ISSOCK(mode):
        return "a socket", stream
    return "a device", stream
