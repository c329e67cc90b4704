"""What htslib reads is not refused: BAM and CRAM as other writers make them."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import itertools
import os
import random
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import pysam
import pytest

from tests.seqcheck.damage import Original, cram_edges, judge_copies
from tests.seqcheck.preflight_samples import SAMTOOLS, bgzf, codes, needs_samtools, write
from tests.support import samples
from turboupload.errors import InputError
from turboupload.files.etag import hash_content
from turboupload.seqcheck import bam, cram, sam_header
from turboupload.seqcheck.checks import Findings, alignments, check, check_files
from turboupload.seqcheck.cram import EOF_2, EOF_3, Container
from turboupload.seqcheck.formats import UNDECIDED, require_type
from turboupload.seqcheck.sam_header import parse_header
from turboupload.seqcheck.sam_text import alignment_reader

SEED = 20_257
HEADER = "@HD\tVN:1.6\tSO:unsorted\n@SQ\tSN:a\tLN:3000\n@SQ\tSN:b\tLN:3000\n@RG\tID:g\tSM:s\n"


@pytest.fixture(scope="module")
def fasta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = random.Random(SEED)
    path = tmp_path_factory.mktemp("reference") / "ref.fa"
    path.write_text("".join(f">{n}\n{''.join(rng.choices('ACGT', k=3000))}\n" for n in "ab"))
    pysam.faidx(str(path))
    return path


@pytest.fixture
def sam(fasta: Path) -> Callable[..., str]:
    """SAM text of reads aligned to the sequences in `order` by turns."""

    def text(order: str = "a", reads: int = 600, header: str = HEADER) -> str:
        rows = []
        with pysam.FastaFile(str(fasta)) as bases:
            for number in range(reads):
                name, start = order[number % len(order)], (number * 7) % 2900
                read = bases.fetch(name, start, start + 50)
                cigar = f"0\t{name}\t{start + 1}\t60\t50M"
                rows.append(f"r{number}\t{cigar}\t*\t0\t0\t{read}\t{'I' * 50}\tRG:Z:g\n")
        return header + "".join(rows)

    return text


def to_cram(text: str, path: Path, options: str, reference: Path | None = None) -> Path:
    source = path.with_suffix(".sam")
    source.write_text(text)
    more = ["-T", str(reference)] if reference else []
    pysam.samtools.view(
        "--no-PG", "-O", f"cram,{options}", *more, "-o", str(path), str(source), catch_stdout=False
    )
    return path


def text_md5(*arguments: object) -> str:
    command = [SAMTOOLS, "view", *map(str, arguments)]
    text = subprocess.run(command, capture_output=True, check=True).stdout
    return hashlib.md5(text, usedforsecurity=False).hexdigest()


def in_both_depths(path: Path, **options: object) -> tuple[Findings, Findings]:
    quick = check_files([path])
    deep = check_files([path], deep=True, **options)  # type: ignore[arg-type]
    return quick, deep


def containers(path: Path) -> list[Container]:
    with path.open("rb") as file:
        size = path.stat().st_size
        header = cram.read_header(file.fileno(), size)
        return list(cram.containers(file.fileno(), size, header))


def _recount(path: Path, blocks: Callable[[int], int]) -> None:
    """Changes how many blocks each data container says it holds."""
    data = bytearray(path.read_bytes())
    for container in containers(path):
        head = data[container.offset : container.body]
        counted = bytes([container.blocks])
        # After length, six numbers of ours and the bases comes the count; then the landmarks.
        at = head.rindex(counted + bytes([1]), 4)
        head[at] = blocks(container.blocks)
        if data[4] >= 3:
            head[-4:] = zlib.crc32(head[:-4]).to_bytes(4, "little")
        data[container.offset : container.body] = head
    path.write_bytes(data)


@pytest.mark.parametrize("version", ["2.1", "3.0", "3.1"])
@pytest.mark.parametrize("blocks", [lambda n: n - 2, lambda n: 0, lambda n: n + 5])
def test_a_container_may_count_its_blocks_in_its_own_way(
    tmp_path: Path, sam: Callable[..., str], version: str, blocks: Callable[[int], int]
) -> None:
    """Writers in Java count them without compression header and slice headers."""
    path = to_cram(sam(), tmp_path / "a.cram", f"version={version},no_ref=1,seqs_per_slice=100")
    _recount(path, blocks)
    for found in in_both_depths(path):
        assert found.ok, found.errors
        assert not found.warnings
        assert found.files[0].records == 600
    assert require_type(path, None) == "CRAM"


@needs_samtools
@pytest.mark.parametrize("comment", [0, 40, 5_000, 6_600, 10_000, 16_300, 17_000, 70_000])
def test_a_header_container_of_2_1_ends_with_its_block(
    tmp_path: Path, sam: Callable[..., str], comment: int
) -> None:
    """Its length is up to 2 bytes less than that of its block, depending on the header's size."""
    header = f"@SQ\tSN:a\tLN:3000\n@CO\t{'x' * comment}\n" if comment else "@SQ\tSN:a\tLN:3000\n"
    path = to_cram(sam(header=header), tmp_path / "a.cram", "version=2.1,no_ref=1")
    for found in in_both_depths(path):
        assert found.ok, found.errors
        assert not found.warnings
        assert found.files[0].records == 600
    assert hash_content(path, "CRAM").digest == text_md5(path)


