"""Every answer of the table to every operation, over real sockets."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.faults.answers import ABORT, ANSWERS, OPERATIONS, Answer, page
from tests.support.bodies import TOO_MUCH, Zeros
from tests.support.client import open_client
from tests.support.https_sink import Sink, accepting, black_hole, server_tls, write_authority
from turboupload.cli.ui.errors import exit_code_for
from turboupload.config import UploadConfig
from turboupload.core.filters import ReadSetFilter
from turboupload.core.model import FileType, Part, PartSource, ReadSet
from turboupload.core.rate.retry import explain, is_throttling, may_retry
from turboupload.core.records import UploadPart
from turboupload.errors import CallFailed, LinkFailed
from turboupload.omics.base import UploadRef
from turboupload.omics.client import OmicsClient

STORE = "1234567890"
READ_SET = ReadSet(sources=["x"], name="n", sample_id="s", subject_id="u")
PATIENCE_S = 0.4


async def call(omics: OmicsClient, operation: str, *, part_size: int = 1) -> Any:
    """One call of an operation, with arguments that make sense."""
    upload = UploadRef(STORE, "1234567890")
    match operation:
        case "ListReadSets":
            return await omics.list_read_sets(STORE, ReadSetFilter(name=READ_SET.name))
        case "ListMultipartReadSetUploads":
            return await omics.list_uploads(STORE)
        case "ListReadSetUploadParts":
            return await omics.list_parts(upload, PartSource.SOURCE1)
        case "CreateMultipartReadSetUpload":
            return await omics.create_upload(STORE, READ_SET, FileType.FASTQ, "t")
        case "UploadReadSetPart":
            part = Part(PartSource.SOURCE1, 1, 0, part_size)
            return await omics.send_part(upload, part, lambda: Zeros(part_size), lambda _: None)
        case "CompleteMultipartReadSetUpload":
            row = UploadPart(PartSource.SOURCE1, 1, 1, "x")
            return await omics.complete_upload(upload, (row,))
        case "AbortMultipartReadSetUpload":
            return await omics.abort_upload(upload)
        case "GetReadSetMetadata":
            return await omics.get_read_set(STORE, "1234567890")
    raise AssertionError(operation)


@dataclass(frozen=True)
class Endpoint:
    """Where an answer comes from.

    Attributes:
        url: Its address.
        config: How to reach it.
        waits: Whether each call of it takes a whole time-out, and leaves no connection to the next:
            they may wait side by side.
    """

    url: str
    config: UploadConfig
    waits: bool


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    monkeypatch.setenv("AWS_REGION", "us-east-1")


@contextmanager
def endpoint(answer: Answer, folder: Path) -> Iterator[Endpoint]:
    """What the row says, listening."""
    patient = 10.0
    unmet = answer.place in ("silent", "no handshake")
    mute = "reads no more" in answer.comes or "never replies" in answer.comes
    with ExitStack() as stack:
        match answer.place:
            case "nobody":
                with socket.create_server(("127.0.0.1", 0)) as server:
                    port = server.getsockname()[1]
                url = f"https://localhost:{port}"
            case "no name":
                url = "https://no-such-host.invalid"
            case "silent":
                url = f"https://127.0.0.1:{stack.enter_context(black_hole())}"
            case "clear text":
                plain = stack.enter_context(Sink(answer.script or accepting))
                url = f"https://localhost:{plain.port}"
            case place:
                name = "elsewhere.test" if place == "wrong name" else "localhost"
                shakes = place != "no handshake"
                sink = Sink(answer.script or accepting, server_tls(name), handshake=shakes)
                url = f"https://localhost:{stack.enter_context(sink).port}"
        yield Endpoint(
            url,
            UploadConfig(
                endpoint_url=url,
                ca_bundle=write_authority(folder),
                connect_timeout_s=PATIENCE_S if unmet else patient,
                stall_timeout_s=PATIENCE_S if mute else patient,
            ),
            waits=unmet or mute,
        )


def size_for(answer: Answer) -> int:
    """More than all buffers on the way take, where the body's own way matters."""
    return TOO_MUCH if "no more" in answer.comes or "in the body" in answer.comes else 1


@pytest.mark.parametrize("answer", ANSWERS, ids=[each.comes for each in ANSWERS])
async def test_an_answer_to_each_operation(answer: Answer, tmp_path: Path) -> None:
    with endpoint(answer, tmp_path) as there:
        async with (
            open_client(there.config, workers=2) as omics,
            anyio.create_task_group() as group,
        ):

            async def one(operation: str) -> None:
                with pytest.raises((CallFailed, LinkFailed)) as caught:
                    await call(omics, operation, part_size=size_for(answer))
                failure = caught.value
                assert isinstance(failure, CallFailed | LinkFailed)
                check(answer, failure, operation, there.url)

            for operation in answer.only or OPERATIONS:
                if operation == ABORT and answer.contents_only:
                    continue
                if there.waits:
                    group.start_soon(one, operation)
                else:
                    await one(operation)


def check(
    answer: Answer, failure: CallFailed | LinkFailed, operation: str, endpoint_url: str
) -> None:
    told = f"{operation}: {failure!r}"
    modelled = answer.failure(operation)
    assert type(failure) is type(modelled), told
    assert failure.operation == operation
    assert may_retry(failure) is answer.again, told
    assert may_retry(modelled) is answer.again
    assert is_throttling(failure) is is_throttling(modelled), told
    if isinstance(failure, CallFailed) and isinstance(modelled, CallFailed):
        assert (failure.code, failure.status) == (modelled.code, modelled.status)
    for error in (explain(failure, endpoint=endpoint_url), explain(modelled)):
        assert exit_code_for(error) == answer.exit, told
        assert answer.reads in error.message, told
        assert answer.advice in str(error.hint), told
        assert "<" not in error.message, told
    first = explain(failure, answered_before=False, endpoint=endpoint_url)
    assert exit_code_for(first) == answer.first, told
    assert first.hint or not answer.advice, told


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(status: int, tmp_path: Path) -> None:
    """Another host would get the session token, and the metadata, in clear text at that."""
    with Sink(accepting) as elsewhere:
        away = page(status, b"", f"Location: http://localhost:{elsewhere.port}/")
        with Sink(away, server_tls()) as sink:
            url = f"https://localhost:{sink.port}"
            config = UploadConfig(endpoint_url=url, ca_bundle=write_authority(tmp_path))
            async with open_client(config, workers=1) as omics:
                for operation in OPERATIONS:
                    with pytest.raises(LinkFailed) as caught:
                        await call(omics, operation)
                    assert caught.value.fault == "between"
        assert elsewhere.connections == 0
