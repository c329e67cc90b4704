"""What was compared in an upload, and what came out, for its receipt."""

from __future__ import annotations

from turboupload.core.etag import ETagOutcome
from turboupload.core.model import ReadSetRecord
from turboupload.core.receipt import Comparison, Outcome
from turboupload.core.reconcile import holds_these_sizes
from turboupload.core.upload import Upload

__all__ = ["comparisons_of"]

_OUTCOMES: dict[ETagOutcome, Outcome] = {
    ETagOutcome.EQUAL: "equal",
    ETagOutcome.DIFFERENT: "different",
    ETagOutcome.INCOMPARABLE: "not-comparable",
}


def comparisons_of(upload: Upload) -> tuple[Comparison, ...]:
    """Every comparison of an upload's files with what the service says, the strongest first."""
    found = [_part_checksums(upload)]
    comparison, computed, record = upload.comparison, upload.computed, upload.record
    if comparison is not None:
        outcome = _OUTCOMES[comparison.outcome]
        found.append(Comparison("etag", outcome, comparison.is_proof, comparison.sentence))
    elif computed is not None and computed.reason:
        sentence = f"the ETag couldn't be computed here: {computed.reason}"
        found.append(Comparison("etag", "not-comparable", False, sentence))
    if record is not None and record.sizes:
        found.append(_stored_sizes(upload, record))
    if record is not None and computed is not None and computed.reads and record.total_reads:
        found.append(_read_counts(computed.reads, record.total_reads))
    return tuple(found)


def _part_checksums(upload: Upload) -> Comparison:
    if upload.ledger.all_proven and upload.ledger.verified == "sha256":
        received = (
            "the checksum that the service gave for each part equals the SHA-256 of its bytes, so "
            "it received every byte of these files"
        )
        if upload.assumed:
            received += (
                "; but the reply to Complete was lost, and that this read set was made of them "
                "can't be told by its sizes"
            )
        return Comparison("part-checksums", "equal", not upload.assumed, received)
    if upload.ledger.all_proven and upload.ledger.verified == "opaque":
        return Comparison(
            "part-checksums",
            "not-comparable",
            False,
            "the service's part checksums have a form that can't be computed here",
        )
    if upload.ledger.all_proven:
        return Comparison(
            "part-checksums",
            "not-made",
            False,
            "the parts' SHA-256 were not computed while they were sent (checksum xxh3), so they "
            "were not compared",
        )
    return Comparison(
        "part-checksums",
        "not-made",
        False,
        "the read set was there already, and nothing here knows the parts it was made of",
    )


def _stored_sizes(upload: Upload, record: ReadSetRecord) -> Comparison:
    if holds_these_sizes(record, upload.plan.sources, upload.file_type) == "yes":
        return Comparison(
            "stored-sizes", "equal", False, "the stored files have the sizes of these"
        )
    return Comparison(
        "stored-sizes",
        "different",
        False,
        "the stored files have other sizes than these; the service may recompress what it stores",
    )


def _read_counts(ours: int, theirs: int) -> Comparison:
    # That the service counts both mates together is inferred, so a difference proves nothing.
    if ours == theirs:
        return Comparison(
            "read-count", "equal", False, f"the service counts {theirs:,} reads, as counted here"
        )
    return Comparison(
        "read-count",
        "different",
        False,
        f"the service counts {theirs:,} reads, and there are {ours:,} in these files; how it "
        "counts isn't documented in full",
    )