def test_the_end_that_early_writers_in_java_wrote(tmp_path: Path, sam: Callable[..., str]) -> None:
    path = to_cram(sam(), tmp_path / "a.cram", "version=2.1,no_ref=1")
    data = bytearray(path.read_bytes())
    assert data.endswith(EOF_2)
    data[-len(EOF_2) + 8] = 0xFF
    path.write_bytes(data)
    for found in in_both_depths(path):
        assert found.ok, found.errors
    path.write_bytes(data[: -len(EOF_2)])
    assert all("cram.eof" in codes(found) for found in in_both_depths(path))


def test_the_end_of_a_cram_3_is_under_a_checksum(tmp_path: Path, sam: Callable[..., str]) -> None:
    path = to_cram(sam(), tmp_path / "a.cram", "version=3.0,no_ref=1")
    data = bytearray(path.read_bytes())
    assert data.endswith(EOF_3)
    data[-len(EOF_3) + 8] |= 0x40
    path.write_bytes(data)
    assert all("cram.eof" in codes(found) for found in in_both_depths(path))


@pytest.mark.parametrize("version", ["2.1", "3.0", "3.1"])
def test_slices_of_several_references_without_them(
    tmp_path: Path, fasta: Path, sam: Callable[..., str], version: str
) -> None:
    reference = Path(write(tmp_path / "gone.fa", fasta.read_bytes()))
    options = f"version={version},multi_seq_per_slice=1"
    path = to_cram(sam("ab"), tmp_path / "a.cram", options, reference)
    for each in tmp_path.glob("gone.fa*"):
        each.unlink()
    quick, deep = in_both_depths(path)
    assert quick.ok, quick.errors
    assert deep.ok, deep.errors
    assert "cram.bases" in {each.code for each in deep.findings}
    deep = check_files([path], deep=True, reference_fasta=fasta)
    assert deep.ok, deep.errors
    assert not {"cram.bases", "reference.bases"} & {each.code for each in deep.findings}


def test_a_reference_that_is_another(tmp_path: Path, fasta: Path, sam: Callable[..., str]) -> None:
    path = to_cram(sam(), tmp_path / "a.cram", "version=3.0", fasta)
    other = tmp_path / "other.fa"
    other.write_text("".join(f">{name}\n{'ACGT' * 750}\n" for name in "ab"))
    deep = check_files([path], deep=True, reference_fasta=other)
    assert "reference.bases" in codes(deep)
    zipped = Path(write(tmp_path / "ref.fa.gz", gzip.compress(fasta.read_bytes())))
    deep = check_files([path], deep=True, reference_fasta=zipped)
    assert deep.ok, "a plain gzip is a reference to us, though not to htslib"
    assert "reference.bases" in {each.code for each in deep.warnings}


TEMPTING = ["UR:{path}", "UR:file:{path}", "UR:http://127.0.0.1:9/a.fa", "M5:" + "a" * 32]


