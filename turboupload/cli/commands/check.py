"""`turboupload check`: are these files what they should be, whole, and paired?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import click

from turboupload.cli.lazy import importing
from turboupload.cli.options.help import Section
from turboupload.cli.options.shared import MANIFESTS, option
from turboupload.cli.options.values import DURATION, FILE_TYPE, PATH
from turboupload.cli.session.command import Command
from turboupload.cli.ui.progress import ReadingProgress
from turboupload.files.stable import wait_for_sentinel, wait_until_stable
from turboupload.seqcheck.checks import Depth, FileFacts, Findings, Severity, check_files
from turboupload.seqcheck.checks.merging import split_mates
from turboupload.units import counted, format_duration, format_size

if TYPE_CHECKING:
    from turboupload.cli.reporters.reporter import Reporter

__all__ = ["check"]

_REJECTED: Final = 3
_OTHER_THAN_TOLD: Final = 6


@click.command(
    "check",
    cls=Command,
    words="check",
    examples=("check HG002_R1.fastq.gz HG002_R2.fastq.gz", "check --deep sample.bam"),
)
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=PATH)
@option(
    "--type",
    type=FILE_TYPE,
    help="What the files are; by default their content decides.",
)
@option("--deep", is_flag=True, help="Read all of each file: every checksum, every record.")
@option(
    "--pair/--no-pair",
    default=None,
    help="Whether two FASTQ files are R1 and R2; by default they are, and more than two are "
    "paired by their names.",
)
@option(
    "--reference-fasta",
    type=PATH,
    help="A reference FASTA (or its .fai or .dict) to compare the header's @SQ lines with; with "
    "--deep, a CRAM's bases are decoded with the FASTA.",
)
@option(
    "--settle",
    section=Section.WAITING,
    type=DURATION,
    help="First wait until no file has changed for this long, such as 30s.",
)
@option(
    "--wait-for",
    section=Section.WAITING,
    type=PATH,
    metavar="FILE",
    help="First wait until this file exists, such as CopyComplete.txt.",
)
@option(
    "--wait-timeout",
    section=Section.WAITING,
    type=DURATION,
    help="Give up waiting after this long; by default it never does.",
)
@option(
    "--merge",
    is_flag=True,
    help="The files are gzipped FASTQs that `upload --merge` makes one read set of.",
)
@MANIFESTS
@option("--threads", type=click.IntRange(1, 64), help="How many threads to use.")
@option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout.")
@option("--quiet", is_flag=True, help="Only errors and warnings, and no progress.")
def check(**given: Any) -> None:
    """Check sequencing files before they are uploaded.

    Says what each FILE is, whether it is whole and whether two FASTQ files belong together.
    Without --deep, start, end and some places between are looked at; files up to 4 MiB are read
    whole. Exits with 0 where nothing speaks against an upload, with 3 where something does, and
    with 6 where a file isn't what its manifest says.
    """
    with importing():
        from turboupload.cli.reporters.reporter import Reporter
        from turboupload.cli.session.run import Session

    # Quiet leaves good files out; with JSON everything is written.
    reporter = Reporter("check", {**given, "quiet": given["quiet"] and not given["as_json"]})
    Session(reporter).run_blocking(lambda: _check(given, reporter))


def _check(given: Mapping[str, Any], reporter: Reporter) -> int:
    files, timeout_s = given["files"], given["wait_timeout"]
    reporter.event("started", {"files": files, "deep": given["deep"]})
    progress = ReadingProgress("checking", silent=given["quiet"])
    try:
        if given["wait_for"] is not None:
            wait_for_sentinel(given["wait_for"], timeout_s=timeout_s)
        if given["settle"] is not None:
            wait_until_stable(files, given["settle"], timeout_s=timeout_s)
        found = check_files(
            split_mates(files) if given["merge"] else files,
            declared_type=given["type"],
            deep=given["deep"],
            reference_fasta=given["reference_fasta"],
            as_pair=given["pair"],
            progress=progress,
            threads=given["threads"],
        )
        if given["md5"] or given["md5_beside"]:
            from turboupload.files.manifests import check_manifests

            more = check_manifests(files, given["md5"], beside=given["md5_beside"])
            found = replace(found, findings=(*found.findings, *more))
    finally:
        progress.end()
    return _tell(found, reporter)


def _tell(found: Findings, reporter: Reporter) -> int:
    if not reporter.as_json:
        reporter.result("\n".join(_lines(found, quiet=reporter.quiet)))
        if not reporter.quiet:
            reporter.result(_summary(found, reporter.seconds))
    for facts in found.files:
        reporter.event("file", facts.as_dict())
    for pair in found.pairs:
        reporter.event("pair", pair.as_dict())
    for finding in found.findings:
        reporter.event("finding", finding.as_dict())
    by_manifest = any(each.code.startswith("manifest.") for each in found.errors)
    rejected = _OTHER_THAN_TOLD if by_manifest else _REJECTED
    return reporter.done(
        code=0 if found.ok else rejected,
        outcome="ok" if found.ok else "rejected",
        errors=len(found.errors),
        warnings=len(found.warnings),
        files=len(found.files),
        bytes=sum(each.size_bytes for each in found.files),
        sample=found.sample,
    )


def _lines(found: Findings, *, quiet: bool) -> Iterator[str]:
    """What was found, for people; the summary comes last."""
    for facts in () if quiet else found.files:
        yield from _describe(facts)
    for pair in () if quiet else found.pairs:
        if pair.agreed_at:
            places = ", ".join(pair.agreed_at)
            yield f"{pair.first} + {pair.second}: read names agree ({places})"
    if found.sample and not quiet:
        yield f"sample: {found.sample} (from @RG SM)"
    for finding in found.findings:
        if not quiet or finding.severity is not Severity.NOTE:
            yield f"{finding.severity}: {finding.path}: {finding.sentence}"
            if finding.advice:
                yield f"  {finding.advice}"


def _summary(found: Findings, seconds: float) -> str:
    size = format_size(sum(f.size_bytes for f in found.files))
    files = counted(len(found.files), "file")
    took = f"{files}, {size}, {format_duration(seconds)}"
    if found.ok:
        more = f", {counted(len(found.warnings), 'warning')}" if found.warnings else ""
        return f"ok: nothing speaks against an upload{more} ({took})"
    return (
        f"rejected: {counted(len(found.errors), 'error')}, "
        f"{counted(len(found.warnings), 'warning')} ({took})"
    )


def _describe(facts: FileFacts) -> list[str]:
    if facts.depth is Depth.NONE:
        return []
    read = "all of it read" if facts.depth is Depth.WHOLE else "sampled"
    kind = facts.file_type or "BAM or UBAM"
    lines = [f"{facts.path}: {kind}, {format_size(facts.size_bytes)}, {read}"]
    counts = [
        counted(value, noun)
        for value, noun in (
            (facts.reads if facts.reads is not None else facts.records, "read"),
            (facts.bases, "base"),
        )
        if value is not None
    ]
    if counts:
        lines.append(f"  {', '.join(counts)}")
    if facts.header is not None:
        header = facts.header.header
        parts = [counted(len(header.sequences), "reference sequence")]
        if header.sequences:
            parts.append(f"{facts.header.total_length:,} bases")
            parts.append(f"M5 on {facts.header.with_md5}")
        if header.sort_order:
            parts.append(f"sort order {header.sort_order}")
        lines.append(f"  {', '.join(parts)}")
        lines += [
            f"  read group {g.id}: sample {g.sample or '-'}, library {g.library or '-'}, "
            f"platform {g.platform or '-'}"
            for g in header.read_groups[:5]
        ]
        if len(header.read_groups) > 5:
            lines.append(f"  … {counted(len(header.read_groups) - 5, 'more read group')}")
    return lines
