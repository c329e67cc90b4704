"""A flow of Prefect: a task for each read set, retried by Prefect where it can be resumed.

python prefect_flow.py STORE_ID FILE...
"""

import sys
from pathlib import Path
from typing import Any

from prefect import flow, task

import turboupload


def resumable(task: Any, run: Any, state: Any) -> bool:
    """Whether the task that failed is worth another try."""
    try:
        state.result()
    except turboupload.TurbouploadError as error:
        return error.resumable
    except Exception:
        return False
    return False


@task(retries=3, retry_delay_seconds=1, retry_condition_fn=resumable)
def upload(path: str, store_id: str) -> str:
    """Uploads a FASTQ file; returns the read set's id."""
    name = Path(path).name.removesuffix(".fastq.gz")
    read_set = turboupload.ReadSet(sources=[path], name=name, sample_id=name, subject_id=name)
    return turboupload.upload_sync(read_set, store_id=store_id).read_set_id


@flow
def upload_all(store_id: str, paths: list[str]) -> list[str]:
    """Uploads files; the tasks of one host share the journal and the quota."""
    return [upload(path, store_id) for path in paths]


if __name__ == "__main__":
    print(upload_all(sys.argv[1], sys.argv[2:]))
