"""Every call of the API, over HTTPS against the emulator, with every field of its reply."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import anyio
import pytest

import turboupload
from tests.support import samples
from tests.support.emulator import REGION, RunningEmulator
from tests.support.samples import REFERENCE_ARN
from turboupload.core.notices import Calling, Notice, Retrying
from turboupload.core.upload.events import Completing
from turboupload.operations import TRANSACTIONS_PER_S

ROLE = "arn:aws:iam::000000000000:role/import"
NOWHERE = "9999999999"


@pytest.fixture(scope="module")
def s3_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bucket with a file of every type."""
    root = tmp_path_factory.mktemp("s3")
    bucket = root / "lab-bucket"
    bucket.mkdir()
    samples.fastq_pair(bucket)
    samples.ubam(bucket / "reads.ubam")
    samples.bam(bucket / "reads.bam")
    return root


@pytest.fixture(scope="module")
def emulator(s3_root: Path) -> Iterator[RunningEmulator]:
    options = ("--quotas", "off", "--ingest-delay", "0", "--page-size", "2")
    with RunningEmulator(*options, "--s3-root", str(s3_root), tls=True) as running:
        yield running


@pytest.fixture(autouse=True)
def environment(
    emulator: RunningEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    for key, value in emulator.env().items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("TURBOUPLOAD_STATE_DIR", str(tmp_path / "state"))
    yield
    emulator.clear_faults()


@pytest.fixture
def heard() -> list[Notice]:
    return []


@pytest.fixture
async def stores(heard: list[Notice]) -> AsyncIterator[turboupload.SequenceStores]:
    config = turboupload.UploadConfig(transactions_per_s=dict.fromkeys(TRANSACTIONS_PER_S, 1000))
    async with turboupload.SequenceStores(config, on_event=heard.append) as stores:
        yield stores


@pytest.fixture
def store(emulator: RunningEmulator) -> str:
    return emulator.store_id


def just_now(moment: datetime | None) -> bool:
    return moment is not None and abs(datetime.now(UTC) - moment) < timedelta(minutes=2)


async def finished(
    stores: turboupload.SequenceStores, store: str, job_id: str
) -> turboupload.ImportJob:
    with anyio.fail_after(30):
        while True:
            job = await stores.get_read_set_import_job(store, job_id)
            if job.ended:
                return job
            await anyio.sleep(0.05)


# --- stores ---------------------------------------------------------------------------------


async def test_a_store(stores: turboupload.SequenceStores, store: str) -> None:
    found = await stores.get_sequence_store(store)
    assert just_now(found.created_at)
    assert found == turboupload.SequenceStoreDetails(
        store_id=store,
        arn=f"arn:aws:omics:{REGION}:000000000000:sequenceStore/{store}",
        name="local",
        created_at=found.created_at,
        updated_at=found.created_at,
        etag_algorithm_family="MD5up",
        status=turboupload.SequenceStoreStatus.ACTIVE,
        s3_uri=found.s3_uri,
        s3_access_point_arn=found.s3_access_point_arn,
    )
    assert (
        found.s3_uri
        == f"s3://000000000000-{store}-emulated-s3alias/000000000000/sequenceStore/{store}/"
    )
    assert str(found.s3_access_point_arn).startswith(
        f"arn:aws:s3:{REGION}:000000000000:accesspoint/"
    )
    # A listing has no word of S3.
    listed = replace(found, s3_uri=None, s3_access_point_arn=None)
    assert [each async for each in stores.list_sequence_stores()] == [listed]


async def test_the_stores_that_pass_a_filter(
    stores: turboupload.SequenceStores, store: str
) -> None:
    async def count(**wanted: Any) -> int:
        found = stores.list_sequence_stores(turboupload.SequenceStoreFilter(**wanted))
        return len([each async for each in found])

    later = datetime.now(UTC) + timedelta(hours=1)
    earlier = datetime.now(UTC) - timedelta(hours=1)
    everything = {
        "name": "local", "status": "ACTIVE", "created_after": earlier, "created_before": later,
        "updated_after": earlier, "updated_before": later,
    }  # fmt: skip
    assert await count(**everything) == 1
    for wrong in (
        {"name": "another"},
        {"status": "DELETING"},
        {"created_after": later},
        {"created_before": earlier},
        {"updated_after": later},
        {"updated_before": earlier},
    ):
        assert await count(**wrong) == 0, wrong


# --- open uploads ---------------------------------------------------------------------------


@pytest.mark.parametrize(("file_type", "reference"), [("UBAM", None), ("BAM", REFERENCE_ARN)])
async def test_an_upload_is_created_and_listed_with_all_that_was_said(
    stores: turboupload.SequenceStores, store: str, file_type: Any, reference: str | None
) -> None:
    said: dict[str, Any] = {
        "file_type": file_type,
        "name": f"open {file_type}",
        "sample_id": "HG002",
        "subject_id": "NA24385",
        "reference_arn": reference,
        "generated_from": "run 7",
        "description": "lane 1",
        "tags": {"project": "giab", "empty": ""},
    }
    made = await stores.create_multipart_read_set_upload(
        store, **said, client_token=f"t-{said}"[:99]
    )
    assert just_now(made.created_at)
    assert made == turboupload.MultipartUpload(
        upload_id=made.upload_id, store_id=store, created_at=made.created_at, **said
    )
    again = await stores.create_multipart_read_set_upload(
        store, **said, client_token=f"t-{said}"[:99]
    )
    assert again == made
    listed = {each.upload_id: each async for each in stores.list_multipart_read_set_uploads(store)}
    assert listed[made.upload_id] == made
    await stores.abort_multipart_read_set_upload(store, made.upload_id)
    listed = {each.upload_id: each async for each in stores.list_multipart_read_set_uploads(store)}
    assert made.upload_id not in listed


async def test_an_upload_with_nothing_that_is_optional(
    stores: turboupload.SequenceStores, store: str
) -> None:
    said: dict[str, Any] = {
        "file_type": "FASTQ", "name": "bare", "sample_id": "s", "subject_id": "u",
    }  # fmt: skip
    made = await stores.create_multipart_read_set_upload(store, **said)
    other = await stores.create_multipart_read_set_upload(store, **said)
    assert made.upload_id != other.upload_id
    assert (made.reference_arn, made.generated_from, made.description) == (None, None, None)
    assert made.tags == {}


async def test_the_parts_of_an_upload(
    stores: turboupload.SequenceStores, store: str, tmp_path: Path
) -> None:
    parts = [
        each
        async for each in stores.list_read_set_upload_parts(store, await all_sent(store, tmp_path))
    ]
    assert [(each.source, each.number, each.size) for each in parts] == [
        (turboupload.PartSource.SOURCE1, number, size)
        for number, size in enumerate((5000, 5000, 5000, 4485), start=1)
    ]
    for each in parts:
        assert each.checksum
        assert just_now(each.created_at)
        assert just_now(each.updated_at)


async def all_sent(store: str, folder: Path) -> str:
    """An open upload with all its parts, four of 5,000 bytes at most."""
    sample = samples.fastq(folder / "half.fastq.gz")

    class Enough(Exception):
        """All parts are there."""

    upload_id = ""

    def stop(notice: Notice) -> None:
        nonlocal upload_id
        upload_id = getattr(notice, "upload_id", None) or upload_id
        if isinstance(notice, Completing):
            raise Enough

    config = turboupload.UploadConfig(part_size_bytes=5000, concurrency=1)
    with pytest.raises((Enough, ExceptionGroup)):
        await turboupload.upload(
            turboupload.ReadSet(sources=[sample.path], name="half", sample_id="s", subject_id="u"),
            store_id=store,
            config=config,
            on_event=stop,
        )
    return upload_id


# --- read sets ------------------------------------------------------------------------------


async def test_a_read_set_that_was_uploaded(
    stores: turboupload.SequenceStores, store: str, tmp_path: Path
) -> None:
    one, two = samples.fastq_pair(tmp_path, seed=5)
    result = await turboupload.upload(
        turboupload.ReadSet(
            sources=[one.path, two.path],
            name="uploaded",
            sample_id="HG002",
            subject_id="NA24385",
            generated_from="run 7",
            description="lane 1",
        ),
        store_id=store,
    )
    found = await stores.get_read_set_metadata(store, result.read_set_id)
    assert just_now(found.created_at)
    at = (await stores.get_sequence_store(store)).s3_uri
    where = f"{at}readSet/{result.read_set_id}"
    assert found == turboupload.ReadSetDetails(
        read_set_id=result.read_set_id,
        status=turboupload.ReadSetStatus.ACTIVE,
        arn=f"arn:aws:omics:{REGION}:000000000000:sequenceStore/{store}/readSet/"
        f"{result.read_set_id}",
        store_id=store,
        name="uploaded",
        subject_id="NA24385",
        sample_id="HG002",
        description="lane 1",
        file_type="FASTQ",
        created_at=found.created_at,
        creation_type=turboupload.CreationType.UPLOAD,
        generated_from="run 7",
        total_reads=400,
        total_bases=400 * 150,
        alignment="UNALIGNED",
        files=turboupload.ReadSetFiles(
            source1=replace(stored(one.path), s3_uri=f"{where}/source1.fastq.gz"),
            source2=replace(stored(two.path), s3_uri=f"{where}/source2.fastq.gz"),
        ),
        etag=turboupload.ETag(
            algorithm="FASTQ_MD5up", source1=md5(one.path), source2=md5(two.path)
        ),
    )


def stored(path: Path) -> turboupload.StoredFile:
    return turboupload.StoredFile(
        total_parts=1, part_size=100 * 1024 * 1024, content_length=path.stat().st_size
    )


def md5(path: Path) -> str:
    return hashlib.md5(gzip.decompress(path.read_bytes()), usedforsecurity=False).hexdigest()


async def test_the_read_sets_that_pass_a_filter(
    stores: turboupload.SequenceStores, store: str
) -> None:
    began = datetime.now(UTC) - timedelta(seconds=1)
    job = await stores.start_read_set_import_job(
        store,
        role_arn=ROLE,
        sources=[
            source(name="wanted", file_type="BAM", key="reads.bam", sample_id="filtered",
                   subject_id="u1", generated_from="run 9", reference_arn=REFERENCE_ARN),
            *(source(name=f"other {n}", sample_id="filtered", subject_id="u2") for n in range(4)),
        ],
    )  # fmt: skip
    await finished(stores, store, job.job_id)

    async def names(**wanted: Any) -> set[str | None]:
        listing = stores.list_read_sets(
            store, turboupload.ReadSetFilter(**{"sample_id": "filtered", **wanted})
        )
        rows = [each.name async for each in listing]
        assert len(set(rows)) == len(rows)
        return set(rows)

    others = {f"other {n}" for n in range(4)}
    after = datetime.now(UTC) + timedelta(seconds=1)
    assert await names() == {"wanted"} | others
    assert await names(name="wanted") == {"wanted"}
    assert await names(subject_id="u1") == {"wanted"}
    assert await names(generated_from="run 9") == {"wanted"}
    assert await names(reference_arn=REFERENCE_ARN) == {"wanted"}
    assert await names(reference_arn="") == others
    assert await names(creation_type="UPLOAD") == set()
    assert await names(status="ARCHIVED") == set()
    assert await names(sample_id="nobody") == set()
    assert await names(created_after=after) == set()
    assert await names(created_before=began) == set()
    assert await names(
        name="wanted", subject_id="u1", generated_from="run 9", reference_arn=REFERENCE_ARN,
        creation_type="IMPORT", status="ACTIVE", created_after=began, created_before=after,
    ) == {"wanted"}  # fmt: skip


async def test_a_row_of_a_listing_says_all_but_the_files(
    stores: turboupload.SequenceStores, store: str
) -> None:
    job = await stores.start_read_set_import_job(
        store,
        role_arn=ROLE,
        sources=[source(name="row", sample_id="rows", description="a", generated_from="run 1")],
    )
    (made,) = (await finished(stores, store, job.job_id)).sources
    wanted = turboupload.ReadSetFilter(sample_id="rows")
    (row,) = [each async for each in stores.list_read_sets(store, wanted)]
    assert made.read_set_id is not None
    full = await stores.get_read_set_metadata(store, made.read_set_id)
    assert full.files is not None
    assert full.creation_job_id == job.job_id
    for name in turboupload.ReadSetDetails.__dataclass_fields__:
        if name not in ("files", "creation_job_id"):
            assert getattr(row, name) == getattr(full, name), name


# --- import jobs ----------------------------------------------------------------------------


def source(key: str = "sample_R1.fastq.gz", **more: Any) -> turboupload.ImportSource:
    said: dict[str, Any] = {
        "file_type": "FASTQ",
        "subject_id": "u",
        "sample_id": "s",
        **more,
    }
    return turboupload.ImportSource(source1=f"s3://lab-bucket/{key}", **said)


async def test_an_import_of_ubam_without_a_reference_and_of_a_pair(
    stores: turboupload.SequenceStores, store: str
) -> None:
    ubam = source("reads.ubam", file_type="UBAM")
    pair = source(
        source2="s3://lab-bucket/sample_R2.fastq.gz",
        name="pair",
        sample_id="HG002",
        subject_id="NA24385",
        generated_from="run 7",
        reference_arn=REFERENCE_ARN,
        description="lane 1",
        tags={"project": "giab"},
    )
    lost = source("missing.fastq.gz", name="lost")
    token = "one token"
    began = await stores.start_read_set_import_job(
        store, role_arn=ROLE, sources=[ubam, pair, lost], client_token=token
    )
    assert just_now(began.created_at)
    assert began == turboupload.ImportJob(
        job_id=began.job_id,
        store_id=store,
        role_arn=ROLE,
        status=began.status,
        created_at=began.created_at,
    )
    again = await stores.start_read_set_import_job(
        store, role_arn=ROLE, sources=[ubam, pair, lost], client_token=token
    )
    assert again.job_id == began.job_id
    done = await finished(stores, store, began.job_id)
    assert (done.status, done.role_arn, done.store_id, done.created_at) == (
        turboupload.ImportJobStatus.COMPLETED_WITH_FAILURES, ROLE, store, began.created_at,
    )  # fmt: skip
    assert just_now(done.completed_at)
    first, second, third = done.sources
    assert first.read_set_id
    assert second.read_set_id
    assert first == turboupload.ImportJobSource(
        source1=ubam.source1,
        file_type="UBAM",
        status=turboupload.ImportSourceStatus.FINISHED,
        subject_id="u",
        sample_id="s",
        read_set_id=first.read_set_id,
        service_tags={"aws:omics:sampleId": "s", "aws:omics:subjectId": "u"},
    )
    assert second == turboupload.ImportJobSource(
        source1=pair.source1,
        source2=pair.source2,
        file_type="FASTQ",
        status=turboupload.ImportSourceStatus.FINISHED,
        subject_id="NA24385",
        sample_id="HG002",
        name="pair",
        generated_from="run 7",
        reference_arn=REFERENCE_ARN,
        description="lane 1",
        tags={"project": "giab"},
        read_set_id=second.read_set_id,
        service_tags={"aws:omics:sampleId": "HG002", "aws:omics:subjectId": "NA24385"},
    )
    assert (third.status, third.read_set_id) == (turboupload.ImportSourceStatus.FAILED, None)
    assert third.status_message
    assert (await stores.get_read_set_metadata(store, first.read_set_id)).file_type == "UBAM"


async def test_the_import_jobs_that_pass_a_filter(
    stores: turboupload.SequenceStores, store: str
) -> None:
    jobs = [
        await stores.start_read_set_import_job(store, role_arn=ROLE, sources=[source()])
        for _ in range(3)
    ]
    for job in jobs:
        await finished(stores, store, job.job_id)

    async def listed(**wanted: Any) -> dict[str, turboupload.ImportJob]:
        listing = stores.list_read_set_import_jobs(store, turboupload.ImportJobFilter(**wanted))
        return {each.job_id: each async for each in listing}

    ours = {job.job_id for job in jobs}
    assert ours <= set(await listed())
    done = await listed(status="COMPLETED", created_after=jobs[0].created_at)
    assert {jobs[1].job_id, jobs[2].job_id} <= set(done)
    for job in jobs[1:]:
        row, full = done[job.job_id], await stores.get_read_set_import_job(store, job.job_id)
        assert row.completed_at == full.completed_at
        assert (row.store_id, row.role_arn, row.created_at) == (store, ROLE, job.created_at)
    assert not ours & set(await listed(status="FAILED"))
    assert not ours & set(await listed(created_before=jobs[0].created_at))


# --- paging ---------------------------------------------------------------------------------


async def test_pages_can_be_taken_one_by_one_and_gone_on_with(
    stores: turboupload.SequenceStores, store: str, heard: list[Notice]
) -> None:
    for n in range(3):
        await stores.create_multipart_read_set_upload(
            store, file_type="FASTQ", name=f"page {n}", sample_id="s", subject_id="u"
        )
    listing = stores.list_multipart_read_set_uploads(store, page_size=1)
    pages = [page async for page in listing.pages()]
    assert len(pages) >= 3
    assert {len(page.rows) for page in pages} == {1}
    rest = stores.list_multipart_read_set_uploads(store, next_token=pages[0].next_token)
    ids = [page.rows[0].upload_id for page in pages]
    assert [each.upload_id async for each in rest] == ids[1:]
    # A row costs no page that nobody asked for.
    before = len(heard)
    async for _ in listing:
        break
    assert len([each for each in heard[before:] if isinstance(each, Calling)]) == 1


# --- what goes wrong ------------------------------------------------------------------------


async def test_what_is_not_there_is_named(stores: turboupload.SequenceStores, store: str) -> None:
    calls: list[tuple[Any, str]] = [
        (lambda: stores.get_sequence_store(NOWHERE), f"store {NOWHERE} was not found"),
        (lambda: first(stores.list_read_sets(NOWHERE)), f"store {NOWHERE} was not found"),
        (lambda: first(stores.list_multipart_read_set_uploads(NOWHERE)), f"store {NOWHERE} was"),
        (lambda: first(stores.list_read_set_import_jobs(NOWHERE)), f"store {NOWHERE} was"),
        (lambda: stores.get_read_set_metadata(store, NOWHERE), f"read set {NOWHERE} of store"),
        (lambda: stores.get_read_set_import_job(store, NOWHERE), f"import job {NOWHERE} of"),
        (lambda: first(stores.list_read_set_upload_parts(store, NOWHERE)), f"upload {NOWHERE} of"),
        (lambda: stores.abort_multipart_read_set_upload(store, NOWHERE), f"upload {NOWHERE} of"),
        (lambda: stores.create_multipart_read_set_upload(
            NOWHERE, file_type="FASTQ", name="n", sample_id="s", subject_id="u"), "store 9999"),
        (lambda: stores.start_read_set_import_job(
            NOWHERE, role_arn=ROLE, sources=[source()]), "store 9999"),
    ]  # fmt: skip
    for call, words in calls:
        with pytest.raises(turboupload.ServiceRefused, match=words) as caught:
            await call()
        assert caught.value.hint


async def first(listing: turboupload.Listing[Any]) -> Any:
    async for row in listing:
        return row
    return None


async def test_a_denial_names_the_permission(
    stores: turboupload.SequenceStores, store: str, emulator: RunningEmulator
) -> None:
    action = {"type": "error", "status": 403, "code": "AccessDeniedException", "message": "no"}
    emulator.set_faults([{"operation": "ListReadSets", "action": action}])
    with pytest.raises(turboupload.ServiceRefused) as caught:
        await first(stores.list_read_sets(store))
    assert "the credentials lack the permission omics:ListReadSets" in str(caught.value.hint)


async def test_a_call_that_fails_for_a_while_is_made_again(
    stores: turboupload.SequenceStores,
    store: str,
    emulator: RunningEmulator,
    heard: list[Notice],
) -> None:
    action = {"type": "error", "status": 500, "code": "InternalServerException", "message": "x"}
    emulator.set_faults([{"operation": "GetSequenceStore", "times": 1, "action": action}])
    assert (await stores.get_sequence_store(store)).store_id == store
    (retry,) = [each for each in heard if isinstance(each, Retrying)]
    assert (retry.operation, retry.reason) == ("GetSequenceStore", "InternalServerException")


async def test_a_lost_reply_makes_no_second_job(
    stores: turboupload.SequenceStores, store: str, emulator: RunningEmulator
) -> None:
    before = {each.job_id async for each in stores.list_read_set_import_jobs(store)}
    emulator.set_faults(
        [{"operation": "StartReadSetImportJob", "times": 1, "action": {"type": "lose_reply"}}]
    )
    job = await stores.start_read_set_import_job(store, role_arn=ROLE, sources=[source()])
    after = {each.job_id async for each in stores.list_read_set_import_jobs(store)}
    assert after - before == {job.job_id}
    await finished(stores, store, job.job_id)


@pytest.mark.parametrize("bad", ["", "123", "12345678901x", "1" * 37, " 1234567890"])
async def test_an_id_that_is_none_is_refused_before_anything_is_sent(bad: str) -> None:
    stores = turboupload.SequenceStores()
    good = "1234567890"
    with pytest.raises(turboupload.ConfigError, match="is not the id of"):
        stores.list_read_sets(bad)
    with pytest.raises(turboupload.ConfigError, match="is not the id of"):
        stores.list_read_set_upload_parts(good, bad)
    with pytest.raises(turboupload.ConfigError, match="is not the id of"):
        await stores.get_read_set_metadata(good, bad)
    with pytest.raises(turboupload.ConfigError, match="is not the id of"):
        await stores.abort_multipart_read_set_upload(good, bad)


async def test_other_parameters_are_checked_before_anything_is_sent() -> None:
    stores = turboupload.SequenceStores()
    store = "1234567890"
    with pytest.raises(turboupload.ConfigError, match="1 to 100 rows"):
        stores.list_read_sets(store, page_size=101)
    with pytest.raises(turboupload.InputError, match="1 to 100 read sets, not 0"):
        await stores.start_read_set_import_job(store, role_arn=ROLE, sources=[])
    with pytest.raises(turboupload.InputError, match="not 101"):
        await stores.start_read_set_import_job(store, role_arn=ROLE, sources=[source()] * 101)
    with pytest.raises(turboupload.ConfigError, match="ARN of a role"):
        await stores.start_read_set_import_job(store, role_arn="me", sources=[source()])
    with pytest.raises(turboupload.ConfigError, match="client token"):
        await stores.start_read_set_import_job(
            store, role_arn=ROLE, sources=[source()], client_token="x" * 128
        )
    wrong: Any = "5min"
    for call in (
        lambda: stores.wait_until_active(store, store, timeout_s=wrong),
        lambda: stores.start_read_set_import_job(store, role_arn=ROLE, sources=[wrong]),
        lambda: stores.start_read_set_import_job(
            store, role_arn=ROLE, sources=[source()], client_token=cast("Any", 5)
        ),
        lambda: stores.list_read_sets(store, page_size=wrong),
    ):
        with pytest.raises(turboupload.ConfigError):
            await cast("Any", call)()
    unknown: Any = "VCF"
    with pytest.raises(turboupload.InputError, match="file type"):
        await stores.create_multipart_read_set_upload(
            store, file_type=unknown, name="n", sample_id="s", subject_id="u"
        )
    with pytest.raises(turboupload.InputError, match="name must have"):
        await stores.create_multipart_read_set_upload(
            store, file_type="BAM", name="", sample_id="s", subject_id="u"
        )
    with pytest.raises(RuntimeError, match="async with"):
        await stores.get_sequence_store(store)
