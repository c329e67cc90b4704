"""`turboupload upload`: one read set, from its files to ACTIVE."""

from __future__ import annotations

import shlex
import sys
import time
from dataclasses import dataclass
from typing import Any

import click

from turboupload.api import Uploader
from turboupload.cli.failures import BUG, INTERRUPTED, exit_code_for, tell_bug, tell_error
from turboupload.cli.lines import Ending, JsonLines
from turboupload.cli.logs import configure_logs
from turboupload.cli.options import DURATION, RATE, SIZE, TAG, connection_options, option
from turboupload.cli.running import Interrupted, run_command
from turboupload.cli.screen import Screen, describe_result, open_screen
from turboupload.config import UploadConfig
from turboupload.core.model import FileType, ReadSet
from turboupload.core.notices import Notice, Rehearsal, UploadResult
from turboupload.errors import IntegrityError, Stopped, TurbouploadError, UploadBusy
from turboupload.units import format_size

__all__ = ["upload"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """What the command line asks for."""

    read_set: ReadSet
    store_id: str
    config: UploadConfig
    dry_run: bool
    as_json: bool
    quiet: bool


@click.command(no_args_is_help=True)
@click.argument("files", metavar="FILE [FILE2]", nargs=-1, required=True, type=click.Path())
@option("--store", metavar="ID", required=True, help="The sequence store: 10 to 36 digits.")
@option("--name", metavar="NAME", required=True, help="The read set's name.")
@option("--sample", metavar="ID", required=True, help="The sample's id.")
@option("--subject", metavar="ID", required=True, help="The subject's id.")
@option(
    "--type",
    type=click.Choice(list(FileType), case_sensitive=False),
    help="What the file is; by default its content decides.",
)
@option("--reference", metavar="ARN", help="The reference's ARN; BAM and CRAM need one.")
@option("--generated-from", metavar="TEXT", help="Where the data comes from, such as a run.")
@option("--description", metavar="TEXT", help="A description of the read set.")
@option("--tag", type=TAG, multiple=True, help="A tag; may be given up to 50 times.")
@option(
    "--part-size",
    type=SIZE,
    help="Size of a part; by default 100MiB, or less for files under 1.6 GiB.",
)
@option(
    "--concurrency",
    metavar="N",
    type=click.IntRange(1, 1000),
    help="Parts in flight; by default as many as the link can use, up to 64.",
)
@option(
    "--checksum",
    type=click.Choice(["sha256", "xxh3"]),
    default="sha256",
    show_default=True,
    help="sha256 compares each part with the service's checksum; xxh3 is cheaper and does not.",
)
@option("--max-bandwidth", type=RATE, help="Never send faster than this, such as 200MiB/s.")
@option("--wait/--no-wait", default=True, help="Whether to wait until the read set is ACTIVE.")
@option(
    "--wait-timeout", type=DURATION, help="Wait no longer than this; by default it always does."
)
@option("--no-resume", is_flag=True, help="Leave what earlier runs sent alone and start anew.")
@option("--upload-id", metavar="ID", help="Go on with this very upload.")
@option("--force", is_flag=True, help="Upload anew even if the read set exists.")
@option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout.")
@option("--quiet", is_flag=True, help="Print the read set's id, and nothing else but errors.")
@click.option(
    "-v", "--verbose", count=True, help="Log what happens on stderr; -vv logs every call."
)
@connection_options
def upload(**given: Any) -> None:
    """Upload FILE, or the FASTQ pair FILE (R1) and FILE2 (R2), into a sequence store.

    Run the same command again after any interruption: it goes on where it stopped. When the read
    set exists already, it says so and sends nothing.
    """
    began = time.monotonic()
    configure_logs(given["verbose"])
    ending = Ending()
    lines = JsonLines(ending) if given["as_json"] else None
    screen = open_screen(quiet=given["quiet"] or given["as_json"])
    code = 0
    try:
        job = _job(given)
        outcome = run_command(lambda: _carry_out(job, ending, lines, screen))
        screen.close()
        _tell_outcome(outcome, job, lines)
    except TurbouploadError as error:
        screen.close()
        tell_error(error)
        _tell_how_to_go_on(error)
        if lines is not None:
            lines.fail(error, time.monotonic() - began)
        code = exit_code_for(error)
    except Interrupted:
        screen.close()
        click.echo("interrupted; what arrived is kept. To go on, run the same command:", err=True)
        click.echo(f"  {_this_command()}", err=True)
        if lines is not None:
            lines.interrupted(time.monotonic() - began)
        code = INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:  # JSON's readers get their last line for a bug, too
        screen.close()
        tell_bug(error)
        if lines is not None:
            lines.unexpected(error, time.monotonic() - began)
        code = BUG
    sys.exit(code)


def _job(given: dict[str, Any]) -> _Job:
    """Values to objects, which check themselves."""
    read_set = ReadSet(
        sources=list(given["files"]),
        file_type=given["type"],
        name=given["name"],
        sample_id=given["sample"],
        subject_id=given["subject"],
        reference_arn=given["reference"],
        generated_from=given["generated_from"],
        description=given["description"],
        tags=dict(given["tag"]),
    )
    config = UploadConfig(
        region=given["region"],
        profile=given["profile"],
        endpoint_url=given["endpoint_url"],
        ca_bundle=given["ca_bundle"],
        verify_tls=not given["insecure_accept_any_certificate"],
        part_size_bytes=given["part_size"],
        concurrency=given["concurrency"],
        checksum=given["checksum"],
        resume=not given["no_resume"],
        upload_id=given["upload_id"],
        force=given["force"],
        wait=given["wait"],
        wait_timeout_s=given["wait_timeout"],
        connect_timeout_s=given["connect_timeout"],
        stall_timeout_s=given["stall_timeout"],
        give_up_after_s=given["give_up_after"],
        max_bandwidth=given["max_bandwidth"],
        state_dir=given["state_dir"],
    )
    return _Job(
        read_set=read_set,
        store_id=given["store"],
        config=config,
        dry_run=given["dry_run"],
        as_json=given["as_json"],
        quiet=given["quiet"],
    )


async def _carry_out(
    job: _Job, ending: Ending, lines: JsonLines | None, screen: Screen
) -> UploadResult | Rehearsal:
    def hear(notice: Notice) -> None:
        ending.hear(notice)
        screen.hear(notice)
        if lines is not None:
            lines.hear(notice)

    async with Uploader(job.config) as uploader:
        if job.dry_run:
            return await uploader.rehearse(job.read_set, job.store_id, on_event=hear)
        return await uploader.upload(job.read_set, job.store_id, on_event=hear)


def _tell_outcome(outcome: UploadResult | Rehearsal, job: _Job, lines: JsonLines | None) -> None:
    if isinstance(outcome, Rehearsal):
        if lines is not None:
            lines.rehearsed(outcome)
        else:
            click.echo(_describe_rehearsal(outcome))
    elif lines is not None:
        lines.finish(outcome)
    else:
        click.echo(outcome.read_set_id if job.quiet else describe_result(outcome))


def _describe_rehearsal(found: Rehearsal) -> str:
    what = (
        f"{found.file_type}, {format_size(found.total_bytes)} in {found.parts:,} parts of "
        f"{format_size(found.part_size)}"
    )
    match found.verdict:
        case "exists":
            return f"would send nothing: read set {found.read_set_id} is there already ({what})"
        case "complete":
            return f"would only complete upload {found.upload_id}: all parts are there ({what})"
        case "resume":
            check = (
                f", read {found.parts_to_check:,} parts here and compare them with the service's"
                if found.parts_to_check
                else ""
            )
            return (
                f"would go on with upload {found.upload_id}: skip {found.parts_there:,} parts"
                f"{check}, send {format_size(found.bytes_to_send)} ({what})"
            )
        case "create":
            return f"would send {format_size(found.bytes_to_send)} ({what})"


def _tell_how_to_go_on(error: TurbouploadError) -> None:
    resumable = isinstance(error, Stopped | IntegrityError) and not isinstance(error, UploadBusy)
    if resumable and error.upload_id is not None:
        click.echo(f"to go on:\n  {_this_command()}", err=True)


def _this_command() -> str:
    return shlex.join(["turboupload", *sys.argv[1:]])
