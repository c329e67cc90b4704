"""Reads one BAM or CRAM file with pysam, in a process of its own.

It is a separate process because htslib may crash on a damaged file, pysam holds the interpreter
lock while it writes, and htslib reads its settings from the environment. Run by path, with one JSON
object as argument:

- path: the file, or a copy whose header names no other files
- indexed: the file itself
- aligned: whether to write an index
- reference: the path of its reference, or null
- index: where to write the index
- findings: the descriptor to which one JSON object is written at the end: reads, bases,
  alignedReads, index (whether it was written), or failure

The records go to stdout as SAM text.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

SECONDARY_OR_SUPPLEMENTARY = 0x900
UNMAPPED = 0x4


def examine(job: dict[str, Any]) -> dict[str, Any]:
    """Print the records, count them, and index them if they are in order."""
    import pysam

    pysam.set_verbosity(0)
    reads = bases = aligned = 0
    with (
        pysam.AlignmentFile(
            job["path"], check_sq=False, reference_filename=job["reference"]
        ) as source,
        # The same text as `samtools view` prints.
        pysam.AlignmentFile("-", "w", header=source.header, add_sam_header=False) as text,
    ):
        for record in source.fetch(until_eof=True):
            text.write(record)
            if not record.flag & SECONDARY_OR_SUPPLEMENTARY:
                reads += 1
                bases += record.query_length
            if not record.flag & UNMAPPED:
                aligned += 1
    return {
        "reads": reads,
        "bases": bases,
        "alignedReads": aligned,
        "index": job["aligned"] and _index(job["indexed"], job["index"]),
    }


def _index(path: str, index: str) -> bool:
    import pysam

    try:
        pysam.index("-o", index, path)
    except pysam.utils.SamtoolsError:
        return False  # Not sorted by coordinate: such a file can't have an index.
    return os.path.exists(index)  # noqa: PTH110 - this script starts fast by importing little


def main() -> None:
    """Do the job that the command line describes."""
    job = json.loads(sys.argv[1])
    try:
        findings = examine(job)
    except ImportError:
        findings = {"failure": "pysam is not installed, which the emulator needs for BAM and CRAM"}
    except (OSError, ValueError, RuntimeError) as error:
        findings = {"failure": str(error) or type(error).__name__}
    with os.fdopen(job["findings"], "w") as output:
        json.dump(findings, output)


if __name__ == "__main__":
    main()
