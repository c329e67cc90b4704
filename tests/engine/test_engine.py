"""The engine, with everything real but the service: it is in this process's memory."""

from __future__ import annotations

import base64
import gzip
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.engine.conftest import Bench, gzip_fastq
from tests.support.memory_service import MemoryService
from tests.support.scripted import (
    COMPLETE,
    CREATE,
    GET,
    SEND,
    Rule,
    Script,
    refused,
)
from turboupload.core.model import Part, PartSource
from turboupload.core.notices import Notice, Progress, Remark
from turboupload.core.records import UploadPart
from turboupload.core.upload.events import Completing, PartSeen
from turboupload.engine.prepare import prepare
from turboupload.errors import (
    ConfigError,
    InputError,
    IntegrityError,
    ServiceRefused,
    SourceChanged,
    Stopped,
    UploadBusy,
)
from turboupload.files.source import SAMPLE_BYTES
from turboupload.http.body import OpenBody
from turboupload.omics.base import UploadRef
from turboupload.state.lock import UploadLock


async def test_a_file_becomes_a_read_set(bench: Bench) -> None:
    path = bench.file(size=10_000)
    result = await bench.upload(bench.read_set(path))
    assert result.status == "ACTIVE"
    assert result.verified == "sha256"
    assert result.bytes_sent == path.stat().st_size == result.total_bytes
    assert result.parts == -(-path.stat().st_size // 1000)
    assert (result.parts_reused, result.retries, result.existed) == (0, 0, False)
    assert bench.resent == 0


async def test_a_pair_becomes_one_read_set(bench: Bench) -> None:
    one, two = bench.file("R1.fastq.gz", 4000, 1), bench.file("R2.fastq.gz", 5000, 2)
    result = await bench.upload(bench.read_set(one, two))
    assert result.stored_sizes == {
        PartSource.SOURCE1: one.stat().st_size,
        PartSource.SOURCE2: two.stat().st_size,
    }


async def test_progress_ends_at_the_total(bench: Bench) -> None:
    result = await bench.upload(bench.read_set(bench.file()))
    last = bench.heard(Progress)[-1]
    assert last.done_bytes == last.total_bytes == result.total_bytes
    assert last.done_parts == last.parts
    assert all(each.done_bytes <= each.total_bytes for each in bench.heard(Progress))


async def test_the_same_call_again_returns_the_read_set_and_sends_nothing(bench: Bench) -> None:
    read_set = bench.read_set(bench.file())
    first = await bench.upload(read_set)
    again = await bench.upload(read_set)
    assert again.read_set_id == first.read_set_id
    assert (again.bytes_sent, again.existed, again.verified) == (0, True, "sha256")
    assert bench.script.calls[CREATE] == 1


async def test_without_the_journal_and_an_etag_a_read_set_is_named_and_not_made_again(
    bench: Bench,
) -> None:
    read_set = bench.read_set(bench.file())
    first = await bench.upload(read_set)
    bench.forget_journal()
    with pytest.raises(ServiceRefused, match=rf"{first.read_set_id}.*nothing here proves"):
        await bench.upload(read_set)
    assert len(bench.service._read_sets) == 1


async def test_force_uploads_anew(bench: Bench) -> None:
    read_set = bench.read_set(bench.file())
    first = await bench.upload(read_set)
    again = await bench.upload(read_set, force=True)
    assert again.read_set_id != first.read_set_id
    assert again.bytes_sent == first.bytes_sent


async def test_without_waiting_another_files_read_set_is_not_taken_for_ours(
    bench: Bench,
) -> None:
    one, other = bench.file("one.gz", 4000, 1), bench.file("other.gz", 5000, 2)
    bench.service = MemoryService(looks_until_active=4)
    await bench.upload(bench.read_set(one), wait=False)
    with pytest.raises(ServiceRefused, match="nothing here proves"):
        await bench.upload(bench.read_set(other), wait=False)


async def test_without_waiting_it_returns_while_the_service_is_at_work(bench: Bench) -> None:
    result = await bench.upload(bench.read_set(bench.file()), wait=False)
    assert (result.status, result.outcome) == ("PROCESSING_UPLOAD", "processing")
    assert bench.script.calls[GET] == 1


async def test_waiting_has_an_end(bench: Bench) -> None:
    bench.service = type(bench.service)(looks_until_active=10_000)
    with pytest.raises(Stopped, match="still PROCESSING_UPLOAD"):
        await bench.upload(bench.read_set(bench.file()), wait_timeout_s=60.0)
    assert bench.fast.time < 1000 + 120


# --- bytes that differ --------------------------------------------------------------------------


class Corrupting(MemoryService):
    """Stores part 2 wrongly, so many times, and answers with the checksum of what it stored."""

    wrong = 1

    async def send_part(
        self,
        upload: UploadRef,
        part: Part,
        open_body: OpenBody,
        on_bytes: Callable[[int], None],
    ) -> str:
        text = await super().send_part(upload, part, open_body, on_bytes)
        if part.number != 2 or not self.wrong:
            return text
        self.wrong -= 1
        damaged = "A" * 43 + "="
        self._uploads[upload.upload_id].parts[part.source, 2] = UploadPart(
            part.source, 2, part.size, damaged
        )
        return damaged


async def test_a_part_that_was_stored_wrongly_is_sent_again(bench: Bench) -> None:
    bench.service = Corrupting()
    result = await bench.upload(bench.read_set(bench.file()))
    assert result.verified == "sha256"
    assert bench.resent == 1
    assert [each.code for each in bench.heard(Remark)] == ["checksum-differs"]


async def test_one_that_stays_wrong_is_an_integrity_error(bench: Bench) -> None:
    service = Corrupting()
    service.wrong = 100
    bench.service = service
    with pytest.raises(IntegrityError, match="part 2 was sent 3 times"):
        await bench.upload(bench.read_set(bench.file()))
    assert bench.script.calls[COMPLETE] == 0


async def test_xxh3_gives_the_comparison_up_and_says_so(bench: Bench) -> None:
    result = await bench.upload(bench.read_set(bench.file()), checksum="xxh3")
    assert result.verified == "none"
    digests = [each.digest.get("sha256") for each in bench.heard(PartSeen)]
    assert digests
    assert not any(digests)


# --- the file changes ---------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["grow", "shrink", "rewrite", "replace", "delete"])
async def test_a_file_that_changes_stops_the_upload_and_nothing_is_completed(
    bench: Bench, change: str
) -> None:
    path = bench.file(size=10_000)

    def alter(notice: object) -> None:
        if isinstance(notice, PartSeen) and notice.part.number == 3:
            match change:
                case "grow":
                    with path.open("ab") as file:
                        file.write(b"more")
                case "shrink":
                    os.truncate(path, 5000)
                case "rewrite":
                    os.utime(path, ns=(1, 1))
                case "replace":
                    new = path.with_suffix(".new")
                    new.write_bytes(path.read_bytes())
                    new.replace(path)
                case "delete":
                    path.unlink()

    with bench.engine(concurrency=1) as engine, pytest.raises(SourceChanged) as caught:
        await engine.upload(bench.read_set(path), bench.store, alter)
    assert caught.value.path == str(path)
    assert bench.script.calls[COMPLETE] == 0


async def test_a_file_that_changes_after_its_last_part_is_not_completed(bench: Bench) -> None:
    path = bench.file(size=2000)
    seen = []

    def alter(notice: object) -> None:
        if isinstance(notice, PartSeen):
            seen.append(notice)
            if len(seen) == -(-path.stat().st_size // 1000):
                os.utime(path, ns=(1, 1))

    with bench.engine(concurrency=1) as engine, pytest.raises(SourceChanged, match="written to"):
        await engine.upload(bench.read_set(path), bench.store, alter)
    assert bench.script.calls[COMPLETE] == 0


@pytest.mark.parametrize(("operation", "skip"), [(SEND, 9), (COMPLETE, 0)])
@pytest.mark.parametrize("change", ["bytes", "mode"])
async def test_a_touched_file_is_compared_before_its_upload_goes_on(
    bench: Bench, change: str, operation: str, skip: int
) -> None:
    """Also where the time of its modification was set back; what is equal isn't sent again."""
    path = bench.file(size=2_000_000)
    how: dict[str, Any] = {"part_size_bytes": 100_000, "concurrency": 1, "preflight": False}
    denied = refused("AccessDeniedException", 403)
    bench.script = Script([Rule(operation, denied, times=None, skip=skip)])
    with pytest.raises(ServiceRefused):
        await bench.upload(bench.read_set(path), **how)
    before = path.stat()
    if change == "mode":
        path.chmod(0o400)
    else:
        with path.open("r+b") as file:
            file.seek(SAMPLE_BYTES + 100)
            file.write(b"N")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    bench.script = Script()
    await bench.upload(bench.read_set(path), **how)
    uploads = {upload for upload, _, _ in bench.service.received}
    assert len(uploads) == (1 if change == "mode" else 2)
    assert bench.resent == 0
    path.chmod(0o600)
    again = await bench.upload(bench.read_set(path), **how)
    assert (again.bytes_sent, again.verified) == (0, "sha256")


class Completed(MemoryService):
    """Remembers of which parts the last read set was made."""

    parts: tuple[UploadPart, ...] = ()

    async def complete_upload(self, upload: UploadRef, parts: tuple[UploadPart, ...]) -> str:
        made = await super().complete_upload(upload, parts)
        self.parts = parts
        return made


@pytest.mark.parametrize("how", ["bytes", "bytes, after the last part", "mode", "link"])
async def test_a_file_touched_while_it_is_sent_is_compared_before_complete(
    bench: Bench, how: str
) -> None:
    """Its time was set back, so only the inode tells; what is equal isn't sent again."""
    path = bench.file(size=2_000_000)
    old, parts = path.read_bytes(), -(-path.stat().st_size // 100_000)
    new = bytearray(old)
    for at in (250_000, 1_850_000):
        new[at] = ord("N")
    settings: dict[str, Any] = {
        "part_size_bytes": 100_000, "concurrency": 1, "preflight": False,
    }  # fmt: skip
    service = bench.service = Completed()

    def alter(notice: Notice) -> None:
        bench.told.append(notice)
        seen = len(bench.heard(PartSeen))
        if not isinstance(notice, PartSeen) or seen != (parts if "last" in how else 9):
            return
        before = path.stat()
        if how == "mode":
            path.chmod(0o400)
        elif how == "link":
            path.with_suffix(".linked").hardlink_to(path)
        else:
            with path.open("r+b") as file:
                file.write(new)
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    with bench.engine(**settings) as engine:
        if "bytes" not in how:
            result = await engine.upload(bench.read_set(path), bench.store, alter)
            assert (result.status, result.verified, bench.resent) == ("ACTIVE", "sha256", 0)
            assert [each.code for each in bench.heard(Remark)] == ["files-touched"]
            return
        with pytest.raises(SourceChanged, match="has other bytes than when this run began"):
            await engine.upload(bench.read_set(path), bench.store, alter)
    assert bench.script.calls[COMPLETE] == 0
    # As the hint says; the bytes of the two states are never in one upload that is completed.
    result = await bench.upload(bench.read_set(path), **settings)
    assert (result.status, result.verified) == ("ACTIVE", "sha256")
    pieces = [new[at : at + 100_000] for at in range(0, len(new), 100_000)]
    assert [part.checksum for part in service.parts] == [
        base64.b64encode(hashlib.sha256(piece).digest()).decode() for piece in pieces
    ]


# --- what is rejected before anything is asked --------------------------------------------------


async def test_bad_files_are_rejected_before_anything_is_asked(bench: Bench) -> None:
    folder = bench.folder
    (folder / "empty.gz").touch()
    (folder / "plain.fastq").write_bytes(b"@r\nACGT\n+\nIIII\n")
    os.mkfifo(folder / "pipe")
    good = bench.file()
    link = folder / "link.gz"
    link.hardlink_to(good)
    cases = [
        (["missing.gz"], {}, "no such file"),
        (["."], {}, "folder"),
        (["empty.gz"], {}, "empty"),
        (["pipe"], {}, "pipe"),
        (["plain.fastq"], {}, "uncompressed FASTQ"),
        (["reads.fastq.gz"], {"file_type": "BAM"}, "BAM"),
        (["reads.fastq.gz", "link.gz"], {}, "same file"),
    ]
    for names, more, message in cases:
        with pytest.raises(InputError, match=message):
            await bench.upload(bench.read_set(*[folder / name for name in names], **more))
    assert not bench.script.calls


async def test_two_at_once_on_one_upload_are_refused(bench: Bench) -> None:
    path = bench.file()
    read_set = bench.read_set(path)
    with bench.engine() as engine:
        ready = await prepare(read_set, engine.config, bench.told.append)
        key = engine._loader.key(ready, bench.store)
        with UploadLock(bench.folder / "state", key), pytest.raises(UploadBusy, match="another"):
            await engine.upload(read_set, bench.store, bench.told.append)
        await engine.upload(read_set, bench.store, bench.told.append)


async def test_a_state_folder_that_cannot_be_written_is_a_configuration_error(
    bench: Bench,
) -> None:
    (bench.folder / "state").write_text("a file")
    with pytest.raises(ConfigError, match="state folder"), bench.engine():
        pass


# --- many at once -------------------------------------------------------------------------------


async def test_many_uploads_share_one_engine(bench: Bench) -> None:
    paths = [bench.file(f"lane{number}.fastq.gz", 3000, number) for number in range(20)]
    results = []
    with bench.engine() as engine:

        async def one(path: Path) -> None:
            read_set = bench.read_set(path, name=path.name)
            results.append(await engine.upload(read_set, bench.store, bench.told.append))

        async with anyio.create_task_group() as group:
            for path in paths:
                group.start_soon(one, path)
    assert len({result.read_set_id for result in results}) == 20
    assert bench.resent == 0


async def test_a_callback_that_raises_stops_its_upload_which_stays_resumable(bench: Bench) -> None:
    path = bench.file()

    def raising(notice: object) -> None:
        if isinstance(notice, PartSeen):
            raise RuntimeError("the caller's own")

    with bench.engine() as engine, pytest.raises(RuntimeError, match="the caller's own"):
        await engine.upload(bench.read_set(path), bench.store, raising)
    await bench.upload(bench.read_set(path))
    assert bench.script.calls[CREATE] == 1


async def test_the_rehearsal_changes_nothing(bench: Bench) -> None:
    path = bench.file(size=10_000)
    with bench.engine() as engine:
        rehearsal = await engine.rehearse(bench.read_set(path), bench.store, bench.told.append)
    assert rehearsal.verdict == "create"
    assert rehearsal.bytes_to_send == path.stat().st_size
    assert bench.script.calls[CREATE] == 0
    await bench.interrupt_at(Rule(SEND, None, skip=5), concurrency=1)
    with bench.engine() as engine:
        rehearsal = await engine.rehearse(bench.read_set(path), bench.store, bench.told.append)
    assert (rehearsal.verdict, rehearsal.parts_there) == ("resume", 5)
    await bench.upload(bench.read_set(path))
    with bench.engine() as engine:
        rehearsal = await engine.rehearse(bench.read_set(path), bench.store, bench.told.append)
    assert (rehearsal.verdict, rehearsal.bytes_to_send) == ("exists", 0)
    assert bench.resent == 0


async def test_a_journal_that_makes_no_sense_is_left_aside(bench: Bench) -> None:
    path = bench.file(size=10_000)
    await bench.interrupt_at(Rule(SEND, None, skip=5), concurrency=1)
    with bench.engine() as engine:
        ready = await prepare(bench.read_set(path), engine.config, bench.told.append)
        key = engine._loader.key(ready, bench.store)
        engine._journal.append([(key, Completing()), (key, Completing())])
    result = await bench.upload(bench.read_set(path))
    assert result.parts_reused == 5
    assert "journal-unusable" in {each.code for each in bench.heard(Remark)}


def test_the_maker_of_files_makes_valid_ones(tmp_path: Path) -> None:
    text = gzip.decompress(gzip_fastq(tmp_path / "x.gz", 5000).read_bytes()).split(b"\n")
    assert text[0].startswith(b"@read")
    assert len(text[1]) == len(text[3])
