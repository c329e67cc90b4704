"""Files of several writers, up and down again: what the check takes, arrives."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pysam

from tests.e2e.conftest import Lab
from tests.e2e.test_types import REFERENCE
from tests.seqcheck.preflight_samples import bgzf, fastq_text
from tests.writers.tools import Studio, run

TEXT = fastq_text(50)


def _packed(folder: Path, *command: str) -> bytes | None:
    """What a tool makes of the text; None where it is not installed."""
    if shutil.which(command[0]) is None:
        return None
    plain, packed = folder / "reads.txt", folder / "packed"
    plain.write_bytes(TEXT)
    run(*command, plain, into=packed)
    return packed.read_bytes()


def _arrives(lab: Lab, path: Path, *more: str, reference: Path | None = None) -> None:
    last = lab.upload(path, "--name", path.name, "--sample", "S", "--subject", "U", *more)
    assert last["outcome"] == "active"
    assert last["verified"] == "sha256"
    lab.check_arrived(last["read_set_id"], path, reference)


def test_fastq_arrives(lab: Lab) -> None:
    made = {
        "pigz": _packed(lab.folder, "pigz", "-c", "-C", "a comment"),
        "igzip": _packed(lab.folder, "igzip", "-c"),
        "libdeflate": _packed(lab.folder, "libdeflate-gzip", "-c", "-12"),
        "padded": gzip.compress(TEXT) + bytes(10_240),
        "no EOF block": bgzf(TEXT, eof=False),
        "mixed line ends": gzip.compress(TEXT + TEXT.replace(b"\n", b"\r\n")),
    }
    for name, data in made.items():
        if data is not None:
            path = lab.folder / f"{name}.fastq.gz"
            path.write_bytes(data)
            _arrives(lab, path)


def test_alignments_arrive(lab: Lab) -> None:
    studio = Studio(lab.folder)
    source = next(each for each in studio.all() if each.sam.stem == "long")
    sam, reference = source.sam, studio.reference
    archive = lab.folder / "archive.cram"
    output = "cram,version=3.1,archive,embed_ref=1"
    options = ("--no-PG", "-T", str(reference), "-O", output, "-o", str(archive))
    pysam.view(*options, str(sam), catch_stdout=False)
    made = [archive]
    if shutil.which("sambamba"):
        made.append(lab.folder / "sambamba.bam")
        run("sambamba", "view", "-S", "-h", "-f", "bam", "-o", made[-1], sam)
    if shutil.which("scramble"):
        made.append(lab.folder / "scramble.cram")
        run("scramble", "-V2.1", "-r", reference, "-I", "sam", "-O", "cram", sam, made[-1])
    for path in made:
        _arrives(lab, path, "--reference", REFERENCE, reference=reference)
