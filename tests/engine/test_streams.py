"""Streams: read once, in bounded memory, completed only where they are whole."""

from __future__ import annotations

import base64
import errno
import gzip
import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.engine.conftest import Bench
from tests.support import samples
from tests.support.memory_service import MemoryService
from tests.support.scripted import (
    COMPLETE,
    CREATE,
    GET,
    LIST_PARTS,
    LIST_READ_SETS,
    LIST_UPLOADS,
    SEND,
    Rule,
    lost,
    refused,
)
from turboupload.core.model import Part, ReadSet
from turboupload.core.notices import Remark, UploadResult
from turboupload.core.records import ReadSetDetails, UploadPart
from turboupload.core.upload.events import SourceGrew
from turboupload.errors import ConfigError, InputError, ServiceRefused, Stopped, TurbouploadError
from turboupload.files.producers import Command, Descriptor, Producer, Reader
from turboupload.files.spool import Spool, stream_part_size
from turboupload.omics.base import UploadRef
from turboupload.units import MIB

PART = 1000
AT_MOST_S = 20.0


class Source:
    """A producer that gives bytes in odd pieces, and counts what was taken of it."""

    name = "standard input"

    def __init__(
        self,
        data: bytes,
        *,
        tells_success: bool = False,
        failing: Exception | None = None,
        piece: int = 333,
    ) -> None:
        self.tells_success = tells_success
        self.taken = 0
        self.closed = threading.Event()
        self._data, self._failing, self._piece = data, failing, piece

    def readinto(self, view: memoryview) -> int:
        piece = self._data[self.taken : self.taken + min(len(view), self._piece)]
        view[: len(piece)] = piece
        self.taken += len(piece)
        if not piece and isinstance(self._failing, OSError):
            raise self._failing
        return len(piece)

    def finish(self) -> None:
        if self._failing is not None:
            raise self._failing

    def stop(self) -> None:
        pass

    def close(self) -> None:
        self.closed.set()


async def stream(
    bench: Bench, producer: Producer, *, slots: int = 3, part: int = PART, **more: Any
) -> UploadResult:
    """Uploads what a producer gives."""
    config = {each: more.pop(each) for each in ("force", "prove") if each in more}
    read_set = ReadSet(
        sources=["-"],
        name="lane 1",
        sample_id="HG002",
        subject_id="NA24385",
        file_type=more.pop("file_type", None),
        reference_arn=more.pop("reference_arn", None),
    )

    def open_spool(family: str | None) -> Spool:
        return Spool(
            producer,
            size=slots * part,
            part_size=part,
            family=family,
            declared=read_set.file_type,
            **more,
        )

    with anyio.fail_after(AT_MOST_S), bench.engine(**config) as opened:
        return await opened.upload_stream(
            read_set,
            bench.store,
            bench.told.append,
            open_spool,
            receipt_path=bench.folder / "receipt.json",
        )


class Keeping(MemoryService):
    """The service, which tells the parts that each read set was made of.

    Attributes:
        made: The SHA-256 of each part, by read set.
        form: Makes another checksum of the usual one.
        fates: What became of read sets, by their ids.
    """

    def __init__(self) -> None:
        super().__init__()
        self.made: dict[str, list[str]] = {}
        self.form: Callable[[str], str] = str
        self.fates: dict[str, str] = {}
        self._sha256: dict[tuple[str, int], str] = {}

    async def send_part(self, upload: UploadRef, part: Part, *more: Any) -> str:
        found = await super().send_part(upload, part, *more)
        self._sha256[upload.upload_id, part.number] = found
        rows = self._uploads[upload.upload_id].parts
        key = (part.source, part.number)
        rows[key] = replace(rows[key], checksum=self.form(found))
        return self.form(found)

    def _look(self, read_set_id: str) -> ReadSetDetails:
        record = super()._look(read_set_id)
        self._read_sets[read_set_id] = replace(
            record, status=self.fates.get(read_set_id, record.status)
        )
        return self._read_sets[read_set_id]

    async def complete_upload(self, upload: UploadRef, parts: tuple[UploadPart, ...]) -> str:
        read_set_id = await super().complete_upload(upload, parts)
        self.made[read_set_id] = [
            self._sha256[upload.upload_id, number] for number in range(1, len(parts) + 1)
        ]
        return read_set_id


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, service=Keeping())


def stored(bench: Bench) -> list[list[str]]:
    """What each read set was made of."""
    assert isinstance(bench.service, Keeping)
    return list(bench.service.made.values())


def parts_of(data: bytes, size: int = PART) -> list[str]:
    """The same of these bytes."""
    return [
        base64.b64encode(hashlib.sha256(data[at : at + size]).digest()).decode()
        for at in range(0, len(data), size)
    ]


