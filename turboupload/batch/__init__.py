"""Many read sets from a sheet, or from anywhere: one engine, each row exactly one read set."""

from turboupload.batch.check import SheetRejected
from turboupload.batch.front import rehearse_batch, upload_batch, upload_batch_sync

__all__ = ["SheetRejected", "rehearse_batch", "upload_batch", "upload_batch_sync"]
