"""Sample sheets from files: bytes to text in the encodings that people's programs write."""

from __future__ import annotations

import codecs
import dataclasses
import os
import shlex
import sys
from collections.abc import Iterable
from os.path import expanduser
from pathlib import Path
from typing import Final

from turboupload.core.sheet.columns import field_of, is_fastq_list
from turboupload.core.sheet.model import Sheet, SheetDefaults, SheetRow
from turboupload.core.sheet.reading import parse_sheet
from turboupload.core.sheet.records import read_records
from turboupload.errors import ConfigError, InputError
from turboupload.files.run_documents import RunDocuments
from turboupload.paths import regular_size

__all__ = ["STDIN", "holds_fastq_list", "read_sheet", "relative_to", "write_new"]

STDIN: Final = "-"
"""Instead of a path: the sheet comes through standard input."""

_MAX_BYTES: Final = 64 * 1024 * 1024
"""Some 300,000 rows. What is larger is hardly a sheet, and would be read into memory whole."""

_DESCRIPTORS: Final = ("/dev", "/dev/fd", "/proc/self/fd")
"""Folders of `/dev/stdin` and `<(…)`, in which no file of a sheet is."""


def read_sheet(path: str | os.PathLike[str], defaults: SheetDefaults | None = None) -> Sheet:
    """Reads a sheet: CSV with commas, semicolons or tabs, JSON lines or a JSON array.

    Relative paths in it are taken from the sheet's folder; from the working folder where the sheet
    comes through standard input, or through `<(…)` of a shell.

    Args:
        path: The file, or `-`.
        defaults: What holds for every row that doesn't say otherwise.

    Returns:
        The rows, and everything that was found, errors included.

    Raises:
        InputError: The file can't be read, or is no text.
    """
    name = os.fspath(path)
    if name == STDIN:
        return _parsed(_text(_stdin(), "standard input"), defaults)
    # A pipe such as `<(…)` of a shell is as good as a file.
    if Path(name).is_dir():
        raise InputError(
            "is a folder, not a sheet",
            path=name,
            operation="read sheet",
            hint=f"`turboupload sheet {shlex.quote(name)}` writes a sheet of the files in it",
        )
    data = _read(Path(name), name) if _is_pipe(name) else _read_regular(name)
    folder = os.path.dirname(name)  # noqa: PTH120 - Path would write ./ away, and the folder is put before paths as it is
    if folder in _DESCRIPTORS:
        folder = ""
    return _parsed(_text(data, name), defaults, folder)


def _parsed(text: str, defaults: SheetDefaults | None, folder: str = "") -> Sheet:
    run_of = RunDocuments().run
    return parse_sheet(text, defaults, folder=folder, expand=expanduser, run_of=run_of)


def holds_fastq_list(path: str) -> bool:
    """Whether a file is a list of FASTQs as BCL Convert and DRAGEN write it."""
    try:
        if not Path(path).is_file():
            return False
        return is_fastq_list(read_records(_text(_read_regular(path), path)).columns)
    except (InputError, OSError, ValueError):
        return False


def relative_to(rows: Iterable[SheetRow], path: str) -> tuple[SheetRow, ...]:
    """The rows with paths relative to a sheet's folder.

    Args:
        rows: With absolute paths.
        path: Where the sheet will be.
    """
    folder = Path(path).absolute().parent

    def seen_from_there(path: str) -> str:
        return _plain(os.path.relpath(path, folder))

    return tuple(
        dataclasses.replace(
            row,
            sources=tuple(
                seen_from_there(source)
                if isinstance(source, str)
                else tuple(map(seen_from_there, source))
                for source in row.sources
            ),
        )
        for row in rows
    )


def _plain(path: str) -> str:
    """A relative path that means itself: a blank would be stripped, a tilde a home."""
    return f"./{path}" if path.startswith("~") or path != path.lstrip() else path


def write_new(path: str, text: str, *, overwrite: bool) -> None:
    """Writes a sheet to a file.

    Args:
        path: Where.
        text: The sheet.
        overwrite: Whether a sheet that is there may be replaced; nothing else ever is.

    Raises:
        ConfigError: It is there already, or can't be written.
    """
    target = Path(path)
    if overwrite and target.exists() and not _holds_sheet(path):
        raise ConfigError(
            "exists already and is not a sample sheet, so it is not replaced",
            path=path,
            hint="name another file",
        )
    try:
        if overwrite:
            beside = target.with_name(f".{target.name}.part")
            beside.write_text(text, encoding="utf-8", newline="")
            beside.replace(target)
        else:
            with target.open("x", encoding="utf-8", newline="") as file:
                file.write(text)
    except FileExistsError:
        raise ConfigError(
            "is there already", path=path, hint="name another file, or add --overwrite"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"can't be written: {reason}", path=path) from error


def _holds_sheet(path: str) -> bool:
    """Whether a file is empty, or has columns of a sheet."""
    try:
        text = _text(_read_regular(path), path)
    except InputError:
        return False
    columns = read_records(text).columns
    return not text.strip() or any(field_of(column) for column in columns)


def _is_pipe(name: str) -> bool:
    try:
        return Path(name).is_fifo()
    except (OSError, ValueError):
        return False


def _stdin() -> bytes:
    if sys.stdin is None or sys.stdin.isatty():
        raise InputError(
            "nothing comes through standard input",
            operation="read sheet",
            hint="pipe the sheet in, or give its path",
        )
    return sys.stdin.buffer.read(_MAX_BYTES + 1)


def _read_regular(name: str) -> bytes:
    size = regular_size(name)
    if size > _MAX_BYTES:
        raise _too_large(name)
    return _read(Path(name), name)


def _read(path: Path, name: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise InputError(
            f"can't be read: {error.strerror}", path=name, operation="read sheet"
        ) from error


def _text(data: bytes, name: str) -> str:
    if len(data) > _MAX_BYTES:
        raise _too_large(name)
    if data.startswith(b"PK\x03\x04"):
        raise InputError(
            "is an Excel workbook (or another zip file), not a text",
            path=name,
            operation="read sheet",
            hint="save it as CSV UTF-8",
        )
    if data.startswith((b"\x1f\x8b", b"CRAM")):
        raise InputError(
            "is a sequencing file, or another compressed one, and not a sheet",
            path=name,
            operation="read sheet",
            hint="`turboupload upload` takes one or two files; `turboupload sheet FOLDER` writes "
            "a sheet of many",
        )
    encoding = _encoding(data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"is not {encoding.upper().removesuffix('-SIG')} text: line {line} has other bytes",
            path=name,
            operation="read sheet",
            hint="save it as CSV UTF-8",
        ) from None
    if "\0" in text[:4096]:
        raise InputError("is not text", path=name, operation="read sheet", hint="give a CSV file")
    return text


def _encoding(data: bytes) -> str:
    """By the mark at the beginning; Excel's "Unicode text" is UTF-16 with one."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    return "utf-8-sig"


def _too_large(name: str) -> InputError:
    return InputError(
        "is too large for a sample sheet (over 64 MiB)",
        path=name,
        operation="read sheet",
        hint="give a CSV file with a row for each read set",
    )