async def end_at(bench: Bench, rule: Rule, producer: Producer) -> None:
    """Uploads until the rule's call hangs, then cancels as a caller would."""
    bench.script.rules, bench.script.hanging = [rule], anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(stream, bench, producer)
        with anyio.fail_after(AT_MOST_S):
            await bench.script.hanging.wait()
        group.cancel_scope.cancel()
    bench.script.rules = []


def remarks(bench: Bench) -> list[str]:
    return [each.code for each in bench.told if isinstance(each, Remark)]


@pytest.mark.parametrize("size", [1, 500, PART, PART + 1, 10 * PART, 12_345])
async def test_every_byte_arrives_whatever_the_length(bench: Bench, size: int) -> None:
    data = bench.file(size=size).read_bytes()
    result = await stream(bench, Source(data))
    assert (result.total_bytes, result.bytes_sent) == (len(data), len(data))
    assert result.parts == -(-len(data) // PART)
    assert result.verified == "sha256"
    assert stored(bench) == [parts_of(data)]
    assert result.receipt is not None
    assert sum(each.size for each in result.receipt.files[0].parts) == len(data)
    grown = [each for each in bench.told if isinstance(each, SourceGrew)]
    assert grown[-1] == SourceGrew(len(data), ended=True)


async def test_no_more_is_read_than_the_spool_holds(bench: Bench) -> None:
    data = bench.file(size=20 * PART).read_bytes()
    source = Source(data)
    await end_at(bench, Rule(SEND, None, skip=2, times=None), source)
    # Two parts arrived, and their slots were used again.
    assert source.taken <= (2 + 3) * PART
    assert source.closed.wait(5)


@pytest.mark.parametrize("folder", [False, True], ids=["in memory", "on disk"])
async def test_a_part_is_sent_again_out_of_the_spool(
    bench: Bench, tmp_path: Path, folder: bool
) -> None:
    data = bench.file(size=6 * PART).read_bytes()
    bench.script.rules = [
        Rule(SEND, lost, skip=1, times=2),
        Rule(SEND, lost, after=True, skip=3),
    ]
    result = await stream(bench, Source(data), folder=tmp_path if folder else None)
    assert result.retries >= 3
    assert stored(bench) == [parts_of(data)]
    assert not [each for each in os.listdir(tmp_path) if "spool" in each]  # noqa: PTH208


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSPC])
def test_the_spool_s_disk_has_room_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: int) -> None:
        raise OSError(number, "as told")

    monkeypatch.setattr(os, "posix_fallocate", refuse, raising=False)
    make = partial(Spool, Source(b""), size=3 * PART, part_size=PART, folder=tmp_path)
    if number == errno.EINVAL:
        assert len(make()._memory) == 3 * PART
        return
    with pytest.raises(ConfigError, match="no room for a spool"):
        make()


@pytest.mark.parametrize(
    "form",
    [
        lambda text: base64.b64encode(hashlib.sha256(text.encode()).digest()).decode(),
        lambda text: f"opaque-{text[:8]}",
    ],
    ids=["foreign", "opaque"],
)
async def test_checksums_of_another_kind_keep_no_slot(
    bench: Bench, form: Callable[[str], str]
) -> None:
    assert isinstance(bench.service, Keeping)
    bench.service.form = form
    data = bench.file(size=12 * PART).read_bytes()
    result = await stream(bench, Source(data))
    assert result.verified == "opaque"
    assert stored(bench) == [parts_of(data)]


# --- streams that aren't whole ----------------------------------------------------------------


def _bam(folder: Path) -> bytes:
    return samples.bam(folder / "a.bam", reads=300).path.read_bytes()


def _cram(folder: Path) -> bytes:
    return samples.cram(folder / "a.cram", reads=300).path.read_bytes()


def _bgzf(folder: Path) -> bytes:
    return samples.bgzf_fastq(folder / "a.fastq.gz", reads=300).path.read_bytes()


REFERENCE = "arn:aws:omics:us-east-1:1:referenceStore/1234567890/reference/1234567890"


@pytest.mark.parametrize(
    ("make", "lacks", "words"),
    [
        (_bam, 28, "end-of-file marker"),
        (_bam, 1, "end-of-file marker"),
        (_cram, 38, "end-of-file marker"),
        (_bgzf, 28, "end-of-file marker"),
        (_bgzf, 500, "end-of-file marker"),
        (lambda folder: gzip.compress(b"@r\nACGT\n+\nIIII\n" * 9999), 5, "inside a gzip member"),
        (lambda folder: gzip.compress(os.urandom(9) + b"@r\n"), 0, "can't take"),
        (lambda folder: b"", 0, "nothing came"),
        (lambda folder: b"@r\nACGT\n+\nIIII\n" * 9, 0, "uncompressed FASTQ"),
    ],
)
async def test_a_stream_that_is_cut_or_no_read_set_is_never_completed(
    bench: Bench, tmp_path: Path, make: Callable[[Path], bytes], lacks: int, words: str
) -> None:
    data = make(tmp_path)
    with pytest.raises(InputError, match=words) as caught:
        await stream(bench, Source(data[: len(data) - lacks]), reference_arn=REFERENCE)
    assert (caught.value.exit_code, caught.value.upload_id) == (3, None)
    assert (stored(bench), bench.service._uploads) == ([], {})
    # Once it is whole, the same command does it.
    if lacks:
        await stream(bench, Source(data), reference_arn=REFERENCE)
        assert stored(bench) == [parts_of(data)]


