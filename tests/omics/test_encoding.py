"""Replies that are compressed though nobody asked."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.faults.answers import ABORT, OPERATIONS
from tests.faults.test_wire import call, environment
from tests.support.client import open_client
from tests.support.https_sink import Sink, answering, reply, server_tls, write_authority
from turboupload.config import UploadConfig
from turboupload.core.rate.retry import may_retry
from turboupload.errors import CallFailed, LinkFailed
from turboupload.omics import encoding
from turboupload.omics.encoding import decoded

__all__ = ["environment"]  # a fixture


def raw_deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush()


FORMS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("X-GZip", gzip.compress),
    "two members": ("gzip", lambda data: gzip.compress(data[:3]) + gzip.compress(data[3:])),
    "deflate": ("deflate", zlib.compress),
    "deflate without a frame": ("deflate", raw_deflate),
    "twice": ("deflate, gzip", lambda data: gzip.compress(zlib.compress(data))),
    "identity": ("identity", lambda data: data),
    "none": ("", lambda data: data),
}
GOOD = json.dumps(
    {
        "readSets": [],
        "uploads": [],
        "parts": [],
        "uploadId": "1234567890",
        "checksum": "abc",
        "readSetId": "1234567890",
        "status": "ACTIVE",
    }
).encode()


@given(st.binary(min_size=4, max_size=2000), st.sampled_from(sorted(FORMS)))
def test_what_was_compressed_comes_back(data: bytes, form: str) -> None:
    name, compress = FORMS[form]
    assert decoded(compress(data), name) == data


@given(st.binary(min_size=1, max_size=200), st.sampled_from(["gzip", "deflate", "br", "zstd"]))
def test_what_cannot_be_undone_is_a_value_error_or_nothing_worse(data: bytes, name: str) -> None:
    with suppress(ValueError):
        decoded(data, name)


def test_half_of_it_is_not_the_whole() -> None:
    with pytest.raises(ValueError, match="too early"):
        decoded(gzip.compress(b"x" * 1000)[:-9], "gzip")


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "MAX_DECODED_BYTES", 1000)
    assert len(decoded(gzip.compress(bytes(1000)), "gzip")) == 1000
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        decoded(gzip.compress(bytes(1001)), "gzip")


@pytest.mark.parametrize("form", sorted(FORMS))
async def test_each_call_reads_it(form: str, tmp_path: Path) -> None:
    name, compress = FORMS[form]
    coding = [f"Content-Encoding: {name}"] if name else []
    script = answering(reply(200, compress(GOOD), "Connection: close", *coding))
    with Sink(script, server_tls()) as sink:
        config = UploadConfig(
            endpoint_url=f"https://localhost:{sink.port}", ca_bundle=write_authority(tmp_path)
        )
        async with open_client(config, workers=1) as omics:
            for operation in OPERATIONS:
                await call(omics, operation)


async def test_each_refusal_is_read_and_what_cannot_be_undone_may_be_asked_again(
    tmp_path: Path,
) -> None:
    message = gzip.compress(b'{"message": "not this one"}')
    headers = ("Content-Encoding: gzip", "Connection: close", "x-amzn-RequestId: 0fd0")
    refusal = reply(400, message, *headers, "x-amzn-ErrorType: ValidationException")
    for data in (refusal, reply(200, message[:-9], *headers), reply(200, GOOD, *headers)):
        with Sink(answering(data), server_tls()) as sink:
            config = UploadConfig(
                endpoint_url=f"https://localhost:{sink.port}", ca_bundle=write_authority(tmp_path)
            )
            async with open_client(config, workers=1) as omics:
                for operation in OPERATIONS:
                    if operation == ABORT and data is not refusal:
                        continue
                    with pytest.raises((CallFailed, LinkFailed)) as caught:
                        await call(omics, operation)
                    failure = caught.value
                    assert isinstance(failure, CallFailed | LinkFailed)
                    if data is refusal:
                        assert (failure.message, may_retry(failure)) == ("not this one", False)
                    else:
                        assert isinstance(failure, LinkFailed)
                        assert failure.fault == "bad_reply"
