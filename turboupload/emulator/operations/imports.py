"""Import jobs: read sets from `s3://bucket/key`, where a bucket is a folder of `--s3-root`."""

from __future__ import annotations

import logging
import re
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

from turboupload.emulator.errors import not_found
from turboupload.emulator.operations.operation import Operation
from turboupload.emulator.operations.readsets import insert_read_set, sizes_of
from turboupload.emulator.operations.stores import DEFAULT_ETAG_FAMILY, require_store
from turboupload.emulator.operations.tags import service_tags
from turboupload.emulator.operations.tokens import made_before, take_token
from turboupload.emulator.reading.examine import Examiner
from turboupload.emulator.reading.file_types import FILE_TYPES
from turboupload.emulator.reading.findings import IngestFailure, Stopped, status_message
from turboupload.emulator.reading.stamp import comment_of, stored_files
from turboupload.emulator.storage.blobs import Blob
from turboupload.emulator.storage.database import dump, load, new_id
from turboupload.emulator.storage.listing import wanted_of, within
from turboupload.emulator.storage.state import State
from turboupload.emulator.validate import Params

__all__ = ["OPERATIONS", "due_jobs", "list_jobs", "run_job"]

_log = logging.getLogger(__name__)

MAX_MESSAGE_CHARS = 127
_JOB_MESSAGES = {
    "SUBMITTED": "The job has been submitted and will start soon.",
    "IN_PROGRESS": "The job is currently in progress.",
    # Recorded from ended jobs: their messages had stayed as they were before the end.
    "COMPLETED": "The job has been submitted and will start soon.",
}
_SOURCE_MESSAGES = {
    "NOT_STARTED": "The source is queued for the job.",
    "IN_PROGRESS": "The source is currently in progress.",
}
_S3_URI = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(.{1,1024})", re.DOTALL)


def start_job(state: State, params: Params) -> Params:
    """StartReadSetImportJob."""
    token = take_token(state, params)
    wanted = dump(params)
    with state.database.transaction() as rows:
        require_store(rows, params["sequenceStoreId"])
        found = made_before(state, rows, "import_jobs", token, lambda row: row["params"] == wanted)
        if found is None:
            job_id = new_id(rows)
            rows.execute(
                "INSERT INTO import_jobs (id, store_id, created, status, client_token, params)"
                " VALUES (?, ?, ?, 'SUBMITTED', ?, ?)",
                (job_id, params["sequenceStoreId"], state.clock(), token, wanted),
            )
            rows.executemany(
                "INSERT INTO import_sources (job_id, position, status)"
                " VALUES (?, ?, 'NOT_STARTED')",
                [(job_id, position) for position in range(len(params["sources"]))],
            )
            found = rows.execute("SELECT * FROM import_jobs WHERE id = ?", (job_id,)).fetchone()
    state.wake_ingest()
    return _described(found)


def _described(row: sqlite3.Row) -> Params:
    return {
        "id": row["id"],
        "sequenceStoreId": row["store_id"],
        "roleArn": load(row["params"])["roleArn"],
        "status": row["status"],
        "creationTime": row["created"],
        "completionTime": row["completed"],
    }


def get_job(state: State, params: Params) -> Params:
    """GetReadSetImportJob."""
    with state.database.transaction() as rows:
        require_store(rows, params["sequenceStoreId"])
        row = rows.execute(
            "SELECT * FROM import_jobs WHERE id = ? AND store_id = ?",
            (params["id"], params["sequenceStoreId"]),
        ).fetchone()
        if row is None:
            raise not_found(f"Import job {params['id']} does not exist")
        progress = rows.execute(
            "SELECT * FROM import_sources WHERE job_id = ? ORDER BY position", (row["id"],)
        ).fetchall()
    has_messages = state.world.job_messages == "recorded"
    sources = [
        {
            **source,
            "sourceFiles": {"source2": "", **source["sourceFiles"]},
            "tags": {**source.get("tags", {}), **service_tags(source)},
            "status": each["status"],
            "statusMessage": each["status_message"]
            or (_SOURCE_MESSAGES.get(each["status"]) if has_messages else None),
            "readSetId": each["read_set_id"],
        }
        for source, each in zip(load(row["params"])["sources"], progress, strict=True)
    ]
    message = _JOB_MESSAGES.get(row["status"]) if has_messages else None
    return {**_described(row), "statusMessage": message, "sources": sources}


