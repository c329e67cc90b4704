"""Imports as a pipeline makes them: the library against the emulator, with real files."""

from __future__ import annotations

import csv
import dataclasses
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
import structlog

import turboupload
from tests.support import samples
from tests.support.botocore_client import omics_client
from tests.support.emulator import RunningEmulator
from turboupload import ImportResult, ImportSource
from turboupload.core.notices import Remark
from turboupload.engine.import_looks import ImportLooks

ROLE = "arn:aws:iam::111122223333:role/omics-import"
START = "StartReadSetImportJob"
QUICK = turboupload.UploadConfig(poll_interval_s=0.2)


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bucket = tmp_path_factory.mktemp("s3") / "bucket"
    bucket.mkdir()
    samples.fastq_pair(bucket, reads=2)
    samples.ubam(bucket / "reads.bam", reads=2)
    samples.bam(bucket / "aligned.bam", reads=2)
    (bucket / "bad.fastq.gz").write_text("no gzip")
    return bucket


@pytest.fixture(scope="module")
def emulator(bucket: Path) -> Iterator[RunningEmulator]:
    words = ("--quotas", "off", "--ingest-delay", "0", "--s3-root", str(bucket.parent))
    with RunningEmulator(*words, tls=True) as running:
        yield running


@pytest.fixture(autouse=True)
def environment(emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for key, value in emulator.env().items():
        monkeypatch.setenv(key, value)
    emulator.clear_faults()
    emulator.reset_stats()
    yield
    emulator.clear_faults()
    structlog.reset_defaults()


def fastq(name: str, sample: str, key: str = "sample_R1.fastq.gz", **more: Any) -> ImportSource:
    return ImportSource(
        source1=f"s3://bucket/{key}",
        file_type="FASTQ",
        name=name,
        sample_id=sample,
        subject_id="p",
        **more,
    )


async def run(emulator: RunningEmulator, rows: list[ImportSource], **more: Any) -> ImportResult:
    return await turboupload.import_read_sets(
        rows, store_id=emulator.store_id, role_arn=ROLE, **{"config": QUICK, **more}
    )


def started(emulator: RunningEmulator) -> int:
    """Requests that reached the emulator."""
    operations = emulator.stats()["operations"]
    return int(operations[START]["requests"]) if START in operations else 0


def outcome(result: ImportResult) -> dict[str, str]:
    return {row.name: row.status for row in result.rows}


async def test_every_type_and_a_source_that_fails(
    emulator: RunningEmulator, tmp_path: Path
) -> None:
    rows = [
        fastq("pair", "types", source2="s3://bucket/sample_R2.fastq.gz", tags={"k": "v"}),
        ImportSource(source1="s3://bucket/reads.bam", file_type="UBAM", name="ubam",
                     sample_id="types", subject_id="p", generated_from="run 7"),
        ImportSource(source1="s3://bucket/aligned.bam", file_type="BAM", name="bam",
                     sample_id="types", subject_id="p", reference_arn=samples.REFERENCE_ARN),
        fastq("bad", "types", "bad.fastq.gz"),
        fastq("none", "types", "none.fastq.gz"),
    ]  # fmt: skip
    told: list[object] = []
    kept = tmp_path / "results.csv"
    result = await run(emulator, rows, results=kept, on_event=told.append)
    assert outcome(result) == {
        "pair": "active", "ubam": "active", "bam": "active", "bad": "failed", "none": "failed",
    }  # fmt: skip
    assert [row.name for row in result.failed] == ["bad", "none"]
    assert "is not gzip" in result.rows[3].message
    assert "there is no object s3://bucket/none.fastq.gz" in result.rows[4].message
    (job,) = result.jobs
    assert (job.status, job.role_arn) == ("COMPLETED_WITH_FAILURES", ROLE)
    assert any(isinstance(each, turboupload.ImportPlanned) for each in told)
    with kept.open(newline="") as file:
        written = list(csv.DictReader(file))
    assert [row["status"] for row in written] == ["active"] * 3 + ["failed"] * 2
    async with turboupload.SequenceStores() as stores:
        found = await stores.get_read_set_metadata(
            emulator.store_id, str(result.rows[0].read_set_id)
        )
    assert (found.name, found.creation_type, found.status) == ("pair", "IMPORT", "ACTIVE")
    assert found.creation_job_id in (None, job.job_id)


async def test_a_second_call_imports_nothing_twice_and_what_failed_again(
    emulator: RunningEmulator, bucket: Path
) -> None:
    rows = [fastq("good", "twice"), fastq("late", "twice", "late.fastq.gz")]
    assert outcome(await run(emulator, rows)) == {"good": "active", "late": "failed"}
    # The token of the row that failed is known by now; still it is tried again.
    assert outcome(await run(emulator, rows)) == {"good": "exists", "late": "failed"}
    samples.fastq(bucket / "late.fastq.gz", reads=2)
    assert outcome(await run(emulator, rows)) == {"good": "exists", "late": "active"}
    emulator.reset_stats()
    result = await run(emulator, rows)
    assert outcome(result) == {"good": "exists", "late": "exists"}
    assert (started(emulator), result.jobs) == (0, ())
    assert outcome(await run(emulator, rows, again=True)) == {"good": "active", "late": "active"}
    other = [fastq("good", "twice", description="another"), rows[1]]
    # A read set that says nothing of a description doesn't contradict.
    assert outcome(await run(emulator, other)) == {"good": "exists", "late": "exists"}


async def test_250_rows_are_three_jobs_and_a_lost_reply_starts_none_twice(
    emulator: RunningEmulator,
) -> None:
    rows = [fastq(f"r{number}", "many") for number in range(250)]
    emulator.set_faults([{"operation": START, "after": 1, "action": {"type": "lose_reply"}}])
    told: list[object] = []
    config = turboupload.UploadConfig(wait=False)
    result = await run(emulator, rows, config=config, on_event=told.append)
    assert [len(each.rows) for each in told if isinstance(each, turboupload.ImportJobStarted)] == [
        100, 100, 50,
    ]  # fmt: skip
    assert set(outcome(result).values()) == {"processing"}
    assert started(emulator) == 4
    async with turboupload.SequenceStores() as stores:
        ours = {job.job_id for job in result.jobs}
        listed = [job async for job in stores.list_read_set_import_jobs(emulator.store_id)]
    assert len(ours) == 3
    assert ours <= {job.job_id for job in listed}
    again = await run(emulator, rows)
    assert set(outcome(again).values()) <= {"active", "exists"}
    assert started(emulator) == 4


async def test_failed_sources_are_submitted_again_on_request(emulator: RunningEmulator) -> None:
    rows = [fastq("good", "retried"), fastq("bad", "retried", "bad.fastq.gz")]
    told: list[object] = []
    result = await run(emulator, rows, retry_failed=2, on_event=told.append)
    assert outcome(result) == {"good": "active", "bad": "failed"}
    jobs = [each for each in told if isinstance(each, turboupload.ImportJobStarted)]
    assert [each.rows for each in jobs] == [(1, 2), (2,), (2,)]
    assert len({each.job_id for each in jobs}) == len(result.jobs) == 3


async def test_a_dry_run_starts_nothing(emulator: RunningEmulator) -> None:
    result = await run(emulator, [fastq("dry", "dry")], dry_run=True)
    assert outcome(result) == {"dry": "waiting"}
    assert started(emulator) == 0


async def test_a_refusal_is_told_for_every_row_that_waits(
    emulator: RunningEmulator, tmp_path: Path
) -> None:
    rows = [fastq(f"r{number}", "refused") for number in range(101)]
    denied = {"type": "error", "code": "AccessDeniedException", "message": "not allowed to pass"}
    emulator.set_faults([{"operation": START, "after": 1, "times": None, "action": denied}])
    kept = tmp_path / "results.json"
    config = turboupload.UploadConfig(wait=False)
    result = await run(emulator, rows, config=config, results=kept)
    assert isinstance(result.stopped_by, turboupload.ServiceRefused)
    assert result.counts == {"processing": 100, "failed": 1}
    assert "not allowed to pass" in result.rows[100].message
    assert json.loads(kept.read_text())[100]["status"] == "failed"


async def test_a_full_quota_is_waited_for_while_jobs_of_ours_run(
    emulator: RunningEmulator,
) -> None:
    rows = [fastq(f"r{number}", "quota") for number in range(101)]
    full = {"type": "error", "code": "ServiceQuotaExceededException", "message": "too many jobs"}
    emulator.set_faults([{"operation": START, "after": 1, "times": 1, "action": full}])
    result = await run(emulator, rows)
    assert result.stopped_by is None
    assert result.counts == {"active": 101}
    emulator.set_faults([{"operation": START, "times": None, "action": full}])
    result = await run(emulator, [fastq("none", "quota")])
    assert isinstance(result.stopped_by, turboupload.ServiceRefused)
    assert result.counts == {"failed": 1}


async def test_a_wait_that_is_over_and_a_call_that_is_cancelled_leave_the_jobs_at_work(
    bucket: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_CA_BUNDLE")
    words = ("--quotas", "off", "--s3-root", str(bucket.parent))
    rows = [fastq("slow", "slow")]
    with RunningEmulator(*words, "--ingest-delay", "600", root=tmp_path / "data") as slow:
        monkeypatch.setenv("AWS_ENDPOINT_URL_OMICS", slow.endpoint_url)
        with anyio.move_on_after(60) as scope:

            def stop(notice: object) -> None:
                if isinstance(notice, turboupload.ImportJobStarted):
                    scope.cancel()

            await run(slow, rows, on_event=stop)
        assert scope.cancelled_caught
        config = turboupload.UploadConfig(poll_interval_s=0.1, wait_timeout_s=0.2)
        late = await run(slow, rows, config=config)
        assert (late.timed_out, outcome(late)) == (True, {"slow": "processing"})
        assert late.rows[0].what_to_do == "run the same command again to follow it"
        assert started(slow) == 1
    with RunningEmulator(*words, "--ingest-delay", "0", root=tmp_path / "data") as quick:
        monkeypatch.setenv("AWS_ENDPOINT_URL_OMICS", quick.endpoint_url)
        assert set(outcome(await run(quick, rows)).values()) <= {"active", "exists"}
        assert started(quick) == 0


async def test_what_makes_no_sense_is_found_before_anything_is_sent(
    emulator: RunningEmulator,
) -> None:
    with pytest.raises(turboupload.SheetRejected) as caught:
        await run(emulator, [fastq("a", "s"), fastq("a", "s"), fastq("b", "s")])
    assert [str(each) for each in caught.value.findings] == [
        "row 2: has the name, sample and subject of row 1"
    ]
    nameless = ImportSource(
        source1="s3://bucket/x", file_type="FASTQ", sample_id="s", subject_id="p"
    )
    with pytest.raises(turboupload.SheetRejected, match="has no name"):
        await run(emulator, [nameless])
    with pytest.raises(turboupload.SheetRejected, match="nothing to import"):
        await run(emulator, [])
    with pytest.raises(turboupload.ConfigError, match="not the ARN of a role"):
        await turboupload.import_read_sets(
            [fastq("a", "s")], store_id=emulator.store_id, role_arn="me"
        )
    with pytest.raises(turboupload.ConfigError, match="not the id of a store"):
        await turboupload.import_read_sets([fastq("a", "s")], store_id="1", role_arn=ROLE)
    assert emulator.stats()["operations"] == {}


def test_a_sheet_from_code_without_a_loop(emulator: RunningEmulator, tmp_path: Path) -> None:
    path = tmp_path / "sheet.csv"
    path.write_text("sample,fastq_1,fastq_2\nsheet,s3://bucket/sample_R1.fastq.gz,\n")
    sheet = turboupload.read_sheet(path, turboupload.SheetDefaults(subject_id="p"))
    result = turboupload.import_read_sets_sync(
        sheet, store_id=emulator.store_id, role_arn=ROLE, config=QUICK
    )
    assert [(row.row, row.name, row.status) for row in result.rows] == [(2, "sample_R1", "active")]
    path.write_text("sample,fastq_1,fastq_2\nsheet,here.fastq.gz,\n")
    with pytest.raises(turboupload.SheetRejected, match=r"here\.fastq\.gz is not in S3"):
        turboupload.import_read_sets_sync(
            turboupload.read_sheet(path, turboupload.SheetDefaults(subject_id="p")),
            store_id=emulator.store_id,
            role_arn=ROLE,
        )


async def test_a_results_file_that_can_not_be_written_is_found_in_time(
    emulator: RunningEmulator, tmp_path: Path
) -> None:
    with pytest.raises(turboupload.ConfigError, match="can't be written"):
        await run(emulator, [fastq("results", "results")], results=tmp_path / "no" / "r.csv")
    assert started(emulator) == 0


async def test_a_results_file_that_can_no_longer_be_written_leaves_no_job_alone(
    emulator: RunningEmulator, tmp_path: Path
) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    heard: list[str] = []

    def tell(notice: object) -> None:
        if isinstance(notice, turboupload.ImportJobStarted):
            shutil.rmtree(folder)
        if isinstance(notice, Remark):
            heard.append(notice.code)

    rows = [fastq("unwritten", "unwritten")]
    result = await run(emulator, rows, results=folder / "r.csv", on_event=tell)
    assert outcome(result) == {"unwritten": "active"}
    assert heard == ["results-unwritten"]


# --- listings that lag, answers that miss something, tokens that are refused -------------------


@pytest.fixture
def world(emulator: RunningEmulator) -> Iterator[Callable[..., None]]:
    yield emulator.set_world
    emulator.reset_world()


LAGGING = dataclasses.replace(QUICK, listing_lag_s=2.0)


async def test_the_same_rows_again_while_the_read_set_is_not_listed_yet(
    emulator: RunningEmulator, world: Callable[..., None]
) -> None:
    world(read_sets_lag_s=600.0)
    rows = [fastq("lag 1", "s"), fastq("lag 2", "s")]
    first = await run(emulator, rows)
    again = await run(emulator, rows)
    assert outcome(again) == {"lag 1": "exists", "lag 2": "exists"}
    assert [row.read_set_id for row in again.rows] == [row.read_set_id for row in first.rows]
    assert started(emulator) == 1


async def test_nor_the_job_itself(
    emulator: RunningEmulator, world: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its token brings it back."""
    world(read_sets_lag_s=600.0)
    rows = [fastq("lag 3", "s"), fastq("lag 4", "s", key="missing.fastq.gz")]
    first = await run(emulator, rows)
    assert outcome(first) == {"lag 3": "active", "lag 4": "failed"}
    earlier = {job.job_id for job in first.jobs}
    look_into = ImportLooks.is_recent
    monkeypatch.setattr(
        ImportLooks,
        "is_recent",
        lambda self, job: bool(job.sources) and look_into(self, job),
    )
    again = await run(emulator, rows)
    assert outcome(again) == {"lag 3": "exists", "lag 4": "failed"}
    assert not earlier & {job.job_id for job in again.jobs}
    assert (await run(emulator, rows, again=True)).jobs


async def test_a_read_set_that_was_deleted_right_after_is_made_anew(
    emulator: RunningEmulator, world: Callable[..., None]
) -> None:
    world(read_sets_lag_s=600.0)
    rows = [fastq("lag 5", "s")]
    first = await run(emulator, rows)
    client = omics_client(emulator)
    client.batch_delete_read_set(sequenceStoreId=emulator.store_id, ids=[first.rows[0].read_set_id])
    client.close()
    again = await run(emulator, rows, config=LAGGING)
    assert outcome(again) == {"lag 5": "active"}
    assert again.rows[0].read_set_id != first.rows[0].read_set_id


async def test_a_token_that_is_refused_since_it_was_used_before(
    emulator: RunningEmulator, world: Callable[..., None], bucket: Path
) -> None:
    world(client_tokens="conflict")
    rows = [fastq("later", "s", key="later.fastq.gz")]
    assert outcome(await run(emulator, rows, config=LAGGING)) == {"later": "failed"}
    assert outcome(await run(emulator, rows, config=LAGGING)) == {"later": "failed"}
    shutil.copy(bucket / "sample_R1.fastq.gz", bucket / "later.fastq.gz")
    made = await run(emulator, rows, config=LAGGING)
    assert outcome(made) == {"later": "active"}
    for _ in range(2):
        another = await run(emulator, rows, config=LAGGING, again=True)
        assert outcome(another) == {"later": "active"}
    assert another.rows[0].read_set_id != made.rows[0].read_set_id


@pytest.mark.parametrize("tokens", ["kept", "conflict"])
async def test_the_lost_reply_to_start_makes_no_second_job(
    emulator: RunningEmulator, world: Callable[..., None], tokens: str
) -> None:
    world(client_tokens=tokens)
    emulator.set_faults([{"operation": START, "times": 1, "action": {"type": "lose_reply"}}])
    found = await run(emulator, [fastq(f"lost {tokens}", "s")], config=LAGGING)
    assert outcome(found) == {f"lost {tokens}": "active"}
    client = omics_client(emulator)
    listed = client.list_read_sets(
        sequenceStoreId=emulator.store_id, filter={"name": f"lost {tokens}"}
    )
    client.close()
    assert len(listed["readSets"]) == 1


async def test_one_answer_that_misses_a_job_is_not_believed(emulator: RunningEmulator) -> None:
    missed = {"type": "error", "code": "ResourceNotFoundException"}
    emulator.set_faults([{"operation": "GetReadSetImportJob", "times": 2, "action": missed}])
    assert outcome(await run(emulator, [fastq("missed", "s")])) == {"missed": "active"}
    emulator.set_faults([{"operation": "GetReadSetImportJob", "times": None, "action": missed}])
    # What a job that has ended brought is listed, sooner or later.
    assert outcome(await run(emulator, [fastq("missed", "s")], config=LAGGING)) == {
        "missed": "exists"
    }
    lasting = await run(emulator, [fastq("missed 2", "s")], config=LAGGING)
    assert outcome(lasting) == {"missed 2": "processing"}
    assert lasting.stopped_by is not None
