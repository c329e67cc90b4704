"""`turboupload readsets verify`: does the store hold what is in these files?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from turboupload.cli.ui.options import option
from turboupload.cli.ui.progress import ReadingProgress
from turboupload.cli.ui.session import STORE, LookingCommand, look, looking_options
from turboupload.units import format_duration, format_rate, format_size

if TYPE_CHECKING:
    from turboupload.cli.ui.reporter import Report
    from turboupload.stores import SequenceStores
    from turboupload.verify import Verification

__all__ = ["verify"]

DIFFERENT = 6
"""The exit code of a proven difference."""


@click.command("verify", cls=LookingCommand, no_args_is_help=True)
@click.argument("read_set", metavar="READSET")
@click.argument("files", metavar="FILE [FILE2]", nargs=-1, required=True)
@STORE
@option(
    "--reference-fasta",
    metavar="PATH",
    help="The reference of a CRAM, as a FASTA file.",
)
@looking_options
def verify(**given: Any) -> None:
    """Compare FILE, or R1 and R2, with the ACTIVE read set READSET, by its ETag.

    A FASTQ's ETag is the hash of all its reads, uncompressed: equal or different is certain. How
    the service hashes the records of BAM, uBAM and CRAM isn't documented in full: an equal ETag
    proves them equal, a different one is only a warning.

    \b
    Exit codes:
      0    equal; or BAM, uBAM or CRAM, with a warning
      2    usage, or the wrong number of files
      3    a file can't be read
      4    the read set is not there, or not ACTIVE
      6    the store holds other reads, or the file is damaged or changed meanwhile
      130  interrupted
    """  # noqa: D301 - click's own mark for text that must not be wrapped
    look("readsets verify", given, lambda stores, report: _verify(given, stores, report))


async def _verify(given: Mapping[str, Any], stores: SequenceStores, report: Report) -> int:
    from turboupload.verify import verify_in

    progress = ReadingProgress("verifying", silent=not report.for_people)
    try:
        found = await verify_in(
            stores,
            given["store"],
            given["read_set"],
            given["files"],
            reference_fasta=given["reference_fasta"],
            on_progress=progress,
        )
    finally:
        progress.end()
    for warning in _warnings(found):
        report.note(f"warning: {warning}")
    report.result(_describe(found, quiet=not report.for_people, as_json=report.as_json))
    return report.done(
        code=DIFFERENT if found.disproven else 0,
        outcome=found.outcome,
        read_set_id=found.read_set.read_set_id,
        store_id=given["store"],
        status=found.read_set.status,
        proven=found.proven,
        statement=found.sentence,
        algorithm=found.algorithm,
        etag=list(found.theirs),
        etag_here=list(found.ours) or None,
        files=list(found.paths),
        bytes=found.total_bytes,
        reads=found.read_set.total_reads,
        bases=found.read_set.total_bases,
        reads_here=found.reads,
        reader=found.reader or None,
        warnings=_warnings(found),
    )


def _warnings(found: Verification) -> list[str]:
    warnings = []
    if not found.proof:
        warnings.append(found.sentence)
    if found.counts_differ and not found.disproven:
        warnings.append(
            f"the service counts {found.read_set.total_reads:,} reads, and there are "
            f"{found.reads:,} in these files; how it counts isn't documented in full"
        )
    return warnings


def _describe(found: Verification, *, quiet: bool, as_json: bool) -> str:
    read_set_id = found.read_set.read_set_id
    if as_json:
        return ""
    if quiet:
        return read_set_id if found.proven else ""
    answer = "equal" if found.proven else "different" if found.disproven else "not known"
    size = format_size(found.total_bytes)
    rate = format_rate(found.total_bytes / found.seconds) if found.seconds > 0 else ""
    lines = [
        f"{answer}: read set {read_set_id} ({found.read_set.status}): {found.sentence}",
        f"  read       {size} in {format_duration(found.seconds)} ({rate})",
    ]
    for index, etag in enumerate(found.theirs):
        lines.append(f"  etag       {etag or 'none'} ({found.algorithm} of source{index + 1})")
        if found.ours and found.ours[index] != etag:
            lines.append(f"  here       {found.ours[index]} ({found.paths[index]})")
    if found.read_set.total_reads is not None:
        bases = found.read_set.total_bases or 0
        lines.append(f"  reads      {found.read_set.total_reads:,} ({bases:,} bases)")
    return "\n".join(lines)