async def test_bytes_damaged_on_the_way_are_found_before_anything_is_completed(
    bench: Bench,
) -> None:
    data = bytearray(gzip.compress(b"@r\nACGTACGA\n+\nIIIIIIII\n" * 9999, mtime=0))
    data[-5] ^= 1
    with pytest.raises(InputError, match="damaged gzip member"):
        await stream(bench, Source(bytes(data)))
    data[-5] ^= 1
    with pytest.raises(InputError, match="other bytes after a gzip member"):
        await stream(bench, Source(bytes(data) + b"trailing"))
    assert (stored(bench), bench.service._uploads) == ([], {})
    await stream(bench, Source(bytes(data) + bytes(70)))


@pytest.mark.parametrize("parts", [0.5, 4])
async def test_a_producer_that_fails_after_a_whole_file_is_believed(
    bench: Bench, parts: float
) -> None:
    data = bench.file(size=int(parts * PART)).read_bytes()
    failure = InputError("sort ended with exit code 3", code="producer.failed")
    with pytest.raises(InputError, match="exit code 3"):
        await stream(bench, Source(data, tells_success=True, failing=failure))
    assert (stored(bench), bench.service._uploads) == ([], {})
    assert ("stream-aborted" in remarks(bench)) == (parts > 1)


async def test_an_upload_that_cannot_be_aborted_is_named(bench: Bench) -> None:
    data = bench.file(size=4 * PART).read_bytes()
    bench.script.rules = [
        Rule("AbortMultipartReadSetUpload", refused("AccessDeniedException", 403), times=None)
    ]
    failure = InputError("sort ended with exit code 3", code="producer.failed")
    with pytest.raises(InputError, match="exit code 3") as caught:
        await stream(bench, Source(data, tells_success=True, failing=failure))
    (left,) = bench.service._uploads
    assert caught.value.upload_id == left
    assert "stream-left-open" in remarks(bench)


async def test_a_pipe_that_cannot_be_read_stops_it(bench: Bench) -> None:
    data = bench.file(size=4 * PART).read_bytes()
    with pytest.raises(Stopped, match="can't be read: Input/output error"):
        await stream(bench, Source(data, failing=OSError(errno.EIO, "Input/output error")))
    assert stored(bench) == []


async def test_more_than_ten_thousand_parts_are_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("turboupload.limits.MAX_PARTS", 3)
    data = bench.file(size=3 * PART + 200).read_bytes()
    with pytest.raises(InputError, match="3 parts of 0.98 KiB".replace(".", r"\.")):
        await stream(bench, Source(data))
    assert (stored(bench), bench.service._uploads) == ([], {})


# --- again, after whatever ended it -------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "skip", "after"),
    [
        (LIST_UPLOADS, 0, False),
        (LIST_READ_SETS, 0, False),
        (CREATE, 0, False),
        (CREATE, 0, True),
        (LIST_PARTS, 0, False),
        (SEND, 0, False),
        (SEND, 3, True),
        (LIST_READ_SETS, 1, True),
        (COMPLETE, 0, False),
        (COMPLETE, 0, True),
        (GET, 0, False),
    ],
)
@pytest.mark.parametrize("part", [PART, 700])
async def test_ended_anywhere_the_same_command_makes_one_read_set(
    bench: Bench, operation: str, skip: int, after: bool, part: int
) -> None:
    data = bench.file(size=5 * PART + 77).read_bytes()
    await end_at(bench, Rule(operation, None, skip=skip, after=after), Source(data))
    left = set(bench.service._uploads)
    bench.told.clear()
    result = await stream(bench, Source(data), part=part)
    made = stored(bench)
    assert made in ([parts_of(data)], [parts_of(data, part)])
    assert result.receipt is not None
    assert result.receipt.verdict.proven
    # What is left open is named, with the command that removes it.
    named = {code.removeprefix("left-open-") for code in remarks(bench) if "left-open-" in code}
    assert set(bench.service._uploads) == (named & left)
    # And once more: what comes is compared, and nothing is sent.
    sent = bench.service.received.copy()
    again = await stream(bench, Source(data))
    assert (again.read_set_id, again.bytes_sent) == (result.read_set_id, 0)
    assert (stored(bench), bench.service.received) == (made, sent)


