"""Files compared with read sets through the library, against the emulator."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

import turboupload
from tests.support import samples
from tests.support.emulator import RunningEmulator


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    reference = tmp_path_factory.mktemp("reference") / "a.fa"
    options = ["--quotas", "off", "--ingest-delay", "0"]
    if importlib.util.find_spec("pysam") is not None:
        samples.reference_fasta(reference)
        options += ["--reference", f"{samples.REFERENCE_ARN}={reference}"]
    with RunningEmulator(*options) as running:
        yield running


@pytest.fixture(autouse=True)
def environment(emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in emulator.env().items():
        monkeypatch.setenv(key, value)


async def store(
    emulator: RunningEmulator, folder: Path, *paths: Path, name: str, **config: object
) -> turboupload.UploadResult:
    read_set = turboupload.ReadSet(
        sources=list(paths),
        name=name,
        sample_id="HG002",
        subject_id="NA24385",
        reference_arn=samples.REFERENCE_ARN if name in ("BAM", "CRAM") else None,
    )
    made = turboupload.UploadConfig(state_dir=folder / "state", **config)  # type: ignore[arg-type] # the test's own literals
    return await turboupload.upload(read_set, store_id=emulator.store_id, config=made)


async def verify(
    emulator: RunningEmulator, read_set_id: str, *paths: Path, **more: object
) -> turboupload.Verification:
    return await turboupload.verify_read_set(
        read_set_id,
        paths,
        store_id=emulator.store_id,
        **more,  # type: ignore[arg-type] # as above
    )


@pytest.mark.parametrize("file_type", ["BAM", "UBAM", "CRAM"])
async def test_alignments_are_proven_where_the_service_hashes_as_samtools_prints(
    emulator: RunningEmulator, tmp_path: Path, file_type: str
) -> None:
    pytest.importorskip("pysam", reason="pysam is not installed (extra: preflight)")
    make = {"BAM": samples.bam, "UBAM": samples.ubam, "CRAM": samples.cram}[file_type]
    path = make(tmp_path / f"a.{file_type.lower()}").path
    fasta = tmp_path / "a.fa" if file_type == "CRAM" else None
    made = await store(emulator, tmp_path, path, name=file_type, prove=True, reference_fasta=fasta)
    assert made.receipt is not None
    assert made.receipt.verdict.by == ("part-checksums", "etag")
    found = await verify(emulator, made.read_set_id, path, reference_fasta=fasta)
    assert found.proven
    assert found.algorithm == f"{file_type.removeprefix('U')}_MD5up"
    assert found.reads is None


async def test_another_bam_or_an_unreadable_cram_is_not_known(
    emulator: RunningEmulator, tmp_path: Path
) -> None:
    pytest.importorskip("pysam", reason="pysam is not installed (extra: preflight)")
    made = await store(emulator, tmp_path, samples.ubam(tmp_path / "a.bam").path, name="uBAM")
    found = await verify(
        emulator, made.read_set_id, samples.ubam(tmp_path / "b.bam", reads=70).path
    )
    assert (found.proven, found.disproven, found.outcome) == (False, False, "different")
    assert "doesn't prove that the content differs" in found.sentence
    cram = samples.cram(tmp_path / "c.cram").path
    made = await store(emulator, tmp_path, cram, name="CRAM", force=True)
    (tmp_path / "c.fa").unlink()
    found = await verify(emulator, made.read_set_id, cram)
    assert (found.proven, found.outcome) == (False, "incomparable")
    assert "without its reference" in found.sentence


async def test_an_upload_is_not_proven_where_the_etag_cannot_be_computed(
    emulator: RunningEmulator, tmp_path: Path
) -> None:
    pytest.importorskip("pysam", reason="pysam is not installed (extra: preflight)")
    cram = samples.cram(tmp_path / "d.cram").path
    (tmp_path / "d.fa").unlink()
    made = await store(emulator, tmp_path, cram, name="CRAM", prove=True, force=True)
    assert made.receipt is not None
    assert made.receipt.verdict.by == ("part-checksums",)
    assert [each.outcome for each in made.receipt.comparisons][:2] == ["equal", "not-comparable"]


async def test_a_fastq_is_the_same_or_another(emulator: RunningEmulator, tmp_path: Path) -> None:
    path = samples.fastq(tmp_path / "a.fastq.gz", reads=100).path
    other = samples.fastq(tmp_path / "b.fastq.gz", reads=99).path
    made = await store(emulator, tmp_path, path, name="FASTQ")
    told: list[tuple[int, int]] = []
    found = await verify(
        emulator, made.read_set_id, path, on_progress=lambda *step: told.append(step)
    )
    assert found.proven
    assert found.reads == found.read_set.total_reads == 100
    assert told
    found = await verify(emulator, made.read_set_id, other)
    assert found.disproven
    assert found.counts_differ


async def test_merged_files_are_the_same_in_their_order(
    emulator: RunningEmulator, tmp_path: Path
) -> None:
    lanes: list[list[Path]] = [[], []]
    for lane in (1, 2):
        for files, read in zip(lanes, samples.fastq_pair(tmp_path, seed=lane), strict=True):
            files.append(read.path.rename(tmp_path / f"L{lane}_{read.path.name}"))
    read_set = turboupload.ReadSet(
        sources=lanes, name="merged", sample_id="HG002", subject_id="NA24385"
    )
    done = await turboupload.upload(
        read_set,
        store_id=emulator.store_id,
        config=turboupload.UploadConfig(state_dir=tmp_path / "state", prove=True),
    )
    assert done.receipt is not None
    assert done.receipt.verdict.by == ("part-checksums", "etag")

    async def found(files: list[list[Path]]) -> turboupload.Verification:
        return await turboupload.verify_read_set(
            done.read_set_id, files, store_id=emulator.store_id
        )

    same = await found(lanes)
    assert same.proven
    assert same.paths == tuple(str(path) for files in lanes for path in files)
    assert (await found([files[::-1] for files in lanes])).disproven
    with pytest.raises(turboupload.ConfigError, match="one file, or two") as caught:
        await found([[path] for files in lanes for path in files])
    assert "--merge" in str(caught.value.hint)


async def test_what_cannot_be_compared_is_refused(
    emulator: RunningEmulator, tmp_path: Path
) -> None:
    path = samples.fastq(tmp_path / "a.fastq.gz", reads=100, seed=2).path
    made = await store(emulator, tmp_path, path, name="refused")
    for alone in (path, str(path)):
        found = await turboupload.verify_read_set(
            made.read_set_id, alone, store_id=emulator.store_id
        )
        assert found.proven
    with pytest.raises(turboupload.ConfigError, match="made of one file, and 2 were given"):
        await verify(emulator, made.read_set_id, path, path)
    with pytest.raises(turboupload.ConfigError, match="3 were given"):
        await verify(emulator, made.read_set_id, path, path, path)
    with pytest.raises(turboupload.InputError, match="no such file"):
        await verify(emulator, made.read_set_id, tmp_path / "gone")
    with pytest.raises(turboupload.ServiceRefused, match="was not found"):
        await verify(emulator, "1234567890", path)
    cut = tmp_path / "cut.fastq.gz"
    cut.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(turboupload.IntegrityError, match="can't be computed"):
        await verify(emulator, made.read_set_id, cut)


async def test_a_read_set_that_is_not_active_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = samples.fastq(tmp_path / "a.fastq.gz", reads=50).path
    with RunningEmulator("--quotas", "off", "--ingest-delay", "600") as slow:
        for key, value in slow.env().items():
            monkeypatch.setenv(key, value)
        made = await store(slow, tmp_path, path, name="early", wait=False)
        with pytest.raises(turboupload.ServiceRefused, match="is PROCESSING_UPLOAD") as caught:
            await verify(slow, made.read_set_id, path)
    assert made.receipt is not None
    assert not made.receipt.verdict.proven
    assert "readsets wait" in (caught.value.hint or "")
