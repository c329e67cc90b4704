"""What the engine finds out about files before anything is asked or sent."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pysam
import pytest

from tests.engine.conftest import Bench
from tests.support import samples
from turboupload.core.model import ReadSet
from turboupload.core.notices import Remark
from turboupload.errors import InputError
from turboupload.files.run_folders import propose_sheet
from turboupload.seqcheck.checks import Findings, check_files

Make = Callable[..., samples.Sample]
ARN = samples.REFERENCE_ARN


def cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:-60])
    return path


def unnamed(bench: Bench, path: Path, **more: object) -> ReadSet:
    return bench.read_set(
        path, **{"sample_id": None, "subject_id": None, "reference_arn": ARN, **more}
    )


async def test_every_reason_is_told_at_once_and_nothing_is_asked(bench: Bench) -> None:
    first, second = samples.fastq_pair(bench.folder)
    with pytest.raises(InputError) as caught:
        await bench.upload(bench.read_set(cut(first.path), cut(second.path), sample_id=None))
    errors = [caught.value, *caught.value.others]
    assert [(each.code, Path(each.path or "").name) for each in errors] == [
        ("compression.cut", "sample_R1.fastq.gz"),
        ("compression.cut", "sample_R2.fastq.gz"),
        ("sample.unknown", "sample_R1.fastq.gz"),
    ]
    assert str(caught.value).count("ends before the end") == 2
    assert not bench.script.calls
    assert bench.heard(Remark) == []


async def test_a_cut_bam_without_a_reference_hears_both(bench: Bench) -> None:
    path = cut(samples.bam(bench.folder / "a.bam").path)
    with pytest.raises(InputError) as caught:
        await bench.upload(bench.read_set(path))
    codes = {each.code for each in (caught.value, *caught.value.others)}
    assert codes >= {"bgzf.eof", "reference.missing"}


async def test_swapped_and_foreign_mates_are_refused(bench: Bench) -> None:
    first, second = samples.fastq_pair(bench.folder)
    with pytest.raises(InputError, match="swapped"):
        await bench.upload(bench.read_set(second.path, first.path))
    other = samples.fastq(bench.folder / "other.gz", mate=2, seed=2)
    with pytest.raises(InputError, match="read names differ"):
        await bench.upload(bench.read_set(first.path, other.path))
    assert not bench.script.calls


async def test_two_files_that_are_no_pair_by_their_type(bench: Bench) -> None:
    one = samples.ubam(bench.folder / "a.bam").path
    two = samples.fastq(bench.folder / "a.gz").path
    for preflight in (True, False):
        with pytest.raises(InputError, match="only FASTQ comes in pairs"):
            await bench.upload(bench.read_set(one, two), preflight=preflight)


async def test_without_preflight_a_bad_file_is_sent(bench: Bench) -> None:
    path = cut(samples.fastq(bench.folder / "a.fastq.gz").path)
    result = await bench.upload(bench.read_set(path), preflight=False)
    assert result.bytes_sent == path.stat().st_size


async def test_a_warning_is_told_and_stops_nothing(bench: Bench) -> None:
    path = bench.folder / "dos.fastq.gz"
    path.write_bytes(gzip.compress(b"@r\r\nACGT\r\n+\r\nIIII\r\n"))
    await bench.upload(bench.read_set(path))
    (remark,) = bench.heard(Remark)
    assert remark.code == "fastq.crlf"
    assert remark.text.startswith(f"{path}: ")
    assert "dos2unix" in remark.text


async def test_a_rehearsal_finds_the_same(bench: Bench) -> None:
    path = cut(samples.fastq(bench.folder / "a.fastq.gz").path)
    with bench.engine() as engine, pytest.raises(InputError, match="ends before the end"):
        await engine.rehearse(bench.read_set(path), bench.store, bench.told.append)


@pytest.mark.parametrize("preflight", [True, False])
@pytest.mark.parametrize("make", [samples.bam, samples.ubam, samples.cram])
async def test_sample_and_subject_come_from_the_header(
    bench: Bench, make: Make, preflight: bool
) -> None:
    path = make(bench.folder / "a", names=("HG002", "HG002")).path
    result = await bench.upload(unnamed(bench, path), preflight=preflight)
    record = await bench.service.get_read_set(bench.store, result.read_set_id)
    assert (record.sample_id, record.subject_id) == ("HG002", "HG002")
    assert [each.text for each in bench.heard(Remark)] == [
        "sample and subject: HG002, from the header's @RG SM"
    ]


async def test_what_was_given_is_kept_and_is_the_same_upload(bench: Bench) -> None:
    path = samples.ubam(bench.folder / "a.bam", names=("HG002",)).path
    first = await bench.upload(unnamed(bench, path, subject_id="NA24385"))
    record = await bench.service.get_read_set(bench.store, first.read_set_id)
    assert (record.sample_id, record.subject_id) == ("HG002", "NA24385")
    again = await bench.upload(
        bench.read_set(path, sample_id="HG002", subject_id="NA24385", reference_arn=ARN)
    )
    assert again.existed
    assert again.read_set_id == first.read_set_id


@pytest.mark.parametrize("preflight", [True, False])
@pytest.mark.parametrize(
    ("names", "words"),
    [
        ((), "names no sample"),
        (("a", "b"), "names 2 samples (@RG SM): a, b"),
        (tuple("abcdefg"), "names 7 samples (@RG SM): a, b, c, d, e, …"),
    ],
)
async def test_no_sample_or_several_are_an_error_that_names_the_options(
    bench: Bench, names: Sequence[str], words: str, preflight: bool
) -> None:
    path = samples.ubam(bench.folder / "a.bam", names=names).path
    with pytest.raises(InputError) as caught:
        await bench.upload(unnamed(bench, path), preflight=preflight)
    assert words in caught.value.message
    assert caught.value.hint == "add --sample ID and --subject ID"
    assert not bench.script.calls


async def test_a_fastq_needs_a_sample(bench: Bench) -> None:
    with pytest.raises(InputError, match="a FASTQ has no header that names one") as caught:
        await bench.upload(bench.read_set(bench.file(), subject_id=None))
    assert caught.value.hint == "add --subject ID, or --subject-from sample"


async def test_a_damaged_header_is_an_input_error_without_preflight_too(bench: Bench) -> None:
    path = samples.ubam(bench.folder / "a.bam", names=("HG002",)).path
    data = bytearray(path.read_bytes())
    data[40] ^= 0xFF
    path.write_bytes(bytes(data))
    for preflight in (True, False):
        with pytest.raises(InputError):
            await bench.upload(unnamed(bench, path), preflight=preflight)
    assert not bench.script.calls


async def test_a_file_that_grows_meanwhile_is_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bench.file()

    def check(*paths: Any, **more: Any) -> Findings:
        found = check_files(*paths, **more)
        with path.open("ab") as file:
            file.write(b"more")
        return found

    monkeypatch.setattr("turboupload.engine.prepare.check_files", check)
    with pytest.raises(InputError, match="still being written"):
        await bench.upload(bench.read_set(path))


async def test_a_bam_that_may_be_a_ubam_is_asked_about(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither is guessed: a read set's type can't be changed later."""
    for name in ("formats._BAM_READ_BYTES", "checks.alignments._HEAD_CONTENT_BYTES"):
        monkeypatch.setattr(f"turboupload.seqcheck.{name}", 64 * 1024)
    for name in ("bam_mapped", "checks.alignments"):
        monkeypatch.setattr(f"turboupload.seqcheck.{name}._WHOLE_BELOW_BYTES", 0)
    aligned = samples.bam(bench.folder / "a.bam", reads=3_000).path
    path = bench.folder / "unmapped.bam"
    with (
        pysam.AlignmentFile(str(aligned)) as old,
        pysam.AlignmentFile(str(path), "wb", template=old) as new,
    ):
        for record in old:
            record.flag, record.reference_id, record.cigartuples = 4, -1, None
            new.write(record)
    for preflight in (True, False):
        with pytest.raises(InputError, match="none of the") as caught:
            await bench.upload(unnamed(bench, path), preflight=preflight)
        codes = [each.code for each in (caught.value, *caught.value.others)]
        assert codes[0] == "type.undecided"
        assert "--type" in str(caught.value.hint)
    assert not bench.script.calls
    sheet = propose_sheet(str(bench.folder))
    assert [row.file_type for row in sheet.rows] == ["BAM", None]
    assert any("`type`" in str(each.hint) for each in sheet.findings)
