"""`turboupload receipt verify`: are these the files of the receipt, and what does it prove?"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from turboupload.cli.ui.errors import exit_code_for, tell_error
from turboupload.cli.ui.options import option
from turboupload.cli.ui.progress import ReadingProgress
from turboupload.errors import TurbouploadError
from turboupload.units import format_duration, format_size

if TYPE_CHECKING:
    from turboupload.files.receipt_check import ReceiptCheck

__all__ = ["verify"]

NO = 6
"""The exit code of a no."""


@click.command("verify", no_args_is_help=True)
@click.argument("path", metavar="RECEIPT")
@click.argument("files", metavar="[FILE]…", nargs=-1)
@option("--threads", type=click.IntRange(1, 64), help="How many threads to use.")
@option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@option("--quiet", is_flag=True, help="Nothing but errors; the exit code has the answer.")
@click.pass_context
def verify(
    context: click.Context,
    path: str,
    files: tuple[str, ...],
    threads: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
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
    from turboupload.files.receipt_check import check_receipt
    from turboupload.state.receipt_file import load_receipt

    began = time.monotonic()
    progress = ReadingProgress("verifying", silent=quiet or as_json)
    try:
        receipt = load_receipt(path)
        check = check_receipt(receipt, files, threads=threads, progress=progress)
    except TurbouploadError as error:
        progress.end()
        if as_json:
            _write(error.outcome, began, receipt=path, error=_fields(error))
        tell_error(error)
        context.exit(exit_code_for(error))
    finally:
        progress.end()
    if as_json:
        _write("yes" if check.proven else "no", began, receipt=path, **_found(check))
    elif not quiet:
        click.echo(_describe(check, time.monotonic() - began))
    if not check.proven:
        context.exit(NO)


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
        "error": None,
    }


def _describe(check: ReceiptCheck, seconds: float) -> str:
    lines = []
    for each in check.files:
        lines.append(f"{'ok' if each.source else 'no'}  {each.path}: {each.sentence}")
    size = format_size(sum(record.identity.size for record in check.receipt.files))
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


def _fields(error: TurbouploadError) -> dict[str, str | None]:
    return {"message": error.message, "path": error.path, "hint": error.hint}


def _write(outcome: str, began: float, **fields: Any) -> None:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    head = {"event": "receipt.verify.finished", "time": now, "outcome": outcome}
    tail = {"seconds": round(time.monotonic() - began, 3)}
    click.echo(json.dumps({**head, **fields, **tail}))
