"""Uploads that are proven, and their receipts, over the service in memory."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.engine.conftest import Bench
from tests.support.memory_service import MemoryService
from tests.support.receipts import check_schema
from turboupload.core.model import FileType, Part, PartSource
from turboupload.core.notices import Notice, Remark
from turboupload.core.proof.receipt import Receipt
from turboupload.core.records import ETag, ReadSetDetails
from turboupload.core.upload.events import ETagComputed
from turboupload.engine.proving.hashing import ContentHasher
from turboupload.errors import ConfigError, IntegrityError, ServiceRefused
from turboupload.files.receipt_check import check_receipt
from turboupload.files.source import inspect_source
from turboupload.state.journal import Journal
from turboupload.state.receipt_file import load_receipt


class KnowingService(MemoryService):
    """One that hashes what it stores; like the real one, it shows that of an ACTIVE read set.

    Attributes:
        content: The uncompressed content of each source.
        hash_name: What its ETags are made with.
        reads: How many reads it counts.
    """

    content: tuple[bytes, ...] = ()
    hash_name: str = "md5"
    family: str = "MD5up"
    reads: int | None = None

    async def get_read_set(self, store_id: str, read_set_id: str) -> ReadSetDetails:
        record = await super().get_read_set(store_id, read_set_id)
        if record.status != "ACTIVE":
            return record
        digests = [hashlib.new(self.hash_name, each).hexdigest() for each in self.content]
        etag = ETag(
            algorithm=f"{record.file_type}_{self.family}",
            source1=digests[0],
            source2=digests[1] if len(digests) > 1 else None,
        )
        return replace(record, etag=etag, total_reads=self.reads)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, service=KnowingService())


def stores(bench: Bench, *paths: Path) -> KnowingService:
    """What the service will say it stores."""
    service = bench.service
    assert isinstance(service, KnowingService)
    service.content = tuple(zlib.decompress(path.read_bytes(), 31) for path in paths)
    return service


def kept(bench: Bench, name: str = "lane 1") -> dict[str, Any]:
    """The receipt in the journal, which keeps to the published schema."""
    journal = Journal(bench.folder / "state")
    try:
        document: dict[str, Any] = json.loads(journal.receipts(name)[-1].body)
    finally:
        journal.close()
    check_schema(document)
    return document


def remarks(bench: Bench) -> list[str]:
    return [each.code for each in bench.heard(Remark)]


async def test_a_pair_is_proven_by_its_parts_and_its_etag(bench: Bench) -> None:
    one, two = bench.file("1.fastq.gz"), bench.file("2.fastq.gz", 7000, seed=2)
    stores(bench, one, two).reads = 2
    target = bench.folder / "r.json"
    with bench.engine(prove=True) as engine:
        result = await engine.upload(
            bench.read_set(one, two), bench.store, bench.told.append, receipt_path=target
        )
    assert result.verified == "sha256"
    assert result.receipt is not None
    assert result.receipt.verdict.by == ("part-checksums", "etag")
    receipt = load_receipt(target)
    assert kept(bench) == receipt.document()
    assert [each.sha256 for each in receipt.files] == [
        hashlib.sha256(path.read_bytes()).hexdigest() for path in (one, two)
    ]
    assert [each.outcome for each in receipt.comparisons] == ["equal"] * 4
    assert check_receipt(receipt).proven
    assert remarks(bench) == []


async def test_every_upload_leaves_a_receipt_in_the_journal(bench: Bench) -> None:
    path = bench.file()
    stores(bench, path)
    await bench.upload(bench.read_set(path))
    document = kept(bench)
    assert document["proven_by"] == ["part-checksums"]
    assert document["files"][0]["sha256"] is None
    assert document["files"][0]["path"] == str(path)
    await bench.upload(bench.read_set(path))
    again = kept(bench)
    assert again["proven"]
    assert again["files"] == document["files"]


async def test_a_receipt_of_what_was_not_waited_for_says_so(bench: Bench) -> None:
    path = bench.file()
    await bench.upload(bench.read_set(path), wait=False)
    document = kept(bench)
    assert not document["proven"]
    assert "not yet ACTIVE" in document["statement"]
    stores(bench, path)
    await bench.upload(bench.read_set(path))
    assert kept(bench)["proven"]


async def test_without_sha256_only_the_etag_proves(bench: Bench) -> None:
    path = bench.file()
    stores(bench, path)
    first = await bench.upload(bench.read_set(path), checksum="xxh3")
    assert first.receipt is not None
    assert not first.receipt.verdict.proven
    assert "checksum xxh3" in first.receipt.comparisons[0].sentence
    part = kept(bench)["files"][0]["parts"][0]
    assert part["sha256"] is None
    assert part["xxh3"]
    second = await bench.upload(bench.read_set(path), checksum="xxh3", prove=True)
    assert second.verified == "etag"
    document = kept(bench)
    assert document["proven_by"] == ["etag"]
    assert document["files"][0]["sha256_tree"] is None
    assert document["files"][0]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(("family", "name"), [("SHA256up", "sha256"), ("SHA512up", "sha512")])
async def test_the_stores_family_is_the_one_that_counts(
    bench: Bench, family: str, name: str
) -> None:
    path = bench.file()
    service = stores(bench, path)
    service.family, service.hash_name = family, name
    result = await bench.upload(bench.read_set(path), prove=True)
    assert result.comparison is not None
    assert result.comparison.proves_equal


async def test_the_family_of_a_store_is_found_out_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    compute = ContentHasher.compute

    async def counted(self: ContentHasher, family: str) -> ETagComputed:
        asked.append(family)
        return await compute(self, family)

    monkeypatch.setattr(ContentHasher, "compute", counted)
    path = bench.file()
    service = stores(bench, path)
    service.family, service.hash_name = "SHA512up", "sha512"
    with bench.engine(prove=True) as engine:
        for name in ("lane 1", "lane 2"):
            await engine.upload(bench.read_set(path, name=name), bench.store, bench.told.append)
    assert asked == ["MD5up", "SHA512up", "SHA512up"]


async def test_what_the_callers_callback_raises_comes_out_as_it_is(bench: Bench) -> None:
    path = bench.file()
    stores(bench, path)

    def tell(notice: Notice) -> None:
        if isinstance(notice, ETagComputed):
            raise LookupError("the caller's own")

    with bench.engine(prove=True) as engine, pytest.raises(LookupError):
        await engine.upload(bench.read_set(path), bench.store, tell)
    await until(lambda: etag_threads() == 0)


async def test_other_reads_in_our_read_set_are_exit_6_and_a_receipt_says_so(bench: Bench) -> None:
    path = bench.file()
    stores(bench, bench.file("other.fastq.gz", seed=9))
    target = bench.folder / "r.json"
    other_reads = pytest.raises(IntegrityError, match="the store holds other reads")
    with bench.engine(prove=True) as engine, other_reads:
        await engine.upload(
            bench.read_set(path), bench.store, bench.told.append, receipt_path=target
        )
    receipt = load_receipt(target)
    assert receipt.verdict.statement.startswith("Not proven, but disproven")
    assert not check_receipt(receipt).proven


async def test_a_disproof_outlives_the_weaker_proof_before_it_and_after_it(bench: Bench) -> None:
    path = bench.file()
    stores(bench, bench.file("other.fastq.gz", seed=9))
    await bench.upload(bench.read_set(path))
    assert kept(bench)["proven"]
    with pytest.raises(IntegrityError, match="the store holds other reads"):
        await bench.upload(bench.read_set(path), prove=True)
    assert "disproven" in kept(bench)["statement"]
    await bench.upload(bench.read_set(path))
    assert "disproven" in kept(bench)["statement"]


async def test_a_disproof_says_whether_these_are_the_very_files_that_were_sent(
    bench: Bench,
) -> None:
    path = bench.file()
    stores(bench, bench.file("other.fastq.gz", seed=9))
    await bench.upload(bench.read_set(path))
    hints = []
    for _ in range(2):
        with pytest.raises(IntegrityError, match="the store holds other reads") as caught:
            await bench.upload(bench.read_set(path), prove=True)
        hints.append(caught.value.hint or "")
        os.utime(path, (1, 1))
    assert "memory" in hints[0]
    assert "not exactly the files" in hints[1]


async def test_another_count_of_reads_is_a_warning(bench: Bench) -> None:
    path = bench.file()
    stores(bench, path).reads = 77
    result = await bench.upload(bench.read_set(path), prove=True)
    assert remarks(bench) == ["read-count-differs"]
    assert result.receipt is not None
    assert result.receipt.verdict.proven


async def test_a_lost_journal_is_made_up_for_by_an_equal_etag(bench: Bench) -> None:
    path = bench.file()
    stores(bench, path)
    made = await bench.upload(bench.read_set(path))
    bench.forget_journal()
    found = await bench.upload(bench.read_set(path), prove=True)
    assert found.read_set_id == made.read_set_id
    assert found.bytes_sent == 0
    assert found.verified == "etag"
    document = kept(bench)
    assert document["proven_by"] == ["etag"]
    # Read for the receipt, since nothing remembers them.
    assert len(document["files"][0]["parts"]) == found.parts


async def test_a_file_of_equal_size_with_other_reads_is_in_the_way(bench: Bench) -> None:
    path, other = bench.file(), bench.file("other.fastq.gz", seed=8)
    assert path.stat().st_size == other.stat().st_size
    stores(bench, path)
    await bench.upload(bench.read_set(path))
    bench.forget_journal()
    with pytest.raises(ServiceRefused, match="the store holds other reads"):
        await bench.upload(bench.read_set(other), prove=True)
    # Whether it is there already is proven without being asked to.
    with pytest.raises(ServiceRefused, match="the store holds other reads"):
        await bench.upload(bench.read_set(other))
    found = await bench.upload(bench.read_set(path))
    assert found.existed
    assert (found.bytes_sent, found.verified) == (0, "etag")
    assert found.receipt is not None
    assert found.receipt.verdict.proven


async def test_a_read_set_of_a_batch_is_proven_when_it_is_looked_at(bench: Bench) -> None:
    path = bench.file()
    service = stores(bench, path)
    service.family, service.hash_name = "SHA256up", "sha256"
    with bench.engine(prove=True) as engine:
        run = await engine.send(bench.read_set(path), bench.store, bench.told.append)
        result = None
        while result is None:
            result = await engine.poll(run)
    assert result.comparison is not None
    assert result.comparison.proves_equal
    assert kept(bench)["proven_by"] == ["part-checksums", "etag"]


def test_a_proof_needs_the_wait(bench: Bench) -> None:
    with pytest.raises(ConfigError, match="no ETag before it is ACTIVE"):
        bench.engine(prove=True, wait=False).__enter__()


async def test_a_receipts_place_is_looked_at_before_anything_is_sent(bench: Bench) -> None:
    path = bench.file()
    with bench.engine() as engine, pytest.raises(ConfigError, match="no such folder"):
        await engine.upload(
            bench.read_set(path),
            bench.store,
            bench.told.append,
            receipt_path=bench.folder / "none" / "r.json",
        )
    assert not bench.script.calls


# --- the hashing itself -----------------------------------------------------------------------


def large(folder: Path, size: int = 24 * 1024 * 1024) -> Path:
    """A gzip of zeros, not compressed; it is nothing but long."""
    packer = zlib.compressobj(level=0, wbits=31)
    path = folder / "large.gz"
    with path.open("wb") as file:
        for _ in range(size // 65536):
            file.write(packer.compress(bytes(65536)))
        file.write(packer.flush())
    return path


def hasher_of(*paths: Path) -> ContentHasher:
    sources = [
        inspect_source(str(path), which) for path, which in zip(paths, PartSource, strict=False)
    ]
    return ContentHasher(sources, FileType.FASTQ)


def etag_threads() -> int:
    names = ("etag", "inflate")
    return sum(each.name.startswith(names) for each in threading.enumerate())


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(20):
        while not condition():  # noqa: ASYNC110 - threads change it, and set no event
            await anyio.sleep(0.005)


async def test_it_does_not_run_ahead_of_the_sending_and_leaves_at_once(tmp_path: Path) -> None:
    path = large(tmp_path)
    hasher = hasher_of(path)
    part = 8 * 1024 * 1024
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:

            async def compute() -> None:
                await hasher.compute("MD5up")

            group.start_soon(compute)
            await until(lambda: hasher.done_bytes > 0)
            hasher.gate.advance(Part(PartSource.SOURCE1, 1, 0, part))
            await until(lambda: hasher.done_bytes >= part)
            await anyio.sleep(0.05)  # time to run ahead in, if it did
            # The piece at which it noticed; what is inflated ahead is not hashed yet.
            assert hasher.done_bytes <= part + 2 * 1024 * 1024
            began = anyio.current_time()
            scope.cancel()
    assert anyio.current_time() - began < 20
    await until(lambda: etag_threads() == 0)


async def test_a_damaged_fastq_is_an_error_and_no_thread_stays(tmp_path: Path) -> None:
    path = large(tmp_path, 1024 * 1024)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    hasher = hasher_of(path)
    hasher.gate.open()
    with pytest.raises(IntegrityError, match="can't be computed") as caught:
        await hasher.compute("MD5up")
    assert caught.value.path == str(path)
    await until(lambda: etag_threads() == 0)


async def test_a_file_that_changed_says_nothing_of_what_was_sent(tmp_path: Path) -> None:
    path = large(tmp_path, 1024 * 1024)
    hasher = hasher_of(path)
    path.touch()
    hasher.gate.open()
    with pytest.raises(IntegrityError, match="changed"):
        await hasher.compute("MD5up")


async def test_damage_found_meanwhile_stops_the_upload(bench: Bench) -> None:
    path = bench.folder / "damaged.fastq.gz"
    bench.file(path.name)
    data = bytearray(path.read_bytes())
    data[-6] ^= 1  # in the CRC-32, which the quick look at a large file doesn't see
    path.write_bytes(data)
    with pytest.raises(IntegrityError, match="ETag can't be computed"):
        await bench.upload(bench.read_set(path), prove=True, preflight=False)


def test_a_receipt_is_part_of_the_library() -> None:
    import turboupload

    assert turboupload.Receipt is Receipt
