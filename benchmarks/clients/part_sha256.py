"""SHA-256 of each part of a file, a thread for each processor: proof after the fact."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.clients.common import Job, measured, parts_of

CHUNK_BYTES = 512 * 1024

if __name__ == "__main__":
    job = Job.from_arguments()

    def sha256_of(offset: int, size: int) -> str:
        digest = hashlib.sha256()
        buffer = memoryview(bytearray(CHUNK_BYTES))
        with Path(job.file).open("rb", buffering=0) as file:
            file.seek(offset)
            while size > 0:
                count = file.readinto(buffer[: min(CHUNK_BYTES, size)])
                digest.update(buffer[:count])
                size -= count
        return digest.hexdigest()

    with measured() as line, ThreadPoolExecutor(os.cpu_count()) as pool:
        parts = parts_of(job)
        line["sha256"] = list(pool.map(lambda part: sha256_of(*part[1:]), parts))
