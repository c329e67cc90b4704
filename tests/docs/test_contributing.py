"""What CONTRIBUTING.md names exists: paths, commands with their options, the glossary's words."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
COMMANDS = [
    line.partition("#")[0].split()
    for block in re.findall(r"^```\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    for line in block.splitlines()
]
NAMED = set(
    re.findall(r"`((?:turboupload|tests|docs|scripts|\.ci)/[\w./-]*|\w+\.(?:md|toml))`", TEXT)
)
MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "turboupload").rglob("*.py")
    if path.name != "__init__.py" or "import " in path.read_text()
)
"""Those with code: a package that only says what is in it has none."""
INDEX = dict(re.findall(r"^\| (`turboupload/[^|]*) \| (`tests/[^|]*) \|$", TEXT, re.MULTILINE))
"""The table of modules without a test file of their name: modules to test files."""


def test_every_path_exists() -> None:
    assert len(NAMED) > 50
    assert not [each for each in sorted(NAMED) if not (ROOT / each).exists()]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_and_its_options_exist(words: list[str]) -> None:
    program = words[0]
    if program == ".venv/bin/python":
        assert words[1:3] == ["-m", "pytest"]
        return
    assert os.access(ROOT / program, os.X_OK)
    code = (ROOT / program).read_text()
    for package in re.findall(r"-m (tests\.\w+)", code):
        code += (ROOT / package.replace(".", "/") / "__main__.py").read_text()
    for option in (word for word in words if word.startswith("--")):
        assert option in code, f"{program} has no {option}"


def test_the_glossarys_words_are_in_their_modules() -> None:
    rows = re.findall(r"^\| ([\w ]+) \| [^|]+ \| `(turboupload/[^`]+)` \|$", TEXT, re.MULTILINE)
    assert len(rows) >= 25
    for word, path in rows:
        code = re.sub(r"[\s_]", "", (ROOT / path).read_text()).casefold()
        assert word.replace(" ", "").casefold() in code, f"{path} doesn't speak of a {word}"


def test_every_module_names_its_tests() -> None:
    """By the folder of its room, by a test file of its room's name, or in the table."""
    missing = [module for module in MODULES if not _has_tests(module)]
    assert not missing, "add them to the table in CONTRIBUTING.md"
    listed = set(re.findall(r"`(turboupload/[^`]+)`", " ".join(INDEX)))
    assert listed <= set(MODULES)


def _has_tests(module: str) -> bool:
    room = Path(module).relative_to("turboupload").parts[0].removesuffix(".py")
    return (
        any((ROOT / "tests" / room).glob("test_*.py"))
        or any((ROOT / "tests").rglob(f"test_{room}.py"))
        or any(f"`{module}`" in modules for modules in INDEX)
    )
