"""boto3's upload_read_set_part from a thread pool, each part as bytes, hashed before if wanted."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config

from benchmarks.clients.common import STORE, Job, measured, parts_of, read_part

if __name__ == "__main__":
    job = Job.from_arguments()
    client = boto3.client("omics", config=Config(max_pool_connections=job.concurrency))

    def send(upload_id: str, number: int, offset: int, size: int) -> dict[str, object]:
        payload = read_part(job.file, offset, size)
        if job.options.get("sha256"):
            hashlib.sha256(payload).digest()  # to be compared with the reply's checksum
        reply = client.upload_read_set_part(
            sequenceStoreId=STORE,
            uploadId=upload_id,
            partSource="SOURCE1",
            partNumber=number,
            payload=payload,
        )
        return {"partNumber": number, "partSource": "SOURCE1", "checksum": reply["checksum"]}

    with measured(), ThreadPoolExecutor(job.concurrency) as pool:
        upload_id = client.create_multipart_read_set_upload(
            sequenceStoreId=STORE, sourceFileType="FASTQ", subjectId="s", sampleId="s", name="n"
        )["uploadId"]
        parts = list(pool.map(lambda part: send(upload_id, *part), parts_of(job)))
        client.complete_multipart_read_set_upload(
            sequenceStoreId=STORE, uploadId=upload_id, parts=parts
        )
