"""`turboupload completion`: what the shell must know to complete our commands, and its place."""

from __future__ import annotations

from pathlib import Path

import click

from turboupload.cli.options.config_file import users_folder
from turboupload.cli.options.help import HelpfulCommand
from turboupload.cli.options.shared import option
from turboupload.cli.ui.output import pour, say

__all__ = ["completion"]

VARIABLE = "_TURBOUPLOAD_COMPLETE"
"""By it the script asks us what may come next; click's own name for it."""


@click.command(
    cls=HelpfulCommand,
    examples=("completion bash --install", "completion zsh > _turboupload"),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@option(
    "--install",
    is_flag=True,
    prefix="COMPLETION_",
    help="Write it to where the shell looks for it, instead of to stdout.",
)
@click.pass_context
def completion(ctx: click.Context, shell: str, install: bool) -> None:
    """Print the completion of commands, options and files for SHELL: bash, zsh or fish.

    With --install it is written into your home, where new shells find it.
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None
    script = found(ctx.find_root().command, {}, "turboupload", VARIABLE).source()
    if not install:
        pour(script)
        return
    path = _place(shell)
    if path is None:
        raise click.UsageError("this user has no home to write it to: leave --install out")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(script, encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"{path}: can't be written: {error.strerror}") from None
    say(f"written: {path}")
    say(_AFTERWARDS[shell].format(folder=path.parent))


_AFTERWARDS = {
    "bash": "new shells complete turboupload, if the package bash-completion is there; without it, "
    'add to ~/.bashrc: eval "$(turboupload completion bash)"',
    "zsh": "add to ~/.zshrc, before compinit, if it isn't there: fpath+=({folder})",
    "fish": "new shells complete turboupload",
}


_PLACES = {
    "bash": ("XDG_DATA_HOME", ".local/share", "bash-completion/completions/turboupload"),
    "fish": ("XDG_CONFIG_HOME", ".config", "fish/completions/turboupload.fish"),
    "zsh": ("XDG_DATA_HOME", ".local/share", "zsh/site-functions/_turboupload"),
}


def _place(shell: str) -> Path | None:
    """Where a shell looks for completions of the user's own; None where there is no home."""
    variable, below, name = _PLACES[shell]
    folder = users_folder(variable, below)
    return None if folder is None else folder / name
