"""Every type of file, up and down again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import MIB, Lab, stored_fastq
from tests.support import samples

REFERENCE = "arn:aws:omics:us-east-1:000000000000:referenceStore/1234567890/reference/1234567890"


@pytest.mark.parametrize(
    ("make", "name", "file_type"),
    [
        (samples.fastq, "reads.fastq.gz", "FASTQ"),
        (samples.bgzf_fastq, "blocks.fastq.gz", "FASTQ"),
        (samples.bam, "aligned.bam", "BAM"),
        (samples.ubam, "unaligned.bam", "UBAM"),
        (samples.cram, "aligned.cram", "CRAM"),
    ],
)
def test_a_file_of_each_type_arrives(lab: Lab, make: object, name: str, file_type: str) -> None:
    sample = make(lab.folder / name)  # type: ignore[operator] # one of the makers above
    reference = ("--reference", REFERENCE) if file_type in ("BAM", "CRAM") else ()
    last = lab.upload(
        sample.path, "--name", name, "--sample", "S", "--subject", "U", *reference,
        "--tag", "run=7", "--description", "from a test",
    )  # fmt: skip
    assert last["outcome"] == "active"
    assert last["verified"] == "sha256"
    assert last["etag"]
    assert last["bytes_sent"] == last["total_bytes"] == sample.path.stat().st_size
    reference_fasta = sample.path.with_suffix(".fa") if file_type == "CRAM" else None
    lab.check_arrived(last["read_set_id"], sample.path, reference_fasta)
    (found,) = lab.read_sets(name)
    assert found["fileType"] == file_type
    assert found["sequenceInformation"]["totalReadCount"] == sample.reads
    assert found["description"] == "from a test"


def test_a_pair_arrives_as_one_read_set(lab: Lab) -> None:
    one, two = samples.fastq_pair(lab.folder)
    last = lab.upload(one.path, two.path, "--name", "pair", "--sample", "S", "--subject", "U")
    assert lab.stored_bytes(last["read_set_id"], "SOURCE1") == one.path.read_bytes()
    assert lab.stored_bytes(last["read_set_id"], "SOURCE2") == two.path.read_bytes()
    (found,) = lab.read_sets("pair")
    assert found["sequenceInformation"]["totalReadCount"] == one.reads + two.reads


def test_a_file_that_the_service_turns_down_ends_in_exit_7(lab: Lab) -> None:
    sample = samples.bam(lab.folder / "cut.bam")
    whole = sample.path.read_bytes()
    sample.path.write_bytes(whole[:-28])  # its BGZF EOF block
    arguments = (
        sample.path, "--name", "cut", "--sample", "S", "--subject", "U", "--reference", REFERENCE,
        "--no-preflight",
    )  # fmt: skip
    code, last, err = lab.start(*arguments).finish()
    assert code == 7, err
    assert last["outcome"] == "failed"
    assert last["read_set_id"]
    assert "turned down" in err
    code, again, err = lab.start(*arguments).finish()
    assert code == 7, err
    assert again["read_set_id"] == last["read_set_id"]


@pytest.mark.large
@pytest.mark.timeout(180)
def test_more_than_two_gibibytes_take_less_than_200_mebibytes_of_memory(
    lab: Lab, tmp_path: Path
) -> None:
    path = stored_fastq(tmp_path / "head.fastq.gz", 64 * MIB)
    # The rest is a hole: what the client reads is as long, and the disk of the test stays free.
    os.truncate(path, (2 * 1024 + 64) * MIB)
    probe = (
        "import resource, subprocess, sys\n"
        "code = subprocess.call(sys.argv[1:])\n"
        "print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
    )
    out = subprocess.run(
        [sys.executable, "-c", probe, sys.executable, "-m", "turboupload", "upload", path,
         "--store", lab.emulator.store_id, "--name", "large", "--sample", "S", "--subject", "U",
         "--no-wait", "--quiet", "--no-preflight"],
        env={**os.environ, **lab.emulator.env(), "TURBOUPLOAD_STATE_DIR": str(lab.state)},
        capture_output=True,
        text=True,
        timeout=170,
        check=True,
    )  # fmt: skip
    code, peak_kib = out.stdout.split()[-2:]
    assert code == "0", out.stderr
    assert int(peak_kib) < 200 * 1024
    assert len(lab.read_sets("large")) == 1
