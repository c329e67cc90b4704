"""Signers of every kind, and what goes wrong on this machine: told as that, and not tried again."""

from __future__ import annotations

import errno
import io
import threading
from pathlib import Path
from typing import Any

import aiohttp
import botocore.auth
import botocore.exceptions as raised
import pytest
from botocore.exceptions import HTTPClientError

from tests.faults.answers import OPERATIONS, SEND
from tests.faults.test_wire import call, environment
from tests.support.client import open_client
from tests.support.emulator import RunningEmulator
from tests.support.https_sink import Sink, answering, reply, server_tls, write_authority
from turboupload.cli.ui.errors import exit_code_for
from turboupload.config import UploadConfig
from turboupload.core.rate.retry import explain, may_retry
from turboupload.errors import CallFailed, ConfigError, LinkFailed, Stopped
from turboupload.omics.attempt import Attempt
from turboupload.omics.error_mapping import credentials_failed, failure_of

__all__ = ["environment"]  # a fixture

Plain = botocore.auth.AUTH_TYPE_MAPS["v4"]


class WrapsTheBody(Plain):  # type: ignore[misc,valid-type] # botocore's own, untyped
    """As botocore's CRT signers: a body that can't be sought is put into a BytesIO."""

    def add_auth(self, request: Any) -> None:
        body = request.body
        if body and not hasattr(body, "seek"):
            io.BytesIO(body)
        super().add_auth(request)


class ReadsTheBody(Plain):  # type: ignore[misc,valid-type] # botocore's own, untyped
    """As the plain signer does of a body that is to be signed."""

    def add_auth(self, request: Any) -> None:
        body = request.body or b""
        content = body if isinstance(body, bytes | bytearray) else body.read()
        assert isinstance(content, bytes | bytearray)
        super().add_auth(request)


class WantsALength(Plain):  # type: ignore[misc,valid-type] # botocore's own, untyped
    def add_auth(self, request: Any) -> None:
        assert len(request.body or b"") >= 0
        request.prepare()
        super().add_auth(request)


SIGNERS = [Plain, WrapsTheBody, ReadsTheBody, WantsALength]


def config_for(sink: Sink, folder: Path) -> UploadConfig:
    return UploadConfig(
        endpoint_url=f"https://localhost:{sink.port}", ca_bundle=write_authority(folder)
    )


@pytest.mark.parametrize("signer", SIGNERS)
@pytest.mark.parametrize("tls", [True, False], ids=["tls", "clear text"])
async def test_every_signer_can_sign_a_part(
    monkeypatch: pytest.MonkeyPatch, signer: type, tls: bool
) -> None:
    monkeypatch.setitem(botocore.auth.AUTH_TYPE_MAPS, "v4", signer)
    with RunningEmulator("--quotas", "off", tls=tls) as emulator:
        for key, value in emulator.env().items():
            monkeypatch.setenv(key, value)
        async with open_client(UploadConfig(), workers=1) as omics:
            # The signature is right: what is wrong is the upload's id.
            with pytest.raises(CallFailed, match="ResourceNotFoundException"):
                await call(omics, SEND)


@pytest.mark.parametrize(
    "error",
    [
        TypeError("a bytes-like object is required"),
        ValueError("bad"),
        AttributeError("no such"),
        KeyError("k"),
        RuntimeError("odd"),
        RuntimeError("can't start new thread"),
        MemoryError(),
        OSError(errno.EMFILE, "Too many open files"),
        raised.UnknownSignatureVersionError(signature_version="v9"),
        raised.MissingDependencyException(msg="install botocore[crt]"),
        RecursionError("deep"),
        UnicodeEncodeError("latin-1", "é", 0, 1, "no"),
    ],
    ids=repr,
)
async def test_what_breaks_while_a_request_is_signed_is_ours_and_ends_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception
) -> None:
    class Broken(Plain):  # type: ignore[misc,valid-type] # botocore's own, untyped
        def add_auth(self, request: Any) -> None:
            raise error

    monkeypatch.setitem(botocore.auth.AUTH_TYPE_MAPS, "v4", Broken)
    with Sink(answering(reply()), server_tls()) as sink:
        async with open_client(config_for(sink, tmp_path), workers=1) as omics:
            for operation in OPERATIONS:
                with pytest.raises(LinkFailed) as caught:
                    await call(omics, operation)
                check_local(caught.value)
        assert sink.connections == 0


def check_local(failure: CallFailed | LinkFailed, words: str = "") -> None:
    assert isinstance(failure, LinkFailed), failure
    assert failure.fault == "local", failure
    assert not may_retry(failure)
    for answered in (True, False):
        told = explain(failure, answered_before=answered)
        assert isinstance(told, Stopped)
        assert exit_code_for(told) == 5
        assert "on this machine" in told.message
        assert words in told.message
        assert "not of the service" in str(told.hint)


