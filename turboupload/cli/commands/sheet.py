"""`turboupload sheet`: a folder becomes a sample sheet for a person to review."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from turboupload.cli.lazy import importing
from turboupload.cli.options.configurations import sheet_defaults
from turboupload.cli.options.help import Section
from turboupload.cli.options.shared import mates, merge_rows, name_pattern, option, subject_rule
from turboupload.cli.options.values import PATH, TAG
from turboupload.cli.session.command import Command
from turboupload.cli.ui.output import pour, say
from turboupload.errors import ConfigError

if TYPE_CHECKING:
    from turboupload.cli.reporters.reporter import Reporter
    from turboupload.core.sheet.model import Sheet, SheetFinding, SheetRow
    from turboupload.core.sheet.writing import SheetFormat

__all__ = ["sheet"]

_MOST_TOLD = 20


@click.command(
    cls=Command,
    words="sheet",
    no_args_is_help=True,
    examples=("sheet run42 --output sheet.csv", "sheet run42 --recursive --subject trio-7"),
)
@click.argument("folder", metavar="FOLDER", type=PATH)
@option(
    "--output",
    "-o",
    type=PATH,
    metavar="FILE",
    help="Write the sheet to this new file, with paths relative to it; by default to stdout, with "
    "absolute paths.",
)
@option("--overwrite", is_flag=True, help="Replace the sheet if it exists.")
@option(
    "--format",
    "form",
    type=click.Choice(["csv", "tsv", "jsonl"]),
    help="The sheet's format; by default the one of the file's name, else csv.",
)
@option(
    "--recursive",
    "-r",
    is_flag=True,
    help="Search subfolders, too. Those of a sequencer's run are always searched.",
)
@merge_rows(Section.COMMON)
@option("--sample", metavar="ID", help="The sample's id in all rows; by default from the files.")
@option("--subject", metavar="ID", help="The subject's id in all rows; by default the sample's.")
@subject_rule(Section.COMMON)
@name_pattern(Section.COMMON, by_default="by default {name}_{short_run}_{chunk}")
@mates(Section.COMMON)
@option(
    "--odd-ids", is_flag=True, help="Accept ids that look as if a spreadsheet had changed them."
)
@option(
    "--reference",
    section=Section.READ_SET,
    metavar="ARN",
    help="The reference in a HealthOmics reference store, for BAM and CRAM.",
)
@option(
    "--generated-from",
    section=Section.READ_SET,
    metavar="TEXT",
    help="Where the data comes from; by default the run, where it is known.",
)
@option(
    "--description",
    section=Section.READ_SET,
    metavar="TEXT",
    help="A description, up to 255 characters.",
)
@option(
    "--tag",
    section=Section.READ_SET,
    type=TAG,
    multiple=True,
    help="A tag for all rows; may be given up to 50 times.",
)
@option(
    "--json",
    "as_json",
    is_flag=True,
    help="One JSON object a line on stdout: each row, what is left out and why, and how it ended.",
)
@option("--quiet", is_flag=True, help="Say only what went wrong.")
def sheet(**given: Any) -> None:
    """Write a sample sheet of the sequencing files in FOLDER, for you to review.

    The folders of Illumina (BCL Convert, DRAGEN, 10x), Oxford Nanopore and PacBio are understood:
    which files belong together, whose they are and of which run. Samples of BAM and CRAM files are
    read from their headers. What isn't certain is left out or left open. What was left out, and
    why, is said on stderr. FOLDER may also be a fastq_list.csv of BCL Convert or DRAGEN.
    """
    with importing():
        from turboupload.cli.reporters.reporter import Reporter
        from turboupload.cli.session.run import Session

    # With JSON everything is written.
    reporter = Reporter("sheet", {**given, "quiet": given["quiet"] and not given["as_json"]})
    Session(reporter).run_blocking(lambda: _write(given, reporter))


def _write(given: Mapping[str, Any], reporter: Reporter) -> int:
    from turboupload.core.sheet.reading import parse_sheet
    from turboupload.core.sheet.writing import write_sheet
    from turboupload.files.run_folders import propose_sheet
    from turboupload.files.sheets import relative_to, write_new

    output, form, defaults = given["output"], _form(given), sheet_defaults(given)
    found = propose_sheet(
        given["folder"], recursive=given["recursive"], defaults=defaults, mates=given["mates"]
    )
    rows = found.rows if output is None else relative_to(found.rows, output)
    _check_paths(rows, form)
    text = write_sheet(rows, form)
    if output is not None:
        write_new(output, text, overwrite=given["overwrite"])
    elif not reporter.as_json:
        pour(text)
    # Such as a sample's name that is too long: reading the sheet would report it later.
    # A row without a sample has been warned of.
    open_rows = {row.number for row in rows if row.sample_id is None}
    faults = tuple(
        each
        for each in parse_sheet(text, defaults).errors
        if each.row not in open_rows or each.column not in ("sample", "subject")
    )
    return _tell(found, faults, reporter, output)


def _check_paths(rows: tuple[SheetRow, ...], form: SheetFormat) -> None:
    """Refuses paths that the sheet can't hold.

    Raises:
        InputError: There is one.
    """
    from turboupload.core.sheet.writing import unwritable
    from turboupload.errors import InputError

    for row in rows:
        for source in row.paths:
            if why := unwritable(source, form):
                raise InputError(why, path=source, hint="write the sheet into FOLDER with --output")


def _tell(
    found: Sheet, faults: tuple[SheetFinding, ...], reporter: Reporter, output: str | None
) -> int:
    if not reporter.as_json:
        _tell_findings(faults)
        if not reporter.quiet:
            _tell_findings(found.findings)
            say(_summary(found) + ("" if output is None else f": {output}"))
    _tell_program(found, faults, reporter)
    return reporter.done(
        rows=len(found.rows),
        pairs=_pairs(found),
        samples=_samples(found),
        left_out=sum(len(each.paths) for each in found.left_out),
        path=output,
    )


def _tell_program(found: Sheet, faults: tuple[SheetFinding, ...], reporter: Reporter) -> None:
    from turboupload.cli.ui.events import fields_of

    for run in found.runs:
        reporter.event("run", fields_of(run))
    for row in found.rows:
        reporter.event("row", {**fields_of(row), "row": row.number})
    for each in found.left_out:
        reason = each.reason
        reporter.event(
            "left_out",
            {
                "code": each.code,
                "reason": reason.words,
                "hint": reason.hint,
                "harmless": reason.harmless,
                "paths": list(each.paths),
            },
        )
    for finding in (*faults, *found.findings):
        reporter.event("finding", fields_of(finding))


def _tell_findings(findings: tuple[SheetFinding, ...]) -> None:
    """Prints findings on stderr, as many as a person would read."""
    for each in findings[:_MOST_TOLD]:
        say(f"{each.severity}: {each}")
        if each.hint:
            say(f"  {each.hint}")
    if len(findings) > _MOST_TOLD:
        say(f"and {len(findings) - _MOST_TOLD:,} more like these")


def _form(given: Mapping[str, Any]) -> SheetFormat:
    if given["form"] is not None:
        form: SheetFormat = given["form"]
        return form
    name = (given["output"] or "").lower()
    if name.endswith((".xlsx", ".xls", ".ods")):
        raise ConfigError(
            "a sheet is written as text, not as a workbook", path=given["output"],
            hint="end the file's name in .csv, which Excel opens, .tsv or .jsonl",
        )  # fmt: skip
    return "tsv" if name.endswith(".tsv") else "jsonl" if name.endswith(".jsonl") else "csv"


def _pairs(found: Sheet) -> int:
    return sum(len(row.sources) == 2 for row in found.rows)


def _samples(found: Sheet) -> int:
    return len({row.sample_id for row in found.rows} - {None})


def _summary(found: Sheet) -> str:
    from turboupload.units import counted

    files = sum(len(row.paths) for row in found.rows)
    merged = f" of {counted(files, 'file')}" if files > _pairs(found) + len(found.rows) else ""
    return (
        f"{counted(len(found.rows), 'row')} ({counted(_pairs(found), 'pair')}){merged} of "
        f"{counted(_samples(found), 'sample')}"
    )
