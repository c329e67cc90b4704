from __future__ import annotations

import pytest

from turboupload.core.sheet.filenames import default_name, illumina_name, stem_of


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("r/NA_12-x_S1_L001_R1_001.fastq.gz", ("NA_12-x", 1, 1, "R1", 1)),
        ("s3://b/k/S1_S12_R2_003.fq.gz", ("S1", 12, None, "R2", 3)),
        ("Undetermined_S0_L004_I2_001.fastq.gz", ("Undetermined", 0, 4, "I2", 1)),
        ("a_S1_L1_R1_001.fastq.gz", None),
        ("a_R1_001.fastq.gz", None),
        ("a.bam", None),
    ],
)
def test_illuminas_names(path: str, parts: tuple[object, ...] | None) -> None:
    found = illumina_name(path)
    if parts is None:
        assert found is None
        return
    assert found is not None
    assert (found.sample, found.number, found.lane, found.read, found.chunk) == parts


@pytest.mark.parametrize(
    ("sources", "name"),
    [
        (["a/S_S1_L001_R1_001.fastq.gz", "a/S_S1_L001_R2_001.fastq.gz"], "S_S1_L001"),
        (["S_S1_L001_R1_002.fastq.gz"], "S_S1_L001_002"),
        (["SRR1_1.fastq.gz", "SRR1_2.fastq.gz"], "SRR1"),
        (["SRR1_1.fastq.gz"], "SRR1_1"),
        (["x_R1_val_1.fq.gz", "x_R2_val_2.fq.gz"], "x_val"),
        (["x.1.fq", "x.2.fq"], "x"),
        (["x_R1_001.fq.gz", "x_R2_001.fq.gz"], "x"),
        (["x_R1_002.fq.gz", "x_R2_002.fq.gz"], "x_002"),
        (["1.fq.gz", "2.fq.gz"], "1"),
        (["left.fq.gz", "right.fq.gz"], "left"),
        (["r_1/HG002.BAM"], "HG002"),
        (["s3://bucket/deep/HG002.v1.cram"], "HG002.v1"),
        ([" x .bam"], "x"),
        (["/.bam"], ".bam"),
    ],
)
def test_names_that_files_lend(sources: list[str], name: str) -> None:
    assert default_name(sources) == name


def test_a_stem_is_never_empty() -> None:
    assert stem_of(".fastq.gz") == ".fastq.gz"
