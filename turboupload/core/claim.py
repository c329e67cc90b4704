"""Whether a read set that is in the store is an upload's own: metadata, ETag, sizes."""

from __future__ import annotations

from collections.abc import Sequence

from turboupload.core.etag import FAMILIES, ContentETag, ETagComparison, compare_etag
from turboupload.core.events import Completed, ETagComputed
from turboupload.core.model import FileType, ReadSet, ReadSetRecord, Source
from turboupload.core.reconcile import holds_these_sizes, is_gone, read_set_matches
from turboupload.errors import ServiceRefused

__all__ = ["Claim"]


class Claim:
    """Compares the store's read sets with what is to be uploaded.

    Args:
        read_set: What is to be uploaded.
        file_type: Its type.
        sources: Its files.
        prove: Whether ETags are computed here.

    Attributes:
        computed: The ETags of our files that are known, by family.
    """

    def __init__(
        self,
        read_set: ReadSet,
        file_type: FileType,
        sources: Sequence[Source],
        *,
        prove: bool,
    ) -> None:
        self._read_set = read_set
        self._file_type = file_type
        self._sources = sources
        self._prove = prove
        self.computed: dict[str, ETagComputed] = {}

    def existing(self, read_sets: Sequence[ReadSetRecord]) -> Completed | None:
        """A read set of our name, sample and subject that is there already.

        It is ours if the rest of its metadata and its ETag or its sizes say so; any other is in
        the way.

        Raises:
            ServiceRefused: One is in the way.
        """
        for record in read_sets:
            comparison = self.compared(record) if self.could_be_ours(record) else None
            if comparison is not None and comparison.proves_equal:
                return Completed(read_set_id=record.read_set_id, adopted=True, proof="etag")
        unclear: ReadSetRecord | None = None
        for record in read_sets:
            if is_gone(record):
                continue
            if not self.could_be_ours(record):
                raise self.refusal(record)
            comparison = self.compared(record)
            if comparison is not None and comparison.proves_different:
                raise self.refusal(record)
            if holds_these_sizes(record, self._sources) == "yes":
                return Completed(read_set_id=record.read_set_id, adopted=True, proof="size")
            unclear = record
        if unclear is None:
            return None
        if unclear.status == "PROCESSING_UPLOAD":
            # It shows its sizes only when it is ACTIVE; the upload looks again then.
            return Completed(read_set_id=unclear.read_set_id, adopted=True, proof="none")
        raise self.refusal(unclear)

    def could_be_ours(self, record: ReadSetRecord) -> bool:
        """Whether it is there, and all its metadata is ours."""
        return not is_gone(record) and read_set_matches(self._read_set, self._file_type, record)

    def family_to_prove(self, record: ReadSetRecord | None) -> str | None:
        """The ETag family that is still to be computed to compare this read set with our files."""
        theirs = ContentETag.from_reply(record.etag) if record is not None else None
        if not self._prove or theirs is None or theirs.family not in FAMILIES:
            return None
        return theirs.family if theirs.family not in self.computed else None

    def compared(self, record: ReadSetRecord | None) -> ETagComparison | None:
        """What the ETags say; None where one of them isn't known."""
        theirs = ContentETag.from_reply(record.etag) if record is not None else None
        computed = self.computed.get(theirs.family) if theirs is not None else None
        if theirs is None or computed is None or computed.etag is None:
            return None
        return compare_etag(computed.etag, theirs, computed.reservation)

    def refusal(self, record: ReadSetRecord) -> ServiceRefused:
        """What to say of a read set that is in the way."""
        comparison = self.compared(record)
        why = (
            comparison.sentence
            if comparison is not None and comparison.proves_different
            else "nothing here proves that it holds these files"
        )
        return ServiceRefused(
            f"read set {record.read_set_id} ({record.status}) has this name, sample and subject "
            f"already, and {why}",
            code="ReadSetExists",
            path=self._sources[0].path,
            hint="if it is another data set, choose another name; "
            "to upload these files all the same, add --force",
        )
