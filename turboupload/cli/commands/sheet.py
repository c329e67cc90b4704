"""`turboupload sheet`: a folder becomes a sample sheet for a person to review."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from turboupload.cli.ui.help import HelpfulCommand, Section
from turboupload.cli.ui.options import merge_rows, option, sheet_defaults, subject_rule
from turboupload.cli.ui.output import pour, say
from turboupload.cli.ui.values import PATH, TAG

if TYPE_CHECKING:
    from turboupload.core.sheet.model import Sheet, SheetFinding
    from turboupload.core.sheet.writing import SheetFormat

__all__ = ["sheet"]

_MOST_TOLD = 20


@click.command(
    cls=HelpfulCommand,
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
@option("--overwrite", is_flag=True, help="Replace the sheet if it is there already.")
@option(
    "--format",
    "form",
    type=click.Choice(["csv", "tsv", "jsonl"]),
    help="The sheet's format; by default the one of the file's name, else csv.",
)
@option("--recursive", "-r", is_flag=True, help="Look into the folders in it, too.")
@merge_rows(Section.COMMON)
@option("--sample", metavar="ID", help="The sample's id in all rows; by default from the files.")
@option("--subject", metavar="ID", help="The subject's id in all rows; by default the sample's.")
@subject_rule(Section.COMMON)
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
    help="Where the data comes from, such as a run.",
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
@option("--quiet", is_flag=True, help="Say only what went wrong.")
def sheet(**given: Any) -> None:
    """Write a sample sheet of the sequencing files in FOLDER, for you to review.

    Pairs and lanes are recognised by their names, Illumina's names are understood, and samples of
    BAM and CRAM files are read from their headers. What was left out, and why, is said on stderr.
    """
    from turboupload.core.sheet.reading import parse_sheet
    from turboupload.core.sheet.writing import unwritable, write_sheet
    from turboupload.errors import InputError
    from turboupload.files.run_folders import propose_sheet
    from turboupload.files.sheets import relative_to, write_new

    output, form = given["output"], _form(given)
    found = propose_sheet(
        given["folder"], recursive=given["recursive"], defaults=sheet_defaults(given)
    )
    rows = found.rows if output is None else relative_to(found.rows, output)
    for row in rows:
        for source in row.paths:
            if why := unwritable(source, form):
                raise InputError(why, path=source, hint="write the sheet into FOLDER with --output")
    text = write_sheet(rows, form)
    if output is None:
        pour(text)
    else:
        write_new(output, text, overwrite=given["overwrite"])
    # Such as a sample's name that is too long: reading the sheet would report it later.
    _tell_findings(parse_sheet(text).errors)
    if not given["quiet"]:
        _tell_findings(found.findings)
        where = "" if output is None else f": {output}"
        say(_summary(found) + where)


def _tell_findings(findings: tuple[SheetFinding, ...]) -> None:
    """Prints findings on stderr, as many as a person would read."""
    for each in findings[:_MOST_TOLD]:
        say(f"{each.severity}: {each}")
        if each.hint:
            say(f"  {each.hint}")
    if len(findings) > _MOST_TOLD:
        say(f"and {len(findings) - _MOST_TOLD:,} more like these")


def _form(given: dict[str, Any]) -> SheetFormat:
    if given["form"] is not None:
        form: SheetFormat = given["form"]
        return form
    name = (given["output"] or "").lower()
    return "tsv" if name.endswith(".tsv") else "jsonl" if name.endswith(".jsonl") else "csv"


def _summary(found: Sheet) -> str:
    from turboupload.cli.ui.tables import counted

    pairs = sum(len(row.sources) == 2 for row in found.rows)
    files = sum(len(row.paths) for row in found.rows)
    merged = f" of {counted(files, 'file')}" if files > pairs + len(found.rows) else ""
    samples = len({row.sample_id for row in found.rows})
    return (
        f"{counted(len(found.rows), 'row')} ({counted(pairs, 'pair')}){merged} of "
        f"{counted(samples, 'sample')}"
    )