def list_jobs(state: State, params: Params) -> Params:
    """ListReadSetImportJobs."""
    with state.database.transaction() as rows:
        require_store(rows, params["sequenceStoreId"])
        found = rows.execute(
            "SELECT * FROM import_jobs WHERE store_id = ?", (params["sequenceStoreId"],)
        ).fetchall()
    wanted = wanted_of(state.world, params)
    page, token = state.pager.page(
        (
            row
            for row in found
            if row["status"] == wanted.get("status", row["status"])
            and within(row["created"], wanted.get("createdAfter"), wanted.get("createdBefore"))
        ),
        params,
        operation="ListReadSetImportJobs",
        key=lambda row: (row["created"], row["id"]),
        newest_first=True,
    )
    return {"importJobs": [_described(row) for row in page], "nextToken": token}


def due_jobs(state: State) -> dict[str, float]:
    """When each unfinished job is due, in seconds since the epoch."""
    with state.database.transaction() as rows:
        found = rows.execute("SELECT id, created FROM import_jobs WHERE completed IS NULL")
        return {row["id"]: row["created"] + state.world.ingest_delay_s for row in found}


def run_job(state: State, examiner: Examiner, job_id: str, check: Callable[[], None]) -> None:
    """Import every unfinished source of a job.

    Arguments:
        state: The data.
        examiner: Reads the files.
        job_id: The job.
        check: Raises to stop; finished sources stay finished.
    """
    with state.database.transaction() as rows:
        job = rows.execute(
            "SELECT * FROM import_jobs WHERE id = ? AND completed IS NULL", (job_id,)
        ).fetchone()
        if job is None:
            return  # Finished since it was found due.
        rows.execute("UPDATE import_jobs SET status = 'IN_PROGRESS' WHERE id = ?", (job_id,))
        waiting = rows.execute(
            "SELECT position FROM import_sources WHERE job_id = ?"
            " AND status IN ('NOT_STARTED', 'IN_PROGRESS') ORDER BY position",
            (job_id,),
        ).fetchall()
    sources = load(job["params"])["sources"]
    for row in waiting:
        check()
        _SourceImport(state, examiner, job, row["position"], sources[row["position"]]).run()
    _finish(state, job_id)


def _finish(state: State, job_id: str) -> None:
    with state.database.transaction() as rows:
        found = rows.execute("SELECT status FROM import_sources WHERE job_id = ?", (job_id,))
        outcomes = {row["status"] for row in found}
        status = (
            "COMPLETED"
            if outcomes == {"FINISHED"}
            else state.world.failed_job
            if outcomes == {"FAILED"}
            else "COMPLETED_WITH_FAILURES"
        )
        rows.execute(
            "UPDATE import_jobs SET status = ?, completed = ? WHERE id = ?",
            (status, state.clock(), job_id),
        )


