"""The service's limits, each with its source.

Quotas: https://docs.aws.amazon.com/omics/latest/dev/service-quotas.html (API quotas and fixed
quotas, read 2026-11). Patterns and lengths: botocore's model of `omics` (2022-11-28), version
1.43. The client checks these so that a mistake is found before anything is sent; the service has
the last word.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from turboupload.units import MIB

__all__ = [
    "CLIENT_TOKEN_LENGTH",
    "ID",
    "MAX_IMPORT_SOURCES",
    "MAX_PAGE_ROWS",
    "MAX_PARTS",
    "MAX_PART_BYTES",
    "MAX_SOURCE_BYTES",
    "MAX_TAGS",
    "MIN_PART_BYTES",
    "REFERENCE_ARN",
    "ROLE_ARN",
    "S3_URI",
    "TEXT_LENGTHS",
]

MAX_PART_BYTES: Final = 100 * MIB
"""The quota page says 100 MB. The guide splits with `split -b 100MiB`, and listings show parts of
104,857,600 bytes, so we read it as 100 MiB (inferred)."""

MIN_PART_BYTES: Final = 8 * MIB
"""Our own floor for parts that aren't the last of their source: no minimum is documented, and
smaller parts only burn transactions."""

MAX_PARTS: Final = 10_000
"""Parts a source may have."""

MAX_SOURCE_BYTES: Final = MAX_PARTS * MAX_PART_BYTES
"""976.6 GiB; the quota page says 976 GB."""

MAX_TAGS: Final = 50

ID: Final = re.compile(r"[0-9]{10,36}")
"""Every id of the service: store, upload, read set, job."""

REFERENCE_ARN: Final = re.compile(r"arn:.{1,123}")

ROLE_ARN: Final = re.compile(r"arn:[^:]+:iam::[^:]*:role/.{1,512}")
"""The role with which the service reads the sources of an import job."""

S3_URI: Final = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.{1,1024}")
"""A source of an import job."""

CLIENT_TOKEN_LENGTH: Final = 127
"""Longest client token, in characters."""

MAX_IMPORT_SOURCES: Final = 100
"""Read sets of one import job."""

MAX_PAGE_ROWS: Final = 100
"""Rows of one page of any listing."""

TEXT_LENGTHS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "name": 127,
        "sample_id": 127,
        "subject_id": 127,
        "generated_from": 127,
        "description": 255,
    }
)
"""Longest value of each text field, in characters; the shortest is 1."""
