"""`turboupload demo`: the whole way on this machine, with a kill half-way."""

from __future__ import annotations

import shlex
import shutil
import sys
import tempfile
from pathlib import Path

import click

from turboupload.cli.lazy import importing
from turboupload.cli.options.help import HelpfulCommand
from turboupload.cli.options.shared import option
from turboupload.cli.ui.output import printable_lines, say
from turboupload.errors import ConfigError

__all__ = ["demo"]


@click.command(cls=HelpfulCommand, examples=("demo", "demo sample.bam --keep demo-folder"))
@click.argument(
    "files", metavar="[FILE]…", nargs=-1, type=click.Path(path_type=Path, readable=False)
)
@option(
    "--keep",
    "folder",
    metavar="FOLDER",
    type=click.Path(path_type=Path, readable=False),
    help="Work in this new or empty folder; by default in a temporary one.",
)
@option("--remove", is_flag=True, help="Remove the folder when all went well.")
def demo(files: tuple[Path, ...], folder: Path | None, remove: bool) -> None:
    """See the whole way on this machine, with a kill half-way.

    Starts a local HealthOmics, makes files of all four types (or takes your FILEs), uploads them,
    kills the largest upload half-way, runs the same command again, waits until all read sets are
    ACTIVE, reads them back and compares every byte. Nothing leaves this machine; it takes less
    than a minute and about 200 MB.
    """
    with importing():
        from turboupload.cli.session.signals import interrupt_on_sigterm
        from turboupload.demo.story import Demo, UploadFailed, require_extra

    require_extra()
    interrupt_on_sigterm()
    where = _prepared(folder)
    story = Demo(where, [path.absolute() for path in files], _say)
    try:
        story.run()
    except UploadFailed as failure:
        say(failure.ended.stderr.rstrip())
        say(f"error: an upload of the demo failed; its files are in {where}")
        sys.exit(failure.ended.exit_code if failure.ended.exit_code > 0 else 1)
    if remove:
        shutil.rmtree(where)
        _say("                (removed)")
    else:
        _say(f"                remove them with: rm -r {shlex.quote(str(where))}")


def _say(text: str) -> None:
    click.secho(printable_lines(text), bold=text.startswith("$"))


def _prepared(folder: Path | None) -> Path:
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="turboupload-demo-"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ConfigError("the folder is not empty", path=str(folder))
    except OSError as error:
        raise ConfigError(
            f"the folder can't be used: {error.strerror or error}", path=str(folder)
        ) from error
    return folder.absolute()