class _SourceImport:
    """The import of one source of a job."""

    def __init__(
        self, state: State, examiner: Examiner, job: sqlite3.Row, position: int, source: Params
    ) -> None:
        self._state = state
        self._examiner = examiner
        self._job = job
        self._position = position
        self._source = source

    def run(self) -> None:
        self._set_status("IN_PROGRESS")
        blobs: list[Blob] = []
        try:
            self._import(blobs)
        except IngestFailure as failure:
            self._fail(status_message(failure, MAX_MESSAGE_CHARS), blobs)
        except Stopped:
            self._state.blobs.delete(blob.name for blob in blobs)
            raise
        except Exception:
            _log.exception("source %d of import job %s failed", self._position, self._job["id"])
            self._fail("internal error", blobs)

    def _fail(self, message: str, blobs: list[Blob]) -> None:
        self._state.blobs.delete(blob.name for blob in blobs)
        self._set_status("FAILED", message)

    def _set_status(self, status: str, message: str | None = None) -> None:
        with self._state.database.transaction() as rows:
            rows.execute(
                "UPDATE import_sources SET status = ?, status_message = ?"
                " WHERE job_id = ? AND position = ?",
                (status, message, self._job["id"], self._position),
            )

    def _import(self, blobs: list[Blob]) -> None:
        details = {
            name: value
            for name, value in self._source.items()
            if name not in ("sourceFiles", "tags")
        }
        uris = self._source["sourceFiles"]
        if "source2" in uris and not FILE_TYPES[details["sourceFileType"]].paired:
            raise IngestFailure(f"source2 is for FASTQ only, not {details['sourceFileType']}")
        copies = {
            name.upper(): [self._copied(uris[name], blobs)]
            for name in ("source1", "source2")
            if name in uris
        }
        with self._state.database.transaction() as rows:
            store = require_store(rows, self._job["store_id"])
        family = store.get("eTagAlgorithmFamily", DEFAULT_ETAG_FAMILY)
        comment = comment_of(self._job["store_id"], self._state.clock())
        folder = self._state.blobs
        files = stored_files(folder, details["sourceFileType"], copies, comment, blobs)
        facts = self._examiner.examine(details, files, family)
        if facts.index is not None:
            blobs.append(facts.index)
            files["INDEX"] = [facts.index]
        self._insert(details, facts.metadata(details, family), copies, files)
        folder.delete(blob.name for copied in copies.values() for blob in copied)

    def _copied(self, uri: str, blobs: list[Blob]) -> Blob:
        path = self._state.blobs.scratch()
        try:
            shutil.copyfile(_object_path(self._state.config.s3_root, uri), path)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise IngestFailure(f"{uri} can't be read: {error.strerror}") from None
        blobs.append(self._state.blobs.keep_file(path))
        return blobs[-1]

    def _insert(
        self,
        details: Params,
        facts: Params,
        sent: dict[str, list[Blob]],
        files: dict[str, list[Blob]],
    ) -> None:
        with self._state.database.transaction() as rows:
            now = self._state.clock()
            read_set_id = insert_read_set(
                rows,
                {
                    "store_id": self._job["store_id"],
                    "created": now,
                    "status": "ACTIVE",
                    "creation_type": "IMPORT",
                    "job_id": self._job["id"],
                    "params": dump(details),
                    "tags": dump(self._source.get("tags", {})),
                    "sent": dump(sizes_of(sent)),
                    "used": now,
                    "facts": dump(facts),
                },
                files,
            )
            rows.execute(
                "UPDATE import_sources SET status = 'FINISHED', read_set_id = ?"
                " WHERE job_id = ? AND position = ?",
                (read_set_id, self._job["id"], self._position),
            )


def _object_path(s3_root: Path | None, uri: str) -> Path:
    match = _S3_URI.fullmatch(uri)
    if match is None:
        raise IngestFailure("a source is an S3 URI: s3://bucket/key")
    if s3_root is None:
        raise IngestFailure("this emulator was started without an S3 folder")
    bucket = (s3_root / match[1]).resolve()
    try:
        path = (bucket / match[2]).resolve()
    except (OSError, ValueError):
        raise IngestFailure("the key can't be the name of a file") from None
    # A key must not lead out of the bucket, neither by dots nor by symbolic links.
    inside = bucket.parent == s3_root.resolve() and path.is_relative_to(bucket)
    if not (inside and path.is_file()):
        raise IngestFailure(f"there is no object {uri}")
    return path


OPERATIONS: Mapping[str, Operation] = {
    "GetReadSetImportJob": Operation(5, get_job),
    "ListReadSetImportJobs": Operation(5, list_jobs),
    "StartReadSetImportJob": Operation(5, start_job),
}
