"""Converts events to rows of the journal, and back."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import fields
from operator import attrgetter
from typing import Any

import xxhash

from turboupload.core.model import FileIdentity, Part, PartSource
from turboupload.core.proof.checksum import ALGORITHMS, Digest
from turboupload.core.rate.risk import MEMORY_S
from turboupload.core.records import ETag, ReadSetDetails, ReadSetFiles
from turboupload.core.upload.events import (
    Completed,
    Completing,
    Event,
    Opened,
    Opening,
    PartSeen,
    ReadSetGone,
    StatusSeen,
    UploadGone,
)

__all__ = [
    "JOURNALLED",
    "RATE_OF",
    "believed_rate",
    "read_event",
    "row_checksum",
    "write_event",
]

RATE_OF = "SELECT bytes_per_s, seen FROM link WHERE host = ?"
"""Its rows are for `believed_rate`."""

_MOST_RATE = 1e12
"""No link gives more, in bytes a second."""


def believed_rate(rows: Iterable[tuple[object, object]]) -> float | None:
    """A link's rate that was measured lately, in bytes a second; None if none makes sense."""
    for rate, seen in rows:
        if not isinstance(rate, float) or not isinstance(seen, float):
            continue
        if 0 < rate < _MOST_RATE and abs(time.time() - seen) < MEMORY_S:
            return rate
    return None


def _write_part(event: PartSeen) -> dict[str, Any]:
    part = event.part
    return {
        "part": [part.source, part.number, part.offset, part.size],
        **event.digest.as_hex(),
        "checksum": event.checksum,
    }


def _read_part(body: dict[str, Any]) -> PartSeen:
    source, number, offset, size = body["part"]
    return PartSeen(
        part=Part(PartSource(source), number, offset, size),
        digest=Digest(
            **{name: bytes.fromhex(found) for name in ALGORITHMS if (found := body.get(name))}
        ),
        checksum=body["checksum"],
        origin="journal",
    )


_IDENTITY = attrgetter(*(each.name for each in fields(FileIdentity)))


def _write_identities(identities: Iterable[FileIdentity]) -> list[list[int | None]]:
    return [list(_IDENTITY(each)) for each in identities]


def _read_identities(rows: list[list[int]]) -> tuple[FileIdentity, ...]:
    """Rows of earlier versions have no `ctime_ns`."""
    return tuple(FileIdentity(*row) for row in rows)


def _write_opening(event: Opening) -> dict[str, Any]:
    return {
        "attempt": event.attempt,
        "token": event.token,
        "part_size": event.part_size,
        "checksum": event.checksum,
        "identities": _write_identities(event.identities),
        "known_read_sets": list(event.known_read_sets),
        "started": event.started,
        "known_uploads": list(event.known_uploads),
    }


def _read_opening(body: dict[str, Any]) -> Opening:
    return Opening(
        **{
            **body,
            "identities": _read_identities(body["identities"]),
            "known_read_sets": tuple(body["known_read_sets"]),
            "known_uploads": tuple((each, held) for each, held in body.get("known_uploads", ())),
        }
    )


def _write_opened(event: Opened) -> dict[str, Any]:
    return {
        "upload_id": event.upload_id,
        "adopted": event.adopted,
        "part_size": event.part_size,
        "identities": _write_identities(event.identities),
        "known_read_sets": list(event.known_read_sets),
        "known_uploads": list(event.known_uploads),
    }


def _read_opened(body: dict[str, Any]) -> Opened:
    return Opened(
        **{
            **body,
            "identities": _read_identities(body["identities"]),
            "known_read_sets": tuple(body["known_read_sets"]),
            "known_uploads": tuple((each, held) for each, held in body.get("known_uploads", ())),
        }
    )


def _write_completed(event: Completed) -> dict[str, Any]:
    return {
        "read_set_id": event.read_set_id,
        "adopted": event.adopted,
        "proof": event.proof,
    }


def _write_status(event: StatusSeen) -> dict[str, Any]:
    record = event.record
    return {
        "read_set_id": record.read_set_id,
        "status": record.status,
        "status_message": record.status_message,
        "arn": record.arn,
        "etag": record.etag.as_dict() if record.etag is not None else {},
        "sizes": record.sizes,
        "s3_uris": record.s3_uris,
    }


def _read_status(body: dict[str, Any]) -> StatusSeen:
    known = dict(body)
    sizes = {PartSource(key): value for key, value in known.pop("sizes").items()}
    # Earlier versions didn't keep them.
    s3_uris = {PartSource(key): value for key, value in known.pop("s3_uris", {}).items()}
    etag = ETag.of_members(known.pop("etag"))
    files = ReadSetFiles.of_sizes(sizes, s3_uris)
    return StatusSeen(ReadSetDetails(files=files, etag=etag, **known))


def _write_gone(event: UploadGone) -> dict[str, Any]:
    return {"aborted": event.aborted}


_KINDS: dict[str, tuple[type[Event], Callable[[Any], dict[str, Any]], Callable[[Any], Event]]] = {
    "opening": (Opening, _write_opening, _read_opening),
    "opened": (Opened, _write_opened, _read_opened),
    "part": (PartSeen, _write_part, _read_part),
    "completing": (Completing, lambda _: {}, lambda _: Completing()),
    "completed": (Completed, _write_completed, lambda body: Completed(**body)),
    "status": (StatusSeen, _write_status, _read_status),
    "read set gone": (ReadSetGone, lambda _: {}, lambda _: ReadSetGone()),
    "gone": (UploadGone, _write_gone, lambda body: UploadGone(**body)),
}
_KIND_OF = {kind: name for name, (kind, _, _) in _KINDS.items()}

_ENCODER = json.JSONEncoder(separators=(",", ":"))

JOURNALLED = tuple(_KIND_OF)
"""The events that are recorded; the others are only valid at their moment."""


def write_event(event: Event) -> tuple[str, str]:
    """An event's kind and body, as stored in the journal."""
    kind = _KIND_OF[type(event)]
    return kind, _ENCODER.encode(_KINDS[kind][1](event))


def read_event(kind: str, body: str) -> Event:
    """Parses a row into its event.

    Raises:
        ValueError: The row holds no event.
    """
    try:
        return _KINDS[kind][2](json.loads(body))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not an event of kind {kind!r}: {error!r}") from error


def row_checksum(key: str, seq: int, kind: str, body: str) -> str:
    """A row's checksum, 16 hex digits."""
    return xxhash.xxh3_64_hexdigest(f"{key}\n{seq}\n{kind}\n{body}".encode())
