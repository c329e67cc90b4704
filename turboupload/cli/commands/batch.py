"""`turboupload batch`: a sheet's read sets, from their files to ACTIVE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from turboupload.cli.commands.upload import leaving_no_trace
from turboupload.cli.lazy import importing
from turboupload.cli.options.configurations import sheet_defaults, upload_config
from turboupload.cli.options.help import Section
from turboupload.cli.options.shared import (
    FORCE,
    RESULTS,
    STORE,
    UPLOAD_COMMAND,
    merge_rows,
    option,
    row_defaults,
)
from turboupload.cli.options.values import PATH, SIZE
from turboupload.cli.options.wait_first import WAIT_FIRST, wait_first
from turboupload.cli.session.command import Command
from turboupload.core.next_step import RESULTS_FORMATS

if TYPE_CHECKING:
    from turboupload.batch.elsewhere import Elsewhere
    from turboupload.cli.reporters.batch import BatchReporter
    from turboupload.core.batch import BatchRehearsal, BatchResult

__all__ = ["batch"]


class _Batch(Command):
    def reporter(self, given: Mapping[str, Any]) -> BatchReporter:
        from turboupload.cli.reporters.batch import BatchReporter

        return BatchReporter(given)


@click.command(
    cls=_Batch,
    words="batch",
    no_args_is_help=True,
    examples=(
        "batch samples.csv --store 1234567890 --results results.csv",
        "batch samples.csv --store 1234567890 --dry-run",
    ),
)
@click.argument("sheet", metavar="SHEET", type=PATH)
@STORE
@row_defaults(type_by="content decides", reference="; BAM and CRAM need one")
@merge_rows(Section.ROWS)
@RESULTS
@option(
    "--results-format",
    type=click.Choice(RESULTS_FORMATS),
    help="What --results holds, in place of a line for each row: nf-core a sample sheet with S3 "
    "URIs (.csv), healthomics-run what StartRunBatch takes (.json).",
)
@option(
    "--receipts",
    section=Section.PROOF,
    type=PATH,
    metavar="DIR",
    help="Write each read set's receipt into this folder, too; the journal always keeps it.",
)
@WAIT_FIRST
@FORCE
@option("--fail-fast", is_flag=True, help="Stop at the first row that fails.")
@option(
    "--max-failures",
    metavar="N",
    type=click.IntRange(1),
    help="Stop when this many rows have failed; by default a failed row doesn't stop the others.",
)
@option(
    "--shard",
    metavar="N/M|auto",
    help="Send only the rows of shard N of M, such as 3/10; `auto` takes both from the array job "
    "of Slurm or AWS Batch. A row's name, sample and subject decide which shard it is in.",
)
@option(
    "--dask",
    metavar="ADDRESS|local[:N]",
    help="Have the workers of a Dask cluster send the rows: its scheduler's address, such as "
    "tcp://HOST:8786, or so many processes of this machine. Needs the extra `dask`.",
)
@option(
    "--dask-scheduler-file",
    type=PATH,
    metavar="FILE",
    help="As --dask, with the file that the scheduler has written its address to.",
)
@option(
    "--dask-spread",
    type=SIZE,
    metavar="SIZE",
    help="Spread the parts of rows of at least SIZE over several workers; this machine must see "
    "their files, too. By default each row goes whole to one worker.",
)
@option(
    "--dask-credentials",
    type=click.Choice(("own", "coordinator")),
    default="own",
    show_default=True,
    help="What the workers sign with: credentials of their own, or those of this machine, handed "
    "over sealed, through tls:// only, and again before they end.",
)
@option(
    "--quiet",
    is_flag=True,
    help="Print row, name, status and read set id of each row, tabs between, and nothing else but "
    "errors.",
)
@UPLOAD_COMMAND
def batch(**given: Any) -> None:
    """Upload the read sets of SHEET into a sequence store, each row to exactly one.

    SHEET is CSV, TSV or JSON lines (- for standard input) with the columns sample, subject, name,
    type, source1, source2, reference, generated_from, description and tag:KEY; nf-core's sample,
    fastq_1, fastq_2 is taken as it is. Relative paths are taken from the sheet's folder.

    Everything is checked first. Run the same command again after any interruption or failure: what
    is there already is skipped, what is half there goes on.

    \b
    Exit codes:
      0    done: all read sets exist, and are ACTIVE where they were waited for
      1    a bug
      2    usage or configuration; nothing was sent
      3    rows or files were rejected before anything was sent; all findings are told
      4    the service refused, whatever the row: denied, store not found, over a quota
      5    stopped part-way; the same command goes on
      8    some rows failed; the others are done, or go on with the same command
      130  interrupted; the same command goes on
    """  # noqa: D301 - click's own mark for text that must not be wrapped
    with importing():
        from turboupload.cli.reporters.batch import BatchReporter
        from turboupload.cli.session.observation import clean_up_s
        from turboupload.cli.session.run import Session

    reporter = BatchReporter(given)
    Session(reporter, clean_up_s=clean_up_s(given)).run(
        lambda: _carry_out(given, reporter),
        reporter.ended,
        needs=(
            "turboupload.batch",
            "turboupload.cli.session.job",
            "turboupload.files.sheets",
            "turboupload.state.results_file",
        ),
    )


async def _carry_out(
    given: Mapping[str, Any], reporter: BatchReporter
) -> BatchResult | BatchRehearsal:
    """Uploads the sheet's rows, or rehearses that.

    Raises:
        TurbouploadError: See `turboupload.errors`.
    """
    from turboupload.cli.session.observation import observed

    reporter.report_to(given, f"Batch {given['sheet']}")
    with observed(given, reporter.tell):
        return await _batch(given, reporter)


async def _batch(given: Mapping[str, Any], reporter: BatchReporter) -> BatchResult | BatchRehearsal:
    from anyio import to_thread

    from turboupload.batch import rehearse_batch, upload_batch
    from turboupload.batch.api import parse_shard, results_file
    from turboupload.cli.options.store import with_store_id
    from turboupload.cli.session.job import listed
    from turboupload.core.batch_jobs import batch_progress_after
    from turboupload.errors import ConfigError
    from turboupload.files.sheets import STDIN, read_sheet

    elsewhere = _elsewhere(given)
    shard = parse_shard(given["shard"])
    if given["results"] is None and given["results_format"] is not None:
        raise ConfigError("a form of results needs a file", hint="add --results FILE")
    await wait_first(given["wait_for"], None, tell=reporter.note)
    sheet = await to_thread.run_sync(read_sheet, given["sheet"], sheet_defaults(given))
    reporter.warn(sheet.findings)
    kept = results_file(given["results"], shard, given["results_format"])
    if shard is not None:
        reporter.of_shard(shard, kept)
    if kept is not None and given["sheet"] != STDIN:
        kept.keep_off(given["sheet"])
    # What is missing is a finding, told with all others.
    sources = [path for row in sheet.rows for path in row.paths]
    await wait_first(None, given["settle"], sources, missing_ok=True, tell=reporter.note)
    given = await with_store_id(given)
    config = upload_config(given, force=given["force"])
    if given["dry_run"]:
        with leaving_no_trace(config) as config:
            return await rehearse_batch(
                sheet,
                store_id=given["store"],
                config=config,
                shard=given["shard"],
                on_event=reporter.hear,
            )
    async with listed(
        config, reporter.tell, kind="batch", about=given["sheet"], store_id=given["store"]
    ) as job:
        result = await upload_batch(
            sheet,
            store_id=given["store"],
            config=config,
            max_failures=1 if given["fail_fast"] else given["max_failures"],
            results=given["results"],
            results_format=given["results_format"],
            receipts=given["receipts"],
            shard=given["shard"],
            on_event=job.hearing(batch_progress_after, reporter.hear),
            on_start=job.obey,
            elsewhere=elsewhere,
        )
        job.ended(*reporter.how_it_ended(result))
        return result


def _elsewhere(given: Mapping[str, Any]) -> Elsewhere | None:
    """The machines that send the rows; None where this one does.

    Raises:
        ConfigError: The options contradict each other.
    """
    address, file = given["dask"], given["dask_scheduler_file"]
    from turboupload.errors import ConfigError

    if address is None and file is None:
        if given["dask_spread"] is not None or given["dask_credentials"] != "own":
            raise ConfigError("--dask-spread and --dask-credentials are for workers: add --dask")
        return None
    from turboupload.cluster import DaskWorkers

    if address is not None and file is not None:
        raise ConfigError("--dask and --dask-scheduler-file name one cluster each: leave one out")
    if given["dry_run"]:
        raise ConfigError("--dry-run looks at files from here: leave --dask out")
    return DaskWorkers(
        address,
        scheduler_file=file,
        spread_bytes=given["dask_spread"],
        credentials=given["dask_credentials"],
    )
