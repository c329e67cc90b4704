"""Each command in a block of the documents is one that the command line takes.

What needs nothing but files and a store runs in `test_docs`; what needs another host, Slurm, S3 or
somebody's key is only read, so that no option in it is misspelt or gone.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from turboupload.cli.main import cli

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    # The tutorial runs, from its first line to its last.
    *(each for each in sorted((ROOT / "docs").rglob("*.md")) if each.name != "tutorial.md"),
]


def blocks(text: str) -> list[str]:
    """The text's blocks of shell, with continued lines joined."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    shell = (block for language, block in found if language in ("", "sh", "bash", "console"))
    return [re.sub(r"\s*\\\n\s*", " ", each) for each in shell]


def commands(block: str) -> list[list[str]]:
    """The words of each command of ours in a block, as a shell would hand them over."""
    found: list[list[str]] = []
    for line in block.splitlines():
        for match in re.finditer(r"\bturboupload ((?:[a-z]+ )?.*)", line):
            text = re.sub(r"\$\{?\w+\}?|\{\}", "1", match[1])
            lexer = shlex.shlex(text.split("  #")[0], posix=True, punctuation_chars="|&;()<>")
            lexer.whitespace_split = True
            lexer.commenters = ""
            words: list[str] = []
            try:
                for word in lexer:
                    if set(word) <= set("|&;()<>") or word == ":::":
                        break
                    words.append(word)
            except ValueError:
                # It stands within quotes that another command's line opens.
                words = re.split(r"[|&;]", text.rstrip("\"'"))[0].split()
            found.append(words)
    return found


CASES = sorted(
    {
        (path.relative_to(ROOT).as_posix(), " ".join(words))
        for path in DOCUMENTS
        for block in blocks(path.read_text())
        for words in commands(block)
    }
)


def test_there_are_many() -> None:
    assert len(CASES) > 40


@pytest.mark.parametrize(("path", "line"), CASES)
def test_the_command_line_takes_it(path: str, line: str) -> None:
    del path  # it names the test
    words = line.split()
    found: click.Command = cli
    while isinstance(found, click.Group) and words:
        if found.name == "import" and words[0] not in found.commands:
            words.insert(0, "start")  # as the command itself does
        inner = found.get_command(click.Context(found), words.pop(0))
        assert inner is not None, line
        found = inner
    if not isinstance(found, click.Group):
        found.make_context("turboupload", words).close()
