"""`turboupload import start`: read sets from S3, from their rows to ACTIVE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from turboupload.cli.ui.options import DURATION, TAG, option
from turboupload.cli.ui.session import STORE, LookingCommand, look, looking_options

if TYPE_CHECKING:
    from turboupload.cli.ui.reporter import Report
    from turboupload.core.sheet.model import Sheet
    from turboupload.stores import SequenceStores

__all__ = ["start"]


@click.command("start", cls=LookingCommand, no_args_is_help=True)
@click.argument("sources", metavar="SHEET|S3_URI [S3_URI2]", nargs=-1, required=True)
@STORE
@option(
    "--role-arn",
    metavar="ARN",
    required=True,
    help="The role with which the service reads the files.",
)
@option("--name", metavar="NAME", help="The read set's name, for S3 URIs; by default the files'.")
@option("--sample", metavar="ID", help="The sample's id, for rows that don't name one.")
@option("--subject", metavar="ID", help="The subject's id, for rows that don't name one.")
@option(
    "--type",
    type=click.Choice(["FASTQ", "BAM", "CRAM", "UBAM"], case_sensitive=False),
    metavar="FASTQ|BAM|CRAM|UBAM",
    help="What the files are, for rows that don't say; by default their names decide.",
)
@option("--reference", metavar="ARN", help="The reference, for rows that don't name one.")
@option(
    "--generated-from",
    metavar="TEXT",
    help="Where the data comes from, for rows that don't say.",
)
@option("--description", metavar="TEXT", help="A description, for rows without one.")
@option(
    "--tag",
    type=TAG,
    multiple=True,
    help="A tag for every row; may be given up to 50 times (in the variable: one a line).",
)
@option("--again", is_flag=True, help="Import also what is in the store already.")
@option(
    "--retry-failed",
    metavar="N",
    type=click.IntRange(0, 10),
    default=0,
    show_default=True,
    help="Put files that failed into a job again, so many times.",
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
@option(
    "--results",
    metavar="FILE",
    help="Keep what came of each row in this file (.csv or .json), up to date while it runs.",
)
@option("--dry-run", is_flag=True, help="Say what would be imported, and start nothing.")
@looking_options
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
    look("import start", given, lambda stores, report: _start(given, stores, report))


async def _start(given: Mapping[str, Any], stores: SequenceStores, report: Report) -> int:
    from turboupload.cli.ui.import_reporter import Importing, rejected
    from turboupload.clock import Clock
    from turboupload.core.metadata import check_id, check_role_arn
    from turboupload.core.sheet.model import SheetRejected
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
    telling = Importing(report, results=given["results"])
    try:
        rows, findings = checked_rows(sheet)
    except SheetRejected as error:
        return rejected(report, error)
    telling.warn(findings)
    options = ImportOptions(
        role_arn=given["role_arn"],
        where=stores.where,
        again=given["again"],
        wait=given["wait"],
        wait_timeout_s=given["wait_timeout"],
        retry_failed=given["retry_failed"],
    )
    work = Import(
        stores, given["store"], rows, options, clock=Clock(), tell=telling.hear, results=results
    )
    if given["dry_run"]:
        return telling.rehearsed(await work.rehearse())
    return telling.ended(await work.run())


async def _sheet(given: Mapping[str, Any]) -> Sheet:
    """The sheet, or the one row that arguments make."""
    import anyio.to_thread

    from turboupload.core.model import FileType
    from turboupload.core.sheet.model import SheetDefaults
    from turboupload.core.sheet.reading import sheet_of
    from turboupload.errors import ConfigError
    from turboupload.files.sheets import read_sheet

    defaults = SheetDefaults(
        file_type=FileType(given["type"]) if given["type"] else None,
        sample_id=given["sample"],
        subject_id=given["subject"],
        reference_arn=given["reference"],
        generated_from=given["generated_from"],
        description=given["description"],
        tags=dict(given["tag"]),
    )
    sources: tuple[str, ...] = given["sources"]
    if all(source.lower().startswith("s3://") for source in sources):
        for word in ("sample", "subject"):
            if given[word] is None:
                raise ConfigError(f"whose files are they? --{word} is missing")
        return sheet_of(sources, defaults, name=given["name"])
    if len(sources) > 1:
        raise ConfigError(
            "one sheet, or the one or two S3 URIs of a read set, can be imported at a time",
            hint="many read sets are imported by a sheet",
        )
    if given["name"] is not None:
        raise ConfigError("--name is for S3 URIs", hint="a sheet has the column `name`")
    return await anyio.to_thread.run_sync(read_sheet, sources[0], defaults)
