"""What needs no service: checks, sheets, receipts."""

from __future__ import annotations

from pathlib import Path

import pytest

import turboupload
from tests.support import samples
from turboupload.testing import Emulator


def test_one_file_or_several_are_checked(tmp_path: Path) -> None:
    one, two = samples.fastq_pair(tmp_path)
    assert turboupload.check(one.path).ok
    found = turboupload.check([one.path, str(two.path)], deep=True)
    assert found.ok
    assert len(found.pairs) == 1
    (tmp_path / "cut.bam").write_bytes(b"BC")
    found = turboupload.check(str(tmp_path / "cut.bam"), file_type="BAM")
    assert not found.ok
    assert all(isinstance(each, turboupload.Finding) and each.code for each in found.errors)


@pytest.mark.parametrize("name", ["run.csv", "run.tsv", "run.jsonl"])
def test_a_folder_becomes_a_sheet_that_is_read_back(name: str, tmp_path: Path) -> None:
    samples.fastq_pair(tmp_path)
    sheet = turboupload.plan_sheet(
        tmp_path, defaults=turboupload.SheetDefaults(subject_id="NA24385")
    )
    turboupload.write_sheet(sheet, tmp_path / name)
    again = turboupload.read_sheet(tmp_path / name)
    assert not again.errors
    assert [row.sources for row in again.rows] == [row.sources for row in sheet.rows]
    assert [row.subject_id for row in again.rows] == ["NA24385"]
    with pytest.raises(turboupload.ConfigError, match="is there already"):
        turboupload.write_sheet(sheet, tmp_path / name)
    turboupload.write_sheet(sheet, tmp_path / name, overwrite=True)
    with pytest.raises(turboupload.InputError):
        turboupload.plan_sheet(tmp_path / "nowhere")


def test_a_receipt_is_verified(tmp_path: Path) -> None:
    sample = samples.fastq(tmp_path / "reads.fastq.gz")
    other = samples.fastq(tmp_path / "other.fastq.gz", seed=7)
    with Emulator() as emulator:
        result = turboupload.upload_sync(
            turboupload.ReadSet(
                sources=[sample.path], name="a", sample_id="HG002", subject_id="NA24385"
            ),
            store_id=emulator.store_id,
            config=emulator.upload_config(prove=True),
            receipt_path=tmp_path / "r.json",
        )
        verified = turboupload.verify_read_set_sync(
            result.read_set_id,
            [sample.path],
            store_id=emulator.store_id,
            config=emulator.upload_config(),
        )
    assert verified.proven
    assert turboupload.verify_receipt(tmp_path / "r.json").proven
    found = turboupload.verify_receipt(tmp_path / "r.json", other.path)
    assert not found.files_match
    assert found.files[0].sentence
