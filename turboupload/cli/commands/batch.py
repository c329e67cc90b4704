"""`turboupload batch`: a sheet's read sets, from their files to ACTIVE."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from turboupload.cli.lazy import importing
from turboupload.cli.ui.misuse import PromisingCommand
from turboupload.cli.ui.options import (
    DURATION,
    QUOTA,
    RATE,
    SIZE,
    TAG,
    connection_options,
    listing_lag_option,
    option,
)
from turboupload.errors import TurbouploadError

if TYPE_CHECKING:
    from turboupload.cli.ui.batch_reporter import BatchTelling
    from turboupload.cli.ui.signals import Signals

__all__ = ["batch"]


class _Batch(PromisingCommand):
    def tell_misuse(self, error: click.UsageError, words: str) -> None:
        from turboupload.cli.batch_lines import BatchLines
        from turboupload.cli.ui.output import Output

        BatchLines(Output()).misused(error.format_message())


@click.command(cls=_Batch, no_args_is_help=True)
@click.argument("sheet", metavar="SHEET")
@option("--store", metavar="ID", required=True, help="The sequence store: 10 to 36 digits.")
@option("--sample", metavar="ID", help="The sample's id, for rows that don't name one.")
@option("--subject", metavar="ID", help="The subject's id, for rows that don't name one.")
@option(
    "--type",
    type=click.Choice(["FASTQ", "BAM", "CRAM", "UBAM"], case_sensitive=False),
    metavar="FASTQ|BAM|CRAM|UBAM",
    help="What the files are, for rows that don't say; by default their content decides.",
)
@option(
    "--reference",
    metavar="ARN",
    help="The reference, for rows that don't name one; BAM and CRAM need one.",
)
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
@option(
    "--results",
    metavar="FILE",
    help="Keep what came of each row in this file (.csv or .json), up to date while it runs.",
)
@option("--fail-fast", is_flag=True, help="Stop at the first row that fails.")
@option(
    "--max-failures",
    metavar="N",
    type=click.IntRange(1),
    help="Stop when so many rows have failed; by default a failing row stops no other.",
)
@option(
    "--part-size",
    type=SIZE,
    help="Size of a part, such as 64MiB, at most 100MiB; by default as for `upload`.",
)
@option(
    "--concurrency",
    metavar="N",
    type=click.IntRange(1, 1000),
    help="Parts sent at a time, of all rows together; by default as many as the link can use.",
)
@option(
    "--checksum",
    type=click.Choice(["sha256", "xxh3"]),
    default="sha256",
    show_default=True,
    help="sha256 compares each part with the service's checksum; xxh3 is cheaper and does not.",
)
@option(
    "--max-bandwidth", type=RATE, help="Never send faster than this, such as 200MiB/s; no default."
)
@option(
    "--quota",
    type=QUOTA,
    multiple=True,
    help="Requests a second of one operation, where yours were raised, such as "
    "UploadReadSetPart=20; may be given for each (in the variable: one a line).",
)
@option(
    "--wait/--no-wait",
    default=True,
    show_default=True,
    help="Whether to wait until the service has read the files and the read sets are ACTIVE.",
)
@option(
    "--wait-timeout",
    type=DURATION,
    help="Wait no longer than this for one to be ACTIVE, such as 2h; by default as long as it "
    "takes.",
)
@option(
    "--preflight/--no-preflight",
    default=True,
    show_default=True,
    help="Whether to look closely at a row's files when its turn comes: whole, paired, of the "
    "right form? What can be read, and of which type, is looked at first for all rows.",
)
@option(
    "--prove",
    is_flag=True,
    help="Compute the files' ETags while they are sent, and compare them with the read sets' when "
    "they are ACTIVE. FASTQ: a difference is a failure. BAM, uBAM and CRAM: a warning.",
)
@option(
    "--reference-fasta",
    metavar="PATH",
    help="The reference of the CRAMs, as a FASTA file; only --prove needs it.",
)
@option(
    "--dry-run",
    is_flag=True,
    help="Say what would be sent, skipped, gone on with; send nothing.",
)
@option(
    "--json",
    "as_json",
    is_flag=True,
    help="One JSON object a line on stdout, the last one the result.",
)
@option(
    "--quiet",
    is_flag=True,
    help="Print row, name, status and read set id of each row, tabs between, and nothing else but "
    "errors.",
)
@option("--verbose", "-v", count=True, help="Log what happens on stderr; -vv logs every call.")
@listing_lag_option
@connection_options
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
      1    a bug, or stdout could not be written
      2    usage or configuration; nothing was sent
      3    rows or files were rejected before anything was sent; all findings are told
      4    the service refused, whatever the row: denied, store not found, over a quota
      5    stopped part-way; the same command goes on
      8    some rows failed; the others are done, or go on with the same command
      130  interrupted; the same command goes on
    """  # noqa: D301 - click's own mark for text that must not be wrapped
    with importing():
        from turboupload.cli.ui.batch_reporter import BatchTelling
        from turboupload.cli.ui.signals import Signals

    telling = BatchTelling(given)
    with Signals(telling.interrupted) as signals:
        sys.exit(_perform(given, telling, signals))


def _perform(given: dict[str, Any], telling: BatchTelling, signals: Signals) -> int:
    """Uploads and tells of it; returns the exit code."""
    try:
        # A third of a second of imports, in which a signal is heard as well.
        with importing():
            from turboupload.cli.commands.batching import carry_out
            from turboupload.cli.ui.logs import configure_logs

        configure_logs(given["verbose"], telling.line)
        outcome = signals.run(lambda: carry_out(given, telling))
    except KeyboardInterrupt:
        return telling.interrupted()
    except TurbouploadError as error:
        return telling.interrupted() if signals.caught else telling.failed(error)
    except Exception as error:  # a program that reads JSON gets its last line for a bug, too
        return telling.interrupted() if signals.caught else telling.unexpected(error)
    return telling.ended(outcome)