@needs_samtools
@pytest.mark.parametrize("field", TEMPTING)
@pytest.mark.parametrize("version", ["2.1", "3.0"])
def test_nothing_that_a_header_names_is_opened(
    tmp_path: Path,
    fasta: Path,
    sam: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    field: str,
    version: str,
) -> None:
    reference = Path(write(tmp_path / "r.fa", fasta.read_bytes()))
    path = to_cram(sam("ab"), tmp_path / "a.cram", f"version={version}", reference)
    raw = path.read_bytes()
    named = HEADER.replace("LN:3000", "LN:3000\t" + field.format(path=reference))
    _replace_header(path, raw, named.encode())
    # Whoever opens one of these waits for ever.
    for trap in (reference, tmp_path / ("a" * 32)):
        trap.unlink(missing_ok=True)
        os.mkfifo(trap)
    monkeypatch.setenv("REF_PATH", f"{tmp_path}/%s")
    monkeypatch.setenv("REF_CACHE", f"{tmp_path}/%s")
    (tmp_path / "r.fa.fai").unlink()
    before = sorted(tmp_path.iterdir())
    for found in in_both_depths(path):
        assert found.ok, found.errors
    with pytest.raises(InputError, match="without its reference"):
        hash_content(path, "CRAM")
    assert sorted(tmp_path.iterdir()) == before
    monkeypatch.delenv("REF_CACHE")
    assert hash_content(path, "CRAM", reference=fasta).digest == text_md5("-T", fasta, path)


def _replace_header(path: Path, raw: bytes, text: bytes) -> None:
    """Gives a CRAM another header, by the very words of the specification."""
    major, first = raw[4], containers(path)[0].offset
    content = len(text).to_bytes(4, "little") + text
    assert 0x80 <= len(content) < 0x4000
    size = (0x8000 | len(content)).to_bytes(2, "big")
    block = b"\0\0\0" + size + size + content
    if major >= 3:
        block += zlib.crc32(block).to_bytes(4, "little")
    head = len(block).to_bytes(4, "little") + bytes([0, 0, 0, 0, 0, 0, 1, 1, 0])
    if major >= 3:
        head += zlib.crc32(head).to_bytes(4, "little")
    path.write_bytes(raw[:26] + head + block + raw[first:])


# --- records that are not there ---------------------------------------------------------------


@pytest.fixture
def sliced(tmp_path: Path, sam: Callable[..., str]) -> Callable[[str], Original]:
    def make(version: str) -> Original:
        path = to_cram(sam(), tmp_path / "s.cram", f"version={version},no_ref=1,seqs_per_slice=100")
        return Original(version, path.read_bytes(), [c.offset for c in containers(path)])

    return make


@pytest.mark.parametrize("version", ["2.1", "3.0"])
def test_containers_that_were_lost_or_moved(
    tmp_path: Path, sliced: Callable[[str], Original], version: str
) -> None:
    file = sliced(version)
    assert len(file.edges) == 6
    end = len(file.data) - len(EOF_2 if version == "2.1" else EOF_3)
    edges = [0, *file.edges, end, len(file.data)]
    parts = [file.data[a:b] for a, b in itertools.pairwise(edges)]
    head, *records, tail = parts
    for kept, told, sentence in (
        (records[:2] + records[3:], {"cram.gap"}, "100 records are missing"),
        (records[2:], {"cram.gap"}, "200 records are missing"),
        (records[:3] + records[2:], {"cram.order"}, "are repeated or out of order"),
        ([*records[:2], records[3], records[2], *records[4:]], {"cram.gap", "cram.order"}, ""),
        (records, set(), ""),
    ):
        path = Path(write(tmp_path / "a.cram", b"".join([head, *kept, tail])))
        quick, deep = in_both_depths(path)
        for found in (quick, deep):
            # They may be meant to be away: htslib reads them.
            assert found.ok, found.errors
            assert {each.code for each in found.warnings} == told
            assert not told or any(sentence in each.sentence for each in found.warnings)


def test_a_header_that_htslib_does_not_read(tmp_path: Path, sam: Callable[..., str]) -> None:
    """What is decoded has another header than the file, so that this one is looked at by itself."""
    path = to_cram(sam(), tmp_path / "a.cram", "version=2.1,no_ref=1")
    data = bytearray(path.read_bytes())
    # After the length, six numbers of one byte each in this container; then the count of blocks.
    assert data[26 + 4 : 26 + 12] == bytes([0, 0, 0, 0, 0, 0, 1, 1])
    data[26 + 10] = 0
    path.write_bytes(data)
    for found in in_both_depths(path):
        assert "cram.damaged" in codes(found)


