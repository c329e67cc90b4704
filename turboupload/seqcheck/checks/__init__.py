"""Preflight, before the first byte is sent: is a file what it should be, whole, and paired?"""

from turboupload.seqcheck.checks.check import check_files
from turboupload.seqcheck.checks.findings import (
    Depth,
    FileFacts,
    Finding,
    Findings,
    HeaderFacts,
    PairFacts,
    Severity,
)
from turboupload.seqcheck.checks.names import Paired, find_pairs
from turboupload.seqcheck.checks.progress import ProgressCallback

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
