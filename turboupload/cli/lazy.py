"""Commands that are imported only when they are used, and what makes importing them quick."""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from keyword import iskeyword
from typing import Any

import click

__all__ = ["LazyGroup", "SuggestingGroup", "importing"]


@contextmanager
def importing() -> Iterator[None]:
    """Switches the garbage collector off while modules are imported.

    Importing makes a hundred thousand objects that stay. Looking through them again and again for
    cycles to free takes an eighth of the start and finds next to nothing. Afterwards they are set
    aside (`gc.freeze`), so that no later look goes through them either. Where nothing was imported,
    nothing is set aside: in a program that runs many commands that would keep their garbage.
    """
    if not gc.isenabled():
        yield
        return
    modules = len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        if len(sys.modules) > modules:
            gc.freeze()
        gc.enable()


class SuggestingGroup(click.Group):
    """A group that says what may have been meant by a word that is no command of its."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first word names."""
        names, word = self.list_commands(ctx), args[0]
        if word not in names and not word.startswith("-"):
            ctx.fail(f"there is no command {word!r}: {self.meant_by(word, names)}")
        return super().resolve_command(ctx, args)

    def meant_by(self, word: str, names: list[str]) -> str:
        """What may have been meant, in words."""
        from difflib import get_close_matches  # needed for a mistake alone

        alike = get_close_matches(word, names, n=2, cutoff=0.5)
        if alike:
            return f"did you mean {' or '.join(alike)}?"
        return f"those are {', '.join(names)}"


class LazyGroup(SuggestingGroup):
    """A group that knows its commands by name and imports one only to run it.

    Each is an attribute of the module of its name; where that is a keyword, both end in `_`.

    Args:
        summaries: What the overview says of each command, in its order.
        package: Where their modules are.
        more: As `click.Group` takes it.
    """

    def __init__(
        self,
        *,
        summaries: Mapping[str, str],
        package: str,
        **more: Any,
    ) -> None:
        super().__init__(**more)
        self._summaries = dict(summaries)
        self._package = package

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the table."""
        return list(self._summaries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported."""
        if cmd_name not in self._summaries:
            return None
        name = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        with importing():
            module = importlib.import_module(f"{self._package}.{name}")
        command: click.Command = getattr(module, name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The overview, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._summaries.items()))
