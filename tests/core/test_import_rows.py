from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from turboupload.core.imports.jobs import ImportJob, ImportJobSource, ImportSource
from turboupload.core.imports.results import ImportTable
from turboupload.core.imports.rows import (
    ImportJobChanged,
    ImportJobStarted,
    ImportNotice,
    ImportRow,
    ImportRowChanged,
    import_rows,
    import_token,
    is_same_import,
)
from turboupload.core.records import ReadSetDetails
from turboupload.core.sheet.reading import parse_sheet

JOB = "1111111111"


def source(name: str, **more: Any) -> ImportSource:
    fields = {"source1": f"s3://bucket/{name}.fq.gz", "file_type": "FASTQ", "name": name}
    return ImportSource(**{**fields, "sample_id": "s", "subject_id": "p", **more})


def table(*sources: ImportSource) -> tuple[ImportTable, list[ImportNotice]]:
    told: list[ImportNotice] = []
    rows = [ImportRow(number=number, source=each) for number, each in enumerate(sources, 2)]
    return ImportTable(rows, told.append), told


def in_job(wanted: ImportSource, status: str | None, **more: Any) -> ImportJobSource:
    return ImportJobSource(
        **{
            "source1": wanted.source1,
            "source2": wanted.source2,
            "sample_id": wanted.sample_id,
            "subject_id": wanted.subject_id,
            "name": wanted.name,
            "status": status,
            **more,
        }
    )


def job(status: str, *sources: ImportJobSource, **more: Any) -> ImportJob:
    return ImportJob(job_id=JOB, status=status, sources=sources, **more)


def stored(read_set_id: str, name: str, **more: Any) -> ReadSetDetails:
    fields = {"status": "ACTIVE", "name": name, "sample_id": "s", "subject_id": "p", **more}
    return ReadSetDetails(read_set_id=read_set_id, **fields)


def statuses(found: ImportTable) -> list[str]:
    return [result.status for result in found.results]


# --- rows of a sheet ------------------------------------------------------------------------


def test_rows_of_a_sheet() -> None:
    sheet = parse_sheet(
        "sample,subject,source1,source2,type,tag:k\n"
        "s,p,s3://bucket/a_1.fq.gz,s3://bucket/a_2.fq.gz,,v\n"
        "s,p,s3://bucket/b.ubam,,,\n"
        "s,p,s3://bucket/c.bam,,,\n"
        "s,p,s3://bucket/d.cram,,cram,\n"
        "s,p,s3://bucket/e.bin,,,\n"
        "s,p,here.bam,,,\n"
        "s,p,s3://bucket/f_1.fq,s3://bucket/f_2.fq,UBAM,\n",
        folder="x",
    )
    rows, findings = import_rows(sheet.rows)
    assert [(row.number, row.name, str(row.source.file_type)) for row in rows] == [
        (2, "a", "FASTQ"),
        (3, "b", "UBAM"),
        (4, "c", "BAM"),
        (5, "d", "CRAM"),
    ]
    assert rows[0].source.source2 == "s3://bucket/a_2.fq.gz"
    assert dict(rows[0].source.tags) == {"k": "v"}
    assert [f"{each.severity}: {each}" for each in findings] == [
        "warning: row 4: is a BAM, by its name, and has no reference",
        "warning: row 5: is a CRAM, and has no reference",
        "error: row 6: the name of s3://bucket/e.bin doesn't say what it is",
        "error: row 7: x/here.bam is not in S3",
        "error: row 8: s3://bucket/f_2.fq: two files were given, but only FASTQ comes in pairs, "
        "not UBAM",
    ]


# --- tokens ---------------------------------------------------------------------------------


def test_a_token_is_the_same_for_the_same_call_and_another_for_any_other() -> None:
    same: dict[str, Any] = {
        "where": "eu-west-1",
        "store_id": "1234567890",
        "role_arn": "arn:aws:iam::111122223333:role/r",
        "sources": [source("a", tags={"x": "1", "y": "2"}), source("b")],
    }
    token = import_token(**same)
    assert token == import_token(
        **{**same, "sources": [source("a", tags={"y": "2", "x": "1"}), source("b")]}
    )
    others = [
        {"where": "eu-west-2"},
        {"store_id": "1234567891"},
        {"role_arn": "arn:aws:iam::111122223333:role/q"},
        {"sources": same["sources"][::-1]},
        {"sources": [replace(same["sources"][0], description="d"), same["sources"][1]]},
        {"sources": [source("a", tags={"x": "1"}), source("b")]},
        {"after": ["1111111111"]},
        {"after": ["1111111111", "2222222222"]},
    ]
    tokens = {token, *(import_token(**{**same, **other}) for other in others)}
    assert len(tokens) == len(others) + 1
    assert {len(each) for each in tokens} == {64}


# --- the table ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("theirs", "status"),
    [
        ({}, "exists"),
        ({"file_type": "FASTQ", "description": "d"}, "exists"),
        ({"file_type": "UBAM"}, "rejected"),
        ({"description": "e"}, "rejected"),
        ({"generated_from": "run"}, "exists"),
        ({"reference_arn": "arn:x"}, "rejected"),
        ({"status": "UPLOAD_FAILED"}, "waiting"),
        ({"status": "DELETED"}, "waiting"),
        ({"status": "DELETING"}, "waiting"),
        ({"status": None}, "exists"),
        ({"status": "A_WORD_OF_THE_FUTURE"}, "exists"),
        ({"sample_id": None, "subject_id": None}, "exists"),
        ({"sample_id": "t"}, "waiting"),
        ({"name": None}, "waiting"),
    ],
)
def test_what_the_store_has(theirs: dict[str, Any], status: str) -> None:
    found, _ = table(source("a", description="d"))
    found.found_in_store(stored("2222222222", **{"name": "a", **theirs}))
    assert statuses(found) == [status]
    if status == "exists":
        assert found.results[0].read_set_id == "2222222222"
    if status == "rejected":
        assert found.results[0].what_to_do == "choose another name, or add --again"


