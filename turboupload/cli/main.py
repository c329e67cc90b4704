"""The command `turboupload`: its subcommands are imported only when they are used."""

from __future__ import annotations

import errno
import os
import shlex
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import click

from turboupload import __version__
from turboupload.cli.lazy import LazyGroup
from turboupload.cli.options.config_file import ConfigChoice
from turboupload.cli.ui.errors import (
    BUG,
    INTERRUPTED,
    USAGE,
    exit_code_for,
    tell_bug,
    tell_error,
    tell_usage,
)
from turboupload.cli.ui.output import StdoutLost, discard_stdout, open_standard_streams, pour, say
from turboupload.errors import TurbouploadError
from turboupload.runtime.exhaustion import trouble_here
from turboupload.runtime.stack import with_room

__all__ = ["cli", "main"]

COMMANDS = {
    "upload": "Upload a file, or an R1/R2 pair, into a sequence store.",
    "batch": "Upload the read sets of a sample sheet.",
    "watch": "Upload the runs in a folder as they are over.",
    "import": "Import read sets from S3, and look after the jobs: list, show.",
    "check": "Check sequencing files before they are uploaded.",
    "doctor": "Find out whether an upload would work here, and what to mend.",
    "bench": "Measure the way to a store with made-up bytes.",
    "sheet": "Write a sample sheet of the files in a folder.",
    "readsets": "Look at the read sets of a store: list, show, wait, verify.",
    "stores": "Look at the sequence stores: list.",
    "jobs": "Look after what runs here: list, show, set, pause, resume.",
    "uploads": "Look after open uploads: list, show, abort, clean.",
    "receipt": "Show receipts of uploads, and verify files against them.",
    "audit": "Find out which files are proven to be in the store.",
    "report": "Write a page of what was uploaded.",
    "demo": "See the whole way on this machine, with a kill half-way.",
    "emulator": "Run a local HealthOmics storage service.",
    "config": "Look at the settings, and where each comes from: show.",
    "completion": "Let the shell complete commands, options and files.",
}
"""Each lives in a module of its name, under its name; this is what the overview says of it."""


COMPONENTS = ("aiobotocore", "botocore", "aiohttp", "anyio", "uvloop", "awscrt", "isal", "pysam")
"""Packages whose versions matter when something goes wrong."""


def _tell_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    import ssl
    from importlib.metadata import PackageNotFoundError, version
    from platform import platform, python_version

    lines = [
        f"turboupload {__version__}",
        f"Python {python_version()}, {ssl.OPENSSL_VERSION}, {platform(terse=True)}",
    ]
    for name in COMPONENTS:
        with suppress(PackageNotFoundError):
            lines.append(f"{name} {version(name)}")
    pour("\n".join(lines))
    ctx.exit()


_ELSEWHERE = {
    "help": "`turboupload --help`",
    "version": "`turboupload --version`",
    "man": "`man turboupload`",
    "ls": "`turboupload readsets list`",
    "list": "`turboupload readsets list`",
    "status": "`turboupload jobs`, or `turboupload uploads list`",
    "retry": "the same `turboupload upload` or `batch` again: it goes on where it stopped",
    "resume": "the same `turboupload upload` or `batch` again: it goes on where it stopped",
    "verify": "`turboupload readsets verify`, or `turboupload receipt verify`",
    "configure": "`aws configure`, for credentials; `turboupload config --help`, for options",
    "login": "`aws sso login`: credentials are those of every AWS tool",
}
"""Words that are commands of other tools, and what has their meaning here."""


class _Commands(LazyGroup):
    def meant_by(self, word: str, names: list[str]) -> str:
        """What may have been meant; a file may stand where its command was forgotten."""
        if word.lower() in _ELSEWHERE:
            return f"did you mean {_ELSEWHERE[word.lower()]}?"
        if word.lower().startswith("s3://"):
            return f"did you mean `turboupload import {shlex.quote(word)}`?"
        if os.path.exists(word):  # noqa: PTH110 - never raises
            command = "sheet" if os.path.isdir(word) else "upload"  # noqa: PTH112 - as above
            return f"did you mean `turboupload {command} {shlex.quote(word)}`?"
        return super().meant_by(word, names)


@click.group(
    cls=_Commands,
    summaries=COMMANDS,
    package="turboupload.cli.commands",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="`turboupload COMMAND --help` has examples. Every option can also be set by an "
    "environment variable or in a file: see `turboupload config --help`.",
)
@click.option(
    "--config",
    metavar="FILE",
    envvar="TURBOUPLOAD_CONFIG",
    help="The settings file; else ~/.config/turboupload/config.toml.",
)
@click.option(
    "--config-profile",
    metavar="NAME",
    envvar="TURBOUPLOAD_CONFIG_PROFILE",
    help="The profile in it whose settings also apply.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_tell_version,
    help="Show the version, and the versions of its components.",
)
@click.pass_context
def cli(ctx: click.Context, config: str | None, config_profile: str | None) -> None:
    """Sequencing files into AWS HealthOmics sequence stores: fast, resumable, proven."""
    ctx.obj = ConfigChoice(config or None, config_profile or None)


def _run(arguments: Sequence[str] | None) -> Any:
    return cli.main(args=arguments, prog_name="turboupload", standalone_mode=False)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command and exits with the code of the table in `turboupload.cli.ui.errors`."""
    open_standard_streams()
    # Where a command loads numpy, it would start a thread a processor for linear algebra.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        code = with_room(_run, arguments) or 0
        if sys.stdout is not None:
            sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = USAGE
    except click.ClickException as error:
        tell_usage(error)
        code = USAGE
    except (click.exceptions.Abort, KeyboardInterrupt):
        say("interrupted")
        code = INTERRUPTED
    except TurbouploadError as error:
        tell_error(error)
        code = exit_code_for(error)
    except StdoutLost as lost:
        code = BUG
        if lost.reason:
            say(f"error: stdout can't be written: {lost.reason}")
    except BrokenPipeError:
        # The reader of our output has closed it, so no message can be shown.
        discard_stdout()
        code = BUG
    except Exception as error:  # the last resort: a bug gets a sentence, too
        code = BUG
        if isinstance(error, OSError) and error.errno == errno.ENOSPC and error.filename is None:
            discard_stdout()
            say(f"error: stdout can't be written: {error.strerror}")
        elif (trouble := trouble_here(error)) is not None:
            tell_error(trouble)
            code = exit_code_for(trouble)
        else:
            tell_bug(error)
    sys.exit(code)