def test_damage_in_what_is_not_looked_up(tmp_path: Path, sam: Callable[..., str]) -> None:
    header = HEADER.replace("LN:3000", "LN:3000\tUR:/a/reference/somewhere.fa", 1)
    path = to_cram(sam(header=header), tmp_path / "a.cram", "version=2.1,no_ref=1")
    data = bytearray(path.read_bytes())
    data[data.index(b"reference/some") + 5] = ord("\n")
    path.write_bytes(data)
    assert "cram.records" in codes(check_files([path], deep=True))
    with pytest.raises(InputError, match="can't be read"):
        hash_content(path, "CRAM")


@needs_samtools
def test_files_put_together_are_no_cause_for_alarm(tmp_path: Path, sam: Callable[..., str]) -> None:
    options = "version=3.0,no_ref=1,seqs_per_slice=100"
    path = to_cram(sam(), tmp_path / "a.cram", options)
    both = tmp_path / "both.cram"
    subprocess.run([SAMTOOLS, "cat", "-o", both, path, path], check=True, capture_output=True)
    for found in in_both_depths(both):
        assert found.ok
        assert not found.warnings
        assert found.files[0].records == 1_200


# --- what only looks odd ----------------------------------------------------------------------


def _bam_without_a_names_end(folder: Path) -> Path:
    data = gzip.decompress(samples.bam(folder / "whole.bam", reads=50).path.read_bytes())
    at = data.index(b"read0000007") + 11
    return Path(write(folder / "odd.bam", bgzf(data[:at] + b"x" + data[at + 1 :])))


def test_what_htslib_reads_is_at_most_a_warning(tmp_path: Path) -> None:
    path = _bam_without_a_names_end(tmp_path)
    for found in in_both_depths(path):
        assert found.ok, found.errors
        assert [each.code for each in found.warnings] == ["bam.records"]
        assert "htslib reads it" in found.warnings[0].sentence


