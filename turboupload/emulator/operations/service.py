"""The operations that depend only on the data and a checked input."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from turboupload.emulator.operations import imports, readsets, stores, tags, uploads
from turboupload.emulator.storage.state import State
from turboupload.emulator.validate import Params

__all__ = ["FUNCTIONS"]

FUNCTIONS: Mapping[str, Callable[[State, Params], Params]] = {
    "AbortMultipartReadSetUpload": uploads.abort_upload,
    "BatchDeleteReadSet": readsets.batch_delete,
    "CompleteMultipartReadSetUpload": uploads.complete_upload,
    "CreateMultipartReadSetUpload": uploads.create_upload,
    "CreateSequenceStore": stores.create_store,
    "DeleteSequenceStore": stores.delete_store,
    "GetReadSetImportJob": imports.get_job,
    "GetReadSetMetadata": readsets.get_metadata,
    "GetSequenceStore": stores.get_store,
    "ListMultipartReadSetUploads": uploads.list_uploads,
    "ListReadSetImportJobs": imports.list_jobs,
    "ListReadSetUploadParts": uploads.list_parts,
    "ListReadSets": readsets.list_read_sets,
    "ListSequenceStores": stores.list_stores,
    "ListTagsForResource": tags.list_tags,
    "StartReadSetImportJob": imports.start_job,
    "TagResource": tags.tag,
    "UntagResource": tags.untag,
    "UpdateSequenceStore": stores.update_store,
}
"""All operations but the two that move bytes: UploadReadSetPart and GetReadSet."""
