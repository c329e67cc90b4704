"""Which file is proven to be in the store, and how much its deletion frees."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from turboupload.core.model import FileIdentity
from turboupload.core.proof.audit import Audit, Standing, StoreView, judge_file
from turboupload.core.proof.known_files import KnownFile, KnownFiles, SeenFile
from turboupload.core.records import ETag, ReadSetDetails

SENT = FileIdentity(device=1, inode=2, size=1000, mtime_ns=4)
STORE = "1234567890"
SAME = ETag(algorithm="FASTQ_MD5up", source1="ab")


def known(**changes: Any) -> KnownFile:
    told: dict[str, Any] = {
        "real_path": "/data/a.fastq.gz",
        "identity": SENT,
        "receipt": "receipt 1 of the journal",
        "chained": True,
        "read_set": {
            "id": "1", "store_id": STORE, "service": "here", "name": "a", "sample_id": "S",
            "subject_id": None, "etag": {"algorithm": "FASTQ_MD5up", "source1": "ab"},
        },
        "proven": True,
        "proven_by": ("part-checksums",),
        "statement": "Proven: it is.",
        "strength": 6,
        "ended": "2026-01-01T00:00:00.000Z",
    }  # fmt: skip
    return KnownFile(**{**told, **changes})


def seen(real_path: str = "/data/a.fastq.gz", **changes: Any) -> SeenFile:
    return SeenFile(real_path, real_path, replace(SENT, **changes))


def touched(at: str) -> SeenFile:
    return seen(ctime_ns=int(datetime.fromisoformat(at).timestamp() * 1e9))


def details(**changes: Any) -> ReadSetDetails:
    told: dict[str, Any] = {"status": "ACTIVE", "name": "a", "sample_id": "S", "subject_id": "U"}
    return ReadSetDetails(read_set_id="1", **{**told, **changes})


DOUBTFUL = known(proven=False, statement="Not proven: nothing.", strength=1, proven_by=())
ELSEWHERE = known(read_set={**known().read_set, "store_id": "9"})


@pytest.mark.parametrize(
    ("file", "names", "store", "standing", "said"),
    [
        # By receipts alone.
        (seen(), [known()], None, "proven", "Proven"),
        (seen("/data/b.fastq.gz"), [known()], None, "proven", "Proven"),
        (seen(device=9), [known()], None, "proven", "Proven"),
        (seen("/data/b.fastq.gz", device=9), [known()], None, "absent", "no receipt"),
        (seen(), [DOUBTFUL], None, "unproven", "Not proven"),
        (seen(), [known(), DOUBTFUL], None, "proven", "Proven"),
        (seen(), [ELSEWHERE], None, "proven", "Proven"),
        (seen(size=1001), [known()], None, "changed", "1,001 bytes, and had 1,000"),
        (seen(mtime_ns=5), [known()], None, "changed", "written to or replaced"),
        (seen(inode=5), [known()], None, "changed", "another inode"),
        (seen("/copy/a.fastq.gz", inode=5), [known()], None, "absent", "--deep compares"),
        (seen("/copy/c.fastq.gz", inode=5), [known()], None, "absent", "no receipt names it"),
        (seen(), [], None, "absent", "no receipt names it"),
        # A time of change can be set back, and that leaves a trace.
        (touched("2025-12-31T23:59:59Z"), [known()], None, "proven", "Proven"),
        (touched("2026-01-01T00:00:01Z"), [known()], None, "unproven", "--deep compares"),
        (touched("2026-01-01T00:00:01Z"), [known()], details(), "unproven", "--deep compares"),
        (touched("2026-01-01T00:00:01Z"), [known()], "gone", "absent", "no longer"),
        (seen(), [known(ended="some day")], None, "unproven", "--deep compares"),
        # The store was asked.
        (seen(), [known()], details(), "proven", "Proven"),
        (seen(), [known()], details(status="ARCHIVED"), "proven", "Proven"),
        (seen(), [known()], details(status="ACTIVATING"), "proven", "Proven"),
        (seen(), [known()], details(status="DELETING"), "absent", "no longer"),
        (seen(), [known()], "gone", "absent", "no longer in store"),
        (seen(), [known()], details(status="UPLOAD_FAILED"), "unproven", "UPLOAD_FAILED"),
        (seen(), [known()], details(status=None), "unproven", "None"),
        (seen(), [known()], details(name="b"), "unproven", "another name"),
        (seen(), [known()], details(sample_id=None), "proven", "Proven"),
        (seen(), [known()], details(etag=SAME), "proven", "Proven"),
        (seen(), [known()], details(etag=replace(SAME, source1="cd")), "unproven", "another ETag"),
        (seen(), [DOUBTFUL], details(), "unproven", "Not proven"),
        (seen(), [ELSEWHERE], details(), "absent", "of another store (9)"),
        (seen(), [ELSEWHERE, known()], details(), "proven", "Proven"),
    ],
)  # fmt: skip
def test_the_standing_of_a_file(
    file: SeenFile, names: list[KnownFile], store: Any, standing: Standing, said: str
) -> None:
    view = None
    if store is not None:
        view = StoreView(STORE, {} if store == "gone" else {"1": store})
    judged = judge_file(file, KnownFiles(names), view)
    assert judged.standing == standing
    assert said in judged.sentence
    assert bool(judged.proven_by) is bool(judged.proven_at) is (standing == "proven")


def test_a_receipt_that_disproves_outweighs_an_older_one_of_its_read_set() -> None:
    refuted = replace(DOUBTFUL, strength=10, statement="Not proven, but disproven.")
    for order in ([known(), refuted], [refuted, known()]):
        assert judge_file(seen(), KnownFiles(order)).standing == "unproven"
    # One of another read set is another matter.
    other = known(read_set={**known().read_set, "id": "2"})
    judged = judge_file(seen(), KnownFiles([refuted, other]))
    assert (judged.standing, judged.read_set_id) == ("proven", "2")


def test_of_equal_receipts_the_last_counts() -> None:
    later = known(ended="2026-02-01T00:00:00.000Z", receipt="receipt 2 of the journal")
    for order in ([known(), later], [later, known()]):
        assert judge_file(seen(), KnownFiles(order)).receipt == later.receipt


@pytest.mark.parametrize(
    ("names", "links", "allocated", "freed", "held"),
    [
        (1, 1, 0, 1000, 0),
        (1, 1, 4096, 1000, 0),
        (1, 1, 512, 512, 0),  # a file with holes
        (2, 2, 0, 1000, 0),
        (2, 3, 0, 0, 2),
        (1, 2, 0, 0, 1),
    ],
)
def test_an_inode_is_freed_with_its_last_name(
    names: int, links: int, allocated: int, freed: int, held: int
) -> None:
    files = [
        judge_file(
            replace(seen(f"/data/{name}.fastq.gz"), links=links, allocated=allocated),
            KnownFiles([known()]),
        )
        for name in range(names)
    ]
    unknown = judge_file(seen("/data/z.fastq.gz", inode=77), KnownFiles([known()]))
    audit = Audit(files=(*files, unknown))
    assert (audit.freeable_bytes, len(audit.held_elsewhere)) == (freed, held)
    assert (audit.bytes_of("proven"), audit.bytes_of("absent")) == (1000, 1000)
    assert not audit.proven
    assert Audit(files=tuple(files)).proven
    assert not Audit(files=()).proven
    assert not Audit(files=tuple(files), unread=(("/data/x", "Permission denied"),)).proven
    assert not Audit(files=tuple(files), findings=("receipt 1 is missing",)).proven
