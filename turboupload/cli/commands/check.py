"""`turboupload check`: are these files what they should be, whole, and paired?"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

from turboupload.cli.ui.options import DURATION, option
from turboupload.cli.ui.progress import ReadingProgress
from turboupload.cli.ui.signals import Interrupted, Signals
from turboupload.errors import InputError
from turboupload.files.stable import wait_for_sentinel, wait_until_settled
from turboupload.seqcheck.checks import Depth, FileFacts, Finding, Findings, Severity, check_files
from turboupload.seqcheck.formats import FILE_TYPES
from turboupload.units import format_duration, format_size

__all__ = ["check"]

_REJECTED = 3


@click.command("check")
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=click.Path())
@option(
    "--type",
    "file_type",
    type=click.Choice(FILE_TYPES, case_sensitive=False),
    help="What the files are; by default their content decides.",
)
@option("--deep", is_flag=True, help="Read all of each file: every checksum, every record.")
@option(
    "--pair/--no-pair",
    "as_pair",
    default=None,
    help="Whether two FASTQ files are R1 and R2; by default they are, and more than two are "
    "paired by their names.",
)
@option(
    "--reference-fasta",
    type=click.Path(),
    help="A reference FASTA (or its .fai or .dict) to compare the header's @SQ lines with; with "
    "--deep, a CRAM's bases are decoded with the FASTA.",
)
@option(
    "--settle",
    type=DURATION,
    help="First wait until no file has changed for this long, such as 30s.",
)
@option(
    "--wait-for",
    type=click.Path(),
    metavar="FILE",
    help="First wait until this file exists, such as CopyComplete.txt.",
)
@option(
    "--wait-timeout",
    type=DURATION,
    help="Give up waiting after this long; by default it never does.",
)
@option("--threads", type=click.IntRange(1, 64), help="How many threads to use.")
@option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout.")
@option("--quiet", is_flag=True, help="Only errors and warnings, and no progress.")
@click.pass_context
def check(
    context: click.Context,
    files: tuple[str, ...],
    file_type: str | None,
    deep: bool,
    as_pair: bool | None,
    reference_fasta: str | None,
    settle: float | None,
    wait_for: str | None,
    wait_timeout: float | None,
    threads: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Check sequencing files before they are uploaded.

    Says what each FILE is, whether it is whole and whether two FASTQ files belong together.
    Without --deep, start, end and some places between are looked at; files up to 4 MiB are read
    whole. Exits with 0 where nothing speaks against an upload, and with 3 where something does.
    """
    began = time.monotonic()
    out = _Json() if as_json else _Text(quiet=quiet)
    out.started(files, deep=deep)
    progress = ReadingProgress("checking", silent=quiet)
    once = threading.Lock()

    def interrupted() -> None:
        if once.acquire(blocking=False):
            out.interrupted(time.monotonic() - began)

    with Signals(interrupted) as signals:
        try:
            if wait_for is not None:
                wait_for_sentinel(wait_for, timeout_s=wait_timeout)
            if settle is not None:
                wait_until_settled(files, settle, timeout_s=wait_timeout)
            found = check_files(
                files,
                declared_type=file_type,
                deep=deep,
                reference_fasta=reference_fasta,
                as_pair=as_pair,
                progress=progress,
                threads=threads,
            )
            if signals.caught:
                # It came where Python lets no exception out, in a destructor for one.
                raise Interrupted
        except InputError as error:
            out.stopped(error, time.monotonic() - began)
            raise
        except KeyboardInterrupt:
            interrupted()
            raise
        finally:
            progress.end()
    out.finished(found, time.monotonic() - began)
    if not found.ok:
        context.exit(_REJECTED)


class _Json:
    """One JSON object a line, the last one the result."""

    def started(self, files: Sequence[str], *, deep: bool) -> None:
        self._event("check.started", files=list(files), deep=deep)

    def stopped(self, error: InputError, seconds: float) -> None:
        self._event(
            "check.finished",
            outcome=error.outcome,
            error={"message": error.message, "path": error.path, "hint": error.hint},
            seconds=round(seconds, 3),
        )

    def interrupted(self, seconds: float) -> None:
        self._event("check.finished", outcome="interrupted", seconds=round(seconds, 3))

    def finished(self, found: Findings, seconds: float) -> None:
        for facts in found.files:
            self._event("check.file", **facts.as_dict())
        for pair in found.pairs:
            self._event("check.pair", **pair.as_dict())
        for finding in found.findings:
            self._event("check.finding", **finding.as_dict())
        self._event(
            "check.finished",
            outcome="ok" if found.ok else "rejected",
            errors=len(found.errors),
            warnings=len(found.warnings),
            files=len(found.files),
            bytes=sum(f.size_bytes for f in found.files),
            sample=found.sample,
            seconds=round(seconds, 3),
        )

    def _event(self, event: str, **fields: Any) -> None:
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
        click.echo(json.dumps({"event": event, "time": stamp, **fields}))


class _Text:
    """The result for people."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    def started(self, files: Sequence[str], *, deep: bool) -> None:
        pass

    def stopped(self, error: InputError, seconds: float) -> None:
        pass

    def interrupted(self, seconds: float) -> None:
        pass

    def finished(self, found: Findings, seconds: float) -> None:
        if not self._quiet:
            for facts in found.files:
                for line in _describe(facts):
                    click.echo(line)
            for pair in found.pairs:
                if pair.agreed_at:
                    places = ", ".join(pair.agreed_at)
                    click.echo(f"{pair.first} + {pair.second}: read names agree ({places})")
            if found.sample:
                click.echo(f"sample: {found.sample} (from @RG SM)")
        for finding in found.findings:
            if not self._quiet or finding.severity is not Severity.NOTE:
                _print_finding(finding)
        if not self._quiet:
            click.echo(_summary(found, seconds))


def _print_finding(finding: Finding) -> None:
    click.echo(f"{finding.severity}: {finding.path}: {finding.sentence}")
    if finding.advice:
        click.echo(f"  {finding.advice}")


def _summary(found: Findings, seconds: float) -> str:
    size = format_size(sum(f.size_bytes for f in found.files))
    files = _counted(len(found.files), "file")
    took = f"{files}, {size}, {format_duration(seconds)}"
    if found.ok:
        more = f", {_counted(len(found.warnings), 'warning')}" if found.warnings else ""
        return f"ok: nothing speaks against an upload{more} ({took})"
    return (
        f"rejected: {_counted(len(found.errors), 'error')}, "
        f"{_counted(len(found.warnings), 'warning')} ({took})"
    )


def _describe(facts: FileFacts) -> list[str]:
    if facts.depth is Depth.NONE:
        return []
    read = "all of it read" if facts.depth is Depth.WHOLE else "sampled"
    kind = facts.file_type or "BAM or UBAM"
    lines = [f"{facts.path}: {kind}, {format_size(facts.size_bytes)}, {read}"]
    counts = [
        _counted(value, noun)
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
        parts = [_counted(len(header.sequences), "reference sequence")]
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
            lines.append(f"  … {_counted(len(header.read_groups) - 5, 'more read group')}")
    return lines


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' if count != 1 else ''}"
