"""Many read sets from a sheet, or from anywhere: one engine, each row exactly one read set."""

from turboupload.batch.api import (
    rehearse_batch,
    rehearse_batch_sync,
    upload_batch,
    upload_batch_sync,
)
from turboupload.batch.check import SheetRejected

__all__ = [
    "SheetRejected",
    "rehearse_batch",
    "rehearse_batch_sync",
    "upload_batch",
    "upload_batch_sync",
]
