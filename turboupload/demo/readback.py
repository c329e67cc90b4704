"""Reads a read set back with GetReadSet and compares it with the files it was made from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiobotocore.config
import aiobotocore.session
import anyio
import anyio.to_thread

from turboupload.units import MIB

__all__ = ["differing_files"]

CHUNK_BYTES = MIB


async def differing_files(
    environment: Mapping[str, str], store_id: str, read_sets: Mapping[str, tuple[Path, ...]]
) -> list[Path]:
    """The files whose bytes in the store differ from those on the disk.

    Args:
        environment: Where the service is, as AWS clients are told.
        store_id: The sequence store.
        read_sets: The files by read set id.
    """
    differing = []
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(_client(environment))
        for read_set_id, paths in read_sets.items():
            where = {"sequenceStoreId": store_id, "id": read_set_id}
            files = (await client.get_read_set_metadata(**where))["files"]
            for source, path in zip(("source1", "source2"), paths, strict=False):
                found = await _stored_sha256(client, where, source, files[source]["totalParts"])
                if found != await anyio.to_thread.run_sync(_sha256, path):
                    differing.append(path)
    return differing


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


async def _stored_sha256(client: Any, where: Mapping[str, str], source: str, parts: int) -> str:
    digest = hashlib.sha256()
    for number in range(1, parts + 1):
        reply = await client.get_read_set(**where, file=source.upper(), partNumber=number)
        async with reply["payload"] as payload:
            async for chunk in payload.iter_chunks(CHUNK_BYTES):
                digest.update(chunk)
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
