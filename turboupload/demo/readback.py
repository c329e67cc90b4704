"""Reads a read set back with GetReadSet and compares it with the files it was made from.

A FASTQ comes back byte for byte. HealthOmics adds a comment to the header of BAM, uBAM and CRAM, so
for these the ETags of the downloaded copy and of the file are compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from filecmp import cmp
from pathlib import Path
from typing import Any

import aiobotocore.config
import aiobotocore.session
import anyio
import anyio.to_thread

from turboupload.core.formats import FORMATS
from turboupload.errors import InputError
from turboupload.files.etag import hash_content
from turboupload.units import MIB

__all__ = ["ReadBack", "read_back"]

CHUNK_BYTES = MIB


@dataclass(slots=True)
class ReadBack:
    """The result of the comparison.

    Attributes:
        equal: Files that came back byte for byte.
        same_content: Files that came back with a comment in their header, and the same records.
        differing: Files that came back with other content.
        unread: CRAM files that couldn't be compared because their reference is missing.
    """

    equal: list[Path] = field(default_factory=list)
    same_content: list[Path] = field(default_factory=list)
    differing: list[Path] = field(default_factory=list)
    unread: list[Path] = field(default_factory=list)


async def read_back(
    environment: Mapping[str, str],
    store_id: str,
    read_sets: Mapping[str, tuple[Path, ...]],
    folder: Path,
    reference: Path | None,
) -> ReadBack:
    """Compares the store's read sets with the local files.

    Args:
        environment: The environment variables that tell AWS clients the endpoint.
        store_id: The sequence store.
        read_sets: The files by read set id.
        folder: A folder for copies, which are removed.
        reference: The FASTA file of CRAM files.
    """
    found = ReadBack()
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(_client(environment))
        for read_set_id, paths in read_sets.items():
            where = {"sequenceStoreId": store_id, "id": read_set_id}
            metadata = await client.get_read_set_metadata(**where)
            file_type = metadata["fileType"]
            for source, path in zip(("source1", "source2"), paths, strict=False):
                parts = metadata["files"][source]["totalParts"]
                copy = folder / f"{read_set_id}-{source}"
                await _fetch(client, where, source, parts, copy)
                verdict = await anyio.to_thread.run_sync(
                    _compared, found, path, copy, file_type, reference
                )
                verdict.append(path)
                copy.unlink()
    return found


def _client(environment: Mapping[str, str]) -> Any:
    return aiobotocore.session.AioSession().create_client(
        "omics",
        region_name=environment["AWS_REGION"],
        endpoint_url=environment["AWS_ENDPOINT_URL_OMICS"],
        verify=environment["AWS_CA_BUNDLE"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        config=aiobotocore.config.AioConfig(inject_host_prefix=False, proxies={}),
    )


async def _fetch(
    client: Any, where: Mapping[str, str], source: str, parts: int, copy: Path
) -> None:
    async with await anyio.open_file(copy, "wb") as file:
        for number in range(1, parts + 1):
            reply = await client.get_read_set(**where, file=source.upper(), partNumber=number)
            async with reply["payload"] as payload:
                async for chunk in payload.iter_chunks(CHUNK_BYTES):
                    await file.write(chunk)


def _compared(
    found: ReadBack, path: Path, copy: Path, file_type: str, reference: Path | None
) -> list[Path]:
    """The list of `found` that the file belongs to."""
    if not FORMATS[file_type].rewritten:
        return found.equal if cmp(path, copy, shallow=False) else found.differing
    try:
        wanted = hash_content(path, file_type, reference=reference).digest
    except InputError:
        if file_type == "CRAM":
            return found.unread
        raise
    same = hash_content(copy, file_type, reference=reference).digest == wanted
    return found.same_content if same else found.differing
