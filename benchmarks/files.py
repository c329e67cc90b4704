"""Files to upload: a FASTQ's head that passes for one, then bytes that cost nothing to make."""

from __future__ import annotations

import gzip
import os
import random
import shutil
import zlib
from pathlib import Path

__all__ = [
    "GIB",
    "MIB",
    "folder_for",
    "full_file",
    "sequenced_file",
    "small_read_sets",
    "sparse_file",
    "valid_file",
]

MIB = 1024 * 1024
GIB = 1024 * MIB
HEAD_READS = 4_000
LONG_READ = 10_000
BLOCK_BYTES = 64 * MIB


def folder_for(needed_bytes: int) -> Path:
    """A folder that can hold so many bytes: in memory where there is room.

    A file there is read as fast as one in the page cache, a hole in one costs no page, and no
    disk takes part in the measurement.
    """
    memory = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
    if memory.is_dir() and shutil.disk_usage(memory).free > 2 * needed_bytes:
        return memory
    return Path(os.environ.get("TMPDIR", "/tmp"))  # noqa: S108 - as above


def _head(seed: int = 1) -> bytes:
    rng = random.Random(seed)
    records = []
    for index in range(HEAD_READS):
        bases = "".join(rng.choices("ACGT", k=100))
        records.append(f"@bench:{index}\n{bases}\n+\n{'F' * 100}\n")
    return gzip.compress("".join(records).encode(), 1, mtime=0)


def full_file(path: Path, size: int) -> Path:
    """A file of random bytes behind the head: neither a file system nor TLS can make it smaller."""
    block = random.Random(2).randbytes(min(BLOCK_BYTES, size))
    with path.open("wb") as file:
        file.write(_head()[:size])
        while (left := size - file.tell()) > 0:
            file.write(block[:left])
    return path


def sparse_file(path: Path, size: int) -> Path:
    """The head and a hole: any size, at no cost."""
    with path.open("wb") as file:
        file.write(_head())
        file.truncate(size)
    return path


def valid_file(path: Path, size: int) -> Path:
    """A gzipped FASTQ that is whole, of nearly `size` bytes and not more; not really compressed."""
    rng = random.Random(4)
    to_base = bytes(b"ACGT"[value % 4] for value in range(256))
    packer = zlib.compressobj(level=0, wbits=31)
    with path.open("wb") as file:
        for index in range((size - 2 * MIB // 16) // (2 * LONG_READ + 24)):
            bases = rng.randbytes(LONG_READ).translate(to_base)
            record = b"@bench:%09d\n%s\n+\n%s\n" % (index, bases, b"F" * LONG_READ)
            file.write(packer.compress(record))
        file.write(packer.flush())
    assert path.stat().st_size <= size
    return path


def sequenced_file(path: Path, size: int, *, level: int = 1) -> Path:
    """A gzipped FASTQ of reads of 150 bases, of nearly `size` bytes and not more."""
    rng = random.Random(5)
    to_base = bytes(b"ACGT"[value % 4] for value in range(256))
    to_quality = bytes(b"FFFFFFFFFFFFF:,#"[value % 16] for value in range(256))
    packer = zlib.compressobj(level=level, wbits=31)
    with path.open("wb") as file:
        read = 0
        while file.tell() < size - MIB:
            records = (
                b"@A00:1:HXX:1:%d:%d:%d 1:N:0:ACGT\n%s\n+\n%s\n"
                % (
                    1101 + index // 5000, index, index * 7 % 30000,
                    rng.randbytes(150).translate(to_base),
                    rng.randbytes(150).translate(to_quality),
                )
                for index in range(read, read + 1000)
            )  # fmt: skip
            file.write(packer.compress(b"".join(records)))
            read += 1000
        file.write(packer.flush())
    assert path.stat().st_size <= size
    return path


def small_read_sets(folder: Path, count: int) -> list[Path]:
    """Valid gzipped FASTQ files of about 25 KB, each with other content."""
    rng = random.Random(3)
    common = gzip.compress(
        "".join(
            f"@common:{index}\n{''.join(rng.choices('ACGT', k=150))}\n+\n{'F' * 150}\n"
            for index in range(400)
        ).encode(),
        6,
        mtime=0,
    )
    paths = []
    for index in range(count):
        own = f"@own:{index}\n{'A' * 150}\n+\n{'F' * 150}\n".encode()
        path = folder / f"sample{index:05d}.fastq.gz"
        path.write_bytes(common + gzip.compress(own, 1, mtime=0))
        paths.append(path)
    return paths


def sheet_of(folder: Path, rows: int, size: int) -> Path:
    """A sheet, and its gzipped FASTQ files of nearly `size` bytes, each with other content."""
    common = b""
    if size > 2 * 4096:
        common = valid_file(folder / "common.gz", size - 4096).read_bytes()
    lines = ["sample,subject,name,source1"]
    for index in range(rows):
        own = f"@own:{index}\n{'A' * 150}\n+\n{'F' * 150}\n".encode()
        name = f"row{index:05d}.fastq.gz"
        (folder / name).write_bytes(common + gzip.compress(own, 1, mtime=0))
        lines.append(f"s{index},subject,row{index},{name}")
    sheet = folder / "sheet.csv"
    sheet.write_text("\n".join(lines) + "\n")
    return sheet
