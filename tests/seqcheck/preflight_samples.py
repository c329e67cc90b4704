"""Text and bytes for the tests of preflight and ETag."""

from __future__ import annotations

import random
import shutil
import struct
import zlib
from pathlib import Path

import pytest

from turboupload.seqcheck.checks import Findings

SAMTOOLS = shutil.which("samtools") or "samtools"
BGZIP = shutil.which("bgzip") or "bgzip"
EOF_BLOCK = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")

needs_samtools = pytest.mark.skipif(
    shutil.which("samtools") is None, reason="samtools is not installed (Debian: samtools)"
)
needs_bgzip = pytest.mark.skipif(
    shutil.which("bgzip") is None, reason="bgzip is not installed (Debian: tabix)"
)


def fastq_text(reads: int, *, mate: int = 1, seed: int = 1, length: int = 100) -> bytes:
    rng = random.Random(f"{seed}/{mate}")
    return "".join(
        f"@RUN:{seed}:{1101 + index // 500}:{index} {mate}:N:0:ACGT\n"
        f"{''.join(rng.choices('ACGT', k=length))}\n+\n"
        f"{''.join(rng.choices('FFFFF:,#', k=length))}\n"
        for index in range(reads)
    ).encode()


def bgzf_block(data: bytes) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    deflated = packer.compress(data) + packer.flush()
    header = struct.pack("<4BIBBHBBHH", 31, 139, 8, 4, 0, 0, 255, 6, 66, 67, 2, len(deflated) + 25)
    return header + deflated + struct.pack("<II", zlib.crc32(data), len(data))


def bgzf(data: bytes, *, block: int = 65_280, eof: bool = True) -> bytes:
    blocks = [bgzf_block(data[at : at + block]) for at in range(0, len(data), block)]
    return b"".join(blocks) + (EOF_BLOCK if eof else b"")


def block_edges(data: bytes) -> list[int]:
    """Where each BGZF block starts, and the end."""
    edges = [0]
    while edges[-1] < len(data):
        edges.append(
            edges[-1] + int.from_bytes(data[edges[-1] + 16 : edges[-1] + 18], "little") + 1
        )
    return edges


def write(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)


def codes(found: Findings) -> set[str]:
    return {f.code for f in found.errors}


def debian_files(*patterns: str) -> list[Path]:
    """The files of Debian's samtools-test and htslib-test, where they are installed."""
    roots = [Path("/usr/share/samtools/test"), Path("/usr/share/htslib-test/test")]
    return sorted(p for root in roots for pattern in patterns for p in root.rglob(pattern))
