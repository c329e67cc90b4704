"""Help that begins with what people need: examples and common options first, the rest grouped."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any

import click

from turboupload.cli.options.config_file import ConfigChoice

__all__ = ["HelpfulCommand", "Option", "Section"]


_EXIT_CODES = "\b\nExit codes:"


class Section(StrEnum):
    """Headings of the options, in the order of the help."""

    COMMON = "Options"
    READ_SET = "More about the read set"
    ROWS = "For rows that don't say otherwise"
    WAITING = "Waiting"
    RESUMING = "Resuming"
    PROOF = "Checks and proof"
    STREAM = "Streams"
    SPEED = "Speed"
    CONNECTION = "Connection and state"


class Option(click.Option):
    """An option under a heading.

    Args:
        arguments: As `click.Option` takes them.
        section: The heading.
        more: As `click.Option` takes it.
    """

    def __init__(self, *arguments: Any, section: Section = Section.COMMON, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.section = section

    def get_help_extra(self, ctx: click.Context) -> Any:
        """What stands in brackets; the help names the variables in one note instead."""
        extra = super().get_help_extra(ctx)
        extra.pop("envvars", None)
        return extra


class HelpfulCommand(click.Command):
    """A command whose help has examples, and its options under headings.

    Args:
        arguments: As `click.Command` takes them.
        examples: Command lines, without `turboupload`.
        more: As `click.Command` takes it.

    Attributes:
        exit_codes: A line for each, as its docstring has them; empty where it has none.
    """

    def __init__(self, *arguments: Any, examples: Sequence[str] = (), **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.examples = tuple(examples)
        # A docstring ends with the exit codes; in the help they come last, as they are looked up.
        text, mark, self.exit_codes = inspect.cleandoc(self.help or "").partition(_EXIT_CODES)
        if mark:
            self.help, self.epilog = text.rstrip(), mark + self.exit_codes

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Parses the command line; what it leaves open comes from the settings file."""
        root = parent.find_root() if parent is not None else None
        if parent is None or root is None or not isinstance(root.obj, ConfigChoice):
            return super().make_context(info_name, args, parent, **extra)
        settings = root.obj.read()
        if settings is not None:
            settings.check(root)
        words = [*parent.command_path.split()[1:], info_name or ""]
        extra["default_map"] = settings.defaults(self, words) if settings is not None else None
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.BadParameter as error:
            if settings is None:
                raise
            raise settings.with_place(error, words) from None

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What the command does, and examples."""
        super().format_help_text(ctx, formatter)
        if self.examples:
            with formatter.section("Examples"):
                for each in self.examples:
                    indent = " " * formatter.current_indent
                    formatter.write(f"{textwrap.indent(f'turboupload {each}', indent)}\n")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options under their headings."""
        for section, records in self.sections(ctx):
            with formatter.section(section):
                formatter.write_dl(records)

    def sections(self, ctx: click.Context) -> Iterator[tuple[Section, list[tuple[str, str]]]]:
        """The headings that have options, each with its options' spellings and meanings.

        click's own options have no heading and are common.
        """
        for section in Section:
            records = [
                record
                for each in self.get_params(ctx)
                if isinstance(each, click.Option)
                and getattr(each, "section", Section.COMMON) is section
                and (record := each.get_help_record(ctx)) is not None
            ]
            if records:
                yield section, records

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The exit codes, and how options become settings."""
        super().format_epilog(ctx, formatter)
        if note := self.about_settings():
            formatter.write_paragraph()
            formatter.write_text(note)

    def about_settings(self) -> str:
        """How options become settings; empty where there are no options."""
        # One of each beginning: TURBOUPLOAD_ and, for some, the command's own word.
        examples = {
            str(each.envvar).removesuffix(_variable(spelling)): f"{spelling}: {each.envvar}"
            for each in reversed(self.params)
            if isinstance(each, Option)
            for spelling in [max(each.opts, key=len)]
        }
        if not examples:
            return ""
        return (
            "Every option can also be set by an environment variable "
            f"({', '.join(examples.values())}) or in a file: see `turboupload config --help`."
        )


def _variable(spelling: str) -> str:
    return spelling.removeprefix("--").replace("-", "_").upper()
