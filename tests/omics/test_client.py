"""What comes over the wire and out of the environment, as the boundary's own two exceptions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.client import open_client
from tests.support.emulator import RunningEmulator
from turboupload.config import UploadConfig
from turboupload.core.filters import ReadSetFilter
from turboupload.core.model import FileType, Part, PartSource, ReadSet
from turboupload.core.rate.retry import explain, may_retry
from turboupload.core.records import UploadPart
from turboupload.errors import CallFailed, ConfigError, LinkFailed, ServiceRefused
from turboupload.omics.base import UploadRef
from turboupload.omics.client import OmicsClient

READ_SET = ReadSet(sources=["x"], name="n", sample_id="s", subject_id="u")


@pytest.fixture(scope="module")
def emulator() -> Iterator[RunningEmulator]:
    with RunningEmulator("--quotas", "off", "--ingest-delay", "0", tls=True) as running:
        yield running


@pytest.fixture(autouse=True)
def environment(emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN"):
        monkeypatch.delenv(name, raising=False)
    for key, value in emulator.env().items():
        monkeypatch.setenv(key, value)
    yield
    emulator.clear_faults()


@pytest.fixture
async def omics() -> AsyncIterator[OmicsClient]:
    async with open_client(UploadConfig(), workers=2) as service:
        yield service


class Body:
    """One byte."""

    done = False

    def __len__(self) -> int:
        return 1

    def readinto(self, buffer: memoryview) -> int:
        count = 0 if self.done else 1
        self.done = True
        buffer[:count] = b"x"[:count]
        return count

    def hash_chunk(self, chunk: memoryview) -> None:
        assert bytes(chunk) == b"x"


async def call(omics: OmicsClient, operation: str, store: str) -> Any:
    upload = UploadRef(store, "1234567890")
    match operation:
        case "ListReadSets":
            return await omics.list_read_sets(store, ReadSetFilter(name=READ_SET.name))
        case "ListMultipartReadSetUploads":
            return await omics.list_uploads(store)
        case "ListReadSetUploadParts":
            return await omics.list_parts(upload, PartSource.SOURCE1)
        case "CreateMultipartReadSetUpload":
            return await omics.create_upload(store, READ_SET, FileType.FASTQ, "t")
        case "UploadReadSetPart":
            part = Part(PartSource.SOURCE1, 1, 0, 1)
            return await omics.send_part(upload, part, Body, lambda _: None)
        case "CompleteMultipartReadSetUpload":
            row = UploadPart(PartSource.SOURCE1, 1, 1, "x")
            return await omics.complete_upload(upload, (row,))
        case "GetReadSetMetadata":
            return await omics.get_read_set(store, "1234567890")
    raise AssertionError(operation)


OPERATIONS = [
    "ListReadSets",
    "ListMultipartReadSetUploads",
    "ListReadSetUploadParts",
    "CreateMultipartReadSetUpload",
    "UploadReadSetPart",
    "CompleteMultipartReadSetUpload",
    "GetReadSetMetadata",
]


@pytest.mark.parametrize("body", ["[]", '"x"', "null", "7", "<html>proxy</html>", "", "{", "{}"])
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_200_that_is_no_reply_is_never_believed_and_may_be_asked_again(
    omics: OmicsClient, emulator: RunningEmulator, operation: str, body: str
) -> None:
    action = {"type": "error", "status": 200, "body": body, "contentType": "application/json"}
    emulator.set_faults([{"operation": operation, "action": action}])
    with pytest.raises((LinkFailed, CallFailed)) as caught:
        await call(omics, operation, emulator.store_id)
    assert isinstance(caught.value, LinkFailed | CallFailed)
    assert may_retry(caught.value), caught.value


def replying(operation: str, body: str, status: int = 200) -> dict[str, Any]:
    action = {"type": "error", "status": status, "body": body, "contentType": "application/json"}
    return {"operation": operation, "action": action}


@pytest.mark.parametrize(
    ("operation", "rows"),
    [
        ("ListReadSets", "readSets"),
        ("ListMultipartReadSetUploads", "uploads"),
        ("ListReadSetUploadParts", "parts"),
    ],
)
async def test_rows_that_are_null_are_none(
    omics: OmicsClient, emulator: RunningEmulator, operation: str, rows: str
) -> None:
    emulator.set_faults([replying(operation, f'{{"{rows}": null, "nextToken": null}}')])
    page = await call(omics, operation, emulator.store_id)
    assert (page.rows, page.next_token) == ((), None)


@pytest.mark.parametrize("time", ['""', '"soon"', "1e300", "null", '"2026-11-30T08:00:00"'])
async def test_an_odd_time_hides_no_row(
    omics: OmicsClient, emulator: RunningEmulator, time: str
) -> None:
    row = f'{{"uploadId": "1234567890", "creationTime": {time}}}'
    emulator.set_faults([replying("ListMultipartReadSetUploads", f'{{"uploads": [{row}]}}')])
    (found,) = (await omics.list_uploads(emulator.store_id)).rows
    known = datetime(2026, 11, 30, 8, tzinfo=UTC) if "2026" in time else None
    assert (found.upload_id, found.created_at) == ("1234567890", known)


@pytest.mark.parametrize("read_set_id", ['""', "null", '"9999999999"'])
async def test_a_read_set_has_the_id_that_was_asked_for(
    omics: OmicsClient, emulator: RunningEmulator, read_set_id: str
) -> None:
    body = f'{{"id": {read_set_id}, "status": "ACTIVE"}}'
    emulator.set_faults([replying("GetReadSetMetadata", body)])
    assert (await call(omics, "GetReadSetMetadata", emulator.store_id)).read_set_id == "1234567890"


@pytest.mark.parametrize("body", ["[]", '"x"', "null", "<html>", ""])
@pytest.mark.parametrize("status", [502, 503, 504])
@pytest.mark.parametrize("operation", ["ListReadSets", "UploadReadSetPart"])
async def test_a_gateways_page_may_be_asked_again(
    omics: OmicsClient, emulator: RunningEmulator, operation: str, status: int, body: str
) -> None:
    action = {"type": "error", "status": status, "body": body, "contentType": "application/json"}
    emulator.set_faults([{"operation": operation, "action": action}])
    with pytest.raises((LinkFailed, CallFailed)) as caught:
        await call(omics, operation, emulator.store_id)
    assert isinstance(caught.value, LinkFailed | CallFailed)
    assert may_retry(caught.value), caught.value


async def test_the_region_of_aws_region_alone_is_taken(
    emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    async with open_client(UploadConfig(), workers=1) as omics:
        assert (await omics.list_uploads(emulator.store_id)).rows == ()


@pytest.mark.parametrize(
    "endpoint",
    [
        "nonsense",
        "ftp://x",
        "http://[::1",
        "http://127.0.0.1:99999",
        "https://bob:hunter2@localhost",
    ],
)
@pytest.mark.parametrize("told", [True, False], ids=["by the caller", "by the environment"])
async def test_an_endpoint_that_is_no_plain_url_is_refused_without_its_password(
    monkeypatch: pytest.MonkeyPatch, endpoint: str, told: bool
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL_OMICS")
    if not told:
        monkeypatch.setenv("AWS_ENDPOINT_URL_OMICS", endpoint)
    config = UploadConfig(endpoint_url=endpoint if told else None)
    with pytest.raises(ConfigError, match="not a plain URL") as caught:
        async with open_client(config, workers=1):
            pass
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("what", ["half a key", "no token file", "a process that fails"])
async def test_credentials_that_cannot_be_had_are_refused(
    emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, what: str
) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    profile = None
    if what != "half a key":
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    if what == "no token file":
        monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/uploader")
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "missing"))
    if what == "a process that fails":
        (tmp_path / "config").write_text("[profile p]\ncredential_process = /bin/false\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        profile = "p"
    with pytest.raises((ServiceRefused, LinkFailed)) as caught:
        async with open_client(UploadConfig(profile=profile), workers=1) as omics:
            await omics.list_uploads(emulator.store_id)
    error = caught.value
    if isinstance(error, LinkFailed):
        assert error.fault == "credentials"
        assert isinstance(explain(error), ServiceRefused)
