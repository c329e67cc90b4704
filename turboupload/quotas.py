"""The service's quotas of requests: what an account may ask of each operation in a second.

Source: https://docs.aws.amazon.com/omics/latest/dev/service-quotas.html (API quotas, read 2026-11).
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from math import inf
from types import MappingProxyType
from typing import Final

__all__ = ["TRANSACTIONS_PER_S", "require_quota"]

TRANSACTIONS_PER_S: Final[Mapping[str, float]] = MappingProxyType(
    {
        "CreateMultipartReadSetUpload": 1,
        "CompleteMultipartReadSetUpload": 1,
        "AbortMultipartReadSetUpload": 1,
        "UploadReadSetPart": 10,
        "ListMultipartReadSetUploads": 5,
        "ListReadSetUploadParts": 5,
        "GetReadSetMetadata": 5,
        "ListReadSets": 5,
        "GetSequenceStore": 5,
        "ListSequenceStores": 5,
        "StartReadSetImportJob": 5,
        "GetReadSetImportJob": 5,
        "ListReadSetImportJobs": 5,
    }
)
"""Default quota of each operation, in transactions a second, for an account and Region together.
All but Create, Complete and Abort can be raised on request."""


def require_quota(operation: str, per_s: object) -> None:
    """Makes sure that an operation has a quota, and that this can be one.

    Args:
        operation: As the API names it.
        per_s: Transactions a second.

    Raises:
        ValueError: There is no such operation, or that is not a number above zero.
    """
    if operation not in TRANSACTIONS_PER_S:
        alike = get_close_matches(operation, TRANSACTIONS_PER_S, n=1)
        meant = f"did you mean {alike[0]}? Those" if alike else "those"
        raise ValueError(
            f"{operation!r} is no operation with a quota: {meant} that have one are "
            + ", ".join(TRANSACTIONS_PER_S)
        )
    if isinstance(per_s, bool) or not isinstance(per_s, int | float) or not 0 < per_s < inf:
        raise ValueError(
            f"the quota of {operation} is a number of requests a second above zero, not {per_s!r}"
        )
