"""aiobotocore's upload_read_set_part, so many at once; the payload is bytes or a BytesIO."""

from __future__ import annotations

import asyncio
import io

import aiobotocore.config
import aiobotocore.session

from benchmarks.clients.common import STORE, Job, Ticker, measured, parts_of, read_part, run_loop

if __name__ == "__main__":
    job = Job.from_arguments()
    wrap = io.BytesIO if job.options["payload"] == "bytesio" else bytes

    async def upload(ticker: Ticker) -> None:
        config = aiobotocore.config.AioConfig(max_pool_connections=job.concurrency)
        session = aiobotocore.session.get_session()
        async with session.create_client("omics", config=config) as client:
            slots = asyncio.Semaphore(job.concurrency)

            async def send(
                upload_id: str, number: int, offset: int, size: int
            ) -> dict[str, object]:
                async with slots:
                    data = await asyncio.to_thread(read_part, job.file, offset, size)
                    reply = await client.upload_read_set_part(
                        sequenceStoreId=STORE,
                        uploadId=upload_id,
                        partSource="SOURCE1",
                        partNumber=number,
                        payload=wrap(data),
                    )
                checksum = reply["checksum"]
                return {"partNumber": number, "partSource": "SOURCE1", "checksum": checksum}

            ticker.lags_s.clear()
            with measured() as line:
                opened = await client.create_multipart_read_set_upload(
                    sequenceStoreId=STORE,
                    sourceFileType="FASTQ",
                    subjectId="s",
                    sampleId="s",
                    name="n",
                )
                upload_id = opened["uploadId"]
                parts = await asyncio.gather(*(send(upload_id, *part) for part in parts_of(job)))
                await client.complete_multipart_read_set_upload(
                    sequenceStoreId=STORE, uploadId=upload_id, parts=parts
                )
                line["lag"] = ticker.summary()

    run_loop(upload)
