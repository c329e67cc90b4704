"""`turboupload receipt show`: a receipt, out of the journal."""

from __future__ import annotations

import json

import click

from turboupload.cli.ui.options import option
from turboupload.config import UploadConfig
from turboupload.errors import InputError, TurbouploadError

__all__ = ["show"]


@click.command("show", no_args_is_help=True)
@click.argument("read_set", metavar="READSET|NAME")
@option(
    "--state-dir",
    metavar="DIR",
    help="Folder of the journal; else ~/.local/state/turboupload.",
)
def show(read_set: str, state_dir: str | None) -> None:
    """Print the receipt of a read set, given by its id or its name, as JSON.

    Every upload leaves one in the journal of the machine that made it.
    """
    from turboupload.core.proof.receipt_reading import read_receipt
    from turboupload.state.journal import Journal, KeptReceipt

    folder = UploadConfig(state_dir=state_dir).state_folder
    found: list[KeptReceipt] = []
    if (folder / "journal.sqlite3").exists():
        journal = Journal(folder)
        try:
            found = journal.receipts(read_set)
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
    click.echo(found[-1].body, nl=False)


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
