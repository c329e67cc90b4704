"""A sample of what `scripts/damage` does by the thousand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.seqcheck.damage import judge_copies, sampled
from tests.seqcheck.preflight_samples import bgzf, block_edges, fastq_text
from turboupload.seqcheck.checks import check_files


@pytest.mark.parametrize("file_format", ["gzip", "bgzf"])
def test_what_gzip_and_htslib_call_damaged_is_found(tmp_path: Path, file_format: str) -> None:
    tally = judge_copies(tmp_path, file_format, 40, "suite")
    assert tally.faults == []
    assert (
        sum(n for said, n in tally.counts.items() if "readers damaged, deep damaged" in said) > 15
    )


SIZE_AT = 16
"""Where a block's header says how long the block is."""


@pytest.mark.parametrize(
    ("block", "at", "bits", "codes"),
    [
        # htslib and gzip go on: what follows is gzip, though not BGZF.
        pytest.param(100, 12, 0x42, set(), id="no size, in the middle"),
        pytest.param(-1, 12, 0x42, set(), id="no size, at the end"),
        # gzip goes on, and htslib doesn't.
        pytest.param(-1, SIZE_AT, 0x5B, {"compression.block"}, id="beyond the end, the EOF block"),
        pytest.param(
            -2, SIZE_AT + 1, 0x40, {"compression.block"}, id="beyond the end, the block before"
        ),
        pytest.param(-1, SIZE_AT, 0x10, {"compression.block"}, id="too short, the EOF block"),
        pytest.param(
            100,
            SIZE_AT + 1,
            0,
            {"compression.block", "compression.trailing"},
            id="too short, in the middle",
        ),
    ],
)
def test_the_size_in_a_blocks_header_is_judged_alike_by_quick_and_deep(
    tmp_path: Path, block: int, at: int, bits: int, codes: set[str]
) -> None:
    data = bytearray(bgzf(fastq_text(1_500), block=777))
    data[block_edges(bytes(data))[:-1][block] + at] = bits
    path = tmp_path / "x.fastq.gz"
    path.write_bytes(data)
    deep, quick = check_files([path], deep=True, threads=1), check_files([path], threads=1)
    assert [each.code for each in deep.errors] == [each.code for each in quick.errors]
    assert {each.code for each in deep.errors} == codes
    assert sampled(path).ok == deep.ok
