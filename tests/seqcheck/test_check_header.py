from __future__ import annotations

import gzip
import hashlib
import textwrap
from pathlib import Path

import pysam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.seqcheck.preflight_samples import bgzf, codes, write
from tests.support import samples
from turboupload.errors import InputError
from turboupload.seqcheck.checks import Severity, alignments, check_files
from turboupload.seqcheck.sam_header import ReadGroup, parse_header

BASES = {"chr1": "ACGTN" * 20, "chr2": "acgtac" * 30}


def _md5(bases: str) -> str:
    return hashlib.md5(bases.upper().encode(), usedforsecurity=False).hexdigest()


def _bam(path: Path, *, groups: list[dict[str, str]] | None = None, **more: object) -> str:
    sequences = more.get("sequences") or [
        {"SN": name, "LN": len(bases), "M5": _md5(bases)} for name, bases in BASES.items()
    ]
    header = {"HD": {"VN": "1.6", "SO": "coordinate"}, "SQ": sequences, "RG": groups or []}
    with pysam.AlignmentFile(str(path), "wb", header=header) as out:
        record = pysam.AlignedSegment(out.header)
        record.query_name, record.query_sequence, record.flag = "r", "ACGT", 0
        record.reference_id, record.reference_start, record.cigartuples = 0, 0, [(0, 4)]
        out.write(record)
    return str(path)


def _fasta(path: Path, **bases: str) -> str:
    lines = [f">{n} text\n" + "\n".join(textwrap.wrap(b, 50)) + "\n" for n, b in bases.items()]
    return write(path, "".join(lines).encode())


def test_read_groups_and_sequences_are_shown(tmp_path: Path) -> None:
    groups = [
        {"ID": "1", "SM": "HG002", "LB": "lib", "PL": "ILLUMINA"},
        {"ID": "2", "SM": "HG002"},
    ]
    found = check_files([_bam(tmp_path / "a.bam", groups=groups)])
    assert found.ok
    assert found.sample == "HG002"
    header = found.files[0].header
    assert header is not None
    assert header.header.read_groups[0] == ReadGroup("1", "HG002", "lib", "ILLUMINA")
    assert header.as_dict() == {
        "sort_order": "coordinate",
        "read_groups": [
            {"id": "1", "sample": "HG002", "library": "lib", "platform": "ILLUMINA"},
            {"id": "2", "sample": "HG002", "library": None, "platform": None},
        ],
        "samples": ["HG002"],
        "sequences": 2,
        "total_length": 280,
        "with_md5": 2,
    }


def test_several_samples_and_none(tmp_path: Path) -> None:
    two = _bam(tmp_path / "a", groups=[{"ID": "1", "SM": "A"}, {"ID": "2", "SM": "B"}])
    found = check_files([two])
    assert found.sample is None
    assert [f.code for f in found.warnings] == ["header.samples"]
    found = check_files([_bam(tmp_path / "b")])
    assert [(f.severity, f.code) for f in found.findings] == [
        (Severity.NOTE, "service.reference"),
        (Severity.NOTE, "header.sample"),
    ]


@pytest.mark.parametrize("shape", ["fasta", "gzip", "fai", "dict", "fasta+fai", "fasta+dict"])
def test_the_right_reference(tmp_path: Path, shape: str) -> None:
    fasta = _fasta(tmp_path / "ref.fa", **BASES, chrM="ACGT")
    reference = fasta
    if "fai" in shape:
        pysam.faidx(fasta)
        reference = f"{fasta}.fai" if shape == "fai" else fasta
    if "dict" in shape:
        path = str(tmp_path / "ref.dict")
        pysam.samtools.dict("-o", path, fasta, catch_stdout=False)
        reference = path if shape == "dict" else fasta
    if shape == "gzip":
        reference = write(tmp_path / "ref.fa.gz", gzip.compress(Path(fasta).read_bytes()))
    found = check_files([_bam(tmp_path / "a.bam")], reference_fasta=reference)
    assert found.ok, found.findings


