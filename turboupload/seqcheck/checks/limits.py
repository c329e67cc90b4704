"""The service's own limits and rules for a file, as findings; each code begins with `service.`."""

from __future__ import annotations

from collections.abc import Iterator

from turboupload.core.formats import FORMATS
from turboupload.limits import MAX_PART_BYTES, MAX_PARTS, MAX_SOURCE_BYTES
from turboupload.seqcheck.checks.findings import FileFacts, Finding, Severity
from turboupload.units import format_size, format_sizes_apart

__all__ = ["limit_findings"]


def limit_findings(facts: FileFacts) -> Iterator[Finding]:
    """The service's objections to a file of this type and size.

    Sources: the fixed quotas of https://docs.aws.amazon.com/omics/latest/dev/service-quotas.html;
    https://docs.aws.amazon.com/omics/latest/dev/create-sequence-store.html on references (both read
    2026-11).
    """
    if facts.size_bytes > MAX_SOURCE_BYTES:
        has, most = format_sizes_apart(facts.size_bytes, MAX_SOURCE_BYTES)
        yield Finding(
            severity=Severity.ERROR,
            code="service.size",
            path=facts.path,
            sentence=(
                f"has {has}; the service takes at most {MAX_PARTS:,} parts of "
                f"{format_size(MAX_PART_BYTES)} ({most})"
            ),
            advice="split it into several read sets",
        )
    if facts.file_type is not None and FORMATS[facts.file_type].needs_reference:
        yield Finding(
            severity=Severity.NOTE,
            code="service.reference",
            path=facts.path,
            sentence=f"is a {facts.file_type}: its read set must be linked with a reference",
            advice="upload it with --reference ARN, of the reference it was aligned to",
        )
