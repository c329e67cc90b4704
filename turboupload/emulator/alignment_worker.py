"""Reads one BAM or CRAM file with pysam, in a process of its own.

A process of its own, because htslib may crash on a damaged file, because its text conversion
should not hold the server's interpreter lock, and because it takes its settings from the
environment. Run by path, with one JSON object as argument; prints one JSON object.

In: path, aligned (whether an index is wanted), hash, reference (path or null), index (path).
Out: digest, reads, bases, alignedReads, index (whether it was written), or failure.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
from typing import Any

SECONDARY_OR_SUPPLEMENTARY = 0x900
UNMAPPED = 0x4
PIPE_BYTES = 1024 * 1024


def _remote_reference(header: Any) -> bool:
    """Whether the header names a reference that htslib would go to the network for."""
    return any("://" in line.get("UR", "") for line in header.to_dict().get("SQ", []))


def examine(job: dict[str, Any]) -> dict[str, Any]:
    """Hash the records' SAM text, count them, and index them if they are in order."""
    import pysam

    pysam.set_verbosity(0)
    digest = hashlib.new(job["hash"], usedforsecurity=False)
    reads = bases = aligned = 0
    read_end, write_end = os.pipe()

    def hash_text() -> None:
        with os.fdopen(read_end, "rb", buffering=0) as text:
            while data := text.read(PIPE_BYTES):
                digest.update(data)

    hashing = threading.Thread(target=hash_text)
    hashing.start()
    try:
        with (
            os.fdopen(write_end, "wb", buffering=0) as pipe,
            pysam.AlignmentFile(
                job["path"], check_sq=False, reference_filename=job["reference"]
            ) as source,
        ):
            if source.is_cram and not job["reference"] and _remote_reference(source.header):
                return {"failure": "its reference is elsewhere, and nothing is fetched"}
            # The same conversion that `samtools view` prints.
            with pysam.AlignmentFile(pipe, "w", header=source.header, add_sam_header=False) as text:
                for record in source.fetch(until_eof=True):
                    text.write(record)
                    if not record.flag & SECONDARY_OR_SUPPLEMENTARY:
                        reads += 1
                        bases += record.query_length
                    if not record.flag & UNMAPPED:
                        aligned += 1
    finally:
        hashing.join()
    return {
        "digest": digest.hexdigest(),
        "reads": reads,
        "bases": bases,
        "alignedReads": aligned,
        "index": job["aligned"] and _index(job["path"], job["index"]),
    }


def _index(path: str, index: str) -> bool:
    import pysam

    try:
        pysam.index("-o", index, path)
    except pysam.utils.SamtoolsError:
        return False  # Not sorted by coordinate: such a file has no index.
    return os.path.exists(index)  # noqa: PTH110 - this script starts fast by importing little


def main() -> None:
    """Do the one job of the command line."""
    try:
        findings = examine(json.loads(sys.argv[1]))
    except ImportError:
        findings = {"failure": "pysam is not installed, which the emulator needs for BAM and CRAM"}
    except (OSError, ValueError, RuntimeError) as error:
        findings = {"failure": str(error) or type(error).__name__}
    sys.stdout.write(json.dumps(findings))


if __name__ == "__main__":
    main()
