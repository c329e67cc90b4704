"""Reads and writes receipt files: atomically, and never over another file."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from turboupload.core.model import ReadSet, Source
from turboupload.core.proof.receipt import FORMAT, Receipt
from turboupload.core.proof.receipt_reading import read_receipt
from turboupload.errors import ConfigError, InputError, IntegrityError, Stopped
from turboupload.paths import unreadable
from turboupload.state.whole_file import try_place, write_whole

__all__ = ["ReceiptTarget", "load_document", "load_receipt", "receipt_text"]

MAX_BYTES = 64 * 1024 * 1024
"""The largest file read as a receipt, in bytes; that of the largest pair has about 8 MB."""


def receipt_text(document: Mapping[str, Any]) -> str:
    """A receipt's document as JSON text."""
    return json.dumps(document, indent=2) + "\n"


def load_receipt(path: str | os.PathLike[str]) -> Receipt:
    """Reads a receipt.

    Raises:
        InputError: The file can't be read, or isn't a receipt.
        IntegrityError: It was changed after it was written.
    """
    name = os.fspath(path)
    return read_receipt(load_document(name), path=name)


def load_document(path: str) -> Any:
    """The JSON of a file that should be a receipt.

    Raises:
        InputError: The file can't be read, or is no JSON.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise InputError(
                    "is not a regular file",
                    path=path,
                    hint="give the receipt's path; what a program prints, write to a file first",
                )
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise unreadable(path, error) from error
    if len(data) > MAX_BYTES:
        raise InputError("is not a receipt of turboupload: it is too large", path=path)
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError("is not a receipt of turboupload: it is not JSON", path=path) from error


class ReceiptTarget:
    """The path of a receipt, checked before the upload.

    An existing file is replaced only if it is a receipt of the same read set in the same store.

    Args:
        path: The file to write.
        store_id: The sequence store.
        read_set: The read set to upload.
        sources: Its files.

    Raises:
        ConfigError: It can't be written there, or would replace another file.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        store_id: str,
        read_set: ReadSet,
        sources: tuple[Source, ...],
    ) -> None:
        # A symbolic link stays: its target is written. (`Path.resolve` would raise at a circle of
        # links; here the path stays as it is, and isn't a regular file.)
        self.path = Path(os.path.realpath(path))
        self._about = {
            "store_id": store_id,
            "name": read_set.name,
            "sample_id": read_set.sample_id,
            "subject_id": read_set.subject_id,
        }
        # A stream's isn't known before its end.
        streamed = any(source.streamed for source in sources)
        self._sizes = None if streamed else [source.size for source in sources]
        obstacle = self._obstacle()
        if obstacle is None:
            try:
                try_place(self.path)
            except OSError as error:
                obstacle = f"can't be written: {error.strerror or error}"
        if obstacle is not None:
            raise ConfigError(
                f"the receipt's place {obstacle}",
                path=str(self.path),
                hint="name another file; nothing was sent",
            )

    def write(self, document: Mapping[str, Any]) -> bool:
        """Writes the receipt atomically; durable when it returns.

        Returns:
            Whether it was written; False if a stronger receipt of the same read set is there.

        Raises:
            Stopped: It can't be written, or another file was put there meanwhile.
        """
        obstacle = self._obstacle()
        if obstacle is not None:
            raise self._unwritable(f"its place {obstacle}")
        if self._is_stronger(document):
            return False
        try:
            write_whole(self.path, receipt_text(document))
        except OSError as error:
            raise self._unwritable(error.strerror or str(error)) from error
        return True

    def _is_stronger(self, document: Mapping[str, Any]) -> bool:
        """Whether the existing file is a stronger receipt of the same read set."""
        try:
            there = load_receipt(self.path)
        except (InputError, IntegrityError):
            return False
        ours = read_receipt(document)
        return (
            there.read_set.get("id") == ours.read_set.get("id") and there.strength > ours.strength
        )

    def _unwritable(self, why: str) -> Stopped:
        return Stopped(
            f"the receipt can't be written: {why}",
            path=str(self.path),
            operation="receipt",
            hint="the journal has it: turboupload receipt show",
        )

    def _obstacle(self) -> str | None:
        """Why the path can't be written, in words; None if it can."""
        try:
            found = self.path.lstat()
        except FileNotFoundError:
            folder = self.path.parent.is_dir()
            return None if folder else "can't be written: there is no such folder"
        except OSError as error:
            return f"can't be written: {error.strerror or error}"
        if not stat.S_ISREG(found.st_mode):
            return "is not a regular file"
        try:
            there = load_document(str(self.path))
        except InputError:
            there = None
        if self._is_ours(there):
            return None
        what = "another read set's receipt" if _is_receipt(there) else "something else"
        return f"is taken: {what} is there"

    def _is_ours(self, there: Any) -> bool:
        """Whether a document is a receipt of these files in this store."""
        if not _is_receipt(there):
            return False
        read_set, files = there.get("read_set"), there.get("files")
        return (
            isinstance(read_set, dict)
            and isinstance(files, list)
            and all(read_set.get(key) == value for key, value in self._about.items())
            and self._sizes
            in (None, [each.get("size") for each in files if isinstance(each, dict)])
        )


def _is_receipt(there: Any) -> bool:
    return isinstance(there, dict) and there.get("format") == FORMAT