def test_a_cram_is_compared_too(tmp_path: Path) -> None:
    cram = samples.cram(tmp_path / "a.cram")
    assert check_files([cram.path], reference_fasta=tmp_path / "a.fa").ok
    other = samples.reference_fasta(tmp_path / "other.fa", seed=2)
    found = check_files([cram.path], reference_fasta=_without_index(other))
    assert codes(found) == {"reference.md5"}


def _without_index(fasta: Path) -> Path:
    Path(f"{fasta}.fai").unlink()
    return fasta


def test_the_wrong_reference(tmp_path: Path) -> None:
    path = _bam(tmp_path / "a.bam")
    wrong = _fasta(tmp_path / "1.fa", chr1=BASES["chr1"] + "A", chr2="T" * 180)
    found = check_files([path], reference_fasta=wrong)
    assert codes(found) == {"reference.lengths", "reference.md5"}
    plain = _fasta(tmp_path / "2.fa", **{"1": BASES["chr1"], "2": BASES["chr2"]})
    found = check_files([path], reference_fasta=plain)
    assert codes(found) == {"reference.names"}
    assert "without 'chr'" in next(f.sentence for f in found.findings if f.code[10:] == "style")
    turned = _fasta(tmp_path / "3.fa", **dict(reversed(BASES.items())))
    found = check_files([path], reference_fasta=turned)
    assert found.ok
    assert "reference.order" in [f.code for f in found.findings]


def test_a_reference_that_is_none(tmp_path: Path) -> None:
    path = _bam(tmp_path / "a.bam")
    for data in (b"", b"@r\nAC\n+\nFF\n", b"\x1f\x8b\x08nope"):
        with pytest.raises(InputError, match="reference"):
            check_files([path], reference_fasta=write(tmp_path / "ref.fa", data))
    with pytest.raises(InputError, match="no such file"):
        check_files([path], reference_fasta=tmp_path / "missing.fa")
    with pytest.raises(InputError, match="reference"):
        check_files([path], reference_fasta=write(tmp_path / "ref.fai", b"a\tb\n"))


def test_lines_that_cannot_be_read_are_named() -> None:
    header = parse_header(b"@SQ\tSN:a\n@SQ\tSN:b\tLN:x\nnonsense\n@CO\tanything\n@XX\n\n\0\0")
    assert not header.sequences
    assert len(header.problems) == 4


@pytest.mark.parametrize("line", [b"", b"\r", b" ", b"nonsense"])
@pytest.mark.parametrize("deep", [False, True])
def test_a_header_that_htslib_does_not_read_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: bytes, deep: bool
) -> None:
    text = b"@HD\tVN:1.6\n" + line + b"\n@CO\tmore\n"
    bam = b"BAM\1" + len(text).to_bytes(4, "little") + text + bytes(4)
    path = write(tmp_path / "a.bam", bgzf(bam))
    found = check_files([path], deep=deep)
    assert codes(found) == {"header.line", "bam.records"}
    assert any("Malformed SAM header at line 2" in each.sentence for each in found.errors)
    monkeypatch.setattr(alignments, "can_read_alignments", lambda: False)
    found = check_files([path], deep=deep)
    assert found.ok
    assert "header.line" in {each.code for each in found.warnings}


def test_a_header_line_that_htslib_takes_is_a_warning(tmp_path: Path) -> None:
    text = b"@HD\tVN:1.6\n@SQ\tSN:a\n"
    bam = b"BAM\1" + len(text).to_bytes(4, "little") + text + bytes(4)
    found = check_files([write(tmp_path / "a.bam", bgzf(bam))], declared_type="UBAM")
    assert found.ok
    told = [each.sentence for each in found.warnings if each.code == "header.line"]
    assert told == [
        "header line 2 is an @SQ without name or length; htslib reads it without an error"
    ]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([b"", b"@SQ\t", b"@RG\tID:", b"@SQ\tSN:a\tLN:"]))
def test_any_header_text_can_be_parsed(text: bytes, start: bytes) -> None:
    parse_header(start + text)