async def test_a_thread_that_cannot_be_started_is_told_as_that(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The transport's own threads, those for names, and those in which certificates are loaded."""

    def no_thread(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with Sink(answering(reply(200, b'{"checksum": "x"}')), server_tls()) as sink:
        async with open_client(config_for(sink, tmp_path), workers=1) as omics:
            with monkeypatch.context() as patch:
                patch.setattr(threading.Thread, "start", no_thread)
                for operation in OPERATIONS:
                    with pytest.raises(LinkFailed) as caught:
                        await call(omics, operation)
                    check_local(caught.value, "no more threads can be started")
            requests = len(sink.requests)
            # What was queued for a thread that never was is not sent by one that comes later.
            await call(omics, SEND)
            assert len(sink.requests) == requests + 1


async def test_no_more_files_is_told_as_that(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def none_left(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with Sink(answering(reply()), server_tls()) as sink:
        async with open_client(config_for(sink, tmp_path), workers=1) as omics:
            for name in ("connection.socket.socketpair", "connect._attempt"):
                with monkeypatch.context() as patch:
                    patch.setattr(f"turboupload.http.{name}", none_left)
                    with pytest.raises(LinkFailed) as caught:
                        await call(omics, SEND)
                    check_local(caught.value, "too many files open (ulimit -n is ")


WIRE: list[tuple[Exception, str]] = [
    (HTTPClientError(error=ConnectionResetError("reset")), "lost"),
    (HTTPClientError(error=aiohttp.ClientOSError(104, "reset")), "lost"),
    (HTTPClientError(error=UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no")), "bad_reply"),
    (HTTPClientError(error=aiohttp.http_exceptions.TransferEncodingError("x")), "lost"),
    (raised.ReadTimeoutError(endpoint_url="u", error=None), "stalled"),
    (raised.ConnectTimeoutError(endpoint_url="u", error=None), "connect"),
    (raised.EndpointConnectionError(endpoint_url="u", error=None), "connect"),
    (raised.ConnectionClosedError(endpoint_url="u", error=None), "lost"),
    (raised.IncompleteReadError(actual_bytes=1, expected_bytes=2), "lost"),
    (raised.SSLError(endpoint_url="u", error=OSError()), "tls"),
    (raised.ProxyConnectionError(proxy_url="u", error=None), "proxy"),
    (raised.NoCredentialsError(), "credentials"),
    (raised.UnauthorizedSSOTokenError(), "credentials"),
    (raised.MetadataRetrievalError(error_msg="no"), "credentials"),
    (HTTPClientError(error=TypeError("no")), "local"),
    (HTTPClientError(error=MemoryError()), "local"),
    (HTTPClientError(error=RuntimeError("can't start new thread")), "local"),
    (raised.MissingDependencyException(msg="no"), "local"),
    (raised.InvalidConfigError(error_msg="no"), "local"),
    (raised.DataNotFoundError(data_path="no"), "local"),
    (TypeError("no"), "local"),
    (OSError(errno.EMFILE, "no"), "local"),
    (raised.EndpointConnectionError(endpoint_url="u", error=OSError(errno.ENFILE, "")), "local"),
]  # fmt: skip


@pytest.mark.parametrize(("error", "fault"), WIRE, ids=[repr(each[0]) for each in WIRE])
def test_only_what_the_wire_said_is_asked_again(error: Exception, fault: str) -> None:
    failure = failure_of(SEND, error, Attempt())
    assert isinstance(failure, LinkFailed)
    assert failure.fault == fault
    passing = fault in ("lost", "stalled", "connect", "bad_reply", "dns")
    assert may_retry(failure) is passing


def test_after_a_reply_the_reply_is_to_blame() -> None:
    for error in (
        TypeError("x"),
        KeyError("y"),
        AttributeError("z"),
        ValueError(),
        RecursionError(),
    ):
        failure = failure_of(SEND, error, Attempt(answered=True))
        assert isinstance(failure, LinkFailed)
        assert failure.fault == "bad_reply"
    check_local(failure_of(SEND, MemoryError(), Attempt(answered=True)), "not enough memory")


@pytest.mark.parametrize(
    ("error", "fault", "hint"),
    [
        (raised.UnauthorizedSSOTokenError(), "credentials", "aws sso login"),
        (raised.SSOTokenLoadError(error_msg="no"), "credentials", "aws sso login"),
        (RuntimeError("still expired"), "credentials", "clock"),
        (ValueError("no JSON"), "credentials", "AWS_PROFILE"),
        (PermissionError(13, "Permission denied"), "credentials", "AWS_PROFILE"),
        (raised.MissingDependencyException(msg="install botocore[crt]"), "credentials", ""),
        (raised.EndpointConnectionError(endpoint_url="u", error=None), "connect", ""),
        (OSError(errno.EMFILE, "no"), "local", ""),
    ],
    ids=repr,
)
def test_credentials_have_errors_of_their_own(error: Exception, fault: str, hint: str) -> None:
    failure = credentials_failed(SEND, error)
    assert failure.fault == fault
    assert hint in str(explain(failure, answered_before=False).hint)


async def test_what_a_client_cannot_be_made_of_is_configuration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise raised.UnknownServiceError(service_name="omics", known_service_names="none")

    monkeypatch.setattr("aiobotocore.session.AioSession._create_client", broken)
    with pytest.raises(ConfigError, match="UnknownServiceError"):
        async with open_client(UploadConfig(), workers=1):
            pass
