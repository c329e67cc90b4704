"""A fake of the service whose calls are made by others: the engine's caller, or a script."""

from __future__ import annotations

from typing import Any, Final

from turboupload import operations
from turboupload.omics.base import Call

__all__ = ["Called"]

OPERATIONS: Final = {
    "create_upload": operations.CREATE_UPLOAD,
    "send_part": operations.SEND_PART,
    "list_parts": operations.LIST_PARTS,
    "list_uploads": operations.LIST_UPLOADS,
    "complete_upload": operations.COMPLETE_UPLOAD,
    "abort_upload": operations.ABORT_UPLOAD,
    "get_read_set": operations.GET_READ_SET,
    "list_read_sets": operations.LIST_READ_SETS,
}


class Called:
    """`ReadSetService` over another, where `call` makes each call.

    Args:
        inner: Carries one attempt out.
        call: Makes each call.
    """

    def __init__(self, inner: Any, call: Call) -> None:
        self._inner = inner
        self._call = call

    def through(self, call: Call) -> Any:
        """See `ReadSetService`."""
        return Called(self, call)

    def __getattr__(self, name: str) -> Any:
        method, operation = getattr(self._inner, name), OPERATIONS[name]

        async def called(*arguments: Any) -> Any:
            return await self._call(operation, lambda: method(*arguments))

        return called
