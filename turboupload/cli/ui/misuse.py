"""Commands that a program drives: with `--json` their last line comes on every ending."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import click

from turboupload.cli.ui.options import is_set

__all__ = ["PromisingCommand"]


class PromisingCommand(click.Command):
    """Promises a program its last line even where the command line makes no sense."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **more: Any,
    ) -> click.Context:
        """Parses the command line."""
        as_json = "--json" in args or is_set("TURBOUPLOAD_JSON")
        try:
            return super().make_context(info_name, args, parent, **more)
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            if as_json:
                words = f"{parent.info_name} {info_name}" if parent is not None else info_name
                self.tell_misuse(error, words or "")
            raise

    @abstractmethod
    def tell_misuse(self, error: click.UsageError, words: str) -> None:
        """Writes the last line.

        Args:
            error: What is wrong with the command line.
            words: The command's, after `turboupload`.
        """
