"""`turboupload report`: the page of `--report`, made afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from turboupload.cli.lazy import importing
from turboupload.cli.options.shared import option
from turboupload.cli.options.values import PATH
from turboupload.cli.session.command import Command

if TYPE_CHECKING:
    from turboupload.cli.reporters.reporter import Reporter

__all__ = ["report"]


@click.command(
    cls=Command,
    words="report",
    no_args_is_help=True,
    examples=("report --output report.html", "report HG002 --output HG002.html"),
)
@click.argument("read_sets", metavar="[READSET|NAME]…", nargs=-1)
@option(
    "--output",
    prefix="REPORT_",
    type=PATH,
    metavar="FILE",
    help="The page to write. An earlier page is replaced, any other file is not.",
)
@option(
    "--finish",
    prefix="REPORT_",
    type=PATH,
    metavar="FILE",
    help="Add charts and proofs to this page of an interrupted run.",
)
@option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@option(
    "--state-dir",
    type=PATH,
    metavar="DIR",
    help="Folder of the journal; else ~/.local/state/turboupload.",
)
def report(**given: Any) -> None:
    """Write a page of what was uploaded, out of the receipts in this machine's journal.

    Read sets are given by id or name; without any, all are on it. How fast a run was, and what
    limited it, is known only while it runs: `--report` of `upload` and `batch` draws that, too.
    """
    with importing():
        from turboupload.cli.reporters.reporter import Reporter
        from turboupload.cli.session.run import Session

    reporter = Reporter("report", given)
    Session(reporter).run_blocking(lambda: _make(given, reporter))


def _make(given: Mapping[str, Any], reporter: Reporter) -> int:
    from turboupload.cli.reporters.page import now_iso
    from turboupload.config import UploadConfig
    from turboupload.errors import ConfigError, Stopped
    from turboupload.report.place import ReportPlace
    from turboupload.report.proofs import report_afterwards, with_proofs

    if (given["output"] is None) == (given["finish"] is None):
        raise ConfigError("give either --output or --finish")
    if given["finish"] is not None and given["read_sets"]:
        raise ConfigError("--finish takes no read sets: those of the run are on its page")
    place = ReportPlace(given["output"] or given["finish"])
    folder = UploadConfig(state_dir=given["state_dir"]).state_folder
    if given["finish"] is not None:
        found = with_proofs(place.unfinished(), folder)
    else:
        found = report_afterwards(folder, given["read_sets"], began=now_iso())
    try:
        place.write(found)
    except OSError as error:
        why = error.strerror or str(error)
        raise Stopped(f"the report can't be written: {why}", path=str(place.path)) from error
    if reporter.for_people:
        count = len(found.rows)
        reporter.result(f"{count:,} read set{'s' * (count != 1)}: {place.path}")
    return reporter.done(read_sets=len(found.rows), path=str(place.path))
