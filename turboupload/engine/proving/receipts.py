"""Makes an upload's receipt, keeps it in the journal, and writes it to a file if asked to."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import replace

from turboupload import __version__
from turboupload.core.model import Digest, Part, PartSource, Source
from turboupload.core.proof.evidence import comparisons_of, manifest_comparison, other_sizes
from turboupload.core.proof.manifest import Compared
from turboupload.core.proof.receipt import FileRecord, PartRecord, Receipt, RecordedFile
from turboupload.core.records import ReadSetDetails
from turboupload.core.upload.state import Upload
from turboupload.engine.run import Run
from turboupload.engine.survey import digest_part
from turboupload.errors import IntegrityError, TurbouploadError
from turboupload.files.source import PartReaders
from turboupload.runtime.tasks import in_thread
from turboupload.state.journal import Journal
from turboupload.units import format_moment

__all__ = ["Receipts"]

_PartDigests = dict[tuple[PartSource, int], tuple[Digest, str | None]]


class Receipts:
    """Writes receipts: always into the journal, and into a file if the user asked for one.

    Args:
        journal: Keeps them.
        where: The endpoint or Region.
    """

    def __init__(self, journal: Journal, *, where: str) -> None:
        self._journal = journal
        self._where = where

    async def write(self, run: Run, ended: float) -> Receipt:
        """Makes and writes the receipt of an upload whose read set exists.

        Args:
            run: The upload, at its end.
            ended: When it ended, in seconds since the epoch.

        Raises:
            Stopped: The journal or the file can't be written.
            SourceChanged: A file that had to be read for it changed.
            IntegrityError: The stored sizes are not those that were sent. The receipt says so,
                too, and was written before this is raised.
        """
        receipt = await self._make(run, ended)
        found = other_sizes(run.upload)
        if found is not None:
            raise _not_as_sent(run.upload, found)
        return receipt

    async def _make(self, run: Run, ended: float) -> Receipt:
        upload = run.upload
        known = {
            (part.source, part.number): (digest, checksum)
            for part, digest, checksum in upload.ledger.digests()
        }
        if len(known) < upload.plan.total_parts:
            # The read set was found, not made here: only the files tell the digests of its parts.
            wanted = run.receipt_target is not None or upload.options.prove
            wanted = wanted and not upload.plan.streamed
            known = await _read_digests(upload) if wanted else {}
        made = _receipt(upload, known, where=self._where, began=run.started_at, ended=ended)
        receipt, better = await in_thread(self._keep, run, made)
        for place in better:
            run.remark(
                "receipt-kept", f"{place} keeps the receipt of an earlier run, which proves more"
            )
        for each in receipt.comparisons:
            if each.outcome == "different" and each.subject in ("etag", "read-count"):
                run.remark(f"{each.subject}-differs", each.sentence)
        return receipt

    async def write_despite_errors(self, run: Run, ended: float) -> None:
        """As `write`, for an upload that failed; if the receipt fails, too, a remark says so."""
        try:
            await self._make(run, ended)
        except TurbouploadError as another:
            run.remark("no-receipt", f"there is no receipt of it: {another}")

    async def keep(self, key: str, receipt: Receipt) -> None:
        """Keeps in the journal what an engine elsewhere has made.

        Args:
            key: The upload's, there.
            receipt: Of a read set that exists.

        Raises:
            Stopped: The journal can't be written.
        """
        await in_thread(self._journal.keep_receipt, key, receipt)

    def _compared(self, run: Run, made: Receipt) -> tuple[Compared, ...]:
        """What was compared with manifests: now, or before while the files were the same."""
        if run.manifest is not None:
            return run.manifest.compared
        before = self._journal.receipt_with_manifest(run.key)
        if before is None or before.local_files != made.local_files:
            return ()
        return before.manifest

    def _keep(self, run: Run, made: Receipt) -> tuple[Receipt, list[str]]:
        """Keeps the receipt.

        Returns:
            It, with its place in the chain; and the places where another one proves more.
        """
        compared = self._compared(run, made)
        comparisons = (*made.comparisons, *manifest_comparison(compared))
        made = replace(made, comparisons=comparisons, manifest=compared)
        # The journal first: what a file has is in the chain.
        receipt, counts = self._journal.keep_receipt(run.key, made)
        better = (
            [] if counts else [f"the journal (`turboupload receipt show {receipt.read_set['id']}`)"]
        )
        target = run.receipt_target
        if target is not None and not target.write(receipt.document()):
            better.append("the receipt's file")
        return receipt, better


def _not_as_sent(upload: Upload, found: str) -> IntegrityError:
    hint = "keep the files, and don't use the read set"
    if upload.options.prove:
        hint += "; upload them again with --force"
    else:
        hint += (
            " before the same command with --prove has compared its ETag with them; where that "
            "differs, too, upload them again with --force"
        )
    return IntegrityError(
        f"read set {upload.read_set_id} is {upload.record.status if upload.record else 'there'}, "
        f"but {found}",
        path=upload.plan.sources[0].path,
        operation="GetReadSetMetadata",
        hint=hint,
    )


async def _read_digests(upload: Upload) -> _PartDigests:
    readers = PartReaders(upload.plan.sources, checksum="all")
    return {
        (part.source, part.number): (await digest_part(readers.reader(part)), None)
        for part in upload.plan.parts()
    }


def _receipt(
    upload: Upload, known: _PartDigests, *, where: str, began: float, ended: float
) -> Receipt:
    return Receipt(
        file_type=str(upload.file_type),
        files=tuple(
            _file(upload, known, index, source) for index, source in enumerate(upload.plan.sources)
        ),
        part_size=upload.plan.part_size,
        read_set=_read_set(upload, where),
        comparisons=comparisons_of(upload),
        began=_iso(began),
        ended=_iso(ended),
        versions={
            "turboupload": __version__,
            "python": platform.python_version(),
            "system": platform.platform(terse=True),
        },
    )


def _file(upload: Upload, known: _PartDigests, index: int, source: Source) -> FileRecord:
    computed = upload.computed
    etags = computed.etag.sources if computed is not None and computed.etag is not None else ()
    hashes: Sequence[str | None] = [None] * len(source.files)
    if computed is not None and computed.files_sha256:
        hashes = computed.files_sha256[index]
    return FileRecord(
        source=source.part_source,
        files=tuple(
            RecordedFile(
                file.path if source.streamed else str(Path(file.path).absolute()),
                file.identity,
                sha256,
            )
            for file, sha256 in zip(source.files, hashes, strict=True)
        ),
        parts=tuple(
            _part(part, *known[part.source, part.number])
            for part in upload.plan.parts()
            if part.source is source.part_source and known
        ),
        sha256=computed.sha256[index] if computed is not None and computed.sha256 else None,
        etag=etags[index] if index < len(etags) else None,
    )


def _part(part: Part, digest: Digest, checksum: str | None) -> PartRecord:
    return PartRecord(part.number, part.offset, part.size, digest, checksum)


def _read_set(upload: Upload, where: str) -> dict[str, object]:
    record = upload.record or ReadSetDetails(
        read_set_id=upload.read_set_id or "", status="PROCESSING_UPLOAD"
    )
    wanted = upload.read_set
    return {
        "id": upload.read_set_id,
        "arn": record.arn,
        "store_id": upload.store_id,
        "service": where,
        "status": record.status,
        "name": wanted.name,
        "sample_id": wanted.sample_id,
        "subject_id": wanted.subject_id,
        "reference_arn": wanted.reference_arn,
        "generated_from": wanted.generated_from,
        "description": wanted.description,
        "tags": dict(wanted.tags),
        "upload_id": upload.upload_id,
        "etag": record.etag.as_dict() if record.etag is not None else None,
        "stored_sizes": {str(key): value for key, value in record.sizes.items()} or None,
        "total_reads": record.total_reads,
        "total_bases": record.total_bases,
    }


def _iso(moment: float) -> str:
    """Seconds since the epoch as UTC, to the millisecond."""
    return format_moment(datetime.fromtimestamp(moment, UTC))