@pytest.mark.parametrize(
    "error", [lost, refused("ValidationException", 400), refused("ConflictException", 409)]
)
async def test_a_complete_that_fails_once_does_not_lose_the_stream(
    bench: Bench, error: Callable[[str], Exception]
) -> None:
    """What was sent can't be read again, and the upload is still open."""
    data = bench.file(size=5 * PART + 77).read_bytes()
    bench.script.rules = [Rule(COMPLETE, error)]
    result = await stream(bench, Source(data))
    assert stored(bench) == [parts_of(data)]
    assert (result.status, bench.script.calls[CREATE]) == ("ACTIVE", 1)
    assert bench.resent == 0


async def test_another_stream_under_the_same_name_is_refused_unless_forced(bench: Bench) -> None:
    data, other = (bench.file(f"{seed}.gz", 3 * PART, seed).read_bytes() for seed in (1, 2))
    await stream(bench, Source(data))
    for each in (other, data + gzip.compress(b"@r\nA\n+\nI\n"), data[:-500]):
        with pytest.raises(TurbouploadError) as caught:
            await stream(bench, Source(each))
        assert caught.value.exit_code in (3, 4)
    assert stored(bench) == [parts_of(data)]
    await stream(bench, Source(other), force=True)
    assert stored(bench) == [parts_of(data), parts_of(other)]


@pytest.mark.parametrize("status", ["DELETED", "UPLOAD_FAILED"])
async def test_a_read_set_that_is_there_no_more_is_not_in_the_way(
    bench: Bench, status: str
) -> None:
    data, other = (bench.file(f"{seed}.gz", 3 * PART, seed).read_bytes() for seed in (1, 2))
    first = await stream(bench, Source(data))
    assert isinstance(bench.service, Keeping)
    bench.service.fates[first.read_set_id] = status
    bench.service._look(first.read_set_id)
    result = await stream(bench, Source(other))
    assert result.read_set_id != first.read_set_id
    assert stored(bench) == [parts_of(data), parts_of(other)]


async def test_a_read_set_that_nobody_here_made_is_in_the_way(bench: Bench, tmp_path: Path) -> None:
    path = bench.file(size=3 * PART)
    await bench.upload(bench.read_set(path))
    (bench.folder / "state").rename(bench.folder / "lost")
    with pytest.raises(ServiceRefused, match="no ETag") as caught:
        await stream(bench, Source(path.read_bytes()))
    assert caught.value.code == "ReadSetExists"


# --- where bytes come from, and sizes ------------------------------------------------------------


def read_all(producer: Producer) -> bytes:
    buffer, data = memoryview(bytearray(7)), b""
    while count := producer.readinto(buffer):
        data += buffer[:count]
    return data


def producers(path: Path) -> Iterator[Producer]:
    yield Command(["cat", str(path)])
    with path.open("rb") as file:
        yield Reader(file, "the stream")
    with path.open("rb") as file:
        yield Descriptor(file.fileno(), "standard input")


def test_each_producer_gives_every_byte(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(bytes(range(256)))
    for producer in producers(path):
        assert read_all(producer) == path.read_bytes()
        producer.finish()
        producer.close()


@pytest.mark.parametrize(
    ("words", "said"),
    [("exit 7", "ended with exit code 7"), ("kill -9 $$", "was killed by SIGKILL")],
)
def test_a_command_that_fails_says_so(words: str, said: str) -> None:
    command = Command(["sh", "-c", words])
    assert read_all(command) == b""
    with pytest.raises(InputError, match=said):
        command.finish()
    command.close()


def test_a_command_that_nobody_wants_any_more_is_ended() -> None:
    command = Command(["sleep", "600"])
    command.stop()
    assert command.readinto(memoryview(bytearray(1))) == 0
    command.close()
    assert command._process.returncode == -15


def test_text_is_no_bytes(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("text")
    with path.open() as text, pytest.raises(InputError, match="gave str, not bytes"):
        read_all(Reader(text, "the stream"))


@pytest.mark.parametrize(
    ("spool", "told", "size"),
    [
        (512 * MIB, None, 100 * MIB),
        (100 * MIB, None, 25 * MIB),
        (16 * MIB, None, 8 * MIB),
        (4 * 1024 * MIB, None, 100 * MIB),
        (64 * MIB, 32 * MIB, 32 * MIB),
    ],
)
def test_parts_are_as_large_as_the_spool_allows(spool: int, told: int | None, size: int) -> None:
    assert stream_part_size(spool, told) == size


@pytest.mark.parametrize(("spool", "told"), [(15 * MIB, None), (199 * MIB, 100 * MIB), (300, 1000)])
def test_a_spool_that_holds_no_two_parts_is_refused(spool: int, told: int | None) -> None:
    with pytest.raises(ConfigError, match="doesn't hold 2 parts"):
        stream_part_size(spool, told)
