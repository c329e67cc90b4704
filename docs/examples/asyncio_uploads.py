"""Many uploads beside each other in a program with an event loop: one Uploader for all of them.

python asyncio_uploads.py STORE_ID FILE...
"""

import asyncio
import sys
from pathlib import Path

import turboupload
from turboupload import events


async def main(store_id: str, *files: str) -> None:
    """Uploads the FASTQ files, all at once; the window and the quotas are shared."""

    def hear(name: str, event: events.UploadEvent) -> None:
        if isinstance(event, events.Retrying | events.Remark):
            print(name, *events.describe(event), file=sys.stderr)

    async with turboupload.Uploader() as uploader, asyncio.TaskGroup() as group:
        tasks = []
        for path in map(Path, files):
            name = path.name.removesuffix(".fastq.gz")
            read_set = turboupload.ReadSet(
                sources=[path], name=name, sample_id=name, subject_id=name
            )
            upload = uploader.upload(
                read_set, store_id, on_event=lambda event, name=name: hear(name, event)
            )
            tasks.append(group.create_task(upload))
    for task in tasks:
        print(task.result().read_set_id)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
