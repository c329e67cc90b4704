"""Import jobs: read sets from `s3://bucket/key`, where a bucket is a folder of `--s3-root`."""

from __future__ import annotations

import logging
import re
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

from turboupload.emulator.blobs import Blob
from turboupload.emulator.database import dump, load, new_id
from turboupload.emulator.errors import ServiceError, not_found
from turboupload.emulator.examine import Examiner
from turboupload.emulator.findings import IngestFailure, Stopped, status_message
from turboupload.emulator.state import State
from turboupload.emulator.stores import DEFAULT_ETAG_FAMILY, require_store, within
from turboupload.emulator.validate import Params

__all__ = ["due_jobs", "get_job", "list_jobs", "run_job", "start_job"]

_log = logging.getLogger(__name__)

MAX_MESSAGE_CHARS = 127
_S3_URI = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(.{1,1024})", re.DOTALL)


def start_job(state: State, params: Params) -> Params:
    """StartReadSetImportJob. A client token used before returns the job it started."""
    token = params.pop("clientToken", None)
    wanted = dump(params)
    with state.database.transaction() as rows:
        require_store(rows, params["sequenceStoreId"])
        found = rows.execute(
            "SELECT * FROM import_jobs WHERE client_token = ?", (token,)
        ).fetchone()
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
        elif found["params"] != wanted:
            raise ServiceError(
                "ValidationException",
                "The clientToken was used before with other parameters",
            )
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
    sources = [
        {
            **source,
            "status": each["status"],
            "statusMessage": each["status_message"],
            "readSetId": each["read_set_id"],
        }
        for source, each in zip(load(row["params"])["sources"], progress, strict=True)
    ]
    return {**_described(row), "sources": sources}


def list_jobs(state: State, params: Params) -> Params:
    """ListReadSetImportJobs."""
    with state.database.transaction() as rows:
        require_store(rows, params["sequenceStoreId"])
        found = rows.execute(
            "SELECT * FROM import_jobs WHERE store_id = ?", (params["sequenceStoreId"],)
        ).fetchall()
    wanted = params.get("filter", {})
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
    )
    return {"importJobs": [_described(row) for row in page], "nextToken": token}


def due_jobs(state: State) -> dict[str, float]:
    """When each unfinished job is due, in seconds since the epoch."""
    with state.database.transaction() as rows:
        found = rows.execute("SELECT id, created FROM import_jobs WHERE completed IS NULL")
        return {row["id"]: row["created"] + state.config.ingest_delay_s for row in found}


def run_job(state: State, examiner: Examiner, job_id: str, check: Callable[[], None]) -> None:
    """Import every source of a job that is not finished yet.

    Arguments:
        state: The data.
        examiner: Reads the files.
        job_id: The job.
        check: Raises to stop; what is done by then stays done.
    """
    with state.database.transaction() as rows:
        job = rows.execute(
            "SELECT * FROM import_jobs WHERE id = ? AND completed IS NULL", (job_id,)
        ).fetchone()
        if job is None:
            return  # Done between the look at what is due and now.
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
            else "FAILED"
            if outcomes == {"FAILED"}
            else "COMPLETED_WITH_FAILURES"
        )
        rows.execute(
            "UPDATE import_jobs SET status = ?, completed = ? WHERE id = ?",
            (status, state.clock(), job_id),
        )


class _SourceImport:
    """One source of a job on its way to being a read set."""

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
        if "source2" in uris and details["sourceFileType"] != "FASTQ":
            raise IngestFailure(f"source2 is for FASTQ only, not {details['sourceFileType']}")
        files = {}
        for name in ("source1", "source2"):
            if name in uris:
                blob = self._copied(uris[name])
                blobs.append(blob)
                files[name.upper()] = [blob]
        with self._state.database.transaction() as rows:
            store = require_store(rows, self._job["store_id"])
        family = store.get("eTagAlgorithmFamily", DEFAULT_ETAG_FAMILY)
        facts = self._examiner.examine(details, files, family)
        if facts.index is not None:
            blobs.append(facts.index)
            files["INDEX"] = [facts.index]
        self._insert(details, dump(facts.metadata(details, family)), files)

    def _copied(self, uri: str) -> Blob:
        path = self._state.blobs.scratch()
        try:
            shutil.copyfile(_object_path(self._state.config.s3_root, uri), path)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise IngestFailure(f"{uri} can't be read: {error.strerror}") from None
        return self._state.blobs.keep_file(path)

    def _insert(self, details: Params, facts: str, files: dict[str, list[Blob]]) -> None:
        with self._state.database.transaction() as rows:
            read_set_id = new_id(rows)
            rows.execute(
                "INSERT INTO read_sets (id, store_id, created, status, creation_type, job_id,"
                " params, tags, facts) VALUES (?, ?, ?, 'ACTIVE', 'IMPORT', ?, ?, ?, ?)",
                (
                    read_set_id,
                    self._job["store_id"],
                    self._state.clock(),
                    self._job["id"],
                    dump(details),
                    dump(self._source.get("tags", {})),
                    facts,
                ),
            )
            rows.executemany(
                "INSERT INTO read_set_blobs (read_set_id, file, position, size, blob)"
                " VALUES (?, ?, 1, ?, ?)",
                [
                    (read_set_id, name, blob.size, blob.name)
                    for name, blobs in files.items()
                    for blob in blobs
                ],
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
    # A key is a name, not a way out: neither by dots nor by symbolic links.
    inside = bucket.parent == s3_root.resolve() and path.is_relative_to(bucket)
    if not (inside and path.is_file()):
        raise IngestFailure(f"there is no object {uri}")
    return path
