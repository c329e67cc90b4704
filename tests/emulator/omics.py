"""The service through botocore's own client, the way every AWS tool sees it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.emulator.conformance import check_reply
from tests.support.botocore_client import omics_client as client_of
from tests.support.emulator import RunningEmulator
from turboupload.emulator.errors import ServiceError

__all__ = [
    "error_of",
    "omics_client",
    "refusal_of",
    "upload_files",
    "wait_for",
    "wait_for_read_set",
]

DEADLINE_S = 30.0
POLL_S = 0.02


def omics_client(emulator: RunningEmulator, *, held: bool = True) -> Any:
    """A client that makes one attempt and, if `held`, fails on a reply that is not by the model."""
    client = client_of(emulator)

    def hold_against_the_model(response_dict: Any, event_name: str, **_: Any) -> None:
        if response_dict is not None:
            model = client.meta.service_model.operation_model(event_name.rsplit(".", 1)[1])
            check_reply(
                model, response_dict["status_code"], response_dict["headers"], response_dict["body"]
            )

    if held:
        client.meta.events.register("response-received.omics", hold_against_the_model)
    return client


def refusal_of(call: Callable[[], object]) -> ServiceError | None:
    """What `call` raises on purpose, if anything."""
    try:
        call()
    except ServiceError as error:
        return error
    return None


def error_of(error: Any) -> tuple[str, int]:
    """(code, status) of a ClientError."""
    response = error.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def upload_files(
    client: Any,
    store_id: str,
    file_type: str,
    files: Sequence[Path | bytes],
    *,
    parts: int = 1,
    details: Mapping[str, Any] | None = None,
) -> str:
    """Upload files as one read set, each cut into so many parts; returns the read set's id."""
    upload_id = client.create_multipart_read_set_upload(
        sequenceStoreId=store_id,
        sourceFileType=file_type,
        **{"subjectId": "subject", "sampleId": "sample", "name": "name", **(details or {})},
    )["uploadId"]
    listed = []
    for source, file in zip(("SOURCE1", "SOURCE2"), files, strict=False):
        data = file if isinstance(file, bytes) else file.read_bytes()
        size = -(-len(data) // parts)
        for number in range(1, parts + 1):
            checksum = client.upload_read_set_part(
                sequenceStoreId=store_id,
                uploadId=upload_id,
                partSource=source,
                partNumber=number,
                payload=data[(number - 1) * size : number * size],
            )["checksum"]
            listed.append({"partNumber": number, "partSource": source, "checksum": checksum})
    reply = client.complete_multipart_read_set_upload(
        sequenceStoreId=store_id, uploadId=upload_id, parts=listed
    )
    return str(reply["readSetId"])


def wait_for(condition: Any, what: str) -> Any:
    """Poll until `condition` returns something true; fails after 30 s."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(POLL_S)
    raise AssertionError(f"{what} did not happen within {DEADLINE_S:.0f} s")


def wait_for_read_set(client: Any, store_id: str, read_set_id: str) -> dict[str, Any]:
    """The metadata of a read set once it is processed."""

    def processed() -> dict[str, Any] | None:
        metadata: dict[str, Any] = client.get_read_set_metadata(
            sequenceStoreId=store_id, id=read_set_id
        )
        return None if metadata["status"] == "PROCESSING_UPLOAD" else metadata

    found: dict[str, Any] = wait_for(processed, f"the end of processing of {read_set_id}")
    return found
