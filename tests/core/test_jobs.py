"""Jobs: what is believed of their files, which state that is, and what may be asked of them."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from turboupload.core.batch import BatchProgress, BatchStarted
from turboupload.core.batch_jobs import batch_progress_after, watch_progress_after
from turboupload.core.jobs import (
    Asked,
    BadRequest,
    Job,
    JobProgress,
    outlived,
    progress_after,
    read_job,
    read_request,
    request_line,
    state_of,
    written,
)
from turboupload.core.model import FileType
from turboupload.core.notices import Finished, Planned, Progress, Started, UploadResult
from turboupload.core.upload.events import Completed
from turboupload.core.watch.notices import RunChanged, RunNotice, WatchedRun

JOB = Job(
    id=3, pid=4711, host="bench", kind="upload", about="lane 1", store_id="1234567890",
    command="turboupload upload reads.fastq.gz", started_at=1000.0, seen_at=1010.0,
    progress=JobProgress(doing="sending", total_bytes=100, done_bytes=40, concurrency=4),
)  # fmt: skip
DAY = 86_400.0


def test_a_job_is_read_as_it_was_written_also_by_another_version() -> None:
    assert read_job(written(JOB)) == JOB
    raw = json.loads(written(JOB))
    raw["progress"]["mood"] = raw["mood"] = "new"
    del raw["message"]
    assert read_job(json.dumps(raw)) == JOB


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"id": 3}', written(JOB)[:-40], written(JOB).replace("3", '"x"')],
)
def test_what_is_no_job_is_none(text: str) -> None:
    assert read_job(text) is None


@pytest.mark.parametrize(
    ("job", "facts", "state"),
    [
        (JOB, {}, "running"),
        (structs.replace(JOB, progress=JobProgress(paused=True)), {}, "paused"),
        (JOB, {"answered": False}, "silent"),
        (JOB, {"alive": False, "answered": False}, "killed"),
        (JOB, {"here": False, "alive": False, "answered": False}, "elsewhere"),
        (structs.replace(JOB, ended_at=1020.0), {"alive": False, "here": False}, "ended"),
        (structs.replace(JOB, ended_at=1020.0), {"answered": False}, "ended"),
    ],
)
def test_the_state_is_what_the_lock_and_the_process_say(
    job: Job, facts: dict[str, bool], state: str
) -> None:
    assert state_of(job, **{"alive": True, "here": True, "answered": True, **facts}) == state


def test_a_hundred_are_remembered_and_for_thirty_days() -> None:
    now = 100 * DAY
    ended = [structs.replace(JOB, id=number, ended_at=now - number) for number in range(1, 151)]
    assert {job.id for job in outlived(ended, now)} == set(range(1, 51))
    old = [
        structs.replace(JOB, id=1, ended_at=now - 31 * DAY),
        structs.replace(JOB, id=2, seen_at=now - 31 * DAY),
    ]
    assert outlived([*old, structs.replace(JOB, id=3, ended_at=now - 29 * DAY)], now) == old[::-1]


def test_it_comes_as_far_as_it_is_told() -> None:
    planned = Planned(
        upload_id="1", resumed=False, part_size=10, parts=10, total_bytes=100, parts_there=0
    )
    sent = Progress(
        total_bytes=100, done_bytes=40, bytes_sent=45, parts=10, done_parts=4, bytes_per_s=9.6,
        eta_s=5.04, in_flight=2, window=2, limited_by="disk", in_flight_bytes=5, paused=True,
    )  # fmt: skip
    now = progress_after(progress_after(JobProgress(concurrency=2), planned), sent)
    assert now == JobProgress(
        doing="sending", total_bytes=100, done_bytes=40, in_flight_bytes=5, bytes_per_s=10,
        eta_s=5.0, limited_by="disk", in_flight=2, window=2, paused=True, concurrency=2,
    )  # fmt: skip
    made = progress_after(now, Completed(read_set_id="1", adopted=False))
    assert (made.doing, made.in_flight_bytes, made.limited_by) == ("waiting", 0, None)


def test_all_of_it_is_safe_once_it_is_done_also_where_nothing_was_sent() -> None:
    started = Started(
        name="a", store_id="1", file_type=FileType.FASTQ, paths=("a.fastq.gz",), total_bytes=100
    )
    found = UploadResult(
        read_set_id="1", status="ACTIVE", upload_id=None, file_type=FileType.FASTQ,
        total_bytes=100, bytes_sent=0, parts=1, parts_reused=1, retries=0, seconds=0.1,
        verified="etag",
    )  # fmt: skip
    done = progress_after(progress_after(JobProgress(), started), Finished(found))
    assert (done.done_bytes, done.total_bytes) == (100, 100)


@pytest.mark.parametrize(
    ("done", "waits", "doing", "limited_by"),
    [
        (40, False, "sending", "network"),
        (40, True, "sending", "create"),
        (100, False, "waiting", "network"),
    ],
)
def test_of_a_batch_the_rows_are_known(done: int, waits: bool, doing: str, limited_by: str) -> None:
    notice = BatchProgress(
        rows=5, counts={"active": 2, "exists": 1, "running": 2}, total_bytes=100, done_bytes=done,
        bytes_sent=40, bytes_per_s=1.0, eta_s=None, in_flight=2, window=2, limited_by="network",
        waits_for_create=waits,
    )  # fmt: skip
    started = BatchStarted(store_id="1", rows=5, total_bytes=100)
    begun = batch_progress_after(JobProgress(), started)
    now = batch_progress_after(begun, notice)
    assert (begun.doing, begun.rows, now.done_rows) == ("sending", 5, 3)
    assert (now.doing, now.limited_by) == (doing, limited_by)
    # A watcher is as far as the run that it sends, and then looks for the next one.
    sends = watch_progress_after(begun, RunNotice("run1", notice))
    assert sends == now
    ended = watch_progress_after(sends, RunChanged(WatchedRun(run="run1", status="done", rows=5)))
    assert (ended.doing, ended.limited_by, ended.in_flight) == ("preparing", None, 0)
    assert (ended.rows, ended.done_rows) == (5, 3)
    begins = watch_progress_after(ended, RunChanged(WatchedRun(run="b", status="sending", rows=7)))
    assert (begins.rows, begins.done_rows) == (7, 0)


@pytest.mark.parametrize(
    "asked",
    [
        Asked("look"),
        Asked("pause"),
        Asked("resume"),
        Asked("set", {"max_bandwidth": None}),
        Asked("set", {"max_bandwidth": 20 << 20, "concurrency": 1000}),
    ],
)
def test_what_is_asked_is_understood(asked: Asked) -> None:
    assert read_request(request_line(asked)) == asked


@pytest.mark.parametrize(
    "raw",
    [
        {}, {"do": "die"}, {"do": ["set"]}, {"do": "set"}, {"do": "set", "priority": 1},
        {"do": "pause", "concurrency": 1}, {"do": "set", "concurrency": 0},
        {"do": "set", "concurrency": 1001}, {"do": "set", "concurrency": True},
        {"do": "set", "max_bandwidth": "20MiB/s"}, {"do": "set", "max_bandwidth": 1.5}, [], None,
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(raw: Any) -> None:
    with pytest.raises(BadRequest):
        read_request(json.dumps(raw))


@given(st.binary())
def test_no_line_does_more_than_be_refused(line: bytes) -> None:
    with contextlib.suppress(BadRequest):
        read_request(line)
