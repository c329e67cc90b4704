"""Receipts in files and folders, as `--receipt` wrote them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from turboupload.core.proof.chain import ChainFault
from turboupload.core.proof.receipt_reading import read_receipt
from turboupload.errors import InputError, IntegrityError
from turboupload.paths import unreadable
from turboupload.state.receipt_file import load_document

__all__ = ["load_receipts"]


def load_receipts(paths: Sequence[str]) -> tuple[list[tuple[str, Any]], list[ChainFault]]:
    """The receipts of files that can be believed, as documents, and what is wrong with others.

    Args:
        paths: Files; or folders, in which every file that ends in `.json` and is a receipt counts.

    Raises:
        InputError: A path doesn't exist or can't be read, or is a file and no receipt.
    """
    found: list[tuple[str, Any]] = []
    faults: list[ChainFault] = []
    for path in _files(paths):
        try:
            document = load_document(path)
            read_receipt(document, path=path)
        except IntegrityError as error:
            faults.append(ChainFault(None, path, None, error.message))
        except InputError:
            if path in paths:
                raise
        else:
            found.append((path, document))
    return found, faults


def _files(paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        if not Path(path).is_dir():
            yield path
            continue
        try:
            # That a name is a file's can't be told either where a folder mayn't be searched.
            names = sorted(each for each in Path(path).rglob("*.json") if each.is_file())
        except OSError as error:
            raise unreadable(path, error) from error
        yield from map(str, names)