def test_the_very_read_set_wins_over_another_of_its_title() -> None:
    found, _ = table(source("a"))
    found.found_in_store(stored("3333333333", "a", description="x"))
    found.found_in_store(stored("2222222222", "a"))
    found.found_in_store(stored("4444444444", "a", description="x"))
    assert (found.results[0].status, found.results[0].read_set_id) == ("exists", "2222222222")


def test_a_job_from_begin_to_end_in_any_order() -> None:
    a, b, c = source("a"), source("b", source2="s3://bucket/b2.fq.gz"), source("c")
    done = in_job(b, "FINISHED", read_set_id="5555555555")
    found, told = table(a, b, c)
    found.begin(job("SUBMITTED"), (0, 1, 2))
    assert statuses(found) == ["processing"] * 3
    found.seen(job("IN_PROGRESS", in_job(c, "NOT_STARTED"), done, in_job(a, "IN_PROGRESS")))
    assert statuses(found) == ["processing", "active", "processing"]
    assert found.results[1].read_set_id == "5555555555"
    found.seen(
        job(
            "COMPLETED_WITH_FAILURES",
            in_job(c, "FAILED", status_message="no such object"),
            done,
            in_job(a, "FAILED"),
        )
    )
    assert statuses(found) == ["failed", "active", "failed"]
    assert found.results[0].message == f"the service gave no reason (import job {JOB})"
    assert found.results[2].message == f"no such object (import job {JOB})"
    assert found.results[2].what_to_do
    assert told[0] == ImportJobStarted(job_id=JOB, rows=(2, 3, 4))
    changes = [each.status for each in told if isinstance(each, ImportJobChanged)]
    assert changes == ["IN_PROGRESS", "COMPLETED_WITH_FAILURES"]
    rows = [each for each in told if isinstance(each, ImportRowChanged)]
    assert {each.job_id for each in rows} == {JOB}
    assert [each.result.row for each in rows] == [2, 3, 4, 3, 2, 4]


@pytest.mark.parametrize(
    ("ended", "message"),
    [
        (job("CANCELLED"), "the job was cancelled"),
        (job("FAILED", status_message="the role can't be assumed"), "the role can't be assumed"),
        (job("FAILED", in_job(source("a"), "NOT_STARTED")), "the service gave no reason"),
        (job("COMPLETED", in_job(source("a"), None)), "the service gave no reason"),
    ],
)
def test_a_job_that_ends_without_a_word_of_a_row(ended: ImportJob, message: str) -> None:
    found, _ = table(source("a"))
    found.begin(job("SUBMITTED"), (0,))
    found.seen(ended)
    assert statuses(found) == ["failed"]
    assert found.results[0].message == f"{message} (import job {JOB})"


def test_a_status_of_the_future_is_waited_for() -> None:
    found, _ = table(source("a"))
    found.begin(job("SUBMITTED"), (0,))
    found.seen(job("PONDERING", in_job(source("a"), "PONDERED")))
    assert statuses(found) == ["processing"]


def test_a_job_of_an_earlier_call_takes_its_rows_and_no_others() -> None:
    a, b, c = source("a"), source("b"), source("c")
    found, told = table(a, b, c)
    found.found_in_store(stored("2222222222", "c"))
    running = job(
        "IN_PROGRESS",
        in_job(source("z"), "FINISHED"),
        in_job(a, "IN_PROGRESS", name=None),
        in_job(b, "IN_PROGRESS", name="other"),
        in_job(c, "IN_PROGRESS"),
    )
    assert found.under_way(running) == (0,)
    assert statuses(found) == ["processing", "waiting", "exists"]
    assert ImportJobStarted(job_id=JOB, rows=(2,), adopted=True) in told
    assert found.under_way(job("IN_PROGRESS", in_job(source("z"), "IN_PROGRESS"))) == ()


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        ({}, {}, True),
        ({"name": None}, {"name": "given by the service"}, True),
        ({"name": None}, {"name": None}, True),
        ({}, {"name": None}, True),
        ({}, {"name": "other"}, False),
        ({}, {"sample_id": None, "subject_id": None}, True),
        ({}, {"sample_id": "other"}, False),
        ({}, {"subject_id": "other"}, False),
        ({}, {"source1": "s3://bucket/other.fq.gz"}, False),
        ({}, {"source1": None}, False),
        ({"source2": "s3://bucket/b2.fq.gz"}, {"source2": None}, True),
        ({"source2": "s3://bucket/b2.fq.gz"}, {"source2": "s3://bucket/b3.fq.gz"}, False),
        ({}, {"source2": "s3://bucket/b2.fq.gz"}, False),
        ({}, {"generated_from": "a run", "description": None, "reference_arn": None}, True),
        ({}, {"tags": {}, "service_tags": {"aws:omics:sampleId": "s"}}, True),
    ],
)
def test_what_the_service_fills_in_or_leaves_out_contradicts_nothing(
    ours: dict[str, Any], theirs: dict[str, Any], same: bool
) -> None:
    wanted = replace(source("a"), **ours)
    assert is_same_import(wanted, in_job(wanted, "IN_PROGRESS", **theirs)) is same
