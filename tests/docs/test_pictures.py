"""The pictures in the documents: each is shown, is small, and its command exists."""

from __future__ import annotations

import html
import re
import shlex
from pathlib import Path

import pytest

from tests.support.commands import COMMAND_NAMES, command

ROOT = Path(__file__).parents[2]
PICTURES = sorted((ROOT / "docs" / "pictures").iterdir())
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHOWN = {
    (document.parent / target).resolve(): words
    for document in DOCUMENTS
    for words, target in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", document.read_text())
}


def test_each_is_shown_and_said_in_words() -> None:
    assert set(PICTURES) <= set(SHOWN)
    assert all(len(words) > 20 for words in SHOWN.values())


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_each_is_small_and_asks_for_nothing(path: Path) -> None:
    assert path.stat().st_size < 150_000
    if path.suffix == ".svg":
        svg = path.read_text().replace('xmlns="http://www.w3.org/2000/svg"', "", 1)
        # An address of the session may be on the screen, but nothing refers to one.
        assert not re.search(r"""(href|src|url\()\s*=?\s*["']?(?!#)[a-z/]""", svg)
        assert "@import" not in svg


@pytest.mark.parametrize("path", [each for each in PICTURES if each.suffix == ".svg"])
def test_what_was_typed_is_a_command_of_today(path: Path) -> None:
    lines = [
        html.unescape(re.sub("<[^>]*>", "", text)).replace("\u00a0", " ")
        for text in re.findall(r"<text [^>]*clip-path[^>]*>([^<]*)</text>", path.read_text())
    ]
    typed = re.match(r"\$ turboupload ((?:[^\n]*\\\n)*[^\n]*)", "\n".join(lines))
    assert typed, lines[:3]
    words = shlex.split(typed[1])
    name = max((each for each in COMMAND_NAMES if words[: len(each.split())] == each.split()),
               key=len, default="jobs list")  # fmt: skip
    known = {spelling for each in command(name).params for spelling in each.opts}
    assert {word for word in words if word.startswith("--")} <= known
