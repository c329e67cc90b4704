"""`turboupload jobs`: what runs on this machine, changed while it runs, and what ended how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from turboupload.cli.lazy import importing
from turboupload.cli.options.shared import option, together
from turboupload.cli.options.values import COUNT_OR_AUTO, PATH, RATE_OR_NONE
from turboupload.cli.session.command import Command, Group
from turboupload.errors import ConfigError

if TYPE_CHECKING:
    from turboupload.cli.reporters.reporter import Reporter
    from turboupload.core.jobs import Asked
    from turboupload.jobs.client import Seen

__all__ = ["jobs"]

ENDED_SHOWN: Final = 10
"""How many of those that ended are listed, unless all are asked for."""


class _Jobs(Group):
    """A group whose `list` runs if no command is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Adds the word that was left out."""
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Jobs, subcommand_metavar="[COMMAND] [ARGS]…")
def jobs() -> None:
    """Look after uploads and batches that run on this machine, and see how earlier ones ended.

    Without a command, `list` is meant. A job is an `upload` or a `batch` with this state folder.
    The last 100 that ended within 30 days are remembered.
    """


_COMMON = together(
    option(
        "--json",
        "as_json",
        is_flag=True,
        help="One JSON object a line on stdout, the last one how it ended.",
    ),
    option("--quiet", is_flag=True, help="Print ids, one a line, and nothing but errors."),
    option(
        "--state-dir",
        type=PATH,
        metavar="DIR",
        help="Folder of the journal; else ~/.local/state/turboupload.",
    ),
)

_ID = click.argument("job", metavar="ID", type=click.IntRange(1))


@jobs.command(
    "list",
    cls=Command,
    words="jobs list",
    short_help="List what runs, and what ended and how.",
    examples=("jobs", "jobs list --all --json"),
)
@option(
    "--all",
    "everything",
    prefix="JOBS_",
    is_flag=True,
    help=f"List all jobs that are remembered; by default the last {ENDED_SHOWN} that ended.",
)
@_COMMON
def list_(**given: Any) -> None:
    """List what runs on this machine, and what ended and how.

    SAFE is what the service has accepted: no interruption loses it. A job that was killed ended
    without a word; how far it had come is as of its last two seconds.
    """
    _run(given, _list)


def _list(given: Mapping[str, Any], reporter: Reporter) -> int:
    from turboupload.cli.reporters.jobs import job_columns, job_fields
    from turboupload.cli.reporters.tables import Rows
    from turboupload.jobs.client import list_jobs
    from turboupload.units import counted

    found = list_jobs(_folder(given))
    gone = [seen for seen in found if seen.state in ("ended", "killed")]
    hidden = [] if given["everything"] else gone[:-ENDED_SHOWN]
    shown = [seen for seen in found if seen not in hidden]
    rows = Rows(
        reporter, "job", job_columns(shown), fields=job_fields, id_of=lambda seen: str(seen.job.id)
    )
    rows.write(shown)
    if not found:
        reporter.note("nothing runs here, and nothing has ended here within 30 days")
    if hidden:
        reporter.note(f"{counted(len(hidden), 'earlier job')} not shown; --all shows them")
    return reporter.done(count=rows.count, running=len(found) - len(gone))


@jobs.command(
    "show",
    cls=Command,
    words="jobs show",
    examples=("jobs show 7",),
    short_help="Show everything that is known about a job.",
    no_args_is_help=True,
)
@_ID
@_COMMON
def show(**given: Any) -> None:
    """Show everything that is known about job ID."""
    _run(given, _show)


def _show(given: Mapping[str, Any], reporter: Reporter) -> int:
    from turboupload.cli.reporters.jobs import job_properties
    from turboupload.cli.reporters.tables import record_lines
    from turboupload.jobs.client import find_job

    seen = find_job(_folder(given), given["job"])
    _tell(seen, record_lines(job_properties(seen)), reporter)
    return reporter.done()


@jobs.command(
    "set",
    cls=Command,
    words="jobs set",
    examples=("jobs set 7 --max-bandwidth 20MiB/s", "jobs set 7 --concurrency auto"),
    short_help="Cap a job that runs, or change how many parts it sends at a time.",
    no_args_is_help=True,
)
@_ID
@option(
    "--max-bandwidth",
    prefix="JOBS_",
    type=RATE_OR_NONE,
    metavar="RATE|none",
    help="Never send faster than this from now on, such as 20MiB/s; none lifts the cap.",
)
@option(
    "--concurrency",
    prefix="JOBS_",
    type=COUNT_OR_AUTO,
    metavar="N|auto",
    help="Parts sent at a time from now on; auto finds the number.",
)
@_COMMON
def set_(**given: Any) -> None:
    """Change how job ID goes on; it obeys within two seconds.

    A cap holds for the parts in flight as well. With fewer parts at a time, those in flight come to
    their end first.

    \b
    Exit codes:
      0    it was changed
      2    there is no such job, or it has ended
      5    it does not answer
    """  # noqa: D301 - click's own mark for text that must not be wrapped
    _run(given, _set)


def _set(given: Mapping[str, Any], reporter: Reporter) -> int:
    from turboupload.core.jobs import Asked

    wanted = {name: given[name] for name in ("max_bandwidth", "concurrency") if _is_asked(name)}
    # 0 stands for what lifts it: it can't be given.
    settings = {name: value or None for name, value in wanted.items() if value is not None}
    if not settings:
        raise ConfigError(
            "nothing is to be set", hint="name --max-bandwidth, --concurrency, or both"
        )
    return _tell_it(Asked("set", settings), given, reporter)


def _is_asked(name: str) -> bool:
    """Whether an option was given: what the settings file has is for what begins, not for this."""
    source = click.get_current_context().get_parameter_source(name)
    return source is not click.core.ParameterSource.DEFAULT_MAP


@jobs.command(
    "pause",
    cls=Command,
    words="jobs pause",
    examples=("jobs pause 7",),
    short_help="Let a job send nothing new until it is resumed.",
    no_args_is_help=True,
)
@_ID
@_COMMON
def pause(**given: Any) -> None:
    """Let job ID send nothing new until `turboupload jobs resume`.

    Parts in flight come to their end, and what has arrived whole is completed. However long it
    lasts, no time-out runs, and everything stays resumable; Ctrl-C ends a paused job as any.

    Exit codes are those of `jobs set`.
    """
    from turboupload.core.jobs import Asked

    _run(given, lambda given, reporter: _tell_it(Asked("pause"), given, reporter))


@jobs.command(
    "resume",
    cls=Command,
    words="jobs resume",
    examples=("jobs resume 7",),
    short_help="Let a paused job go on.",
    no_args_is_help=True,
)
@_ID
@_COMMON
def resume(**given: Any) -> None:
    """Let job ID go on after `turboupload jobs pause`.

    Exit codes are those of `jobs set`.
    """
    from turboupload.core.jobs import Asked

    _run(given, lambda given, reporter: _tell_it(Asked("resume"), given, reporter))


# --- what they share ------------------------------------------------------------------------


def _run(given: Mapping[str, Any], act: Callable[[Mapping[str, Any], Reporter], int]) -> None:
    """Runs the current command, and ends the process with its exit code."""
    command = click.get_current_context().command
    assert isinstance(command, Command)
    with importing():
        from turboupload.cli.session.run import Session

        reporter = command.reporter(given)
    Session(reporter).run_blocking(lambda: act(given, reporter))


def _folder(given: Mapping[str, Any]) -> Any:
    from turboupload.config import UploadConfig

    return UploadConfig(state_dir=given["state_dir"]).state_folder


def _tell_it(asked: Asked, given: Mapping[str, Any], reporter: Reporter) -> int:
    from turboupload.cli.session.job import told_words
    from turboupload.jobs.client import Seen, find_job, tell_job

    seen = find_job(_folder(given), given["job"])
    job = tell_job(seen, asked)
    _tell(
        Seen(job, "paused" if job.progress.paused else "running"), told_words(asked, job), reporter
    )
    return reporter.done()


def _tell(seen: Seen, words: str, reporter: Reporter) -> None:
    from turboupload.cli.reporters.jobs import job_fields

    reporter.event("job", job_fields(seen))
    if reporter.for_people:
        reporter.result(words)
    elif not reporter.as_json:
        reporter.result(str(seen.job.id))
