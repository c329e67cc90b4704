"""The open uploads that a command line names."""

from __future__ import annotations

from collections.abc import Sequence

from turboupload.core.metadata import check_id
from turboupload.errors import ServiceRefused
from turboupload.omics.base import NOT_FOUND
from turboupload.open_uploads import Housekeeping, OpenUploadState

__all__ = ["wanted_uploads"]


async def wanted_uploads(
    here: Housekeeping, store_id: str, upload_ids: Sequence[str]
) -> tuple[list[OpenUploadState], ServiceRefused | None]:
    """Those that are open, in the order they were named, and what to say of the others.

    Raises:
        ConfigError: One is no id at all.
    """
    named = tuple(dict.fromkeys(upload_ids))
    for upload_id in named:
        check_id("an upload", upload_id)
    found = await here.find(named)
    missing = [upload_id for upload_id in named if upload_id not in found]
    error = ServiceRefused(
        f"not an open upload of store {store_id}: {', '.join(missing)}",
        code=NOT_FOUND,
        operation="ListMultipartReadSetUploads",
        hint="it was completed, given up, or never there; `turboupload uploads list` has those "
        "that are open",
    )
    return [found[each] for each in named if each in found], error if missing else None
