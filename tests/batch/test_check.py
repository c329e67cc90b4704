"""What is found before anything is sent: all of it, with its row."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.batch.conftest import BatchBench
from turboupload.batch.check import SheetRejected, check_rows, read_sets_of
from turboupload.config import UploadConfig
from turboupload.core.model import ReadSet
from turboupload.core.sheet.model import Sheet, SheetFinding, SheetRow


async def findings(rows: list[ReadSet]) -> dict[int, str]:
    checked, found = await check_rows(dict(enumerate(rows, 2)), UploadConfig())
    assert len(checked) + len({each.row for each in found}) >= len(rows)
    return {each.row: each.message for each in found}


async def test_files_are_looked_at_all_of_them(bench: BatchBench, tmp_path: Path) -> None:
    good = bench.file("good.gz")
    (tmp_path / "empty.gz").write_bytes(b"")
    (tmp_path / "plain.fastq").write_text("@a\nA\n+\nI\n")
    (tmp_path / "folder").mkdir()
    found = await findings(
        [
            bench.read_set(good),
            bench.read_set(tmp_path / "gone.gz", name="2"),
            bench.read_set(tmp_path / "empty.gz", name="3"),
            bench.read_set(tmp_path / "plain.fastq", name="4"),
            bench.read_set(tmp_path / "folder", name="5"),
            bench.read_set(bench.file("other.gz", seed=2), name="6", file_type="BAM"),
        ]
    )
    assert found.keys() == {3, 4, 5, 6, 7}
    assert "no such file" in found[3]
    assert "empty" in found[4]
    assert "uncompressed FASTQ" in found[5]
    assert "folder" in found[6]


async def test_rows_are_compared_with_each_other(bench: BatchBench, tmp_path: Path) -> None:
    one, two, three = (bench.file(f"{index}.gz", 3000, index) for index in (1, 2, 3))
    link = tmp_path / "link.gz"
    link.symlink_to(one)
    found = await findings(
        [
            bench.read_set(one, name="a"),
            bench.read_set(two, name="a"),
            bench.read_set(link, name="b"),
            bench.read_set(three, three.parent / "." / ".." / three.parent.name / "3.gz", name="c"),
        ]
    )
    assert "name, sample and subject of row 2" in found[3]
    assert "also a file of row 2" in found[4]
    assert "given twice" in found[5]


async def test_a_sheets_own_findings_come_with_the_others_in_order(bench: BatchBench) -> None:
    good = SheetRow(number=3, sources=(str(bench.file()),), name="a", sample_id="S", subject_id="U")
    sheet = Sheet(
        (replace(good, number=2, sample_id=None), good, replace(good, number=5, name="b")),
        (SheetFinding(2, "sample", "there is no sample"), SheetFinding(1, None, "x", None, "note")),
    )
    with pytest.raises(SheetRejected) as caught:
        await bench.batch(sheet)
    told = [(each.row, each.severity) for each in caught.value.findings]
    assert told == [(1, "note"), (2, "error"), (5, "error")]
    assert str(caught.value) == "row 2, sample: there is no sample, and 1 more finding"


async def test_an_empty_sheet_is_said_to_be_one(bench: BatchBench) -> None:
    with pytest.raises(SheetRejected, match="no row"):
        await bench.batch(Sheet((), ()))


def test_rows_that_cant_be_read_sets_are_findings() -> None:
    row = SheetRow(number=2, sources=("a.gz",), name="a", sample_id="S", subject_id="U")
    rows, found = read_sets_of(
        [row, replace(row, number=3, name="x" * 200), replace(row, number=4, sources=("s3://b/k",))]
    )
    assert list(rows) == [2]
    assert [each.row for each in found] == [3, 4]
    assert found[1].hint is not None
    assert "import" in found[1].hint


async def test_a_read_set_in_the_way_is_found_before_anything_is_sent(bench: BatchBench) -> None:
    rows = [replace(each, description="one") for each in bench.read_sets(2)]
    await bench.batch(rows)
    creates = bench.script.calls["CreateMultipartReadSetUpload"]
    changed = [rows[0], replace(rows[1], description="another")]
    with pytest.raises(SheetRejected, match=r"row 2: read set .* already"):
        await bench.batch(changed)
    assert bench.script.calls["CreateMultipartReadSetUpload"] == creates
