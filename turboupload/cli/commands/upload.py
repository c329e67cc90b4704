"""`turboupload upload`: one read set, from its files to ACTIVE."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from turboupload.cli.lazy import importing
from turboupload.cli.ui.misuse import PromisingCommand
from turboupload.cli.ui.options import (
    DURATION,
    RATE,
    SIZE,
    TAG,
    connection_options,
    listing_lag_option,
    option,
)
from turboupload.errors import TurbouploadError

if TYPE_CHECKING:
    from turboupload.cli.ui.signals import Signals
    from turboupload.cli.ui.upload_reporter import Telling

__all__ = ["upload"]


class _Upload(PromisingCommand):
    def tell_misuse(self, error: click.UsageError, words: str) -> None:
        from turboupload.cli.ui.events import Ending, JsonLines
        from turboupload.cli.ui.output import Output

        JsonLines(Ending(), Output()).misused(error)


@click.command(cls=_Upload, no_args_is_help=True)
@click.argument("files", metavar="FILE [FILE2]", nargs=-1, required=True)
@option("--store", metavar="ID", required=True, help="The sequence store: 10 to 36 digits.")
@option("--name", metavar="NAME", required=True, help="The read set's name, up to 127 characters.")
@option(
    "--sample",
    metavar="ID",
    help="The sample's id, up to 127 characters; BAM, uBAM and CRAM default to the one sample "
    "(@RG SM) that their header names.",
)
@option(
    "--subject",
    metavar="ID",
    help="The subject's id, up to 127 characters; by default as the sample's.",
)
@option(
    "--type",
    type=click.Choice(["FASTQ", "BAM", "CRAM", "UBAM"], case_sensitive=False),
    metavar="FASTQ|BAM|CRAM|UBAM",
    help="What the file is; by default its content decides.",
)
@option(
    "--reference",
    metavar="ARN",
    help="The reference in a HealthOmics reference store; BAM and CRAM need one.",
)
@option("--generated-from", metavar="TEXT", help="Where the data comes from, such as a run.")
@option("--description", metavar="TEXT", help="A description, up to 255 characters.")
@option(
    "--tag",
    type=TAG,
    multiple=True,
    help="A tag; may be given up to 50 times (in the variable: one a line).",
)
@option(
    "--part-size",
    type=SIZE,
    help="Size of a part, such as 64MiB, at most 100MiB. By default 100MiB, or less where the "
    "files are too small to keep many connections busy.",
)
@option(
    "--concurrency",
    metavar="N",
    type=click.IntRange(1, 1000),
    help="Parts sent at a time; by default as many as the link can use, up to 64.",
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
    "--wait/--no-wait",
    default=True,
    show_default=True,
    help="Whether to wait until the service has read the files and the read set is ACTIVE.",
)
@option(
    "--wait-timeout",
    type=DURATION,
    help="Wait no longer than this for ACTIVE, such as 2h; by default as long as it takes.",
)
@option("--no-resume", is_flag=True, help="Leave what earlier runs sent alone and start anew.")
@option("--upload-id", metavar="ID", help="Go on with this very upload; normally it is found.")
@option("--force", is_flag=True, help="Upload anew even if the read set exists.")
@option(
    "--preflight/--no-preflight",
    default=True,
    show_default=True,
    help="Whether to look at the files before anything is sent: whole, paired, of the right form? "
    "It takes under a second.",
)
@option(
    "--settle",
    type=DURATION,
    help="First wait until no file has changed for this long, such as 30s.",
)
@option(
    "--wait-for",
    metavar="FILE",
    help="First wait until this file exists, such as CopyComplete.txt.",
)
@option(
    "--prove",
    is_flag=True,
    help="Compute the files' ETag while they are sent, and compare it with the read set's when it "
    "is ACTIVE. FASTQ: a difference is exit 6. BAM, uBAM and CRAM: a warning.",
)
@option(
    "--reference-fasta",
    metavar="PATH",
    help="The reference of a CRAM, as a FASTA file; only --prove needs it.",
)
@option(
    "--receipt",
    metavar="PATH",
    help="Write the receipt here, too: what was sent, what became of it, and what that proves. "
    "The journal always keeps it.",
)
@option("--dry-run", is_flag=True, help="Say what would be sent, and send nothing.")
@option(
    "--json",
    "as_json",
    is_flag=True,
    help="One JSON object a line on stdout, the last one the result.",
)
@option("--quiet", is_flag=True, help="Print the read set's id, and nothing else but errors.")
@option("--verbose", "-v", count=True, help="Log what happens on stderr; -vv logs every call.")
@listing_lag_option
@connection_options
def upload(**given: Any) -> None:
    """Upload FILE, or the FASTQ pair FILE (R1) and FILE2 (R2), into a sequence store.

    Run the same command again after any interruption: it goes on where it stopped. When the read
    set exists already, it says so and sends nothing.

    Sizes are like 64MiB (64M means the same), times like 90s, 15m or 2h.

    \b
    Exit codes:
      0    done: the read set exists, and is ACTIVE where it was waited for
      1    a bug, or stdout could not be written
      2    usage or configuration; nothing was sent
      3    the input was rejected before anything was sent
      4    the service refused: denied, not found, invalid, over a quota
      5    stopped part-way; the same command goes on
      6    a checksum differs, or the file changed
      7    uploaded, then rejected by the service
      130  interrupted; the same command goes on
    """  # noqa: D301 - click's own mark for text that must not be wrapped
    with importing():
        from turboupload.cli.ui.signals import Signals
        from turboupload.cli.ui.upload_reporter import Telling

    telling = Telling(given)
    with Signals(telling.interrupted) as signals:
        sys.exit(_perform(given, telling, signals))


def _perform(given: dict[str, Any], telling: Telling, signals: Signals) -> int:
    """Uploads and tells of it; returns the exit code."""
    try:
        # A third of a second of imports, in which a signal is heard as well.
        with importing():
            from turboupload.cli.commands.uploading import carry_out
            from turboupload.cli.ui.logs import configure_logs

        configure_logs(given["verbose"], telling.line)
        outcome = signals.run(lambda: carry_out(given, telling.hear))
    except KeyboardInterrupt:
        return telling.interrupted()
    except TurbouploadError as error:
        return telling.interrupted() if signals.caught else telling.failed(error)
    except Exception as error:  # a program that reads JSON gets its last line for a bug, too
        return telling.interrupted() if signals.caught else telling.unexpected(error)
    return telling.ended(outcome)
