"""`turboupload receipt`: what was sent, the outcome, and what that proves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from turboupload.cli.lazy import importing
from turboupload.cli.options.help import HelpfulCommand
from turboupload.cli.options.shared import option
from turboupload.cli.options.values import PATH
from turboupload.cli.session.command import Command, Group
from turboupload.cli.ui.output import pour
from turboupload.errors import InputError, TurbouploadError
from turboupload.units import format_duration, format_size

if TYPE_CHECKING:
    from turboupload.cli.reporters.reporter import Reporter
    from turboupload.files.receipt_check import ReceiptCheck

__all__ = ["receipt"]

_NO: Final = 6
"""The exit code of a negative answer."""


@click.group(cls=Group)
def receipt() -> None:
    """The receipts of what was uploaded."""


@receipt.command(
    "show",
    cls=HelpfulCommand,
    examples=("receipt show HG002",),
    short_help="Print the receipt of a read set, as the journal has it.",
    no_args_is_help=True,
)
@click.argument("read_set", metavar="READSET|NAME")
@option(
    "--state-dir",
    type=PATH,
    metavar="DIR",
    help="Folder of the journal; else ~/.local/state/turboupload.",
)
def show(read_set: str, state_dir: str | None) -> None:
    """Print the receipt of a read set, given by its id or its name, as JSON.

    Every upload leaves one in the journal of the machine that made it.
    """
    from turboupload.config import UploadConfig
    from turboupload.core.proof.receipt_reading import read_receipt
    from turboupload.paths import not_utf8
    from turboupload.state.folder import journal_path
    from turboupload.state.journal import Journal, KeptReceipt

    folder = UploadConfig(state_dir=state_dir).state_folder
    found: list[KeptReceipt] = []
    if journal_path(folder).exists():
        journal = Journal(folder)
        try:
            # No read set has a name that is no text, and the journal can't be asked for it.
            found = [] if not_utf8(read_set) else journal.receipts(read_set)
        finally:
            journal.close()
    if not found:
        raise InputError(
            f"the journal has no receipt of {read_set}",
            path=str(folder),
            hint="it has those of uploads that were made with it; another folder is named with "
            "--state-dir",
        )
    if len({each.read_set_id for each in found}) > 1:
        raise _ambiguous(read_set, [each.read_set_id for each in found])
    # The journal's file may have been damaged: what is printed is a receipt, or an error.
    read_receipt(_document(found[-1].body), path=str(folder))
    pour(found[-1].body)


def _document(body: str) -> object:
    try:
        document: object = json.loads(body)
    except ValueError:
        return None
    return document


def _ambiguous(name: str, read_set_ids: list[str]) -> TurbouploadError:
    return InputError(
        f"{len(read_set_ids)} read sets are called {name}: {', '.join(read_set_ids)}",
        hint="give the id of one of them; the last was written last",
    )


@receipt.command(
    "verify",
    cls=Command,
    words="receipt verify",
    examples=("receipt verify sample.receipt.json sample.bam",),
    short_help="Compare files with a receipt: are they proven to be in the store?",
    no_args_is_help=True,
)
@click.argument("path", metavar="RECEIPT", type=PATH)
@click.argument("files", metavar="[FILE]…", nargs=-1, type=PATH)
@option("--threads", type=click.IntRange(1, 64), help="How many threads to use.")
@option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@option("--quiet", is_flag=True, help="Nothing but errors; the exit code has the answer.")
def verify(**given: Any) -> None:
    """Compute every digest of RECEIPT again from its files, and say yes or no.

    Without FILE, those are read that the receipt names. The order doesn't matter. The answer is
    yes only where the files are those of the receipt and it proves that the store has them. Nothing
    is asked of the service.

    \b
    Exit codes:
      0    yes
      3    the receipt, or a file, can't be read
      6    no: another file, a receipt that was changed, or one that proves nothing
    """  # noqa: D301 - click's own mark for text that must not be wrapped
    with importing():
        from turboupload.cli.reporters.reporter import Reporter
        from turboupload.cli.session.run import Session

    reporter = Reporter("receipt verify", given)
    reporter.about["receipt"] = given["path"]
    Session(reporter).run_blocking(lambda: _verify(given, reporter))


def _verify(given: Mapping[str, Any], reporter: Reporter) -> int:
    from turboupload.cli.ui.progress import ReadingProgress
    from turboupload.files.receipt_check import check_receipt
    from turboupload.state.receipt_file import load_receipt

    progress = ReadingProgress("verifying", silent=not reporter.for_people)
    try:
        loaded = load_receipt(given["path"])
        check = check_receipt(loaded, given["files"], threads=given["threads"], progress=progress)
    finally:
        progress.end()
    if reporter.for_people:
        reporter.result(_describe(check, reporter.seconds))
    return reporter.done(
        code=0 if check.proven else _NO,
        outcome="yes" if check.proven else "no",
        **_found(check),
    )


def _found(check: ReceiptCheck) -> dict[str, Any]:
    verdict = check.receipt.verdict
    return {
        "files_match": check.files_match,
        "proven": check.proven,
        "proven_by": list(verdict.by) if check.proven else [],
        "statement": verdict.statement,
        "read_set_id": check.receipt.read_set.get("id"),
        "files": [
            {"path": each.path, "source": each.source, "sentence": each.sentence}
            for each in check.files
        ],
    }


def _describe(check: ReceiptCheck, seconds: float) -> str:
    lines = []
    for each in check.files:
        lines.append(f"{'ok' if each.source else 'no'}  {each.path}: {each.sentence}")
    size = format_size(sum(record.size for record in check.receipt.files))
    read_set = check.receipt.read_set.get("id")
    if check.proven:
        lines.append(
            f"yes: these are the files of read set {read_set} ({size}, {format_duration(seconds)})"
        )
    elif check.files_match:
        lines.append(f"no: these are the files of read set {read_set}, but that proves nothing")
    else:
        lines.append(f"no: these are not the files of read set {read_set}")
    # What is said of the store holds for the receipt's files, so only where these are they.
    if check.files_match:
        lines.append(check.receipt.verdict.statement)
    return "\n".join(lines)
