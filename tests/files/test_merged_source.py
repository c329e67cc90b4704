"""Several files as one source: every read, hash and receipt of it is that of `cat`."""

from __future__ import annotations

import gzip
import hashlib
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turboupload.core.model import Part, PartSource, spans
from turboupload.errors import InputError, SourceChanged
from turboupload.files.digests import digest_parts, hash_files
from turboupload.files.etag import hash_content
from turboupload.files.source import PartReaders, check_unchanged, inspect_source, read_digest

ONE = PartSource.SOURCE1
CONTENTS = st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=6)


def written(folder: Path, contents: list[bytes]) -> list[str]:
    paths = []
    for number, content in enumerate(contents):
        path = folder / f"merged_{number}.gz"
        path.write_bytes(content)
        paths.append(str(path))
    return paths


@given(
    sizes=st.lists(st.integers(0, 50), max_size=8),
    offset=st.integers(0, 300),
    size=st.integers(0, 300),
)
def test_spans_are_the_range_in_order(sizes: list[int], offset: int, size: int) -> None:
    all_bytes = [(index, at) for index, length in enumerate(sizes) for at in range(length)]
    found = list(spans(sizes, offset, size))
    assert all(count > 0 for _, _, count in found)
    assert [(index, at + each) for index, at, count in found for each in range(count)] == all_bytes[
        offset : offset + size
    ]


@given(contents=CONTENTS, part_size=st.integers(1, 100), buffer_size=st.integers(1, 80))
def test_any_cut_of_parts_reads_what_cat_gives(
    tmp_path_factory: pytest.TempPathFactory,
    contents: list[bytes],
    part_size: int,
    buffer_size: int,
) -> None:
    paths, whole = written(tmp_path_factory.getbasetemp(), contents), b"".join(contents)
    source = inspect_source(paths, ONE)
    assert source.size == len(whole)
    readers = PartReaders([source], checksum="sha256")
    buffer, read, digests = memoryview(bytearray(buffer_size)), bytearray(), []
    for number, offset in enumerate(range(0, len(whole), part_size), start=1):
        reader = readers.reader(
            Part(ONE, number, offset, min(part_size, len(whole) - offset)), checksum="all"
        )
        while count := reader.readinto(buffer):
            reader.hash_chunk(buffer[:count])
            read += buffer[:count]
        digests.append(reader.digest())
    assert read == whole
    assert digest_parts(paths, part_size, lambda _: None, threads=1) == tuple(digests)
    hashes = hash_files(paths, lambda _: None)
    assert hashes.whole == hashlib.sha256(whole).hexdigest()
    assert hashes.each == tuple(hashlib.sha256(each).hexdigest() for each in contents)


def test_it_has_the_fingerprint_of_one_file_with_the_same_bytes(tmp_path: Path) -> None:
    contents = [os.urandom(300_000), os.urandom(1000), os.urandom(400_000)]
    one = tmp_path / "one.gz"
    one.write_bytes(b"".join(contents))
    paths = written(tmp_path, contents)
    alone = inspect_source(str(one), ONE).fingerprint
    assert inspect_source(paths, ONE).fingerprint == alone
    assert inspect_source(paths[::-1], ONE).fingerprint != alone


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_file_that_changes_is_named(tmp_path: Path, which: int) -> None:
    paths = written(tmp_path, [bytes(100), bytes(50), bytes(70)])
    source = inspect_source(paths, ONE)
    reader = PartReaders([source], checksum="sha256").reader(Part(ONE, 1, 0, 220))
    reader.readinto(memoryview(bytearray(10)))
    os.utime(paths[which], ns=(1, 1))
    with pytest.raises(SourceChanged, match="written to") as caught:
        read_digest(reader, threading.Event(), chunk_bytes=30)
    assert caught.value.path == paths[which]
    with pytest.raises(SourceChanged) as caught:
        check_unchanged([source])
    assert caught.value.path == paths[which]


def test_a_thousand_files_need_no_more_descriptors_than_one(tmp_path: Path) -> None:
    paths = written(tmp_path, [b"x"] * 300)
    reader = PartReaders([inspect_source(paths, ONE)], checksum="sha256").reader(
        Part(ONE, 1, 0, 300)
    )
    before = len(list(Path("/proc/self/fd").iterdir()))
    buffer = memoryview(bytearray(300))
    while reader.readinto(buffer):
        assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1
    reader.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_content_is_hashed_across_files(tmp_path: Path) -> None:
    texts = [b"@a%d\nACGT\n+\nFFFF\n" % number for number in range(3)]
    paths = written(tmp_path, [gzip.compress(text) for text in texts])
    steps: list[tuple[int, int]] = []
    found = hash_content(paths, "FASTQ", progress=lambda *step: steps.append(step))
    assert found.digest == hashlib.md5(b"".join(texts), usedforsecurity=False).hexdigest()
    assert found.reads == 3
    total = sum(Path(path).stat().st_size for path in paths)
    assert steps == sorted(steps)
    assert steps[-1] == (total, total)


@pytest.mark.parametrize(
    ("first", "message"),
    [
        (gzip.compress(b"@a\nA\n+\nF\n") + bytes(9), "9 zero bytes"),
        (gzip.compress(b"@a\nA\n+\nF"), "no line end"),
        (gzip.compress(b"@a\nA\n+\nF\n") + b"more", "not gzip"),
    ],
    ids=["padding", "no line end", "no gzip"],  # a gzip header holds the time
)
def test_content_that_nothing_can_follow_has_no_etag(
    tmp_path: Path, first: bytes, message: str
) -> None:
    second = gzip.compress(b"@b\nA\n+\nF\n")
    paths = written(tmp_path, [first, second])
    with pytest.raises(InputError, match=message) as caught:
        hash_content(paths, "FASTQ")
    assert caught.value.path == paths[0]
    if b"more" not in first:
        assert hash_content(paths[::-1], "FASTQ").digest


def test_only_fastq_is_merged(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="only FASTQ files can be merged"):
        hash_content(written(tmp_path, [b"a", b"b"]), "BAM")
