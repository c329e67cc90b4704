"""The comparisons of an upload, for its receipt."""

from __future__ import annotations

from collections.abc import Sequence

from turboupload.core.formats import FORMATS, in_words
from turboupload.core.proof.checksum import BY_CHECKSUM, COMPARABLE
from turboupload.core.proof.etag import ETagOutcome
from turboupload.core.proof.manifest import Compared
from turboupload.core.proof.receipt import STORED, Comparison, Outcome
from turboupload.core.records import ReadSetDetails
from turboupload.core.upload.state import Upload

__all__ = ["comparisons_of", "manifest_comparison", "other_sizes"]

_OUTCOMES: dict[ETagOutcome, Outcome] = {
    ETagOutcome.EQUAL: "equal",
    ETagOutcome.DIFFERENT: "different",
    ETagOutcome.INCOMPARABLE: "not-comparable",
}


def comparisons_of(upload: Upload) -> tuple[Comparison, ...]:
    """Every comparison of an upload's files with the service's data, the strongest first."""
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
    if upload.ledger.all_proven and upload.ledger.verified in BY_CHECKSUM:
        received = (
            f"the checksum that the service gave for each part equals the {COMPARABLE} of its "
            "bytes, so it received every byte of these files"
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
            f"the service's part checksums are no {COMPARABLE}, and can't be computed here",
        )
    if upload.ledger.all_proven:
        return Comparison(
            "part-checksums",
            "not-made",
            False,
            f"the parts' {COMPARABLE} were not computed while they were sent (checksum xxh3), so "
            "they were not compared",
        )
    return Comparison(
        "part-checksums",
        "not-made",
        False,
        "the read set was there already, and nothing here knows the parts it was made of",
    )


def other_sizes(upload: Upload) -> str | None:
    """A sentence about a FASTQ's stored and sent sizes, if they refute the read set.

    A FASTQ's stored size is the size sent (seen in real replies). The user guide says that the
    service may recompress what it stores, so an equal ETag outweighs a different size. The service
    adds a header line to BAM, uBAM and CRAM (user guide), so their sizes prove nothing; and sizes
    of a read set that isn't ACTIVE yet may not be final.
    """
    record = upload.record
    rewritten = FORMATS[upload.file_type].rewritten
    if rewritten or record is None or record.status not in STORED:
        return None
    if upload.comparison is not None and upload.comparison.proves_equal:
        return None
    return _differences(upload, record)


def _differences(upload: Upload, record: ReadSetDetails) -> str | None:
    """The sizes that differ, with both numbers; a size that a reply lacks counts as equal."""
    found = [
        f"{record.sizes[source.part_source]:,} bytes of {source.part_source} are stored, and "
        f"{source.size:,} were sent"
        for source in upload.plan.sources
        if record.sizes.get(source.part_source) not in (None, source.size)
    ]
    return "; ".join(found) or None


def _stored_sizes(upload: Upload, record: ReadSetDetails) -> Comparison:
    found = _differences(upload, record)
    if found is None:
        return Comparison(
            "stored-sizes", "equal", False, "the stored files have the sizes of these"
        )
    if other_sizes(upload) is not None:
        return Comparison("stored-sizes", "different", True, found)
    if FORMATS[upload.file_type].rewritten:
        types = in_words(each.word for each in FORMATS.values() if each.rewritten)
        return Comparison(
            "stored-sizes",
            "not-comparable",
            False,
            f"{found}; the service adds a line to the header of what it stores, so the sizes of "
            f"{types} say nothing",
        )
    why = (
        "the ETags are equal all the same, so the service has recompressed what it stores"
        if upload.comparison is not None and upload.comparison.proves_equal
        else f"the read set is {record.status}, and its sizes may not be the stored ones yet"
    )
    return Comparison("stored-sizes", "different", False, f"{found}; {why}")


def _read_counts(ours: int, theirs: int) -> Comparison:
    # It is inferred that the service counts both mates together, so a difference proves nothing.
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


def manifest_comparison(compared: Sequence[Compared]) -> tuple[Comparison, ...]:
    """The comparison with manifests; none where nothing was compared.

    It describes the files only, so it proves nothing about the store.
    """
    if not compared:
        return ()
    wrong = next((each for each in compared if not each.equal), None)
    if wrong is not None:
        sentence = (
            f"the {wrong.expected.what} of {wrong.path} is {wrong.digest}, and by "
            f"{wrong.expected.where} it is {wrong.expected.digest}"
        )
        return (Comparison("manifest", "different", False, sentence),)
    manifests = dict.fromkeys(each.expected.manifest for each in compared)
    sentence = f"the files are those of {in_words(manifests)}, before they were sent"
    return (Comparison("manifest", "equal", False, sentence),)
