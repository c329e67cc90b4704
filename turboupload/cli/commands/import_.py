"""`turboupload import`: read sets from S3. Its first word may be a verb, a sheet or an S3 URI."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from turboupload.cli.options.configurations import sheet_defaults
from turboupload.cli.options.shared import RESULTS, STORE, STORE_COMMAND, option, row_defaults
from turboupload.cli.options.values import DURATION, MOMENT, PATH
from turboupload.cli.reporters.tables import (
    Column,
    Rows,
    Table,
    moment_text,
    record_lines,
    utc_text,
)
from turboupload.cli.session.command import Command, Group, run_on_stores
from turboupload.cli.ui.events import fields_of
from turboupload.cli.ui.output import printable

if TYPE_CHECKING:
    from turboupload.cli.reporters.imports import ImportReporter
    from turboupload.cli.reporters.reporter import Reporter
    from turboupload.core.imports.jobs import ImportJob, ImportJobSource
    from turboupload.core.sheet.model import Sheet
    from turboupload.stores import SequenceStores

__all__ = ["import_"]


class _Import(Group):
    """A group whose first command runs if none is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Adds the word that was left out."""
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            # Not a sheet, where there is no such file and a command is called alike.
            alike = get_close_matches(args[0], self.commands)
            if alike and not os.path.exists(args[0]):  # noqa: PTH110 - never raises
                ctx.fail(f"there is no file {args[0]!r}: did you mean {' or '.join(alike)}?")
            args = ["start", *args]
        return super().parse_args(ctx, args)


@click.group("import", cls=_Import, subcommand_metavar="SHEET|S3_URI [S3_URI2]|COMMAND [ARGS]…")
def import_() -> None:
    """Import read sets from S3 into a sequence store.

    Without a command, `start` is meant: `turboupload import run42.csv --store …` imports the rows
    of a sheet. A sheet that is called like a command is written as a path, such as ./list.
    """


# --- start ----------------------------------------------------------------------------------


class _Start(Command):
    def reporter(self, given: Mapping[str, Any]) -> ImportReporter:
        from turboupload.cli.reporters.imports import ImportReporter

        return ImportReporter(self.words, given)


@import_.command(
    "start",
    cls=_Start,
    words="import start",
    examples=(
        "import s3://bucket/HG003_R1.fastq.gz s3://bucket/HG003_R2.fastq.gz --sample HG003 \\\n"
        "    --subject NA24149 --store 1234567890 --role-arn $ROLE_ARN",
        "import samples.csv --store 1234567890 --role-arn $ROLE_ARN",
    ),
    short_help="Import the rows of a sheet, or S3 URIs; the word may be left out.",
    no_args_is_help=True,
)
@click.argument("sources", metavar="SHEET|S3_URI [S3_URI2]", nargs=-1, required=True, type=PATH)
@STORE
@option(
    "--role-arn",
    metavar="ARN",
    required=True,
    help="The role with which the service reads the files.",
)
@option("--name", metavar="NAME", help="The read set's name, for S3 URIs; by default the files'.")
@row_defaults(type_by="names decide", reference="")
@option("--again", is_flag=True, help="Also import what is already in the store.")
@option(
    "--retry-failed",
    metavar="N",
    type=click.IntRange(0, 10),
    default=0,
    show_default=True,
    help="Retry failed files in another job, up to this many times.",
)
@option(
    "--wait/--no-wait",
    default=True,
    show_default=True,
    help="Whether to follow the jobs to their end.",
)
@option(
    "--wait-timeout",
    type=DURATION,
    help="Wait no longer than this, such as 2h; by default as long as it takes.",
)
@RESULTS
@option("--dry-run", is_flag=True, help="Say what would be imported, and start nothing.")
@STORE_COMMAND
def start(**given: Any) -> None:
    """Import the read sets of SHEET, or one whose files are S3_URI (and S3_URI2, its R2).

    SHEET is CSV, TSV or JSON lines (- for standard input) with the columns sample, subject, name,
    type, source1, source2, reference, generated_from, description and tag:KEY; nf-core's sample,
    fastq_1, fastq_2 is taken as it is. The files are S3 URIs.

    Run the same command again after any interruption or failure: what is in the store already is
    skipped, what is in a job under way is followed.

    \b
    Exit codes:
      0    done: all read sets are in the store, or in jobs where they were not waited for
      1    a bug, or stdout could not be written
      2    usage or configuration; nothing was started
      3    rows were rejected before anything was started; all findings are told
      4    the service refused: denied, store not found, role not usable, over a quota
      5    not all jobs ended in time, or the service could not be reached; the same command goes on
      8    some rows failed
      130  interrupted; the jobs go on
    """  # noqa: D301 - click's own mark for text that must not be wrapped
    run_on_stores(given, _start)


async def _start(given: Mapping[str, Any], stores: SequenceStores, reporter: ImportReporter) -> int:
    from turboupload.clock import Clock
    from turboupload.core.metadata import check_id, check_role_arn
    from turboupload.engine.imports import Import, ImportOptions
    from turboupload.imports import checked_rows
    from turboupload.state.results_file import ResultsFile

    check_id("a store", given["store"])
    check_role_arn(given["role_arn"])
    results = ResultsFile(given["results"]) if given["results"] else None
    sheet = await _sheet(given)
    if results is not None:
        for source in given["sources"]:
            results.keep_off(source)
    rows, findings = checked_rows(sheet)
    reporter.warn(findings)
    options = ImportOptions(
        role_arn=given["role_arn"],
        where=stores.where,
        again=given["again"],
        wait=given["wait"],
        wait_timeout_s=given["wait_timeout"],
        patience_s=stores.patience_s,
        retry_failed=given["retry_failed"],
    )
    work = Import(
        stores,
        given["store"],
        rows,
        options,
        clock=Clock(),
        tell=reporter.hear_import,
        results=results,
    )
    if given["dry_run"]:
        return reporter.rehearsed(await work.rehearse())
    return reporter.ended(await work.run())


async def _sheet(given: Mapping[str, Any]) -> Sheet:
    """The sheet, or the one row that arguments make."""
    import anyio.to_thread

    from turboupload.core.sheet.reading import sheet_of
    from turboupload.errors import ConfigError
    from turboupload.files.sheets import read_sheet

    defaults = sheet_defaults(given)
    sources: tuple[str, ...] = given["sources"]
    if all(source.lower().startswith("s3://") for source in sources):
        missing = [word for word in ("sample", "subject") if given[word] is None]
        if missing:
            raise ConfigError(
                f"no {' and no '.join(missing)} was given, and S3 URIs don't name one",
                hint=f"add {' and '.join(f'--{word} ID' for word in missing)}",
            )
        return sheet_of(sources, defaults, name=given["name"])
    if len(sources) > 1:
        raise ConfigError(
            "one sheet, or the one or two S3 URIs of a read set, can be imported at a time",
            hint="many read sets are imported by a sheet",
        )
    if given["name"] is not None:
        raise ConfigError("--name is for S3 URIs", hint="a sheet has the column `name`")
    return await anyio.to_thread.run_sync(read_sheet, sources[0], defaults)


# --- list -----------------------------------------------------------------------------------

_STATUSES = (
    "SUBMITTED", "IN_PROGRESS", "CANCELLING", "CANCELLED", "FAILED", "COMPLETED",
    "COMPLETED_WITH_FAILURES",
)  # fmt: skip

_filter = partial(option, prefix="IMPORT_")

_JOB_COLUMNS: tuple[Column[ImportJob], ...] = (
    Column("ID", lambda job: job.job_id),
    Column("STATUS", lambda job: job.status),
    Column("STARTED (UTC)", lambda job: moment_text(job.created_at)),
    Column("ENDED (UTC)", lambda job: moment_text(job.completed_at)),
    Column("ROLE", lambda job: job.role_arn, whole=False),
)


@import_.command(
    "list",
    cls=Command,
    words="import list",
    examples=("import list --store 1234567890 --status IN_PROGRESS",),
    short_help="List the import jobs of a store.",
)
@STORE
@_filter(
    "--status",
    type=click.Choice(_STATUSES, case_sensitive=False),
    metavar="STATUS",
    help="Only those in this state, such as IN_PROGRESS or COMPLETED_WITH_FAILURES.",
)
@_filter(
    "--created-after",
    type=MOMENT,
    help="Only those started after this moment (2026-11-24T09:30Z, UTC without a zone) or within "
    "this time (7d).",
)
@_filter(
    "--created-before",
    type=MOMENT,
    help="Only those started before this moment, or longer ago than this time (7d).",
)
@_filter("--limit", metavar="N", type=click.IntRange(min=1), help="Stop after so many.")
@STORE_COMMAND
def list_(**given: Any) -> None:
    """List the import jobs of a store, all or those for which every filter holds.

    A listing doesn't say what the jobs import: `import show` does.
    """
    run_on_stores(given, _list)


async def _list(given: Mapping[str, Any], stores: SequenceStores, reporter: Reporter) -> int:
    from turboupload.core.filters import ImportJobFilter

    limit: int | None = given["limit"]
    wanted = ImportJobFilter(
        status=given["status"],
        created_after=given["created_after"],
        created_before=given["created_before"],
    )
    rows = Rows(reporter, "job", _JOB_COLUMNS, fields=_job_fields, id_of=lambda job: job.job_id)
    complete = await rows.write_listing(
        partial(stores.list_read_set_import_jobs, given["store"]), wanted, limit=limit
    )
    if not rows.count:
        which = " that pass the filter" if wanted != ImportJobFilter() else ""
        reporter.note(f"no import jobs{which} in store {given['store']}")
    elif not complete:
        reporter.note(f"stopped after {limit:,}: there may be more")
    return reporter.done(store_id=given["store"], count=rows.count, complete=complete)


def _job_fields(job: ImportJob) -> dict[str, Any]:
    """A row of a listing, which knows neither sources nor a reason."""
    fields = fields_of(job)
    return {key: fields[key] for key in fields if key not in ("sources", "status_message")}


# --- show -----------------------------------------------------------------------------------

_SOURCE_COLUMNS: tuple[Column[ImportJobSource], ...] = (
    Column("STATUS", lambda source: source.status),
    Column("READ SET", lambda source: source.read_set_id),
    Column("TYPE", lambda source: source.file_type),
    Column("NAME", lambda source: source.name, whole=False),
    Column("SAMPLE", lambda source: source.sample_id, whole=False),
    Column("SUBJECT", lambda source: source.subject_id, whole=False),
    Column(
        "FILES",
        lambda source: " ".join(filter(None, (source.source1, source.source2))),
        whole=False,
    ),
    Column("MESSAGE", lambda source: source.status_message, whole=False),
)


@import_.command(
    "show",
    cls=Command,
    words="import show",
    examples=("import show 1234567890 --store 1234567890",),
    short_help="Show everything that the service knows about import jobs.",
    no_args_is_help=True,
)
@click.argument("jobs", metavar="JOB…", nargs=-1, required=True)
@STORE
@STORE_COMMAND
def show(**given: Any) -> None:
    """Show everything that the service knows about each import JOB, and of each of its sources.

    What it doesn't say is left out; with --json it is null. With --quiet, each source is a line of
    status, read set id, name and first file, tabs between. Ends at the first JOB that isn't there.
    """
    run_on_stores(given, _show)


async def _show(given: Mapping[str, Any], stores: SequenceStores, reporter: Reporter) -> int:
    from turboupload.core.metadata import check_id

    for job_id in given["jobs"]:
        check_id("an import job", job_id)
    for count, job_id in enumerate(given["jobs"]):
        job = await stores.get_read_set_import_job(given["store"], job_id)
        reporter.event("job", fields_of(job))
        if reporter.for_people:
            reporter.result(("\n" if count else "") + _described(job), drawn=True)
        elif not reporter.as_json:
            reporter.result(_source_lines(job))
    return reporter.done(store_id=given["store"], count=len(given["jobs"]))


def _described(job: ImportJob) -> str:
    """A job, and a table of its sources."""
    counts = Counter(source.status or "-" for source in job.sources)
    pairs = (
        ("import job", job.job_id),
        ("status", job.status),
        ("reason", job.status_message),
        ("store", job.store_id),
        ("role", job.role_arn),
        ("started", utc_text(job.created_at)),
        ("ended", utc_text(job.completed_at)),
        ("sources", ", ".join(f"{count:,} {status}" for status, count in counts.items())),
    )
    head = record_lines((name, value) for name, value in pairs if value)
    table = Table(_SOURCE_COLUMNS).piece(job.sources)
    return f"{head}\n\n{table}" if table else head


def _source_lines(job: ImportJob) -> str:
    """Status, read set id, name and first file of each source, tabs between."""
    return "\n".join(
        "\t".join(
            printable(text or "")
            for text in (source.status, source.read_set_id, source.name, source.source1)
        )
        for source in job.sources
    )