def test_what_nobody_can_judge_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _bam_without_a_names_end(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(importlib.util, "find_spec", lambda name: None)
        found = check_files([path], deep=True)
    assert found.ok
    assert "--deep" in str(found.warnings[0].advice)
    monkeypatch.setattr(alignments, "_WHOLE_BELOW_BYTES", 0)
    monkeypatch.setattr(check, "WHOLE_BELOW_BYTES", 0)
    monkeypatch.setattr(alignments, "_HEAD_CONTENT_BYTES", 100)
    found = check_files([path])
    assert found.ok
    assert "--deep" in str(found.warnings[0].advice)


def test_a_kind_of_finding_is_shown_ten_times(tmp_path: Path, sam: Callable[..., str]) -> None:
    path = to_cram(sam(), tmp_path / "a.cram", "version=3.0,no_ref=1,seqs_per_slice=20")
    data = bytearray(path.read_bytes())
    every = containers(path)
    for container in every:
        data[container.end - 6] ^= 1
    path.write_bytes(data)
    found = check_files([path], deep=True)
    shown = [each.sentence for each in found.errors if each.code == "cram.block"]
    assert len(shown) == 11
    assert shown[-1].startswith(f"{len(every) - 10} more")


# --- BAM or uBAM ------------------------------------------------------------------------------


def _bam(path: Path, unmapped: int, mapped: int, *, sequences: bool = True, last: int = 0) -> Path:
    rng = random.Random(SEED)
    header = {"SQ": [{"SN": "a", "LN": 3_000}]} if sequences else {"HD": {"VN": "1.6"}}
    with pysam.AlignmentFile(str(path), "wb", header=header) as out:
        for number in range(unmapped + mapped + last):
            record = pysam.AlignedSegment(out.header)
            record.query_name, record.flag = f"r{number}", 4
            record.query_sequence = "".join(rng.choices("ACGT", k=100))
            record.query_qualities = pysam.qualitystring_to_array(
                "".join(rng.choices("#<F", k=100))
            )
            if unmapped <= number < unmapped + mapped:
                record.flag, record.reference_id, record.reference_start = 0, 0, number % 2_900
                record.cigartuples = [(0, 100)]
            out.write(record)
    return path


@pytest.fixture
def as_if_large(monkeypatch: pytest.MonkeyPatch) -> None:
    from turboupload.seqcheck import bam_mapped, formats

    monkeypatch.setattr(bam_mapped, "_WHOLE_BELOW_BYTES", 0)
    monkeypatch.setattr(bam_mapped, "_PLACE_BYTES", 100_000)
    monkeypatch.setattr(formats, "_BAM_READ_BYTES", 64 * 1024)
    monkeypatch.setattr(alignments, "_WHOLE_BELOW_BYTES", 0)
    monkeypatch.setattr(alignments, "_HEAD_CONTENT_BYTES", 64 * 1024)
    monkeypatch.setattr(check, "WHOLE_BELOW_BYTES", 0)


@pytest.mark.parametrize(("mapped", "last"), [(12_000, 0), (6_000, 6_000)])
@pytest.mark.usefixtures("as_if_large")
def test_a_large_bam_that_begins_unmapped_is_bam(tmp_path: Path, mapped: int, last: int) -> None:
    path = _bam(tmp_path / "a.bam", 9_000, mapped, last=last)
    for found in in_both_depths(path):
        assert found.ok, found.errors
        assert found.files[0].file_type == "BAM"
        assert not found.warnings
    assert require_type(path, None) == "BAM"


def test_a_small_bam_is_read_to_tell(tmp_path: Path) -> None:
    for mapped, file_type in ((1, "BAM"), (0, "UBAM")):
        path = _bam(tmp_path / "a.bam", 12_000, mapped)
        assert require_type(path, None) == file_type
        for found in in_both_depths(path):
            assert found.ok, found.errors
            assert found.files[0].file_type == file_type


@pytest.mark.usefixtures("as_if_large")
def test_between_the_two_it_is_asked_for(tmp_path: Path) -> None:
    path = _bam(tmp_path / "a.bam", 12_000, 0)
    quick, deep = in_both_depths(path)
    assert quick.ok
    assert quick.files[0].file_type is None
    assert [each.code for each in quick.warnings] == [UNDECIDED]
    assert "--type" in str(quick.warnings[0].advice)
    assert deep.files[0].file_type == "UBAM"
    assert not deep.warnings
    with pytest.raises(InputError, match="none of the") as caught:
        require_type(path, None)
    assert "--type" in str(caught.value.hint)
    for declared in ("BAM", "UBAM"):
        assert require_type(path, declared) == declared
        found = check_files([path], declared_type=declared)
        assert (found.files[0].file_type, found.warnings) == (declared, ())
    with pytest.raises(InputError, match="was declared CRAM"):
        require_type(path, "CRAM")


@pytest.mark.usefixtures("as_if_large")
def test_a_header_without_references_is_of_a_ubam(tmp_path: Path) -> None:
    path = _bam(tmp_path / "a.bam", 12_000, 0, sequences=False)
    for found in in_both_depths(path):
        assert found.files[0].file_type == "UBAM"
        assert not found.warnings


# --- headers ----------------------------------------------------------------------------------


def test_a_long_header_is_taken_apart_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 60_000
    text = "".join(f"@SQ\tSN:k141_{i}\tLN:{500 + i % 9000}\n" for i in range(count))
    source = Path(write(tmp_path / "a.sam", (text + "r\t4\t*\t0\t0\t*\t*\t0\t0\tA\tI\n").encode()))
    path = tmp_path / "a.bam"
    pysam.samtools.view("-b", "-o", str(path), str(source), catch_stdout=False)
    seen: list[int] = []

    def parse(text: bytes, look: Callable[[sam_header.Batch], None]) -> sam_header.SamHeader:
        seen.append(len(text))
        return parse_header(text, look)

    monkeypatch.setattr(bam, "parse_header", parse)
    found = check_files([path])
    assert len(seen) == 1
    facts = found.files[0].header
    assert facts is not None
    assert len(facts.header.sequences) == count
    assert facts.total_length == sum(500 + i % 9000 for i in range(count))
    assert "bam.header" not in {each.code for each in found.findings}


@pytest.mark.parametrize(
    "line",
    [
        "@SQ\tSN:x\tLN:7\tM5:AB",
        "@SQ\tLN:7\tSN:x\tM5:AB",
        "@SQ\tM5:AB\tAS:y\tLN:7\tSP:z\tSN:x",
        "@SQ\tSN:x\tLN:7\tUR:/SN:y\tM5:AB\r",
        "@SQ\tSN:x\tAN:SN:q\tM5:AB\tLN:7\r",
    ],
)
def test_the_fields_of_a_line_come_in_any_order(line: str) -> None:
    header = parse_header(f"@SQ\tSN:a\tLN:1\n{line}\n@CO\t@SQ\tSN:c\tLN:2\n".encode())
    first, second = header.sequences
    assert (first.name, first.length, first.md5) == ("a", 1, None)
    assert (second.name, second.length, second.md5) == ("x", 7, "ab")
    assert header.problems == ()


# --- what an ETag may depend on ---------------------------------------------------------------


@pytest.mark.parametrize("version", ["2.1", "3.0", "3.1"])
@pytest.mark.parametrize("lossy", [0, 1])
def test_an_etag_says_who_made_it_and_why_it_may_differ(
    tmp_path: Path, sam: Callable[..., str], version: str, lossy: int
) -> None:
    options = f"version={version},no_ref=1,lossy_names={lossy},seqs_per_slice=100"
    text = sam().replace("\t0\ta\t", "\t99\ta\t").replace("\t*\t0\t0\t", "\t=\t1\t0\t")
    rows = text.splitlines(keepends=True)
    mates = [row.replace("\t99\t", "\t147\t") for row in rows if row[0] == "r"]
    path = to_cram("".join([*rows, *mates]), tmp_path / "a.cram", options)
    made = hash_content(path, "CRAM")
    assert made.reader == alignment_reader()
    versions = pysam.version.__dict__
    assert made.reader == (
        f"htslib {versions['__htslib_version__']} (pysam {versions['__version__']})"
    )
    assert made.reader in made.reservation
    assert ("names were kept" in made.reservation) == bool(lossy)
    assert hash_content(samples.bam(tmp_path / "a.bam").path, "BAM").reservation == ""


# --- damage is still found --------------------------------------------------------------------


@pytest.mark.parametrize("file_format", ["bam", "cram"])
def test_damaged_copies(tmp_path: Path, file_format: str) -> None:
    tally = judge_copies(tmp_path, file_format, 40, "suite")
    assert tally.faults == []
    assert tally.counts["readers damaged, deep damaged, quick damaged"] >= 15


def test_the_edges_of_a_cram_are_those_of_all_its_blocks(tmp_path: Path) -> None:
    path = samples.cram(tmp_path / "a.cram", reads=300).path
    edges = cram_edges(path)
    assert edges[:2] == [0, 26]
    assert edges[-1] == path.stat().st_size
    assert len(edges) > 10


@pytest.mark.parametrize("version", ["2.1", "3.0"])
def test_no_etag_of_what_is_read_in_part_only(
    tmp_path: Path, sliced: Callable[[str], Original], version: str
) -> None:
    """Several threads of htslib take a container that they can't read for the end of the file."""
    file = sliced(version)
    at = file.edges[3]
    path = Path(write(tmp_path / "a.cram", file.data[:at] + file.data[at + 24 :]))
    with pytest.raises(InputError, match="can't be read"):
        hash_content(path, "CRAM")
    assert not check_files([path], deep=True).ok


def test_a_container_whose_length_is_wrong(
    tmp_path: Path, sliced: Callable[[str], Original]
) -> None:
    """htslib looks at where its blocks end; what follows by its length is no header."""
    file = sliced("3.0")
    data = bytearray(file.data)
    at = file.edges[2]
    container = containers(Path(write(tmp_path / "a.cram", file.data)))[2]
    for change in (-7, 7):
        head = bytearray(data[at : container.body])
        length = int.from_bytes(head[:4], "little") + change
        head[:4] = length.to_bytes(4, "little")
        head[-4:] = zlib.crc32(head[:-4]).to_bytes(4, "little")
        path = Path(write(tmp_path / "a.cram", bytes(data[:at] + head + data[container.body :])))
        for found in in_both_depths(path):
            assert found.ok, found.errors
            assert {"cram.block", "cram.damaged"} & {each.code for each in found.warnings}
