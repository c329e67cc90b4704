"""`turboupload watch`: the runs of a folder become batches when they are over, each once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from turboupload.cli.lazy import importing
from turboupload.cli.options.help import Section
from turboupload.cli.options.shared import (
    STORE_OR_NONE,
    UPLOAD_COMMAND,
    mates,
    merge_rows,
    option,
    row_defaults,
)
from turboupload.cli.options.store import with_store_id
from turboupload.cli.options.values import DURATION, PATH
from turboupload.cli.session.command import Command
from turboupload.core.next_step import RESULTS_FORMATS

if TYPE_CHECKING:
    from turboupload.cli.options.watch_rules import RuleOfFile
    from turboupload.cli.reporters.watch import WatchReporter
    from turboupload.core.watch.notices import WatchResult
    from turboupload.core.watch.rules import WatchRule

__all__ = ["watch"]


class _Watch(Command):
    def reporter(self, given: Mapping[str, Any]) -> WatchReporter:
        from turboupload.cli.reporters.watch import WatchReporter

        return WatchReporter(given)


@click.command(
    cls=_Watch,
    words="watch",
    no_args_is_help=True,
    examples=(
        "watch /data/runs --store 1234567890 --subject-from sample",
        "watch /data/runs --rules watch.toml --once",
    ),
)
@click.argument("folder", metavar="FOLDER", type=PATH)
@STORE_OR_NONE
@option(
    "--rules",
    type=PATH,
    metavar="FILE",
    help="Rules in TOML: for which runs which store, subjects and other options hold.",
)
@option("--once", is_flag=True, help="Send the runs that have finished now, and end: for cron.")
@option("--status", is_flag=True, help="List what is known about the runs, and do nothing.")
@option(
    "--again",
    metavar="RUN",
    multiple=True,
    help="Run the batch of this run again, however it ended; nothing is sent twice.",
)
@option(
    "--sentinel",
    section=Section.WAITING,
    metavar="FILE|none",
    help="The file that says that a run is over, such as Logs/done.txt; none where there is no "
    "such file, so that a run must only stop changing. By default those of the instruments.",
)
@option(
    "--settle",
    section=Section.WAITING,
    type=DURATION,
    default="5m",
    show_default=True,
    help="How long the files of a finished run must not have changed.",
)
@option(
    "--every",
    section=Section.WAITING,
    type=DURATION,
    default="1m",
    show_default=True,
    help="How often to look, even where the file system reports changes.",
)
@option(
    "--poll",
    section=Section.WAITING,
    is_flag=True,
    help="Look only at intervals, which is the default on NFS, SMB and the like.",
)
@option(
    "--output",
    type=PATH,
    metavar="DIR",
    help="Where each run gets a folder for its sheet, results and report; by default in the state "
    "folder.",
)
@option(
    "--results-format",
    type=click.Choice(RESULTS_FORMATS),
    help="Write what the next step takes beside each run's results: samplesheet.csv for nf-core, "
    "run-settings.json for healthomics-run.",
)
@row_defaults(type_by="content decides", reference="; BAM and CRAM need one")
@merge_rows(Section.ROWS)
@mates(Section.ROWS)
@option("--quiet", is_flag=True, help="Say only what went wrong.")
@UPLOAD_COMMAND
def watch(**given: Any) -> None:
    """Upload the runs in FOLDER as they are over, each once: its sheet becomes a batch.

    A run is over when its sentinel is there (CopyComplete.txt, RTAComplete.txt, FastqComplete.txt,
    final_summary*.txt, *.transferdone) and its files are at rest. Killed at any moment, the same
    command goes on.

    A batch that fails runs again after 1, 5 and 15 minutes, 1 and 4 hours, and then a person must
    look; one that was stopped, by an outage for example, runs again until it is done.

    \b
    Exit codes, with --once and --status:
      0    every run that is over is done
      1    a bug
      2    usage or configuration
      3    FOLDER can't be read
      5    another process watches this folder; or a run is to be tried again
      8    a run has failed too often
      130  interrupted; the same command goes on
    """  # noqa: D301 - click's own mark for text that must not be wrapped
    with importing():
        from turboupload.cli.reporters.watch import WatchReporter
        from turboupload.cli.session.observation import clean_up_s
        from turboupload.cli.session.run import Session

    reporter = WatchReporter(given)
    command = click.get_current_context().command
    Session(reporter, clean_up_s=clean_up_s(given)).run(
        lambda: _carry_out(given, command, reporter),
        reporter.ended,
        needs=("turboupload.watching", "turboupload.cli.session.job"),
    )


async def _carry_out(
    given: Mapping[str, Any], command: click.Command, reporter: WatchReporter
) -> WatchResult:
    """Watches until it is interrupted; with `--once` or `--status`, for a pass.

    Raises:
        TurbouploadError: See `turboupload.errors`.
    """
    from anyio import to_thread

    from turboupload.cli.options.configurations import upload_config
    from turboupload.cli.options.watch_rules import read_rules
    from turboupload.cli.session.observation import observed
    from turboupload.core.watch.notices import RunChanged
    from turboupload.watching import watch_status

    rules = read_rules(given["rules"], command) if given["rules"] is not None else ()
    if given["status"]:
        config = upload_config(given)
        known = await to_thread.run_sync(lambda: watch_status(given["folder"], config=config))
        for run in known.runs:
            reporter.hear(RunChanged(run))
        return known
    if given["report"] is not None:
        _check_report(given["report"])
    with observed(given, reporter.tell):
        return await _watch(given, rules, reporter)


def _check_report(name: str) -> None:
    """Makes sure that each run can have a page.

    Raises:
        ConfigError: None can.
    """
    from turboupload.errors import ConfigError
    from turboupload.report.place import require_drawing

    if Path(name).name != name:
        raise ConfigError(
            f"--report {name} has a folder in it, and each run's page lies in its own",
            hint="give a name only, such as report.html",
        )
    require_drawing()


async def _watch(
    given: Mapping[str, Any], rules: Sequence[RuleOfFile], reporter: WatchReporter
) -> WatchResult:
    from turboupload.cli.options.configurations import sheet_defaults, upload_config
    from turboupload.cli.session.job import listed
    from turboupload.core.batch_jobs import watch_progress_after
    from turboupload.watching import watch as watch_folder

    given = await with_store_id(given)
    config = upload_config(given)
    told = [await _watch_rule(given, each) for each in rules]

    async def watched(**more: Any) -> WatchResult:
        return await watch_folder(
            given["folder"],
            store_id=_plain(given["store"]),
            config=config,
            rules=told,
            defaults=sheet_defaults(given),
            mates=given["mates"],
            sentinel=given["sentinel"],
            settle_s=given["settle"],
            every_s=given["every"],
            poll=given["poll"],
            once=given["once"],
            dry_run=given["dry_run"],
            again=given["again"],
            output=given["output"],
            results_format=given["results_format"],
            **more,
        )

    if given["dry_run"]:
        return await watched(on_event=reporter.hear)
    async with listed(
        config, reporter.tell, kind="watch", about=given["folder"], store_id=given["store"] or ""
    ) as job:
        result = await watched(
            on_event=job.hearing(watch_progress_after, reporter.hear), on_start=job.obey
        )
        job.ended(*reporter.how_it_ended(result))
    return result


async def _watch_rule(given: Mapping[str, Any], rule: RuleOfFile) -> WatchRule:
    """A rule as the library takes it: its options over those of the command."""
    from turboupload.cli.options.configurations import sheet_defaults, upload_config
    from turboupload.core.watch.rules import WatchRule

    wanted = await with_store_id({**given, **rule.given})
    return WatchRule(
        match=rule.match,
        skip=rule.skip,
        store_id=_plain(wanted["store"]),
        config=upload_config(wanted),
        defaults=sheet_defaults(wanted),
        mates=wanted["mates"],
        sentinel=rule.sentinel,
        settle_s=rule.settle_s,
        results_format=wanted["results_format"],
    )


def _plain(store: str | None) -> str | None:
    """A store's id without the ARN that it may come from."""
    return None if store is None else str(store)
