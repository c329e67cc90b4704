"""Manual pages (man) of all commands, made of their help.

groff_man_style(7) says what is escaped, and why: groff 1.23 prints a plain hyphen or apostrophe as
a typographic one, which no shell takes.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import click

from turboupload import __version__
from turboupload.cli.options.help import HelpfulCommand

__all__ = ["manual_pages"]

_NOT_WRAPPED = "\b"
"""click's mark of a paragraph whose lines stay as they are."""

_CHARACTERS = {
    "\\": r"\e",
    "-": r"\-",
    "'": r"\(aq",
    '"': r"\(dq",
    "`": r"\(ga",
    "^": r"\(ha",
    "~": r"\(ti",
    "…": "...",
}


def manual_pages(command: click.Command, name: str, date: str) -> Iterator[tuple[str, str]]:
    """The pages of a command and of all below it.

    Args:
        command: The command, or a group.
        name: The program's name, such as `turboupload`.
        date: When they were made, as `2026-11-29`.

    Yields:
        A file's name, such as `turboupload-readsets-list.1`, and its text.
    """
    yield from _below(_context(command, name, None), date)


def _below(ctx: click.Context, date: str) -> Iterator[tuple[str, str]]:
    yield f"{_page_name(ctx)}.1", "\n".join(_page(ctx, date)) + "\n"
    for child in _children(ctx):
        yield from _below(child, date)


def _context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    return click.Context(command, info_name=name, parent=parent, **command.context_settings)


def _children(ctx: click.Context) -> list[click.Context]:
    group = ctx.command
    if not isinstance(group, click.Group):
        return []
    return [
        _context(command, name, ctx)
        for name in group.list_commands(ctx)
        if (command := group.get_command(ctx, name)) is not None and not command.hidden
    ]


def _page_name(ctx: click.Context) -> str:
    return ctx.command_path.replace(" ", "-")


def _page(ctx: click.Context, date: str) -> Iterator[str]:
    command = ctx.command
    title = _text(_page_name(ctx).upper())
    yield f'.TH "{title}" 1 "{date}" "turboupload {__version__}" "turboupload"'
    # No hyphenation: names of options and commands would be divided, too.
    yield ".nh"
    summary, rest = _told(command)
    yield ".SH NAME"
    yield rf"{_text(_page_name(ctx))} \- {_text(summary.rstrip('.').replace('`', ''))}"
    yield ".SH SYNOPSIS"
    usage = " ".join(command.collect_usage_pieces(ctx))
    yield rf"\fB{_text(ctx.command_path)}\fR {_text(usage)}"
    if rest.strip():
        yield ".SH DESCRIPTION"
        yield from _paragraphs(rest)
    if isinstance(command, HelpfulCommand) and command.examples:
        yield ".SH EXAMPLES"
        yield from _as_it_stands("\n".join(f"turboupload {each}" for each in command.examples))
    yield from _options(ctx)
    yield from _commands(ctx)
    yield from _ending(command)
    yield from _see_also(ctx)


def _options(ctx: click.Context) -> Iterator[str]:
    command = ctx.command
    sections: list[tuple[str, list[tuple[str, str]]]]
    if isinstance(command, HelpfulCommand):
        sections = [(str(section), records) for section, records in command.sections(ctx)]
    else:
        found = (each.get_help_record(ctx) for each in command.get_params(ctx))
        sections = [("Options", [record for record in found if record is not None])]
    yield ".SH OPTIONS"
    for section, records in sections:
        if section != "Options":
            yield f".SS {_text(section)}"
        for spellings, meaning in records:
            yield ".TP"
            yield _bold_options(spellings)
            yield _inline(" ".join(meaning.split()))


def _commands(ctx: click.Context) -> Iterator[str]:
    children = _children(ctx)
    if children:
        yield ".SH COMMANDS"
    for child in children:
        yield ".TP"
        yield rf"\fB{_text(_page_name(child))}\fR(1)"
        yield _inline(_told(child.command)[0])


def _told(command: click.Command) -> tuple[str, str]:
    """The first paragraph of a command's help, in one line, and the others."""
    first, _, rest = inspect.cleandoc(command.help or "").partition("\n\n")
    return " ".join(first.split()), rest


def _ending(command: click.Command) -> Iterator[str]:
    if isinstance(command, HelpfulCommand):
        if command.exit_codes:
            yield ".SH EXIT STATUS"
        for line in command.exit_codes.strip().splitlines():
            code, _, meaning = line.strip().partition(" ")
            yield ".TP"
            yield rf"\fB{_text(code)}\fR"
            yield _inline(meaning.strip())
        if note := command.about_settings():
            yield ".SH ENVIRONMENT"
            yield _inline(note)
    elif command.epilog:
        yield ".SH NOTES"
        yield from _paragraphs(command.epilog)


def _see_also(ctx: click.Context) -> Iterator[str]:
    """The pages above, and those beside it in its group."""
    if ctx.parent is None:
        return
    pages = [_page_name(ctx.parent), _page_name(ctx.find_root())]
    if ctx.parent.parent is not None:
        pages += [_page_name(each) for each in _children(ctx.parent)]
    yield ".SH SEE ALSO"
    yield ",\n".join(rf"\fB{_text(each)}\fR(1)" for each in sorted({*pages} - {_page_name(ctx)}))


def _paragraphs(text: str) -> Iterator[str]:
    for number, paragraph in enumerate(re.split(r"\n\s*\n", text.strip())):
        if number:
            yield ".PP"
        if paragraph.startswith(_NOT_WRAPPED):
            yield from _as_it_stands(paragraph.removeprefix(_NOT_WRAPPED).strip("\n"))
        else:
            yield _inline(" ".join(paragraph.split()))


def _as_it_stands(text: str) -> Iterator[str]:
    """Lines that are neither filled nor broken, indented."""
    yield ".RS 4"
    yield ".nf"
    for line in text.splitlines():
        yield _text(line)
    yield ".fi"
    yield ".RE"


def _inline(text: str) -> str:
    """A paragraph; what stands between backticks is bold."""
    parts = re.split(r"`([^`]+)`", text)
    return _guarded(
        "".join(
            rf"\fB{_escaped(each)}\fR" if number % 2 else _escaped(each)
            for number, each in enumerate(parts)
        )
    )


def _bold_options(spellings: str) -> str:
    return _guarded(
        "".join(
            rf"\fB{_escaped(each)}\fR" if each.startswith("-") else _escaped(each)
            for each in re.split(r"(?<![\w-])(--?[\w-]+)", spellings)
        )
    )


def _text(text: str) -> str:
    return _guarded(_escaped(text))


def _escaped(text: str) -> str:
    return "".join(
        _CHARACTERS.get(each, each if each.isascii() else rf"\[u{ord(each):04X}]") for each in text
    )


def _guarded(line: str) -> str:
    """A line that begins with a dot or an apostrophe would be a request to roff."""
    return rf"\&{line}" if line.startswith((".", "'")) else line
