from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator.omics import error_of, omics_client, wait_for
from tests.support import samples
from tests.support.emulator import RunningEmulator

ROLE = "arn:aws:iam::000000000000:role/import"


@pytest.fixture
def bucket(s3_root: Path, store: str) -> Path:
    folder = s3_root / f"bucket-{store}"
    (folder / "runs").mkdir(parents=True)
    return folder


def source(bucket: Path, key: str, file_type: str = "FASTQ", **more: Any) -> dict[str, Any]:
    files = {"source1": f"s3://{bucket.name}/{key}"}
    if "source2" in more:
        files["source2"] = f"s3://{bucket.name}/{more.pop('source2')}"
    return {
        "sourceFiles": files,
        "sourceFileType": file_type,
        "subjectId": "subject",
        "sampleId": "sample",
        **more,
    }


def run(client: Any, store: str, sources: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    job = client.start_read_set_import_job(
        sequenceStoreId=store, roleArn=ROLE, sources=sources, **more
    )
    assert job["status"] == "SUBMITTED"

    def finished() -> dict[str, Any] | None:
        found: dict[str, Any] = client.get_read_set_import_job(sequenceStoreId=store, id=job["id"])
        return found if "completionTime" in found else None

    done: dict[str, Any] = wait_for(finished, "the end of the import job")
    return done


def test_every_type_is_imported(client: Any, store: str, bucket: Path) -> None:
    pair = samples.fastq_pair(bucket / "runs")
    bam = samples.bam(bucket / "reads.bam")
    job = run(
        client,
        store,
        [
            source(
                bucket,
                "runs/sample_R1.fastq.gz",
                source2="runs/sample_R2.fastq.gz",
                name="pair",
                tags={"k": "v"},
                generatedFrom="a run",
            ),
            source(bucket, "reads.bam", "BAM", name="bam", referenceArn=samples.REFERENCE_ARN),
        ],
    )
    assert job["status"] == "COMPLETED"
    assert [each["status"] for each in job["sources"]] == ["FINISHED", "FINISHED"]
    first, second = (
        client.get_read_set_metadata(sequenceStoreId=store, id=each["readSetId"])
        for each in job["sources"]
    )
    assert first["creationType"] == second["creationType"] == "IMPORT"
    assert first["creationJobId"] == job["id"]
    assert first["name"] == "pair"
    assert first["sequenceInformation"]["totalReadCount"] == pair[0].reads * 2
    assert first["sequenceInformation"]["generatedFrom"] == "a run"
    assert client.list_tags_for_resource(resourceArn=first["arn"])["tags"] == {"k": "v"}
    assert second["sequenceInformation"]["totalReadCount"] == bam.reads
    assert "index" in second["files"]
    for file, mate in (("SOURCE1", pair[0]), ("SOURCE2", pair[1])):
        payload = client.get_read_set(
            sequenceStoreId=store, id=first["id"], partNumber=1, file=file
        )["payload"]
        assert payload.read() == mate.path.read_bytes()


def test_some_fail_and_the_rest_are_there(
    client: Any, store: str, bucket: Path, tmp_path: Path
) -> None:
    samples.fastq(bucket / "good.fastq.gz")
    (bucket / "bad.fastq.gz").write_text("not gzip")
    secret = tmp_path / "secret.fastq.gz"
    samples.fastq(secret)
    (bucket / "link.fastq.gz").symlink_to(secret)
    shutil.copy(secret, bucket.parent / "outside.fastq.gz")
    bad_keys = [
        "bad.fastq.gz",
        "missing.fastq.gz",
        "../outside.fastq.gz",
        "../../../../../../etc/passwd",
        "link.fastq.gz",
        "runs",
        "x" * 300,
        "\0",
    ]
    job = run(
        client,
        store,
        [
            source(bucket, "good.fastq.gz"),
            *(source(bucket, key) for key in bad_keys),
            source(bucket, "good.fastq.gz", "BAM"),
            source(bucket, "good.fastq.gz", "UBAM", source2="good.fastq.gz"),
        ],
    )
    assert job["status"] == "COMPLETED_WITH_FAILURES"
    good, *bad = job["sources"]
    assert good["status"] == "FINISHED"
    for each in bad:
        assert each["status"] == "FAILED"
        assert 0 < len(each["statusMessage"]) <= 127
        assert "readSetId" not in each
    listed = client.list_read_sets(sequenceStoreId=store, filter={"creationType": "IMPORT"})
    assert [row["id"] for row in listed["readSets"]] == [good["readSetId"]]


def test_all_fail(client: Any, store: str, bucket: Path) -> None:
    job = run(client, store, [source(bucket, "missing")])
    assert job["status"] == "COMPLETED_WITH_FAILURES"
    failed = client.list_read_set_import_jobs(
        sequenceStoreId=store, filter={"status": "COMPLETED_WITH_FAILURES"}
    )
    assert [row["id"] for row in failed["importJobs"]] == [job["id"]]


def test_a_token_starts_one_job(client: Any, store: str, bucket: Path) -> None:
    fields = {"sequenceStoreId": store, "roleArn": ROLE, "clientToken": f"job-{store}"}
    first = client.start_read_set_import_job(**fields, sources=[source(bucket, "missing")])
    again = client.start_read_set_import_job(**fields, sources=[source(bucket, "missing")])
    assert first["id"] == again["id"]
    with pytest.raises(ClientError) as refused:
        client.start_read_set_import_job(**fields, sources=[source(bucket, "other")])
    assert error_of(refused) == ("ValidationException", 400)


def test_an_unknown_job_is_not_found(client: Any, store: str) -> None:
    with pytest.raises(ClientError) as refused:
        client.get_read_set_import_job(sequenceStoreId=store, id="9999999999")
    assert error_of(refused) == ("ResourceNotFoundException", 404)


def test_without_an_s3_folder_every_source_fails() -> None:
    with RunningEmulator("--quotas", "off", "--ingest-delay", "0") as emulator:
        client = omics_client(emulator)
        job = run(client, emulator.store_id, [source(Path("bucket"), "key")])
        assert job["status"] == "COMPLETED_WITH_FAILURES"
        assert "S3 folder" in job["sources"][0]["statusMessage"]
        client.close()
