"""aws-healthomics-tools' TransferManager at its defaults: 10 threads, parts of 100 MiB."""

from __future__ import annotations

import boto3
from omics.transfer.manager import TransferManager

from benchmarks.clients.common import STORE, Job, measured

if __name__ == "__main__":
    job = Job.from_arguments()
    manager = TransferManager(boto3.client("omics"))
    with measured() as line:
        manager.upload_read_set(job.file, STORE, "FASTQ", "n", "s", "s")
