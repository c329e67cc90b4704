"""What stored sizes say in a receipt, by file type, status and ETag."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.values import record, upload
from turboupload.core.model import FileType, Phase
from turboupload.core.proof.etag import ContentETag
from turboupload.core.proof.evidence import comparisons_of, other_sizes
from turboupload.core.proof.receipt import Comparison, judge
from turboupload.core.records import ETag
from turboupload.core.upload.events import Completed, ETagComputed, StatusSeen
from turboupload.core.upload.state import Upload

PARTS = Comparison("part-checksums", "equal", True, "the parts arrived")


def ended(
    *stored: int, file_type: FileType = FileType.FASTQ, status: str = "ACTIVE", etag: bool = False
) -> Upload:
    """An upload of 10 and 6 bytes (or 10 alone, of another type), as its read set is shown."""
    sizes = (10, 6) if file_type is FileType.FASTQ else (10,)
    state = upload(*sizes, file_type=file_type)
    state.phase = Phase.PLANNED
    state.receive(Completed(read_set_id="9000000001"))
    shown = replace(record(status, *stored), file_type=str(file_type))
    if etag:
        state.receive(StatusSeen(shown))
        algorithm = "FASTQ_MD5up"
        shown = replace(shown, etag=ETag(algorithm=algorithm, source1="a", source2="b"))
        ours = ContentETag(algorithm, "a", "b")
        state.receive(StatusSeen(shown))
        state.receive(ETagComputed(family="MD5up", etag=ours))
    state.receive(StatusSeen(shown))
    return state


def sizes_of(state: Upload) -> Comparison:
    (found,) = [each for each in comparisons_of(state) if each.subject == "stored-sizes"]
    return found


@pytest.mark.parametrize("status", ["ACTIVE", "ARCHIVED", "ACTIVATING"])
@pytest.mark.parametrize(
    ("stored", "words"),
    [
        ((9, 6), "9 bytes of SOURCE1 are stored, and 10 were sent"),
        ((10, 7), "7 bytes of SOURCE2 are stored, and 6 were sent"),
        ((6, 10), "6 bytes of SOURCE1 are stored, and 10 were sent; 10 bytes of SOURCE2"),
        ((9,), "9 bytes of SOURCE1"),
    ],
)
def test_another_size_of_a_fastq_outweighs_its_part_checksums(
    stored: tuple[int, ...], words: str, status: str
) -> None:
    state = ended(*stored, status=status)
    found = other_sizes(state)
    assert found is not None
    assert words in found
    verdict = judge(status, [PARTS, sizes_of(state)])
    assert not verdict.proven
    assert words in verdict.statement


@pytest.mark.parametrize("stored", [(10, 6), (10,)])
def test_sizes_that_are_equal_or_not_shown_contradict_nothing(stored: tuple[int, ...]) -> None:
    state = ended(*stored)
    assert other_sizes(state) is None
    assert sizes_of(state).outcome == "equal"
    assert judge("ACTIVE", [PARTS, sizes_of(state)]).proven


def test_a_size_is_not_believed_before_the_read_set_is_active() -> None:
    state = ended(9, 6, status="PROCESSING_UPLOAD")
    assert other_sizes(state) is None
    assert not sizes_of(state).proof


def test_an_equal_etag_outweighs_another_size() -> None:
    state = ended(9, 6, etag=True)
    assert state.comparison is not None
    assert state.comparison.proves_equal
    assert other_sizes(state) is None
    assert not sizes_of(state).proof
    assert judge("ACTIVE", comparisons_of(state)).proven


@pytest.mark.parametrize("file_type", [FileType.BAM, FileType.UBAM, FileType.CRAM])
@pytest.mark.parametrize("stored", [9, 11])
def test_the_sizes_of_alignments_prove_and_refute_nothing(file_type: FileType, stored: int) -> None:
    state = ended(stored, file_type=file_type)
    assert other_sizes(state) is None
    assert sizes_of(state).outcome == "not-comparable"
    assert judge("ACTIVE", [PARTS, sizes_of(state)]).proven
