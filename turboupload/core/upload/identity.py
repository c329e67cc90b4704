"""Names that the same upload always gets: its key here, its client token at the service."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from turboupload.core.model import FileType, ReadSet, Source

__all__ = ["client_token", "upload_key"]


def upload_key(
    *, where: str, store_id: str, read_set: ReadSet, file_type: FileType, sources: Sequence[Source]
) -> str:
    """The key under which this upload is remembered and locked, 32 hex digits.

    The same content under the same metadata for the same store gives the same key, wherever the
    files lie.

    Args:
        where: The endpoint or Region: stores of different services may share an id.
        store_id: The sequence store.
        read_set: The metadata.
        file_type: As found in the file where the read set doesn't say.
        sources: For their content's fingerprints.
    """
    return _digest("key", where, store_id, read_set, file_type, sources, 0)[:32]


def client_token(
    *,
    store_id: str,
    read_set: ReadSet,
    file_type: FileType,
    sources: Sequence[Source],
    attempt: int,
) -> str:
    """The idempotency token of Create, 64 hex digits (the service takes up to 127 characters).

    It covers every parameter of Create, because the service's answer to a known token with other
    parameters is not documented.
    """
    return _digest("token", "", store_id, read_set, file_type, sources, attempt)


def _digest(
    use: str,
    where: str,
    store_id: str,
    read_set: ReadSet,
    file_type: FileType,
    sources: Sequence[Source],
    attempt: int,
) -> str:
    content = {
        "use": use,
        "where": where,
        "store": store_id,
        "name": read_set.name,
        "sample": read_set.sample_id,
        "subject": read_set.subject_id,
        "type": file_type,
        "reference": read_set.reference_arn,
        "generated_from": read_set.generated_from,
        "description": read_set.description,
        "tags": dict(sorted(read_set.tags.items())),
        "content": [[source.size, source.fingerprint] for source in sources],
        "attempt": attempt,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
