"""Makes the result that the caller of an upload gets."""

from __future__ import annotations

from collections.abc import Iterable

from turboupload.core.model import Phase
from turboupload.core.notices import UploadResult
from turboupload.core.records import ReadSetDetails
from turboupload.core.upload.matching import differences
from turboupload.engine.run import Run
from turboupload.errors import ReadSetRejected

__all__ = ["result_of", "tell_differences"]


def tell_differences(run: Run, records: Iterable[ReadSetDetails]) -> None:
    """Reports how a read set that existed already differs from the requested one.

    Args:
        run: At its end, or rehearsed, with a read set that this run did not make.
        records: What the service says of read sets; the run's is looked for among them.
    """
    upload = run.upload
    record = next((each for each in records if each.read_set_id == upload.read_set_id), None)
    if record is None:
        return
    said = differences(upload.read_set, upload.file_type, record)
    if said:
        run.remark(
            "metadata-differs",
            f"read set {record.read_set_id} is not as it is described now: {', '.join(said)}; "
            "a read set can't be changed, and --force uploads another one",
        )
    elif upload.read_set.tags and upload.upload_id is None:
        run.remark(
            "tags-not-compared",
            f"whether read set {record.read_set_id} has these tags was not looked at; "
            "`aws omics tag-resource` adds them",
        )


def result_of(run: Run, now: float) -> UploadResult:
    """The result that the caller gets.

    Args:
        run: At its end.
        now: Seconds, on the clock by which it began.

    Raises:
        ReadSetRejected: The service turned the read set down.
    """
    upload, record = run.upload, run.upload.record
    assert upload.read_set_id is not None
    if upload.phase is Phase.FAILED:
        reason = record.status_message if record is not None else None
        raise ReadSetRejected(
            f"read set {upload.read_set_id} was turned down by the service: "
            f"{reason or 'it gave no reason'}",
            read_set_id=upload.read_set_id,
            path=upload.plan.sources[0].path,
            upload_id=upload.upload_id,
            hint="all bytes arrived; correct the file or its type, or add --force to upload it "
            "again",
        )
    return UploadResult(
        read_set_id=upload.read_set_id,
        status=(record.status if record is not None else None) or "PROCESSING_UPLOAD",
        upload_id=upload.upload_id,
        file_type=upload.file_type,
        total_bytes=upload.plan.total_bytes,
        bytes_sent=run.sent_bytes,
        parts=upload.plan.total_parts,
        parts_reused=upload.ledger.counts.reused_parts,
        retries=run.retries,
        seconds=now - run.started,
        verified=upload.verified,
        read_set_arn=record.arn if record is not None else None,
        etag=record.etag.as_dict() if record is not None and record.etag is not None else {},
        existed=run.completed is None and run.sent_bytes == 0,
        total_reads=record.total_reads if record is not None else None,
        total_bases=record.total_bases if record is not None else None,
        limited_by=next((limiter for limiter, _ in run.limits_seen.most_common(1)), None),
        stored_sizes=record.sizes if record is not None else {},
        s3_uris=record.s3_uris if record is not None else {},
        comparison=upload.comparison,
    )
