"""Which read set in the store is ours: metadata make it possible, and its ETag proves it."""

from __future__ import annotations

from collections.abc import Sequence

from turboupload.core.model import FileType, ReadSet, Source
from turboupload.core.proof.etag import (
    FAMILIES,
    ContentETag,
    ETagComparison,
    ETagOutcome,
    compare_etag,
)
from turboupload.core.records import ReadSetDetails
from turboupload.core.upload.actions import Prove
from turboupload.core.upload.events import Completed, ETagComputed
from turboupload.core.upload.matching import (
    differences,
    holds_these_sizes,
    is_finished,
    is_gone,
    read_set_matches,
)
from turboupload.errors import ServiceRefused

__all__ = ["Ownership"]


class Ownership:
    """Finds the store's read sets that hold the same content as the upload.

    Args:
        read_set: What is to be uploaded.
        file_type: Its type.
        sources: Its files.

    Attributes:
        sources: As given; a stream's grows.
        computed: The ETags of our files that are known, by family.
    """

    def __init__(
        self,
        read_set: ReadSet,
        file_type: FileType,
        sources: Sequence[Source],
    ) -> None:
        self._read_set = read_set
        self._file_type = file_type
        self.sources = sources
        self.computed: dict[str, ETagComputed] = {}

    def existing(self, read_sets: Sequence[ReadSetDetails]) -> Completed | None:
        """The read set of our name, sample and subject that exists already; None without one.

        It is ours if its ETag says so. Any other one that may be ours is taken without proof for
        now: it is proven once it has an ETag, or else refused. So it is recorded before it is
        judged, since the next run's listing may be older, and not show it.

        Raises:
            ServiceRefused: A read set that isn't ours blocks the upload.
        """
        there = [record for record in read_sets if not is_gone(record)]
        for record in there:
            if self.could_be_ours(record) and self.proves_equal(record):
                return Completed(read_set_id=record.read_set_id, adopted=True, proof="etag")
        for record in there:
            if not self.could_be_ours(record) or self.proves_different(record):
                raise self.refusal(record)
        # One that may still get or show an ETag may be proven.
        there.sort(key=lambda record: is_finished(record) and record.described)
        if there:
            return Completed(read_set_id=there[0].read_set_id, adopted=True, proof="none")
        return None

    def proves_equal(self, record: ReadSetDetails) -> bool:
        """Whether its ETag is known to be that of our files."""
        comparison = self.compared(record)
        return comparison is not None and comparison.proves_equal

    def proves_different(self, record: ReadSetDetails) -> bool:
        """Whether its ETag proves that it holds other content than our files."""
        comparison = self.compared(record)
        return comparison is not None and comparison.proves_different

    def could_be_ours(self, record: ReadSetDetails) -> bool:
        """Whether a read set exists, and all its metadata is ours."""
        return not is_gone(record) and read_set_matches(self._read_set, self._file_type, record)

    def failed_like_ours(self, record: ReadSetDetails) -> bool:
        """Whether the service turned a read set down whose metadata is all ours."""
        return record.status == "UPLOAD_FAILED" and read_set_matches(
            self._read_set, self._file_type, record
        )

    def family_to_prove(self, record: ReadSetDetails | None) -> str | None:
        """The ETag family that is still to be computed to compare this read set with our files."""
        theirs = ContentETag.of(record.etag) if record is not None else None
        if theirs is None or theirs.family not in FAMILIES:
            return None
        return theirs.family if theirs.family not in self.computed else None

    def prove_one_of(self, read_sets: Sequence[ReadSetDetails]) -> Prove | None:
        """Asks for the ETag that tells whether one of these is ours; None where no more can."""
        for record in read_sets:
            if (family := self.family_to_prove(record)) is not None:
                return Prove(family)
        return None

    def compared(self, record: ReadSetDetails | None) -> ETagComparison | None:
        """How the ETags compare; None where one of them isn't known."""
        theirs = ContentETag.of(record.etag) if record is not None else None
        computed = self.computed.get(theirs.family) if theirs is not None else None
        if record is None or theirs is None or computed is None or computed.etag is None:
            return None
        found = compare_etag(computed.etag, theirs, computed.reservation)
        ours = {source.part_source for source in self.sources}
        more = [source for source, size in record.sizes.items() if size and source not in ours]
        if found.proves_equal and more:
            return ETagComparison(
                ETagOutcome.INCOMPARABLE,
                False,
                "the ETags are equal as far as the service tells them, but the read set also has a "
                f"{str(more[0]).lower()}, and these files don't",
            )
        return found

    def refusal(self, record: ReadSetDetails) -> ServiceRefused:
        """The error for a read set that blocks the upload."""
        return ServiceRefused(
            f"read set {record.read_set_id} ({record.status or 'no status'}) has this name, "
            f"sample and subject already, and {self._why_not(record)}",
            code="ReadSetExists",
            path=self.sources[0].path,
            hint="if it holds these files, nothing is left to do; if it is another data set, "
            "choose another name; to upload these files all the same, add --force",
        )

    def _why_not(self, record: ReadSetDetails) -> str:
        comparison = self.compared(record)
        if comparison is not None and comparison.proves_different:
            return comparison.sentence
        if not read_set_matches(self._read_set, self._file_type, record):
            differ = differences(self._read_set, self._file_type, record)
            return ", ".join(differ) or "was not made by an upload"
        return f"nothing here proves that it holds these files: {self._unknown(record)}"

    def _unknown(self, record: ReadSetDetails) -> str:
        """Why the ETags don't tell; a FASTQ's sizes are added as evidence."""
        comparison = self.compared(record)
        theirs = ContentETag.of(record.etag)
        computed = self.computed.get(theirs.family) if theirs is not None else None
        sizes = {
            "yes": "; its stored sizes are those of these files",
            "no": "; its stored sizes differ",
        }
        if comparison is not None:
            why = comparison.sentence
        elif theirs is None:
            why = "it has no ETag to compare"
        elif computed is not None and computed.reason:
            why = f"its ETag can't be computed here ({computed.reason})"
        else:
            why = f"its ETag is {theirs.algorithm}, which isn't known here"
        return why + sizes.get(holds_these_sizes(record, self.sources, self._file_type), "")
