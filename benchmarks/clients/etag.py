"""Hashes files as an ETag wants it, or bytes in memory with nothing but hashlib."""

from __future__ import annotations

import hashlib
from pathlib import Path

from benchmarks.clients.common import Job, Ticker, measured, run_loop
from turboupload.core.model import FileType, PartSource
from turboupload.core.proof.etag import FAMILIES
from turboupload.engine.proving.hashing import ContentHasher
from turboupload.files.etag import hash_content
from turboupload.files.source import inspect_source
from turboupload.seqcheck.inflate import stream_members

CHUNK_BYTES = 1024 * 1024


def main() -> None:
    job = Job.from_arguments()
    family = job.options["family"]
    match job.options["way"]:
        case "hashlib":
            _hashlib(Path(job.file), family, job.options["repeats"])
        case "inflate":
            _inflate(Path(job.file))
        case "one":
            with measured() as line:
                line["etag"] = [hash_content(job.file, "FASTQ", family).digest]
        case "bam":
            with measured() as line:
                line["etag"] = [hash_content(job.file, "BAM", family).digest]
        case "pair":
            run_loop(lambda ticker: _pair(ticker, [job.file, job.options["second"]], family))


def _hashlib(text: Path, family: str, repeats: int) -> None:
    with text.open("rb") as file:
        chunk = file.read(CHUNK_BYTES)
    digest = hashlib.new(FAMILIES[family], usedforsecurity=False)
    with measured():
        for _ in range(repeats):
            digest.update(chunk)


def _inflate(path: Path) -> None:
    with path.open("rb") as file, measured():
        for _ in stream_members(file.fileno(), path.stat().st_size):
            pass


async def _pair(ticker: Ticker, files: list[str], family: str) -> None:
    """Side by side, as `readsets verify` does it, with a ticker in the event loop."""
    sources = [inspect_source(file, which) for file, which in zip(files, PartSource, strict=True)]
    hasher = ContentHasher(sources, FileType.FASTQ, as_is=False)
    hasher.gate.open()
    with measured() as line:
        computed = await hasher.compute(family)
        line["lag"] = ticker.summary()
        assert computed.etag is not None
        line["etag"] = list(computed.etag.sources)


if __name__ == "__main__":
    main()
