"""A sample of what `scripts/damage` does by the thousand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.seqcheck.damage import judge_copies


@pytest.mark.parametrize("file_format", ["gzip", "bgzf"])
def test_what_gzip_and_htslib_call_damaged_is_found(tmp_path: Path, file_format: str) -> None:
    tally = judge_copies(tmp_path, file_format, 40, "suite")
    assert tally.faults == []
    assert (
        sum(n for said, n in tally.counts.items() if "readers damaged, deep damaged" in said) > 15
    )
