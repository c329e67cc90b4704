"""Preflight, before the first byte is sent: is a file what it should be, whole, and paired?"""

from turboupload.local.preflight.check import check_files
from turboupload.local.preflight.findings import (
    Depth,
    FileFacts,
    Finding,
    Findings,
    HeaderFacts,
    PairFacts,
    Severity,
)
from turboupload.local.preflight.names import Paired, find_pairs
from turboupload.local.preflight.progress import ProgressCallback

__all__ = [
    "Depth",
    "FileFacts",
    "Finding",
    "Findings",
    "HeaderFacts",
    "PairFacts",
    "Paired",
    "ProgressCallback",
    "Severity",
    "check_files",
    "find_pairs",
]
