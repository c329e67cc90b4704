"""Parses a receipt's document: checks its form, its digest and its consistency."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from turboupload.core.model import FileIdentity, PartSource
from turboupload.core.proof.checksum import ALGORITHMS, Digest
from turboupload.core.proof.manifest import Compared
from turboupload.core.proof.receipt import (
    FORMAT,
    MERGED_VERSION,
    VERSION,
    ChainLink,
    Comparison,
    FileRecord,
    PartRecord,
    Receipt,
    RecordedFile,
    own_digest,
)
from turboupload.errors import InputError, IntegrityError

__all__ = ["read_receipt"]

_SOURCES = ([PartSource.SOURCE1], [PartSource.SOURCE1, PartSource.SOURCE2])

_HEX = re.compile(r"(?:[0-9a-f]{2})+")


def read_receipt(document: Any, *, path: str | None = None) -> Receipt:
    """Parses a receipt's document.

    Args:
        document: The parsed JSON.
        path: The file it came from, for errors.

    Raises:
        InputError: It isn't a receipt, or has an unknown version.
        IntegrityError: It was changed after it was written, or contradicts itself.
    """
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise InputError("is not a receipt of turboupload", path=path)
    if document.get("version") not in (VERSION, MERGED_VERSION):
        raise InputError(
            f"is a receipt of version {document.get('version')}; {VERSION} and {MERGED_VERSION} "
            "are known here",
            path=path,
            hint="use the version of turboupload that wrote it",
        )
    if document.get("receipt_sha256") != own_digest(document):
        raise _changed("its digest isn't that of its content", path)
    try:
        receipt = _read(document)
        trees = [each["sha256_tree"] for each in document["files"]]
        claim = (document["proven"], tuple(document["proven_by"]))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"its form is not that of a receipt: {error!r}", path=path) from error
    for record, tree in zip(receipt.files, trees, strict=True):
        _check_parts(record, receipt.part_size, path)
        if record.tree != tree:
            raise _changed(f"the tree of {record.name} isn't that of its parts", path)
    # Don't compare the statement: another version may word it differently, and the digest covers
    # it.
    verdict = receipt.verdict
    if (verdict.proven, verdict.by) != claim:
        raise _changed("it claims what its comparisons don't prove", path)
    return receipt


def _changed(how: str, path: str | None) -> IntegrityError:
    return IntegrityError(
        f"the receipt was changed after it was written: {how}",
        path=path,
        hint="the journal may have it: turboupload receipt show READSET",
    )


def _read(document: Mapping[str, Any]) -> Receipt:
    times = document["times"]
    files = tuple(_read_file(each) for each in _list(document["files"]))
    if [each.source for each in files] not in _SOURCES:
        raise ValueError("its files are neither one nor a pair")
    if any(len(each.files) > 1 for each in files) != (document["version"] == MERGED_VERSION):
        raise ValueError("its version isn't that of its files")
    return Receipt(
        file_type=_text(document["file_type"]),
        files=files,
        part_size=_count(document["part_size"]),
        read_set=_read_read_set(document["read_set"]),
        comparisons=tuple(_read_comparison(each) for each in _list(document["comparisons"])),
        began=_text(times["began"]),
        ended=_text(times["ended"]),
        versions=dict(document["versions"]),
        manifest=tuple(Compared.of_dict(each) for each in _list(document.get("manifest", []))),
        link=_read_link(document["chain"]) if "chain" in document else None,
    )


def _read_read_set(row: Any) -> dict[str, Any]:
    about = dict(row)
    for key in ("id", "store_id", "service", "status", "name", "sample_id", "subject_id"):
        _text_or_none(about.get(key))
    if not isinstance(about.get("etag"), Mapping | None):
        raise TypeError(f"{about['etag']!r} is no ETag")
    return about


def _read_link(row: Mapping[str, Any]) -> ChainLink:
    link = ChainLink(**row)
    _text(link.chain)
    if _count(link.number) < 1:
        raise ValueError(f"{link.number!r} is no place in a chain")
    _text_or_none(link.previous)
    return link


def _read_comparison(row: Mapping[str, Any]) -> Comparison:
    comparison = Comparison(**row)
    _text(comparison.subject)
    _text(comparison.outcome)
    _text(comparison.sentence)
    if not isinstance(comparison.proof, bool):
        raise TypeError(f"{comparison.proof!r} is neither true nor false")
    return comparison


def _read_file(row: Mapping[str, Any]) -> FileRecord:
    if not isinstance(row, Mapping):
        raise TypeError(f"{row!r} is no object")
    merged = row.get("merged")
    files = tuple(_read_place(each) for each in ([row] if merged is None else _list(merged)))
    if merged is not None and (len(files) < 2 or _count(row["size"]) != _size(files)):
        raise ValueError("its size isn't that of its merged files")
    return FileRecord(
        source=PartSource(row["source"]),
        files=files,
        parts=tuple(_read_part(each) for each in _list(row["parts"])),
        sha256=_text_or_none(row["sha256"]),
        etag=_text_or_none(row["etag"]),
    )


def _read_place(row: Mapping[str, Any]) -> RecordedFile:
    identity = row["identity"]
    return RecordedFile(
        path=_path(row["path"]),
        identity=FileIdentity(
            device=_whole(identity["device"]),
            inode=_whole(identity["inode"]),
            size=_count(row["size"]),
            mtime_ns=_whole(identity["mtime_ns"]),
        ),
        sha256=_text_or_none(row["sha256"]),
    )


def _size(files: Sequence[RecordedFile]) -> int:
    return sum(file.identity.size for file in files)


def _read_part(row: Mapping[str, Any]) -> PartRecord:
    return PartRecord(
        number=_count(row["number"]),
        offset=_count(row["offset"]),
        size=_count(row["size"]),
        digest=Digest(
            **{name: _bytes(row[name]) for name in ALGORITHMS if row.get(name) is not None}
        ),
        service_checksum=_text_or_none(row["service_checksum"]),
    )


def _check_parts(record: FileRecord, part_size: int, path: str | None) -> None:
    """Checks that the parts are the whole source, in order, or that there are none."""
    position = 0
    for number, part in enumerate(record.parts, start=1):
        size = min(part_size, record.size - position)
        if (part.number, part.offset, part.size) != (number, position, size):
            raise _changed(f"part {part.number} of {record.name} is out of place", path)
        position += size
    if record.parts and position != record.size:
        raise _changed(f"the parts of {record.name} aren't all of it", path)


def _list(value: Any) -> Sequence[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is no list")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _text_or_none(value: Any) -> str | None:
    return None if value is None else _text(value)


def _path(value: Any) -> str:
    path = _text(value)
    if "\0" in path:
        raise ValueError(f"{path!r} is no path")
    path.encode(errors="surrogateescape")  # else it is no file's either, and this raises
    return path


def _whole(value: Any) -> int:
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is no whole number")
    return int(value)


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"{value!r} is no count")
    return value


def _bytes(value: Any) -> bytes:
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise ValueError(f"{value!r} is not hexadecimal")
    return bytes.fromhex(value)
