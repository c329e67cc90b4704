"""Cancelled in any call, and disks that fail in mid-file: what is safe is kept."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

import anyio
import pytest

from tests.engine.conftest import Bench
from tests.support.scripted import (
    COMPLETE,
    CREATE,
    GET,
    LIST_PARTS,
    LIST_READ_SETS,
    LIST_UPLOADS,
    SEND,
    Rule,
    refused,
)
from turboupload.core.notices import Retrying
from turboupload.errors import SourceChanged, Stopped, TurbouploadError

AT_MOST_S = 20.0


@pytest.mark.parametrize("operation", [LIST_READ_SETS, LIST_UPLOADS, CREATE, SEND, COMPLETE, GET])
async def test_a_caller_cancels_in_any_call_and_the_next_call_goes_on(
    bench: Bench, operation: str
) -> None:
    path = bench.file()
    with anyio.fail_after(AT_MOST_S):
        await bench.interrupt_at(Rule(operation, None))
    result = await bench.upload(bench.read_set(path))
    assert (len(bench.service._read_sets), bench.service._uploads) == (1, {})
    assert operation not in (COMPLETE, GET) or result.bytes_sent == 0
    assert bench.resent == 0


async def test_a_caller_cancels_while_it_is_gone_on(bench: Bench) -> None:
    path = bench.file()
    await bench.interrupt_at(Rule(SEND, None, skip=4), concurrency=1)
    with anyio.fail_after(AT_MOST_S):
        await bench.interrupt_at(Rule(LIST_PARTS, None), concurrency=1)
    result = await bench.upload(bench.read_set(path))
    assert (result.parts_reused, bench.resent) == (4, 0)


async def test_a_caller_cancels_in_the_pause_before_a_retry(bench: Bench) -> None:
    path = bench.file()
    bench.script.rules = [Rule(SEND, refused("ThrottlingException", 429), times=None, skip=4)]
    with bench.engine(concurrency=1) as engine:
        async with anyio.create_task_group() as group:

            def cancel(notice: object) -> None:
                if isinstance(notice, Retrying):
                    group.cancel_scope.cancel()

            with anyio.fail_after(AT_MOST_S):
                await engine.upload(bench.read_set(path), bench.store, cancel)
    bench.script.rules = []
    result = await bench.upload(bench.read_set(path))
    assert (result.parts_reused, bench.resent) == (4, 0)


@pytest.mark.parametrize(
    ("number", "expected", "words"),
    [
        (errno.EIO, Stopped, "reading failed at byte 5,000: Input/output error"),
        (errno.ESTALE, SourceChanged, "can no longer be reached: Stale file handle"),
        (errno.ENODEV, Stopped, "reading failed at byte 5,000: No such device"),
    ],
)
async def test_a_disk_that_fails_in_mid_file_stops_it_and_what_was_sent_is_kept(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    expected: type[TurbouploadError],
    words: str,
) -> None:
    path = bench.file(size=10_000)
    preadv = os.preadv

    def failing(descriptor: int, buffers: Sequence[memoryview], offset: int) -> int:
        if offset >= 5_000:
            raise OSError(number, os.strerror(number))
        return preadv(descriptor, buffers, offset)

    with monkeypatch.context() as patch:
        patch.setattr(os, "preadv", failing)
        with pytest.raises(expected, match=words) as caught:
            await bench.upload(bench.read_set(path), concurrency=1)
    assert caught.value.path == str(path)
    assert bench.script.calls[COMPLETE] == 0
    result = await bench.upload(bench.read_set(path))
    assert result.parts_reused == 5
    assert bench.resent == 0


async def test_a_file_that_ends_before_its_size_stops_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bench.file(size=10_000)
    preadv = os.preadv

    def ending(descriptor: int, buffers: Sequence[memoryview], offset: int) -> int:
        return 0 if offset >= 5_000 else preadv(descriptor, buffers, offset)

    monkeypatch.setattr(os, "preadv", ending)
    with pytest.raises(Stopped, match="ended before its size"):
        await bench.upload(bench.read_set(path), concurrency=1)
    assert bench.script.calls[COMPLETE] == 0
